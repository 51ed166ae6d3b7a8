"""Files of weights as people have them: checkpoints, prefixes, shards, new types; and what is none is named as what it is."""

import json
import warnings
from argparse import Namespace
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from conftest import same_weights, tiny
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ownmark.errors import ModelError
from ownmark.models.weights import load_weights, save_weights, weights_digest

Weights = dict[str, Tensor]


def weights(number: int = 1) -> Weights:
    return dict(tiny(number).state_dict())


def under(prefix: str) -> Weights:
    return {prefix + name: tensor for name, tensor in weights().items()}


def lightning(path: Path) -> None:
    """A checkpoint with the keys and plain values that Lightning writes."""
    checkpoint = {
        "epoch": 3,
        "global_step": 120,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": OrderedDict(under("model.")),
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 4}}}},
        "callbacks": {"ModelCheckpoint": {"best_model_score": torch.tensor(0.9), "best_model_path": "a.ckpt"}},
        "optimizer_states": [{"state": {0: {"momentum_buffer": torch.ones(3)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}],
        "lr_schedulers": [],
        "hparams_name": "kwargs",
        "hyper_parameters": {"rate": 0.1, "layers": (1, 2)},
    }
    torch.save(checkpoint, path)


def averaged(path: Path) -> None:
    torch.save(AveragedModel(tiny(1)).state_dict(), path)


def compiled_within(path: Path) -> None:
    torch.save({name.replace("stem.", "stem._orig_mod."): tensor for name, tensor in weights().items()}, path)


def counted(path: Path) -> None:
    """Measured by thop in DataParallel, which leaves counters in some modules."""
    torch.save(under("module.") | {f"module.stem.{name}": torch.zeros(1) for name in ("total_ops", "total_params")}, path)


def saving(content: Any) -> Callable[[Path], None]:
    return lambda path: torch.save(content, path)


READ: dict[str, tuple[Callable[[Path], None], list[str]]] = {
    "of DataParallel": (saving(under("module.")), ["removed the prefix 'module.' from all names"]),
    "of torch.compile": (saving(under("_orig_mod.")), ["removed the prefix '_orig_mod.' from all names"]),
    "of a compiled part": (compiled_within, ["removed the prefix '_orig_mod.' from all names"]),
    "of a wrapper": (saving(under("model.")), ["removed the prefix 'model.' from all names"]),
    "of a backbone": (saving(under("backbone.")), ["removed the prefix 'backbone.' from all names"]),
    "of a compiled model in DataParallel": (saving(under("module._orig_mod.")), ["from all names"]),
    "averaged": (averaged, ["removed the prefix 'module.' from all names"]),
    "measured by thop": (counted, ["removed the prefix 'module.' from all names", "left out 2 counters of operations that thop"]),
    "under state_dict": (saving({"state_dict": weights(), "epoch": 3}), ["used the weights under 'state_dict'"]),
    "under model": (saving({"model": weights(), "optimizer": {"state": {}}}), ["used the weights under 'model'"]),
    "under model_state_dict": (saving({"model_state_dict": weights(), "loss": 0.1}), ["'model_state_dict'"]),
    "under ema": (saving({"ema": weights()}), ["used the weights under 'ema'"]),
    "under ema_state_dict": (saving({"ema_state_dict": weights()}), ["used the weights under 'ema_state_dict'"]),
    "under params": (saving({"params": weights()}), ["used the weights under 'params'"]),
    "under a name of one's own": (saving({"my net": weights(), "accuracy": 91.5}), ["used the weights under 'my net'"]),
    "two levels down": (saving({"ema": {"module": weights()}}), ["used the weights under 'ema.module'"]),
    "beside averages": (
        saving({"ema": weights(2), "model": weights()}),
        ["used the weights under 'model'; it also contains weights that fit under 'ema'"],
    ),
    "beside another network": (
        saving({"model": tiny(2, classes=9).state_dict(), "student": weights()}),
        ["used the weights under 'student'"],
    ),
    "of Lightning": (lightning, ["used the weights under 'state_dict'", "removed the prefix 'model.' from all names"]),
    "plain": (saving(weights()), []),
}


@pytest.mark.parametrize("name", READ)
def test_weights_are_found_where_people_keep_them_and_it_is_said(name: str, tmp_path: Path) -> None:
    write, wanted = READ[name]
    path = tmp_path / "weights.ckpt"
    write(path)
    told: list[str] = []
    assert same_weights(load_weights(tiny(5), path, told.append), tiny(1))
    assert len(told) == len(wanted)
    for note, part in zip(told, wanted, strict=True):
        assert note.startswith(f"{path}: ")
        assert part in note


def test_weights_under_the_name_of_a_counter_are_not_left_out(tmp_path: Path) -> None:
    torch.save(weights() | {"stem.total_ops": torch.zeros(3, 3)}, tmp_path / "weights.pt")
    with pytest.raises(ModelError, match="total_ops"):
        load_weights(tiny(5), tmp_path / "weights.pt")


def test_a_prefix_that_the_model_itself_has_stays(tmp_path: Path) -> None:
    model, told = nn.Sequential(OrderedDict(module=tiny(1))), list[str]()
    torch.save(model.state_dict(), tmp_path / "w.pt")
    loaded = load_weights(nn.Sequential(OrderedDict(module=tiny(2))), tmp_path / "w.pt", told.append)
    assert same_weights(loaded, model)
    assert told == []


def test_a_prefix_that_only_some_names_have_is_not_taken_off(tmp_path: Path) -> None:
    torch.save(under("model.") | {"loss.weight": torch.ones(3)}, tmp_path / "w.pt")
    with pytest.raises(ModelError, match=r"w\.pt does not fit .*names begin with 'model\.' do: save these alone"):
        load_weights(tiny(), tmp_path / "w.pt")


def test_the_versions_of_modules_move_with_their_names(tmp_path: Path) -> None:
    """torch fills in a count of batches for files of old, by the version; under a prefix that must stay an error."""
    state = nn.Sequential(OrderedDict(module=tiny(1))).state_dict()
    del state["module.stem.norm.num_batches_tracked"]
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(ModelError, match="num_batches_tracked"):
        load_weights(tiny(2), tmp_path / "w.pt")


@pytest.mark.parametrize("name", ["model.st", "model", "model.pt", "model.bin", "model.ckpt", "model.safetensors"])
def test_a_safetensors_file_is_read_whatever_it_is_called(name: str, tmp_path: Path) -> None:
    save_weights(tiny(1), tmp_path / name)
    assert same_weights(load_weights(tiny(2), tmp_path / name), tiny(1))


def sharded(folder: Path) -> Path:
    """The weights in two files and their index, as Hugging Face's libraries write them."""
    whole, names = weights(), sorted(weights())
    files = {f"model-0000{place + 1}-of-00002.safetensors": names[place::2] for place in range(2)}
    for file, chosen in files.items():
        safetensors.torch.save_file({name: whole[name] for name in chosen}, folder / file)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": {name: file for file, many in files.items() for name in many}}))
    return index


def test_shards_are_gathered_by_their_index(tmp_path: Path) -> None:
    index = sharded(tmp_path)
    assert same_weights(load_weights(tiny(2), index), tiny(1))
    shard = tmp_path / "model-00001-of-00002.safetensors"
    with pytest.raises(ModelError, match=r"one of several shards: name their index.*index\.json"):
        load_weights(tiny(2), shard)
    shard.unlink()
    with pytest.raises(ModelError, match=r"names model-00001-of-00002\.safetensors, which is not in the same folder"):
        load_weights(tiny(2), index)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[1, 2]", "is not a shard index"),
        ("{", "is not a shard index"),
        ('{"weight_map": {"a": 3}}', "is not a shard index"),
        ('{"weight_map": {}}', "must name files in its own folder"),
        ('{"weight_map": {"a": "../other/a.safetensors"}}', "must name files in its own folder"),
        ('{"weight_map": {"a": "/etc/hostname"}}', "must name files in its own folder"),
        ('{"weight_map": {"a": "inner\\\\a.safetensors"}}', "must name files in its own folder"),
        ('{"weight_map": {"a": "model-00001-of-00002.safetensors"}}', "does not hold the tensors"),
        ('{"weight_map": {"a": "pickled.safetensors"}}', r"pickled\.safetensors"),
    ],
)
def test_an_index_that_names_what_it_must_not_is_an_error(content: str, told: str, tmp_path: Path) -> None:
    index = sharded(tmp_path)
    torch.save(weights(), tmp_path / "pickled.safetensors")
    index.write_text(content)
    with pytest.raises(ModelError, match=told):
        load_weights(tiny(), index)


