"""What a verdict costs beyond the answers that it needs: ResNet-50 at 224, a cold `ownmark verify` of an ONNX file, and `--help`.

Writes `verify-speed.json`. Times are CPU seconds of one thread, so that other work on the machine counts little.
"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn
from torchvision.models import resnet50

from helped import helped
from ownmark.claims.claim import Claim, Test
from ownmark.data.images import to_unit
from ownmark.models.resnet import ResNet18
from ownmark.scoring.matches import Drop, OnPattern
from ownmark.scoring.readings import Reading
from ownmark.suspects.local import Local
from ownmark.training import seeded
from ownmark.verdicts.verify import verify
from record import record
from timing import seconds

SAMPLES, TURNS, BATCH, SMALL = 100, 3, 64, 112
COMMAND = "import sys; from ownmark.cli import main; sys.exit(main())"


def main() -> None:
    """Measures all three and records them."""
    torch.set_num_threads(1)
    large = claim_of(224, 1000, "layer4")
    with seeded(torch.Generator().manual_seed(0)):
        model = resnet50().eval().to(memory_format=torch.channels_last)
        small = ResNet18(7, width=16).eval()
    inputs = unit(large).contiguous(memory_format=torch.channels_last)
    forwards(model, inputs[:BATCH])
    turns = [(seconds(lambda: verify(large, Local(model))), seconds(lambda: forwards(model, inputs))) for _ in range(TURNS)]
    figures = {
        "verify_over_forward": median(ours / plain for ours, plain in turns),
        "seconds.verify": median(ours for ours, _ in turns),
        "seconds.cold_onnx_beyond_forwards": median(cold(small) for _ in range(TURNS)),
        "seconds.help": median(command(["--help"]) for _ in range(2 * TURNS)),
        "seconds.python": median(command([], code="pass") for _ in range(2 * TURNS)),
    }
    setting = (
        f"{SAMPLES} samples, two views: ResNet-50 at 224x224 as weights, white-box and black-box; "
        f"ResNet-18 of width 16 at {SMALL}x{SMALL} as an ONNX file; CPU seconds, one thread"
    )
    record("verify-speed", figures, seeds={"models": 0}, setting=setting)


def claim_of(size: int, classes: int, layer: str) -> Claim:
    """A claim on noise with the default tests."""
    draw = np.random.default_rng(0)
    views = draw.integers(0, 256, (SAMPLES, 2, size, size, 3), dtype=np.uint8)
    labels = draw.integers(0, classes, SAMPLES)
    white = Test(Reading.SALIENCY, OnPattern(0.25, ((0, 0),), (7, 7)), labels, 1.0, layer)
    names = tuple(f"class {label:03}" for label in range(classes))
    return Claim(views, (white, Test(Reading.PROBABILITY, Drop(0.1), labels, 1.0)), names, "none", "0" * 64)


def unit(claim: Claim) -> Tensor:
    """All views as a model takes them."""
    return to_unit(claim.images.reshape(-1, *claim.images.shape[2:]), torch.device("cpu"))


@torch.no_grad()
def forwards(model: nn.Module, inputs: Tensor) -> None:
    """The passes that every verdict needs."""
    for batch in inputs.split(BATCH):  # type: ignore[no-untyped-call]
        model(batch)


def cold(model: nn.Module) -> float:
    """CPU seconds of `ownmark verify CLAIM FILE.onnx` without those of the file's answers to the claim's images."""
    claim = claim_of(SMALL, 7, "stages")
    with tempfile.TemporaryDirectory() as holder:
        file, place = Path(holder) / "suspect.onnx", Path(holder) / "one.claim"
        claim.save(place)
        images = unit(claim)
        axes = {"images": {0: "n"}}
        torch.onnx.export(model, (images[:2],), file, dynamo=False, input_names=["images"], dynamic_axes=axes)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        batches = [batch.numpy() for batch in images.split(BATCH)]  # type: ignore[no-untyped-call]
        session.run(None, {"images": batches[0]})
        plain = seconds(lambda: [session.run(None, {"images": batch}) for batch in batches])
        return command(["verify", str(place), str(file), "--access", "probabilities"]) - plain


def command(words: list[str], code: str = COMMAND) -> float:
    """CPU seconds of a process that runs one command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ran = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, check=False, text=True)  # noqa: S603 - our own words
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if ran.returncode not in {0, 1, 3}:
        raise SystemExit(ran.stderr)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    helped(__doc__)
    main()
