"""The demo on handwritten digits: an owner protects a model, thieves copy it, others train their own, a judge decides."""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ownmark.claims.claim import Claim
from ownmark.cli import render
from ownmark.cli.answer import Answer
from ownmark.cli.console import show, show_command, tell, working
from ownmark.cli.demo.digits import (
    COPIES,
    LONG,
    SCHEME,
    SHORT,
    SURROGATES,
    THIEFS_PART,
    Job,
    export,
    images,
    loaded,
)
from ownmark.cli.render_judge import STYLES, of_verdict
from ownmark.errors import UsageError
from ownmark.files import check_writable
from ownmark.processes import cores, pool
from ownmark.protocols import Owner, Suspect
from ownmark.report.page import page, write
from ownmark.report.words import counted, percent
from ownmark.schemes.saliency.scheme import Saliency
from ownmark.suspects.local import Local
from ownmark.suspects.onnx import Onnx
from ownmark.training import Training
from ownmark.verdicts.calibrate import calibrate
from ownmark.verdicts.verdict import NAMES, Verdict
from ownmark.verdicts.verify import verify
from ownmark.verdicts.ways import Way

ALPHA = 0.05
FACTORY = "ownmark.cli.demo.digits:network"
WORKERS = 4  # more processes would wait for memory
EXPORTER = ("onnx", "onnxscript")  # packages that torch needs to write an ONNX file
FOLDERS = ("owner", "innocents", "suspects")


@dataclass(frozen=True)
class Story:
    """The size of the demo: enough independent models for alpha = 0.05, unless a test reduces it."""

    innocents: int = 19
    independents: int = 2
    references: int = 2
    scheme: Saliency = SCHEME
    long: Training = LONG
    short: Training = SHORT


@dataclass(frozen=True)
class Stage:
    """The setting of one demo run: every model's weights are in `folder`, under owner, innocents or suspects."""

    folder: Path
    seed: int
    story: Story

    @property
    def model(self) -> Path:
        return self.folder / "owner" / "model.safetensors"

    @property
    def references(self) -> list[Path]:
        return [self._file("owner", f"reference-{number + 1}") for number in range(self.story.references)]

    @property
    def surrogates(self) -> list[Path]:
        return [self._file("owner", f"surrogate-{number + 1}") for number in range(len(SURROGATES))]

    @property
    def innocents(self) -> list[Path]:
        return [self._file("innocents", f"{number + 1:02}") for number in range(self.story.innocents)]

    @property
    def copies(self) -> list[Path]:
        return [self._file("suspects", name) for name in COPIES]

    @property
    def independents(self) -> list[Path]:
        return [self._file("suspects", f"independent-{number + 1}") for number in range(self.story.independents)]

    def training(self) -> list[Job]:
        """The owner's models and independent ones, each from its own seed, slowest first."""
        trained = [(file, self.story.long) for file in (self.model, *self.independents)]
        trained += [(file, self.story.short) for file in (*self.references, *self.innocents)]
        return [Job(file, 1000 * self.seed + place, training) for place, (file, training) in enumerate(trained)]

    def stealing(self) -> list[Job]:
        """Copies of the owner's model: the thieves', and the owner's own with other seeds and settings."""
        every = [1 if name == "distilled" else THIEFS_PART for name in COPIES] + [1] * len(SURROGATES)
        attacks = zip((*self.copies, *self.surrogates), (*COPIES.values(), *SURROGATES), every, strict=True)
        return [
            Job(file, 1000 * self.seed + 500 + place, attack=attack, stolen=self.model, every=part)
            for place, (file, attack, part) in enumerate(attacks)
        ]

    def _file(self, kind: str, name: str) -> Path:
        return self.folder / kind / f"{name}.safetensors"


@dataclass(frozen=True)
class StoryResult:
    """The result: one verdict per suspect, and each model's accuracy on held-out digits by file."""

    claim: Claim
    verdicts: tuple[Verdict, ...]
    correct: dict[Path, float]


def run_story(folder: Path, seed: int, story: Story = Story()) -> Answer:
    """Runs the demo, and writes the page, the claim, the images and every model's weights into `folder`."""
    started = time.monotonic()
    _make_folders(folder)
    torch.set_num_threads(1)  # several processes of one core each are faster than one on all, most of all on a busy machine
    found = _acted(Stage(folder, seed, story))
    write(folder / "report.html", page(found.claim, found.verdicts, title="Handwritten digits: copies and independent models"))
    record = _record(found, folder, time.monotonic() - started)
    return Answer(record, partial(_tell, found, record))


def _acted(stage: Stage) -> StoryResult:
    """Trains, steals, protects, calibrates and judges."""
    save_images(stage.folder / "images.npz")
    with _workers() as workers:
        correct = _made(workers, stage.training(), "Training the owner's models and independent ones")
        correct |= _made(workers, stage.stealing(), "Making copies of the owner's model")
    owner = Owner(images(training=True), tuple(map(loaded, stage.surrogates)), tuple(map(loaded, stage.references)))
    rng = torch.Generator().manual_seed(stage.seed)
    with working("Making the fingerprint") as progress:
        claim = stage.story.scheme.protect(loaded(stage.model), owner, rng, progress).claim
    with working(f"Querying {counted(len(stage.innocents), 'innocent model')}") as progress:
        claim = calibrate(claim, [_local(file) for file in stage.innocents], progress)
    claim.save(stage.folder / "digits.claim")
    suspects = [*(_local(file) for file in (*stage.copies, *stage.independents)), *_exported(stage)]
    with working("Querying the suspects"):
        return StoryResult(claim, tuple(_verdict(claim, suspect) for suspect in suspects), correct)


