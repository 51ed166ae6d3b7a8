"""What the tests of `ownmark judge` share: owners' opened seals, their models, a copy, an innocent, and a judge's own things."""

import time
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import torch
from authority import authority
from cryptography.hazmat.primitives.serialization import Encoding
from judging import CLASSES, SHAPE, decoys, keyed
from PIL import Image
from sealing import OWNER, POLICY
from torch import Tensor, nn

from ownmark.claims.claim import Claim
from ownmark.evidence import owner, seal
from ownmark.evidence.seal import Beside

WORDS = "four words are enough"
OTHER = bytes(range(32, 64))
SEEN = f"{datetime.now(UTC) + timedelta(hours=12):%Y-%m-%dT%H:%M:%S}"  # after what tests seal, and no other day
LATER = ["--seen", SEEN, "--key", "JUDGE.key", "--out", "verdict.json"]
JUDGE = ["judge", "a.opened", "--own", "a.onnx", "--decoys", "images", "--root", "tsa.pem", *LATER]


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


def furnish(folder: Path) -> Path:
    """A folder with two owners' opened and stamped seals, their models, a copy that both marked, and an innocent."""
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
