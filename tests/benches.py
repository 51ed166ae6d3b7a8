"""A bench so small that it takes seconds: random pictures, a network of width 4, steps one can count."""

from pathlib import Path

import numpy as np
from conftest import pictures

from ownmark.bench.executors.worker import Here, Workplace
from ownmark.bench.grid import Grid
from ownmark.bench.recipe import recipe
from ownmark.bench.running import Report, run, unheard
from ownmark.bench.store import Store
from ownmark.bench.trial import Outcome

RECIPE = """
name: tiny
task: Classification
place: {place}
scales:
  smoke:
    network: ownmark:ResNet18(width=4, stem='cifar')
    training: Training(epochs=1, batch=12, shift=0)
    fingerprints:
      saliency: Saliency(samples=2, descent=Descent(bound=0.1, steps=1), objective=Published(), map_threshold=0.3)
    watermarks:
      partitioned: Partitioned(triggers=4, sets=1, steps=2, stages=1, clean=4, least=0.0)
    attacks:
      finetune: Finetune(epochs=1)
      prune: Prune(0.3)
      jpeg: {{behind: [JPEG(quality=50), Rounded(decimals=1)]}}
    thief_share: 0.5
    references: [1]
    surrogates: [Prune(0.4)]
    negatives: 100..101
    repeats: [{{target: 0, claim: 11}}, {{target: 0, claim: 12}}]
"""


def recipe_file(folder: Path, text: str = RECIPE) -> Path:
    """The recipe and its images, in the folder."""
    mine, held_out = pictures(36), pictures(18, number=1)
    np.savez(
        folder / "images.npz",
        train_images=mine.pixels,
        train_labels=mine.labels,
        test_images=held_out.pixels,
        test_labels=held_out.labels,
    )
    file = folder / "tiny.yaml"
    file.write_text(text.format(place=folder / "images.npz"), encoding="utf-8")
    return file


def grid(folder: Path, text: str = RECIPE) -> Grid:
    found = recipe(str(recipe_file(folder, text)))
    return Grid(found, found.scale("smoke"))


def quick(folder: Path) -> Grid:
    """A third of them: the copies of one attack, whose sources no mark changed."""
    return grid(folder).picked(("saliency",), ("prune",))


def outcomes(asked: Grid, root: Path, report: Report = unheard) -> list[Outcome]:
    """All of them, made in this process."""
    place = Workplace(root)
    return run(asked.trials(), place.zoo, Here(place), report)


def records(root: Path) -> dict[str, bytes]:
    """Everything that is kept, by the name of its file."""
    return {str(file.relative_to(root)): file.read_bytes() for file in sorted(Store(root).root.glob("*/*.json"))}