def _verdict(claim: Claim, suspect: Suspect) -> Verdict:
    """Models at hand are asked by their weights; an ONNX file, which shows none, by its probabilities."""
    access = Way.PROBABILITIES if isinstance(suspect, Onnx) else Way.WEIGHTS
    return verify(claim, suspect, alpha=ALPHA, access=access)


def _local(file: Path) -> Suspect:
    return Local(loaded(file), name=str(file))


def _exported(stage: Stage) -> Iterator[Suspect]:
    """The first copy also as an ONNX file, if the exporter is installed."""
    missing = [name for name in EXPORTER if find_spec(name) is None]
    if missing:
        tell(f"Skipping the copy as an ONNX file: it needs {' and '.join(missing)} (pip install {' '.join(missing)}).")
        return
    file = stage.copies[0].with_suffix(".onnx")
    with working("Writing a copy as an ONNX file"):
        export(stage.copies[0], file)
    yield Onnx(file)


@contextmanager
def _workers() -> Iterator[Executor]:
    """Single-threaded processes, which end with this one."""
    workers = pool(min(cores(), WORKERS), threads=1)
    try:
        yield workers
    finally:
        workers.shutdown(wait=True, kill_workers=True)


def _made(workers: Executor, jobs: Sequence[Job], title: str) -> dict[Path, float]:
    """Runs all jobs; returns each model's accuracy on held-out digits."""
    found: dict[Path, float] = {}
    with working(title) as progress:
        waiting = {workers.submit(job.run): job.file for job in jobs}
        for done, future in enumerate(as_completed(waiting), start=1):
            found[waiting[future]] = future.result()
            progress(done, len(jobs))
    return found


def _make_folders(folder: Path) -> None:
    """Creates the folder and its subfolders before any work."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"cannot write into {folder}: it is a file; name a folder")
    try:
        for name in FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder {folder}: {error.strerror or error}") from error
    check_writable(folder / "report.html")


def save_images(file: Path) -> None:
    """The digits in MedMNIST's layout, so that `--data` can name them."""
    mine, held_out = images(training=True), images(training=False)
    np.savez_compressed(
        file,
        train_images=mine.pixels[..., 0],
        train_labels=mine.labels[:, None],
        test_images=held_out.pixels[..., 0],
        test_labels=held_out.labels[:, None],
    )


def _record(found: StoryResult, folder: Path, seconds: float) -> dict[str, Any]:
    """The result as JSON data. `false_match_bound`: 95 % bound on the rate of independent models that score above all tested."""
    count = len(next(test.null.scores for test in found.claim.tests if test.null.scores))
    suspects = [
        of_verdict(verdict) | {"correct": found.correct[folder / "suspects" / f"{Path(verdict.suspect).stem}.safetensors"]}
        for verdict in found.verdicts
    ]
    claim = render.of_claim(found.claim, folder / "digits.claim")
    return {
        "page": str(folder / "report.html"),
        "claim": claim["file"],
        "samples": claim["samples"],
        "psnr_db": claim["psnr_db"],
        "model": FACTORY,
        "seconds": seconds,
        "alpha": ALPHA,
        "innocents": count,
        "smallest_p": 1 / (count + 1),
        "false_match_bound": 1 - 0.05 ** (1 / count),
        "suspects": suspects,
    }


def _tell(found: StoryResult, record: Mapping[str, Any]) -> None:
    """One line per suspect, the meaning of the verdicts, and next steps."""
    count, claim = record["innocents"], record["claim"]
    show(f"Verdicts by {record['samples']} images, {record['psnr_db']:.0f} dB from their originals, and {count} innocent models:")
    show(f"  {'':<18}  {'suspect':<22}  {'match':>7}  {'p':>5}  {'decided by':<14}  accuracy", "bold")
    for verdict, one in zip(found.verdicts, record["suspects"], strict=True):
        finding, name = verdict.deciding, Path(verdict.suspect).name.removesuffix(".safetensors")
        figures = f"{percent(finding.score):>7}  {finding.p:>5.2g}  {NAMES[finding.test.reading]:<14}"
        show(f"  {verdict.outcome:<18}  {name:<22}  {figures}  {percent(one['correct']):>11}", STYLES[verdict.outcome])
    for test in found.claim.tests:
        if test.null.scores:
            show(f"  Highest score of an innocent model, {NAMES[test.reading]}: {percent(max(test.null.scores))}")
    if any("distilled" in one["suspect"] and one["exit_code"] for one in record["suspects"]):
        show("  The distilled copy is a new model trained on the old one's answers; this fingerprint does not survive that.")
    show(
        f"alpha = {ALPHA:g} is the false-accusation rate: at most 1 in {1 / ALPHA:.0f} models like those {count} is a MATCH, "
        f"and p cannot fall below {record['smallest_p']:.3g}. Although none of the {count} scores as high, up to "
        f"{percent(record['false_match_bound'])} of all such models may do so (95 % confidence bound)."
    )
    folder = Path(claim).parent
    model, stolen = f"{FACTORY} --weights", folder / "suspects" / "pruned.safetensors"
    show("Next steps, for example:", "bold")
    show_command(f"inspect {claim}")
    show_command(f"attack {model} {stolen} --data {folder / 'images.npz'} --channels 1 --attack Finetune --out tuned.safetensors")
    show_command(f"verify {claim} {model} tuned.safetensors")
    show(f"{record['seconds']:.0f} seconds. Open in a browser: {Path(record['page']).resolve()}", "bold")
