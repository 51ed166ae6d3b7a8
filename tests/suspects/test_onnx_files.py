"""ONNX files as torch's exporters write them: weights in a file beside it, and a size of batch that is baked in."""

import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from asking import SIZE, asked, exported, pixels
from conftest import tiny
from onnx import TensorProto, helper
from onnx_graphs import as_constant, as_initializer, graph, inside_a_branch, saved
from torch import nn

from ownmark.errors import ModelError
from ownmark.scoring.readings import Reading
from ownmark.suspects.onnx import Onnx
from ownmark.suspects.program import Program


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return tiny(0, classes=7)


@pytest.fixture(scope="module")
def alone(model: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(model, tmp_path_factory.mktemp("alone") / "model.onnx")


@pytest.fixture
def apart(alone: Path, tmp_path: Path) -> Path:
    """The same model with its weights in `model.onnx.data`, as torch's newer exporter writes it unless it is told otherwise."""
    path = tmp_path / "here" / "model.onnx"
    path.parent.mkdir()
    onnx.save(onnx.load(alone), path, save_as_external_data=True, location="model.onnx.data", size_threshold=0)
    return path


def answers(suspect: Onnx, count: int = 10) -> np.ndarray:
    found: np.ndarray = suspect.read(pixels(count)[:, 0], asked(count=count))[Reading.PROBABILITY]
    return found


def test_torchs_exporter_writes_weights_beside_the_file_and_the_message_names_a_way_out_that_works(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE * SIZE, 7))
    with warnings.catch_warnings(action="ignore"):
        torch.onnx.export(network, (torch.rand(2, 3, SIZE, SIZE),), path, dynamo=True, verbose=False)
    assert (tmp_path / "model.onnx.data").exists()
    with pytest.raises(ModelError, match=r"external_data=False.*--allow-external") as caught:
        Onnx(path)
    command = re.search(r'python -c "(.*)"\. Or', str(caught.value))
    assert command is not None
    subprocess.run([sys.executable, "-c", command[1]], check=True, cwd=tmp_path)
    assert np.allclose(answers(Onnx(tmp_path / "model-whole.onnx")), answers(Onnx(path, allow_external=True)))


def test_weights_beside_the_file_are_read_where_that_is_allowed(alone: Path, apart: Path) -> None:
    with pytest.raises(ModelError, match="keeps weights in other files, which is not allowed"):
        Onnx(apart)
    suspect = Onnx(apart, allow_external=True)
    assert np.array_equal(answers(suspect), answers(Onnx(alone)))
    before = suspect.digest
    data = apart.with_name("model.onnx.data")
    changed = bytearray(data.read_bytes())
    changed[-2] ^= 1
    data.write_bytes(changed)
    assert Onnx(apart, allow_external=True).digest != before, "the digest is one of the weights, too"
    assert Onnx(alone, allow_external=True).digest == Onnx(alone).digest


