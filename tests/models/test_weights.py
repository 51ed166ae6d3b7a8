"""Weights files: what is read is what was written, and no file of a stranger's runs code, fits by half or brings NaN."""

import io
import pickle
import warnings
import zipfile
from argparse import Namespace
from collections import OrderedDict
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from conftest import same_weights, tiny
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ownmark.errors import ModelError, UsageError
from ownmark.models.weights import load_weights, save_weights, weights_digest

WRITERS: dict[str, Callable[[nn.Module, Path], object]] = {
    "saved by ownmark.safetensors": save_weights,
    "saved by safetensors.safetensors": lambda model, path: safetensors.torch.save_model(model, str(path)),
    "state dict.pt": lambda model, path: torch.save(model.state_dict(), path),
    "plain dict.pth": lambda model, path: torch.save(dict(model.state_dict()), path),
    "old container.bin": lambda model, path: torch.save(model.state_dict(), path, _use_new_zipfile_serialization=False),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_container_gives_back_the_weights_and_the_digest(name: str, tmp_path: Path) -> None:
    model, path = tiny(1), tmp_path / name
    WRITERS[name](model, path)
    loaded = load_weights(tiny(2).train(), path)
    assert same_weights(loaded, model)
    assert weights_digest(loaded) == weights_digest(model)
    assert not any(module.training for module in loaded.modules())


def test_saving_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        save_weights(tiny(), tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_saving_leaves_the_model_as_it_was_and_takes_tied_weights(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3)).train()
    model[1].weight = model[0].weight
    save_weights(model, tmp_path / "tied.safetensors")
    assert model.training
    assert model[1].weight is model[0].weight
    other = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    assert same_weights(load_weights(other, tmp_path / "tied.safetensors"), model)


def test_a_folder_that_cannot_be_written_to_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="missing"):
        save_weights(tiny(), tmp_path / "missing" / "w.safetensors")


def test_the_digest_does_not_depend_on_memory_order_device_or_mode() -> None:
    model = tiny()
    wanted = weights_digest(model)
    assert weights_digest(deepcopy(model).to(memory_format=torch.channels_last)) == wanted
    assert weights_digest(deepcopy(model).train().requires_grad_(False)) == wanted
    assert wanted == weights_digest(tiny())
    assert len(wanted) == 64


def test_the_digest_depends_on_each_weight_and_statistic() -> None:
    """They are changed one after the other."""
    model = tiny()
    seen = {weights_digest(model)}
    for tensor in model.state_dict().values():
        with torch.no_grad():
            tensor.view(-1)[-1].add_(1)
        seen.add(weights_digest(model))
    assert len(seen) == 1 + len(model.state_dict())


@given(st.integers(0, 2**31))
def test_the_digest_depends_on_the_last_bit_of_any_weight(place: int) -> None:
    model, changed = tiny(), tiny()
    weights = [parameter for parameter in changed.parameters() if parameter.ndim == 4][place % 5]
    with torch.no_grad():
        flat = weights.view(-1)
        at = place % len(flat)
        flat[at] = torch.nextafter(flat[at], torch.tensor(9.0))
    assert weights_digest(changed) != weights_digest(model)


def test_the_digest_depends_on_names_types_and_shapes() -> None:
    def holding(tensor: Tensor, name: str = "weight") -> str:
        module = nn.Module()
        module.register_buffer(name, tensor)
        return weights_digest(module)

    four = torch.zeros(4)
    others = [holding(four, "bias"), holding(four.view(2, 2)), holding(four.int()), holding(four[:3]), holding(four.bool())]
    assert len({holding(four), *others}) == 6
    assert holding(torch.zeros(2, dtype=torch.bfloat16)) != holding(torch.zeros(2, dtype=torch.float16))
    assert len(holding(torch.tensor(3))) == 64