class Scales(nn.Module):
    """A layer whose buffers are of types of less than two bytes."""

    def __init__(self, fill: int) -> None:
        super().__init__()
        raw = torch.full((4,), fill, dtype=torch.uint8)
        for kind in (torch.float8_e8m0fnu, torch.float4_e2m1fn_x2, torch.float8_e4m3fn, torch.float8_e5m2):
            self.register_buffer(str(kind).split(".")[-1], raw.clone().view(kind))


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt"])
def test_weights_of_the_newer_types_are_read(name: str, tmp_path: Path) -> None:
    model, path = Scales(56), tmp_path / name
    if path.suffix == ".pt":
        torch.save(model.state_dict(), path)
    else:
        save_weights(model, path)
    assert weights_digest(load_weights(Scales(1), path)) == weights_digest(model)


@pytest.mark.parametrize("byte", [0x7F, 0xFF])
def test_not_a_number_is_found_in_a_type_of_one_byte(byte: int, tmp_path: Path) -> None:
    model = Scales(1)
    model.float8_e4m3fn = torch.full((4,), byte, dtype=torch.uint8).view(torch.float8_e4m3fn)
    save_weights(model, tmp_path / "w.safetensors")
    with pytest.raises(ModelError, match="NaN or infinity in float8_e4m3fn"):
        load_weights(Scales(1), tmp_path / "w.safetensors")


