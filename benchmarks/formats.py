"""One stolen digits model and one of skin lesions in every format and precision of `exports.py`: score, p and seconds.

Writes `formats.json`. The copies are fine-tuned; the claims' black-box tests decide, since most runtimes show no maps. The digits
are the demo's own models, kept in `.formats/`, as are those of the skin task: HAM10000 at 28x28. `make bench-formats` runs this
in `.venv-formats`, which holds the converters (1.6 GB); run by another Python it says which rows lack a package. An interrupted
run resumes; remove `.formats/` to begin anew.
"""

import json
import os
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import torch
from torch import nn

from exports import EXPORTS, Export
from helped import helped
from ownmark.attacks._common.converting import quiet
from ownmark.attacks.finetune import Finetune
from ownmark.claims.claim import Claim
from ownmark.cli.demo.digits import SCHEME, STRIDES, WIDTHS
from ownmark.cli.demo.digits import images as digits_images
from ownmark.cli.demo.digits import loaded as digits_model
from ownmark.cli.demo.story import run_story as demo
from ownmark.data.images import Images, load
from ownmark.errors import OwnmarkError
from ownmark.files import write_whole
from ownmark.models.weights import load_weights, save_weights
from ownmark.protocols import Owner, Suspect
from ownmark.scoring.readings import Reading
from ownmark.suspects.answers import Outputs
from ownmark.suspects.local import Local
from ownmark.suspects.open import Access
from ownmark.training import Training, seeded, train
from ownmark.verdicts.calibrate import calibrate
from ownmark.verdicts.verify import verify
from record import ROOT, record

KEPT = ROOT / ".formats"
SKIN = Path(os.environ.get("OWNMARK_DATA", "data")) / "ham10000"
CALIBRATION = 100  # of the thief's images, for static quantisation
EVERY = 3  # the thief has every third image
SIZE = 28
INNOCENTS = 19
LONG = Training(epochs=4, batch=64, rate=0.1)
SHORT = replace(LONG, epochs=2)


@dataclass(frozen=True)
class Case:
    """A task: a calibrated `claim` with one test, a `stolen` copy, and the thief's own `images`."""

    name: str
    claim: Claim
    stolen: nn.Module
    images: Images


def main() -> None:
    """Exports and asks; every row that cannot be made or asked says why."""
    torch.set_num_threads(1)
    KEPT.mkdir(exist_ok=True)
    done = Done(KEPT / "rows.json")
    cases = [digits(), *([skin()] if SKIN.is_dir() else [])]
    for case in cases:
        for export in (None, *EXPORTS):
            done.row(f"{case.name}.{export.name if export else 'torch float'}", partial(asked, case, export))
    rows = {row: found for row, found in done.rows().items() if row.split(".")[0] in {case.name for case in cases}}
    figures = {f"{row}.{key}": value for row, (found, _) in rows.items() for key, value in found.items()}
    notes = {row: note for row, (_, note) in rows.items()}
    setting = (
        f"Fine-tuned copies of the demo's digits model (28x28) and of a small network on HAM10000 at 28x28; black-box test of 40 "
        f"samples, {INNOCENTS} innocent models; {CALIBRATION} of the thief's images calibrate; one thread"
    )
    record("formats", figures, seeds={"digits": 0, "skin": 0}, setting=setting, notes=notes)


@dataclass(frozen=True)
class Done:
    """Rows that were finished, in a file, so that an interrupted run resumes."""

    file: Path

    def rows(self) -> dict[str, tuple[dict[str, float], str]]:
        return dict(json.loads(self.file.read_text())) if self.file.exists() else {}

    def row(self, name: str, find: Callable[[], tuple[dict[str, float], str]]) -> None:
        rows = self.rows()
        if name not in rows:
            write_whole(self.file, json.dumps({**rows, name: find()}, indent=1).encode())
        print(name, *self.rows()[name], flush=True)


