"""Prints the walks of `protect` and `verify --report` on a small model and 36 images: files, hops and pairs both ways.

`make walk` runs it; `docs/decisions/0023-walks.md` has the figures.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ownmark.models.resnet import ResNet18
from ownmark.models.weights import save_weights

MODEL = "from ownmark.models.resnet import ResNet18\n\ndef build():\n    return ResNet18(3, width=4, stem='cifar')\n"
MADE = "mymodel:build --weights model.safetensors --data images --size 16"
SALIENCY = "Saliency(samples=4,map_threshold=0.0) --references 1 --training Training(epochs=1)"
WALKS = {
    "protect, IPGuard": f"protect {MADE} --out my.claim --scheme IPGuard(samples=4)",
    "verify --report, IPGuard": "verify my.claim mymodel:build --weights model.safetensors --report page.html",
    "protect, Saliency, references and surrogates": f"protect {MADE} --out looks.claim --scheme {SALIENCY}",
    "verify --report, Saliency": "verify looks.claim mymodel:build --weights model.safetensors --report page.html",
}


def make_data(folder: Path) -> None:
    """An untrained model and images of three classes, each with its own brightness."""
    rng = np.random.default_rng(0)
    for kind in range(3):
        (folder / "images" / f"class{kind}").mkdir(parents=True)
        for place in range(12):
            pixels = (rng.integers(0, 80, (16, 16, 3)) + kind * 56).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "images" / f"class{kind}" / f"{place}.png")
    (folder / "mymodel.py").write_text(MODEL, encoding="utf-8")
    torch.manual_seed(0)
    model = ResNet18(3, width=4, stem="cifar")
    model(torch.rand(8, 3, 16, 16))
    save_weights(model.eval(), folder / "model.safetensors")


def main() -> None:
    """Each command in a process of its own, one after the other, in a folder that is removed afterwards."""
    walk = Path(__file__).with_name("walk.py").resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_data(folder)
        paths = os.pathsep.join((name, os.environ.get("PYTHONPATH", "")))
        for title, words in WALKS.items():
            line = [sys.executable, str(walk), "--brief", *words.split(" ")]
            ran = subprocess.run(
                line, cwd=folder, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True, check=False
            )
            print(f"{title}: {ran.stderr.splitlines()[-1]}", flush=True)


if __name__ == "__main__":
    main()
