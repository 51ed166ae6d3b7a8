"""What works on which network: a map's layer, `protect`, `attack`, and `verify` by weights and by ONNX, with random weights.

Writes `network-matrix.json` and the table of `docs/networks.md`. Every cell runs the command that a user types, in this process,
and holds 1 if it ended in a result; otherwise its last line stands in the notes. A traceback stops the benchmark. `make
bench-network-matrix` runs it in `.venv-networks`, which holds timm and transformers. What is finished is kept in `.networks/`.
"""

import io
import json
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import numpy as np
import torch
from PIL import Image

import network_boxes
from helped import helped
from network_names import Row, rows
from ownmark.cli import main as ownmark
from ownmark.errors import OwnmarkError
from ownmark.models.map_layers import backbone_map, last_map
from ownmark.models.network import Network
from ownmark.models.weights import save_weights
from record import ROOT, record

KEPT = ROOT / ".networks"
CELLS = ("layer", "protect", "attack", "weights", "onnx")
SCHEME = "Saliency(samples=2, descent=Descent(bound=0.02, steps=2), objective=Published(), map_threshold=0.0, masked=Change(0.0))"
CLASSES, IMAGES = 3, 15
OUTCOMES = {0, 1, 3}  # exit codes of a verdict
Found = dict[str, str]  # by cell: "" if it works, else what is said


def main() -> None:
    """One network after the other; each is recorded as soon as it is done."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    KEPT.mkdir(exist_ok=True)
    cells: dict[str, Found] = {}
    with TemporaryDirectory() as place:
        for made in rows(Path(place)):
            row = made()
            title = row.name.replace(f"{place}/", "")
            file = KEPT / f"{title.replace('/', '_')}.json"
            if not file.exists():
                told = json.dumps(tried(row)).replace(f"{place}/", "").replace("Error: ", "")
                file.write_text(told)
            cells[title] = json.loads(file.read_text())
            print(title, cells[title], flush=True)
    figures = {f"{name}|{cell}": float(not told[cell]) for name, told in cells.items() for cell in CELLS}
    figures |= {f"{name}|seconds": float(told["seconds"]) for name, told in cells.items()}
    notes = {f"{name}|{cell}": told[cell] for name, told in cells.items() for cell in (*CELLS, "named") if told.get(cell)}
    setting = f"random weights, {IMAGES} images of noise in {CLASSES} classes, 2 samples of 2 steps"
    record("network-matrix", figures, seeds={"weights": 0}, setting=setting, notes=notes)


@dataclass(frozen=True)
class Bench:
    """One network in a folder of its own, with its weights and images."""

    row: Row

    def run(self, *words: str) -> str:
        """ "" if the command gave a result, else its last line. Raises SystemExit for what nobody foresaw."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = ownmark(list(words))
        said = " ".join(err.getvalue().split())
        if "not foreseen" in said or "Traceback" in said:
            raise SystemExit(f"{self.row.name}: {words[0]}: {said}")
        wanted = OUTCOMES if words[0] == "verify" else {0}
        return "" if code in wanted else (err.getvalue().strip().splitlines() or [f"exit code {code}"])[-1].strip()

    def layer(self) -> str:
        """The name of the layer, in the cell's own note."""
        found = backbone_map if self.row.boxes else last_map
        return found(Network(self.row.name, wide(self.row)).blank(own=False), torch.rand(1, 3, self.row.size, self.row.size))

    def protect(self) -> str:
        return self.run("protect", self.row.name, *self.given, "--out", "a.claim", "--references", "0", "--scheme", SCHEME)

    def attack(self) -> str:
        return self.run("attack", self.row.name, *self.given, "--attack", "Prune(fraction=0.3)", "--out", "copy.safetensors")

    def weights(self) -> str:
        return self.run("verify", "a.claim", self.row.name, "--weights", "copy.safetensors", "--access", "weights")

    def onnx(self) -> str:
        """The copy as its owner would export it; a network that torch cannot export says so."""
        if self.row.boxes:
            network_boxes.exported(self.row, Path("copy.safetensors"), Path("copy.onnx"), wide(self.row))
            return self.run("verify", "a.claim", "copy.onnx", "--access", "answers")
        model = Network(self.row.name, CLASSES).loaded(Path("copy.safetensors"))
        for module in list(model._forward_pre_hooks):  # noqa: SLF001 - the judge normalises what he sends to a file
            model._forward_pre_hooks.pop(module)  # noqa: SLF001
        example = torch.rand(2, 3, self.row.size, self.row.size)
        axes = {"images": {0: "n"}, "logits": {0: "n"}}
        names: dict[str, Any] = {"input_names": ["images"], "output_names": ["logits"]}
        try:
            torch.onnx.export(model, (example,), "copy.onnx", **names, dynamic_axes=axes, dynamo=False)
        except Exception:  # noqa: BLE001 - torch's exporters raise anything; what the older cannot, the newer may
            names |= {"dynamic_shapes": ({0: torch.export.Dim("n")},), "external_data": False, "verbose": False}
            try:
                torch.onnx.export(model, (example,), "copy.onnx", **names)
            except Exception as error:  # noqa: BLE001 - likewise
                return f"torch cannot export it: {(str(error).strip() or type(error).__name__).splitlines()[0]}"
        return self.run("verify", "a.claim", "copy.onnx", "--access", "probabilities")

    @property
    def given(self) -> tuple[str, ...]:
        task = ("--task", repr(network_boxes.TASK)) if self.row.boxes else ()
        return ("--weights", "model.safetensors", "--data", "images", "--size", str(self.row.size), "--seed", "0", *task)


def wide(row: Row) -> int:
    """How many classes the network is built for: the background of a detector counts."""
    return CLASSES + row.boxes


def tried(row: Row) -> Found:
    """Every cell of one network."""
    started = process_time()
    print(row.name, flush=True)
    with TemporaryDirectory() as folder, chdir(folder):
        bench, found = Bench(row), Found()
        furnish(row)
        for cell, work in cells_of(bench):
            needs = {"weights": "protect", "onnx": "protect"}.get(cell)
            if needs and found[needs]:
                found[cell] = f"needs {needs}"
                continue
            try:
                said = work()
            except OwnmarkError as error:
                found[cell] = str(error)
                continue
            found |= {"layer": "", "named": said} if cell == "layer" else {cell: said}
    return found | {"seconds": f"{process_time() - started:.1f}"}


def cells_of(bench: Bench) -> Iterator[tuple[str, Callable[[], str]]]:
    yield from zip(CELLS, (bench.layer, bench.protect, bench.attack, bench.weights, bench.onnx), strict=True)


def furnish(row: Row) -> None:
    """Images of noise with their classes or boxes, and random weights, if the network can be built at all."""
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 256, (IMAGES, row.size, row.size, 3), dtype=np.uint8)
    names = tuple(f"class{number}" for number in range(CLASSES))
    for number, image in enumerate(() if row.boxes else pixels):
        place = Path("images") / names[number % CLASSES]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{number}.png")
    try:
        torch.manual_seed(0)
        model = Network(row.name, wide(row)).blank(own=False)
        for weight in model.parameters():
            if weight.ndim > 1 and not weight.any():  # last layers that are zero at first answer every image alike
                torch.nn.init.normal_(weight, std=0.02)
        if row.boxes:
            network_boxes.awake(model, wide(row))
            network_boxes.furnish(row, model, pixels, names)
        save_weights(model, Path("model.safetensors"))
    except OwnmarkError:
        Path("model.safetensors").write_bytes(b"")


if __name__ == "__main__":
    helped(__doc__)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main()