class Canary:
    """A pickle that writes a file when it is read by something that runs its code."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (f"open({str(self.path)!r}, 'w').close()",)


def zipped(canary: Canary) -> bytes:
    """What `torch.save` writes, but with the canary in the place of the state dict."""
    stream = io.BytesIO()
    torch.save({"weight": torch.zeros(1)}, stream)
    with zipfile.ZipFile(stream) as whole:
        files = {name: whole.read(name) for name in whole.namelist()}
    changed = io.BytesIO()
    with zipfile.ZipFile(changed, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, pickle.dumps(canary) if name.endswith("data.pkl") else data)
    return changed.getvalue()


@pytest.mark.parametrize("name", ["w.pt", "w.pth", "w.bin", "w.pkl", "w.safetensors", "w"])
def test_a_pickle_that_would_run_code_is_refused_and_nothing_runs(tmp_path: Path, name: str) -> None:
    canary, path = tmp_path / "canary", tmp_path / name
    for data in (pickle.dumps(Canary(canary)), pickle.dumps({"weight": Canary(canary)}), zipped(Canary(canary))):
        path.write_bytes(data)
        with pytest.raises(ModelError, match=str(path)):
            load_weights(tiny(), path)
        assert not canary.exists()


def test_the_canary_sings_when_it_is_let_out(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Canary(tmp_path / "canary")))  # noqa: S301 - it is our own
    assert (tmp_path / "canary").exists()


def scripted(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(tiny(), torch.rand(1, 3, 16, 16)).save(str(path))  # type: ignore[no-untyped-call]


def with_tensors(**tensors: Any) -> Callable[[Path], object]:
    return lambda path: torch.save(tiny().state_dict() | tensors, path)


FIRST = next(iter(tiny().state_dict()))
REFUSED: dict[str, Callable[[Path], object]] = {
    "a whole model": lambda path: torch.save(tiny(), path),
    "a whole model of the older container": lambda path: torch.save(tiny(), path, _use_new_zipfile_serialization=False),
    "a TorchScript archive": scripted,
    "a checkpoint with more than plain values": lambda path: torch.save(
        {"state_dict": tiny().state_dict(), "options": Namespace(epochs=3)}, path
    ),
    "weights among plain values": with_tensors(epoch=3),
    "a list of tensors": lambda path: torch.save(list(tiny().state_dict().values()), path),
    "a single tensor": lambda path: torch.save(torch.zeros(3), path),
    "a number": lambda path: torch.save(3, path),
    "names that are numbers": lambda path: torch.save(dict(enumerate(tiny().state_dict().values())), path),
    "a weight that is missing": lambda path: torch.save(OrderedDict(list(tiny().state_dict().items())[1:]), path),
    "a weight too many": with_tensors(more=torch.zeros(1)),
    "a weight of another shape": with_tensors(**{FIRST: torch.zeros(2, 2)}),
    "a model of more classes": lambda path: torch.save(tiny(classes=4).state_dict(), path),
    "a sparse weight too many": with_tensors(more=torch.ones(3).to_sparse()),
    "no weight at all": lambda path: torch.save({}, path),
    "NaN": with_tensors(**{"head.bias": torch.tensor([0, float("nan"), 0])}),
    "infinity": with_tensors(**{"head.bias": torch.tensor([0, float("inf"), 0])}),
    "NaN in the statistics": with_tensors(**{"stem.norm.running_var": torch.full((4,), float("nan"))}),
    "complex NaN": with_tensors(**{"head.bias": torch.full((3,), complex(0, float("nan")))}),
    "a sparse weight": with_tensors(**{"head.bias": torch.ones(3).to_sparse()}),
    "a quantised weight": with_tensors(**{"head.bias": torch.ones(3).to(torch.float8_e4m3fn)}),
    "text": lambda path: path.write_text("weights"),
    "nothing": lambda path: path.write_bytes(b""),
    "a zip of something else": lambda path: zipfile.ZipFile(path, "w").writestr("a.txt", "a"),
    "a folder": lambda path: path.mkdir(),
    "no file": lambda _: None,
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_is_no_sound_state_dict_of_the_model_is_an_error_that_names_it(name: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    REFUSED[name](path)
    model, before = tiny(5), tiny(5)
    with pytest.raises(ModelError, match=str(path)):
        load_weights(model, path)
    assert same_weights(model, before)


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_cut_short_is_an_error(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    WRITERS[name](tiny(), path)
    whole = path.read_bytes()
    for share in range(20):
        path.write_bytes(whole[: len(whole) * share // 20])
        with pytest.raises(ModelError, match=str(path)):
            load_weights(tiny(), path)


@given(st.binary(max_size=300), st.sampled_from([".pt", ".safetensors"]))
def test_no_bytes_whatever_raise_another_error(tmp_path_factory: pytest.TempPathFactory, data: bytes, suffix: str) -> None:
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    path.write_bytes(data)
    with pytest.raises(ModelError):
        load_weights(tiny(), path)


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_with_a_damaged_byte_gives_other_weights_or_an_error_of_ours(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    WRITERS[name](tiny(), path)
    whole = path.read_bytes()
    for step in range(0, len(whole), len(whole) // 30):
        changed = bytearray(whole)
        changed[step] ^= 0xFF
        path.write_bytes(bytes(changed))
        try:
            load_weights(tiny(1), path)
        except ModelError as error:
            assert str(path) in str(error)  # noqa: PT017 - either way is right, but no other error is


def test_weights_of_other_precision_are_taken_as_the_models(tmp_path: Path) -> None:
    path = tmp_path / "double.pt"
    torch.save(tiny(1).double().state_dict(), path)
    assert same_weights(load_weights(tiny(2), path), tiny(1))


def test_the_count_of_batches_may_be_missing_as_in_files_of_old(tmp_path: Path) -> None:
    path = tmp_path / "old.safetensors"
    weights = {name: tensor for name, tensor in tiny(1).state_dict().items() if "num_batches" not in name}
    safetensors.torch.save_file(weights, path)
    assert all(torch.equal(tensor, weights[name]) for name, tensor in load_weights(tiny(2), path).named_parameters())
