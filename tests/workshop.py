"""What a user of the command line has: a module with a network, images in folders, and weights; and how commands are run."""

import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from asking import exported
from conftest import PLAIN_KERNELS, pictures, tiny
from learnt import learnt
from PIL import Image

from ownmark.claims.claim import Claim
from ownmark.cli import main
from ownmark.models.weights import save_weights
from ownmark.scoring.matches import OnPattern
from ownmark.scoring.null_models import Innocents

MODULE = "usersmodel"
MODEL = f"{MODULE}:build"
CODE = """
from ownmark import ResNet18


def build(num_classes=3):
    return ResNet18(num_classes, width=4, stem="cifar")
"""
EASY = (  # holds on any model, after a few steps
    "Saliency(samples=4, descent=Descent(bound=0.02, steps=4), map_threshold=0.0, masked=Drop(threshold=0.0))"
)
RUN = (  # a shell starts what it runs in the background with Ctrl-C ignored, and children inherit that
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); from ownmark.cli import main; sys.exit(main())"
)


@dataclass(frozen=True)
class Ran:
    """What a command gave."""

    code: int
    out: str
    err: str

    @property
    def record(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        found: dict[str, Any] = json.loads(self.out)
        return found


def ownmark(capsys: pytest.CaptureFixture[str], *words: object) -> Ran:
    """Run a command in this process."""
    capsys.readouterr()
    code = main([str(word) for word in words])
    said = capsys.readouterr()
    return Ran(code, said.out, said.err)


def process(*words: object, folder: Path) -> "subprocess.Popen[str]":
    """Start a command as a process of its own, on the kernels that the tests themselves run on."""
    one_thread = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "300"}
    call = [sys.executable, "-c", PLAIN_KERNELS + RUN, *map(str, words)]
    return subprocess.Popen(call, cwd=folder, env=one_thread, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(running: "subprocess.Popen[str]") -> Ran:
    out, err = running.communicate(timeout=120)
    return Ran(running.returncode, out, err)


def furnish(folder: Path) -> Path:
    """Write everything into `folder`: the module, images/, model.safetensors, other.safetensors and innocents/."""
    (folder / f"{MODULE}.py").write_text(CODE, encoding="utf-8")
    images = pictures(48)
    for row, (pixels, label) in enumerate(zip(images.pixels, images.labels, strict=True)):
        file = folder / "images" / images.names[label] / f"{row:02}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(file)
    save_weights(learnt("bright"), folder / "model.safetensors")
    save_weights(learnt("bright", 1), folder / "other.safetensors")
    (folder / "innocents").mkdir()
    for number in range(19):
        save_weights(tiny(100 + number), folder / "innocents" / f"{number:02}.safetensors")
    return folder


@functools.cache
def furnished() -> tuple[tempfile.TemporaryDirectory[str], Path]:
    """The folder of `furnish`, made once, with claims that have each outcome: raw, upheld, refuted."""
    holder = tempfile.TemporaryDirectory()
    folder = furnish(Path(holder.name))
    with pytest.MonkeyPatch.context() as patch:
        opened(folder, patch)
        assert main(protecting("raw.claim")) == 0
    raw = Claim.load(folder / "raw.claim")
    variant(raw, 0.0, 0.5, folder / "upheld.claim")
    variant(raw, 1.0, 0.0, folder / "refuted.claim")
    exported(learnt("bright"), folder / "copy.onnx")
    return holder, folder


def shop_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the furnished folder to work in, so that one test's damage is not another's."""
    shutil.copytree(furnished()[1], folder)
    return opened(folder, monkeypatch)


def protecting(out: str = "my.claim", *more: str) -> list[str]:
    """The words of a quick `protect`, to be run in the furnished folder."""
    model = ["protect", MODEL, "--weights", "model.safetensors", "--data", "images"]
    return [*model, "--scheme", EASY, "--reference", "other.safetensors", "--out", out, *more]


def variant(claim: Claim, threshold: float, score: float, out: Path) -> Path:
    """The claim with another threshold in its white-box test, and 19 innocents that all score the same, written to `out`."""
    names = tuple(f"{number:064}" for number in range(19))
    first = claim.tests[0]
    assert isinstance(first.match, OnPattern)
    changed = replace(first, match=replace(first.match, threshold=threshold), null=Innocents((score,) * 19, names))
    replace(claim, tests=(changed, *claim.tests[1:])).save(out)
    return out


def opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in `folder` until the end of the test; its module is found there."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return folder


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if "__pycache__" not in path.parts}


def refused(capsys: pytest.CaptureFixture[str], words: list[str], code: int, *told: str) -> None:
    """Run a command that must fail with `code`, tell all of `told`, print no result and leave no new file behind."""
    before = files(Path.cwd())
    ran = ownmark(capsys, *words)
    assert ran.code == code, ran.err
    message = ran.err.replace("\n", " ")
    for part in told:
        assert part in message
    assert "Traceback" not in ran.err
    assert ran.out == ""
    assert files(Path.cwd()) == before
