"""A thief's copy is made from Python as it is from the command line."""

import doctest
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import pictures, same_weights
from learnt import learnt
from workshop import CODE, MODEL, ownmark, shop_in

from ownmark.attacks.prune import Prune
from ownmark.attacks.prune_filters import PruneFilters, Removal
from ownmark.data.images import Place, Split
from ownmark.errors import UsageError
from ownmark.models.network import Network
from ownmark.models.weights import load_weights, weights_digest
from ownmark.workflows import attack as workflow
from ownmark.workflows.attack import AttackRequest, attack

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return shop_in(tmp_path / "shop", monkeypatch)


@pytest.fixture
def request_(shop: Path) -> AttackRequest:
    return AttackRequest(
        network=Network(MODEL),
        model=shop / "model.safetensors",
        data=Place("images"),
        attack=Prune(0.4),
        out=shop / "python.safetensors",
    )


def test_the_example_of_the_module_does_what_it_shows(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (shop / "mymodel.py").write_text(CODE, encoding="utf-8")
    monkeypatch.delitem(sys.modules, "mymodel", raising=False)
    found = doctest.testmod(workflow)
    assert (found.failed, found.attempted > 5) == (0, True)


def test_python_makes_the_copy_that_the_command_line_makes_and_says_nothing(
    request_: AttackRequest, shop: Path, capsys: Capture
) -> None:
    made = attack(request_)
    assert capsys.readouterr() == ("", "")
    words = ["attack", MODEL, "--weights", "model.safetensors", "--data", "images", "--out", "typed.safetensors"]
    ran = ownmark(capsys, *words, "--attack", "Prune(0.4)", "--json")
    assert ran.code == 0, ran.err
    assert (shop / "python.safetensors").read_bytes() == (shop / "typed.safetensors").read_bytes()
    assert ran.record["digest"] == made.digest == weights_digest(made.copy)
    assert (ran.record["accuracy_before"], ran.record["accuracy_after"]) == (made.before["accuracy"], made.after["accuracy"])


def test_a_module_in_memory_stays_as_it_is(request_: AttackRequest) -> None:
    model = learnt("bright")
    made = attack(replace(request_, model=model, data=Split.whole(pictures(48))))
    assert same_weights(model, learnt("bright"))
    assert not same_weights(model, made.copy)
    assert same_weights(load_weights(Network(MODEL, 3).blank(), made.out), made.copy)


@pytest.mark.parametrize("name", ["thief.onnx", "thief.tflite", "thief.pt2"])
def test_weights_get_no_name_of_another_format(name: str, request_: AttackRequest) -> None:
    with pytest.raises(UsageError, match=r"weights are written as safetensors.*name it thief\.safetensors"):
        attack(replace(request_, out=Path(name)))
    assert not Path(name).exists()


def test_a_copy_that_its_own_code_could_not_load_is_refused_before_any_image_is_read(request_: AttackRequest) -> None:
    asked = replace(request_, data=Place("nowhere"), attack=PruneFilters(0.3, Removal.CUT))
    with pytest.raises(UsageError, match=r"Removal\.MASK"):
        attack(asked)
