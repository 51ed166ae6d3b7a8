"""An app as a thief ships it: models under any name, in archives within archives, among junk."""

import io
import struct
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from asking import claim_on, exported
from conftest import tiny
from onnx import TensorProto, helper
from torch import nn

from ownmark.claims.claim import Claim
from ownmark.models.weights import save_weights
from ownmark.scoring.null_models import Innocents

SIZE = 16
WANTED = {  # where the copies are
    "app.apk!assets/flutter_assets/core.dat": "the model itself, under another name",
    "app.apk!lib/bundle.zip!deep/inner.zip!q.onnx": "an int8 copy, two archives further in",
}


def calibrated(model: nn.Module) -> Claim:
    """A claim of labels on it, with so many innocents that a copy stands out among a dozen."""
    claim = claim_on(model)
    names = tuple(f"{number:064}" for number in range(399))
    test = replace(claim.tests[0], null=Innocents(tuple(number / 800 for number in range(399)), names))
    return replace(claim, tests=(test,))


def zipped(files: Mapping[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip file of these."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", how) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return held.getvalue()


def quantised(file: Path, claim: Claim) -> bytes:
    """The ONNX file in static int8, its ranges from the claim's own images."""
    from onnxruntime.quantization import CalibrationDataReader, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = iter((claim.images[:, 0].transpose(0, 3, 1, 2) / 255).astype(np.float32)[:, None])

        def get_next(self) -> dict[str, Any] | None:
            return next(({"images": image} for image in self.left), None)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantize_static(file, file.with_suffix(".int8.onnx"), Reader(), per_channel=True)
    return file.with_suffix(".int8.onnx").read_bytes()


def of_other_tasks() -> tuple[bytes, bytes, bytes]:
    """A detector of two outputs, a model of text, and a segmentation."""
    pooled = helper.make_node("GlobalAveragePool", ["x"], ["boxes"])
    twice = helper.make_node("Mul", ["boxes", "boxes"], ["scores"])
    image = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, SIZE, SIZE])]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3, 1, 1]) for name in ("boxes", "scores")]
    words = [helper.make_tensor_value_info("x", TensorProto.INT64, ["n", 9])]
    cast = helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)
    number = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    mask = helper.make_node("Sigmoid", ["x"], ["y"])
    graphs = (
        helper.make_graph([pooled, twice], "g", image, ends),
        helper.make_graph([cast], "g", words, number),
        helper.make_graph([mask], "g", image, number),
    )
    one, two, three = (
        helper.make_model(each, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString() for each in graphs
    )
    return one, two, three


def app(folder: Path, model: nn.Module, claim: Claim) -> Path:
    """Twelve models: two copies, three of other tasks, five innocents, weights alone, and one of another runtime."""

    def onnx_of(network: nn.Module, name: str, size: int = SIZE) -> bytes:
        return exported(network, folder / f"{name}.onnx", size=size).read_bytes()

    innocents = [onnx_of(tiny(number, classes=7), f"other{number}") for number in range(1, 5)]
    large = onnx_of(tiny(5, classes=7), "large", size=24)
    copy = onnx_of(model, "copy")
    int8 = quantised(folder / "copy.onnx", claim)
    boxes, words, masks = of_other_tasks()
    save_weights(tiny(9, classes=7), folder / "w.safetensors")
    inner = zipped({"q.onnx": int8, "note.txt": b"8 bits"}, zipfile.ZIP_STORED)
    bundle = zipped({"deep/inner.zip": inner, "a.onnx": innocents[0], "same.onnx": copy, "text.bin": words})
    files = {
        "assets/flutter_assets/core.dat": copy,
        "assets/one.onnx": innocents[1],
        "assets/two.png": innocents[2],
        "assets/three": innocents[3],
        "assets/large.onnx": large,
        "assets/boxes.onnx": boxes,
        "assets/masks.onnx": masks,
        "assets/w.safetensors": (folder / "w.safetensors").read_bytes(),
        "assets/other.tflite": struct.pack("<I", 28) + b"TFL3" + bytes(64),
        "assets/secret.tflite": bytes(range(7, 207)),
        "lib/bundle.zip": bundle,
        "classes.dex": b"dex\n035\0" + bytes(500),
        "res/icon.png": b"\x89PNG\r\n\x1a\n" + bytes(200),
        "AndroidManifest.xml": b"<manifest/>",
        "res/strings.json": b'{"title": "a game"}',
    }
    made = folder / "app.apk"
    made.write_bytes(zipped(files))
    return made


def lying(data: bytes, name: str, *, size: int, packed: int | None = None) -> bytes:
    """The zip file with other sizes in the directory entry of one member: only headers lie, there are no such bytes."""
    at = data.rindex(name.encode()) - 46
    assert data[at : at + 4] == b"PK\x01\x02"
    told = struct.pack("<II", len(name) if packed is None else packed, size)
    return data[: at + 20] + told + data[at + 28 :]