def test_the_folder_is_that_of_the_file_and_not_the_current_one(apart: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = answers(Onnx(apart, allow_external=True))
    monkeypatch.chdir(apart.parent)
    assert np.array_equal(answers(Onnx("model.onnx", allow_external=True)), wanted)
    apart.with_name("model.onnx.data").rename(apart.parent.parent / "model.onnx.data")
    monkeypatch.chdir(apart.parent.parent)
    with pytest.raises(ModelError, match="in its own folder"):
        Onnx(apart, allow_external=True)


def numbers(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(np.arange(3, dtype=np.float32).tobytes())
    return path


@pytest.mark.parametrize("hide", [as_initializer, as_constant, inside_a_branch])
def test_weights_beside_the_file_are_read_however_deep_in_the_model_they_are_named(
    hide: Callable[[str], onnx.GraphProto], tmp_path: Path
) -> None:
    numbers(tmp_path / "weights.bin")
    inner, outer = tmp_path / "model.onnx", tmp_path / "whole.onnx"
    saved(hide("weights.bin"), inner)
    onnx.save(onnx.load(inner), outer)
    for path in (inner, outer):
        program = Onnx(path, allow_external=True)._program
        assert isinstance(program, Program)
        session = program._session
        assert session.run(np.zeros((1, 3, 1, 3), dtype=np.float32), "y").ravel().tolist() == [0, 1, 2] * 3


@pytest.mark.parametrize("hide", [as_initializer, as_constant, inside_a_branch])
@pytest.mark.parametrize(
    "location",
    [
        "{folder}/weights.bin",
        "../outside.bin",
        "inner/weights.bin",
        "./weights.bin",
        "inner/../weights.bin",
        "..\\outside.bin",
        "link.bin",
        "linked/weights.bin",
        "pipe",
        "inner",
        "missing.bin",
        "weights.bin\0",
        "",
        ".",
        "..",
        "*/_ORT_MEM_ADDR_/*",
    ],
)
def test_nothing_but_a_file_in_the_same_folder_is_read(
    tmp_path: Path, hide: Callable[[str], onnx.GraphProto], location: str
) -> None:
    folder = tmp_path / "here"
    for place in ("weights.bin", "inner/weights.bin", "../outside.bin"):
        numbers(folder / place)
    (folder / "link.bin").symlink_to(tmp_path / "outside.bin")
    (folder / "linked").symlink_to(folder / "inner")
    os.mkfifo(folder / "pipe")
    path = saved(hide(location.format(folder=folder)), folder / "model.onnx")
    with pytest.raises(ModelError, match=r"model\.onnx"):
        Onnx(path, allow_external=True)


def outside(**entries: str) -> onnx.GraphProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[3], data_location=TensorProto.EXTERNAL)
    for key, value in ({"location": "weights.bin"} | entries).items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return graph([helper.make_node("Add", ["x", "w"], ["y"])], [tensor])


@pytest.mark.parametrize(
    "entries",
    [{}, {"offset": "0"}, {"length": "12"}, {"offset": "0", "length": "12", "checksum": "0"}],
    ids=["plain", "offset", "length", "all"],
)
def test_an_entry_may_leave_out_where_the_data_begins_and_ends(entries: dict[str, str], tmp_path: Path) -> None:
    numbers(tmp_path / "weights.bin")
    Onnx(saved(outside(**entries), tmp_path / "model.onnx"), allow_external=True)


@pytest.mark.parametrize(
    "entries",
    [
        {"offset": "4"},
        {"offset": "99"},
        {"offset": "-4", "length": "12"},
        {"length": "13"},
        {"offset": "4", "length": "12"},
        {"length": "9" * 5000},
        {"offset": "x"},
        {"length": "١٢"},
        {"length": "8"},
    ],
    ids=str,
)
def test_data_of_another_length_than_the_tensors_is_an_error(entries: dict[str, str], tmp_path: Path) -> None:
    numbers(tmp_path / "weights.bin")
    with pytest.raises(ModelError, match=r"model\.onnx"):
        Onnx(saved(outside(**entries), tmp_path / "model.onnx"), allow_external=True)


def test_a_small_file_that_names_the_same_data_over_and_over_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers(tmp_path / "weights.bin")
    content = outside()
    content.initializer.extend(outside().initializer[0] for _ in range(9))
    path = saved(content, tmp_path / "model.onnx")
    monkeypatch.setattr("ownmark.suspects.onnx_data.MOST_BYTES", 100)
    with pytest.raises(ModelError, match="more than"):
        Onnx(path, allow_external=True)


@pytest.mark.parametrize("count", [1, 4, 10])
def test_a_size_of_batch_that_the_file_says_is_kept_to(count: int, model: nn.Module, alone: Path, tmp_path: Path) -> None:
    path = exported(model, tmp_path / "fixed.onnx", batch=4)
    assert np.allclose(answers(Onnx(path), count), answers(Onnx(alone), count), atol=1e-6)


def baked(path: Path, batch: int, *, said: bool) -> Path:
    """A linear model whose input takes any number of images, while a step in it takes `batch` only; the output says so or not."""
    weight = helper.make_tensor("w", TensorProto.FLOAT, [48, 7], np.random.default_rng(0).normal(size=48 * 7))
    shape = helper.make_tensor("s", TensorProto.INT64, [2], [batch, 48])
    nodes = [
        helper.make_node("MaxPool", ["x"], ["p"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Reshape", ["p", "s"], ["f"]),
        helper.make_node("MatMul", ["f", "w"], ["y"]),
    ]
    ends = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", 3, SIZE, SIZE)),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, (batch if said else "m", 7)),
    ]
    return saved(helper.make_graph(nodes, "g", ends[:1], ends[1:], [weight, shape]), path)


@pytest.mark.parametrize(("batch", "said"), [(1, False), (1, True), (4, False), (5, True)])
def test_a_size_of_batch_that_only_a_step_inside_tells_is_found_and_kept_to(batch: int, tmp_path: Path, *, said: bool) -> None:
    free = baked(tmp_path / "free.onnx", -1, said=False)
    suspect = Onnx(baked(tmp_path / "baked.onnx", batch, said=said))
    for count in (3, 10):
        assert np.allclose(answers(suspect, count), answers(Onnx(free), count), atol=1e-6)
