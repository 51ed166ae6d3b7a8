"""`ownmark judge` and `ownmark dispute`: from an opened seal and models in files to a signed verdict."""

import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from authority import authority, needs_openssl
from cryptography.hazmat.primitives.serialization import Encoding
from judging import CLASSES, SHAPE, decoys, keyed
from PIL import Image
from sealing import OWNER, POLICY
from torch import Tensor, nn
from workshop import RUN, ownmark, refused

from ownmark.claim import Claim
from ownmark.evidence import owner, seal
from ownmark.evidence.seal import Beside

Capture = pytest.CaptureFixture[str]
WORDS = "four words are enough"
OTHER = bytes(range(32, 64))
LATER = ["--seen", "2100-01-01", "--key", "JUDGE.key", "--out", "verdict.json"]


class Memory(nn.Module):
    """Answers like the image that it remembers best."""

    def __init__(self, *claims: Claim) -> None:
        super().__init__()
        ordinary = decoys(CLASSES)
        images = np.concatenate([ordinary.images, *(claim.images[:, 0] for claim in claims)])
        labels = np.concatenate([ordinary.labels, *(claim.tests[0].expected for claim in claims)])
        self.register_buffer("bank", torch.from_numpy(images.reshape(len(images), -1) / 255).float())
        self.register_buffer("labels", torch.eye(CLASSES)[torch.from_numpy(labels)])
        self.bank: Tensor
        self.labels: Tensor

    def forward(self, images: Tensor) -> Tensor:
        apart = images.flatten(1) @ self.bank.T - (self.bank**2).sum(1) / 2
        logits: Tensor = 9 * torch.softmax(900 * apart, 1) @ self.labels
        return logits


def exported(path: Path, *claims: Claim) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        example, axes = torch.rand(2, SHAPE[2], *SHAPE[:2]), {"images": {0: "n"}}
        torch.onnx.export(Memory(*claims), (example,), path, dynamo=False, input_names=["images"], dynamic_axes=axes)
    return path