def scripted(path: Path) -> None:
    with warnings.catch_warnings(action="ignore"):
        torch.jit.trace(tiny(), torch.rand(1, 3, 16, 16)).save(str(path))  # type: ignore[no-untyped-call]


def exported(path: Path) -> None:
    with warnings.catch_warnings(action="ignore"):
        network = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
        torch.export.save(torch.export.export(network, (torch.rand(1, 3, 2, 2),)), str(path.with_suffix(".pt2")))
        path.with_suffix(".pt2").rename(path)


def bytes_of(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


NAMED: dict[str, tuple[Callable[[Path], object], str]] = {
    "TorchScript": (scripted, r"is a TorchScript archive.*torch\.jit\.load\(FILE\)\.state_dict\(\)"),
    "an exported program": (exported, r"is a torch\.export archive.*torch\.export\.load\(FILE\)"),
    "an empty file": (bytes_of(b""), r"is empty\."),
    "a Git LFS pointer": (bytes_of(b"version https://git-lfs.github.com/spec/v1\noid sha256:0"), "Git LFS pointer"),
    "a web page": (bytes_of(b"<!DOCTYPE html><html>"), "is a web page"),
    "Keras": (bytes_of(b"\x89HDF\r\n\x1a\n" + bytes(99)), "is an HDF5 file"),
    "a packed file": (bytes_of(b"\x1f\x8b" + bytes(99)), "a gzip archive"),
    "a whole model": (saving(nn.Linear(2, 2)), r"it contains an object of torch\.nn\.modules\.linear\.Linear"),
    "options of a script": (saving({"state_dict": weights(), "args": Namespace(a=1)}), r"an object of argparse\.Namespace"),
}


@pytest.mark.parametrize("suffix", [".pt", ".safetensors", ".ckpt"])
@pytest.mark.parametrize("name", NAMED)
def test_what_is_no_file_of_weights_is_named_as_what_it_is(name: str, suffix: str, tmp_path: Path) -> None:
    write, told = NAMED[name]
    path = tmp_path / f"file{suffix}"
    write(path)
    if suffix == ".safetensors" and "object" in told:
        told = "not a valid safetensors file"
    with pytest.raises(ModelError, match=told):
        load_weights(tiny(), path)