def asked(case: Case, export: Export | None) -> tuple[dict[str, float], str]:
    """What one row shows: figures, and the digest and notes of the suspect, or why there is none."""
    if export is not None and (lacking := export.missing()):
        return {"missing": 1}, f"{lacking} is not installed"
    with TemporaryDirectory() as folder:
        model, started = deepcopy(case.stolen), perf_counter()
        try:
            suspect = Local(model) if export is None else suspect_of(case, export, model, Path(folder))
            made = perf_counter()
            verdict = verify(case.claim, suspect, alpha=0.05)
        except OwnmarkError as error:
            return {"failed": 1}, str(error)
        one = verdict.deciding
        found = {"score": one.score, "p": one.p, "made_seconds": made - started, "asked_seconds": perf_counter() - made}
        return found, "; ".join([verdict.suspect_digest, str(verdict.outcome), verdict.reason, *verdict.notes])


def suspect_of(case: Case, export: Export, model: nn.Module, folder: Path) -> Suspect:
    """The copy in that format. Raises OwnmarkError for whatever its converter raises."""
    some = case.images.pixels[:: max(1, len(case.images) // CALIBRATION)][:CALIBRATION]
    try:
        with quiet():
            made = export.make(model, np.ascontiguousarray(some), folder)
    except Exception as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise OwnmarkError(f"its converter failed: {first}") from error
    if isinstance(made, nn.Module):
        return Local(made, name=export.name)
    return Access(case.claim.preprocess, len(case.claim.classes), outputs=Outputs.LOGITS, code=True).suspect(str(made))


def digits() -> Case:
    """The demo's claim and its first copy."""
    folder = KEPT / "digits"
    if not (folder / "digits.claim").exists():
        demo(folder, 0)
    claim = black_box(Claim.load(folder / "digits.claim"))
    mine = digits_images(training=True)
    return Case(
        "digits", claim, digits_model(folder / "suspects" / "fine-tuned.safetensors"), mine.take(range(0, len(mine), EVERY))
    )


def skin() -> Case:
    """A claim, a fine-tuned copy, and independent models that calibrate it, all trained here."""
    mine = load(str(SKIN), size=SIZE)
    thief = mine.take(range(0, len(mine), EVERY))
    target = kept("target", lambda: trained(mine, 0, LONG))
    stolen = kept("stolen", lambda: Finetune(epochs=3, rate=0.005).apply(target, thief, torch.Generator().manual_seed(1)))
    surrogate = kept("surrogate", lambda: Finetune(epochs=3, rate=0.02).apply(target, mine, torch.Generator().manual_seed(2)))
    references = tuple(kept(f"reference-{seed}", partial(trained, mine, seed, SHORT)) for seed in (10, 11))
    file = KEPT / "skin.claim"
    if not file.exists():
        owner = Owner(mine, (surrogate,), references)
        claim = SCHEME.protect(target, owner, torch.Generator().manual_seed(0)).claim
        innocents = [kept(f"innocent-{seed}", partial(trained, mine, seed, SHORT)) for seed in range(100, 100 + INNOCENTS)]
        calibrate(claim, [Local(one) for one in innocents]).save(file)
    return Case("skin", black_box(Claim.load(file)), stolen, thief)


def kept(name: str, make: Callable[[], nn.Module]) -> nn.Module:
    """A model of the skin task, made once."""
    file = KEPT / f"skin-{name}.safetensors"
    if not file.exists():
        save_weights(make(), file)
    return load_weights(blank(), file)


def trained(images: Images, seed: int, training: Training) -> nn.Module:
    rng = torch.Generator().manual_seed(seed)
    with seeded(rng):
        model = blank()
    train(model, images, training, rng)
    return model.eval()


def blank() -> nn.Module:
    """The digits' network for colours and the seven classes of the skin task."""
    layers: list[nn.Module] = []
    for inputs, outputs, stride in zip((3, *WIDTHS), WIDTHS, STRIDES, strict=False):
        layers += [nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTHS[-1], 7))


def black_box(claim: Claim) -> Claim:
    return replace(claim, tests=tuple(test for test in claim.tests if test.reading is not Reading.SALIENCY), maps=None)


if __name__ == "__main__":
    helped(__doc__)
    main()