@pytest.fixture(scope="module")
def court(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two owners' opened and stamped seals, their models, a copy that both marked, and an innocent."""
    folder = tmp_path_factory.mktemp("court")
    trusted = authority(folder / "tsa")
    (folder / "tsa.pem").write_bytes(trusted.root.public_bytes(Encoding.PEM))
    first, second = keyed(), keyed(master=OTHER)
    exported(folder / "innocent.onnx")
    exported(folder / "a.onnx", first)
    exported(folder / "b.onnx", first, second)
    exported(folder / "c.onnx", second)
    for name, claim in (("a", first), ("b", second)):
        bundle = seal.seal(claim, OWNER, POLICY, Beside(folder / f"{name}.onnx"))
        stamped = seal.stamped(bundle, "http://tsa", trusted.reply, (trusted.root,))
        seal.opened(stamped, claim, OWNER, 0).save(folder / f"{name}.opened")
        time.sleep(1.1)  # the authority counts whole seconds
    for row, (image, label) in enumerate(zip(decoys().images, decoys().labels, strict=True)):
        file = folder / "images" / "abcdefghij"[label] / f"{row}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0]).save(file)
    owner.create(folder / "JUDGE.key", WORDS)
    return folder


@pytest.fixture(autouse=True)
def _in_court(court: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(court)
    monkeypatch.setenv("OWNMARK_PASSPHRASE", WORDS)


JUDGE = ["judge", "a.opened", "--own", "a.onnx", "--decoys", "images", "--root", "tsa.pem", *LATER]


@needs_openssl
def test_a_copy_is_judged_strongly_and_the_verdict_is_computed_anew_without_torch(court: Path, capsys: Capture) -> None:
    ran = ownmark(capsys, *JUDGE, "--suspect", "b.onnx", "--reference", "same-data=innocent.onnx", "--json")
    assert (ran.code, ran.record["outcome"]) == (0, "MATCH (strong)"), ran.record.get("reason", ran.err)
    assert ran.record["missing_strata"] == ["other-data", "same-task", "same-ancestor"]
    told = {step["name"]: step["told"] for step in ran.record["steps"]}
    assert told["J6 decoys"] == "60 of 60 decoys right"
    assert {"J8 triggers through JPEG(quality=75)", "J8 triggers through BitDepth(bits=5)"} <= told.keys()
    again = ownmark(capsys, "judge", "a.opened", "--offline", "verdict.json", "--json")
    assert {**again.record, "verdict": ""} == {**ran.record, "verdict": ""}
    code = f"{RUN.removesuffix('sys.exit(main())')}main(); sys.exit(int('torch' in sys.modules))"
    words = [sys.executable, "-c", code, "judge", "a.opened", "--offline", "verdict.json"]
    plain = subprocess.run(words, cwd=court, capture_output=True, text=True, check=False)
    assert plain.returncode == 0, plain.stderr
    assert plain.stdout.startswith("MATCH (strong)")
    refused(capsys, ["judge", "b.opened", "--offline", "verdict.json"], 4, "another opened seal")


@needs_openssl
def test_an_innocent_and_a_late_seal_and_another_model_have_their_exit_codes(capsys: Capture) -> None:
    ran = ownmark(capsys, *JUDGE, "--suspect", "innocent.onnx")
    assert (ran.code, ran.out.splitlines()[0]) == (1, "NO MATCH")
    early = [word if word != "2100-01-01" else "2001-01-01" for word in JUDGE]
    ran = ownmark(capsys, *early, "--suspect", "b.onnx")
    assert (ran.code, ran.out.splitlines()[0]) == (4, "INADMISSIBLE")
    other = [word if word != "a.onnx" else "c.onnx" for word in JUDGE]
    ran = ownmark(capsys, *other, "--suspect", "b.onnx")
    assert (ran.code, ran.out.splitlines()[0]) == (4, "REJECTED")


@needs_openssl
def test_what_cannot_be_meant_is_refused_before_anybody_is_asked(court: Path, capsys: Capture) -> None:
    refused(capsys, ["judge", "a.opened", "--suspect", "b.onnx"], 2, "--key JUDGE.key")
    refused(capsys, [*JUDGE, "--suspect", "b.onnx", "--reference", "nearby=c.onnx"], 2, "STRATUM=FILE")
    refused(capsys, [*JUDGE, "--suspect", "missing.onnx"], 2, "missing.onnx")
    refused(capsys, ["judge", "a.opened", "--offline", "verdict.json", "--suspect", "b.onnx"], 2, "--offline takes")
    refused(capsys, ["judge", "a.opened", "--offline", "nothing.json"], 4, "nothing.json")
    (court / "empty").mkdir()
    words = [word if word != "images" else "empty" for word in JUDGE]
    refused(capsys, [*words, "--suspect", "b.onnx"], 2, "holds no images")


@needs_openssl
def test_two_claimants_are_weighed(capsys: Capture) -> None:
    words = ["dispute", "a.opened", "b.opened", "b.onnx", "--root", "tsa.pem", "--seen", "2100-01-01"]
    ran = ownmark(capsys, *words, "--first-model", "a.onnx", "--second-model", "b.onnx", "--json")
    assert ran.code == 0, ran.err
    assert ran.record["table"]["mark of the first in the second's model"].startswith("MATCH")
    assert ran.record["table"]["mark of the second in the first's model"] == "NO MATCH"
    assert (ran.code, ran.record["prevails"]) == (0, "the first claim")
    refused(
        capsys, [*words, "--first-model", "a.onnx", "--second-model", "c.onnx"], 2, "is not the model that its claimant sealed"
    )
    words[3] = "innocent.onnx"
    ran = ownmark(capsys, *words, "--first-model", "a.onnx", "--second-model", "b.onnx")
    assert (ran.code, ran.out.splitlines()[0]) == (3, "UNRESOLVED")
