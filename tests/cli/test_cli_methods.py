"""`ownmark methods` tells what each method can be told, so that nobody has to read its code."""

import dataclasses
from inspect import signature

import pytest
from workshop import ownmark, refused

from ownmark.attacks import ATTACKS
from ownmark.attacks.finetune import Finetune
from ownmark.detectors import DETECTORS
from ownmark.method_strings import described, read
from ownmark.schemes import SCHEMES
from ownmark.training import Training

Capture = pytest.CaptureFixture[str]
ALL = (*SCHEMES, *ATTACKS, *DETECTORS, Training)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_parameter_of_every_method_is_listed_and_what_is_shown_can_be_typed(kind: type, capsys: Capture) -> None:
    said = ownmark(capsys, "methods", kind.__name__).out
    assert str(kind.__doc__).splitlines()[0] in said
    told = [line for line in said.splitlines() if (line.startswith("  ") and "by default" in line) or "must be given" in line]
    listed = [line.split()[0] for line in told]
    names = [field.name for field in dataclasses.fields(kind)]
    assert [name for name in listed if name in names] == names
    call = said.splitlines()[-1].removeprefix("  Write it like: ")
    if "=..." not in call:
        assert read(call, (kind,)) == kind()


def test_a_methods_other_constructors_are_listed_with_their_parameters() -> None:
    found = described("saliency").constructors
    assert set(found) == {"Saliency.as_published", "Saliency.own"}
    assert [(one.name, one.kind, one.default) for one in found["Saliency.own"]] == [("samples", "a whole number", "100")]


def test_without_a_name_all_methods_are_listed(capsys: Capture) -> None:
    found = ownmark(capsys, "methods", "--json").record
    for group, kinds in (("schemes", SCHEMES), ("attacks", ATTACKS), ("detectors", DETECTORS)):
        assert found[group] == sorted(kind.__name__ for kind in kinds)
    assert "Finetune" in ownmark(capsys, "methods").out


def test_a_method_as_json_has_its_parameters_kinds_and_defaults(capsys: Capture) -> None:
    found = ownmark(capsys, "methods", "Finetune(epochs=3)", "--json").record
    assert [one["name"] for one in found["parameters"]] == list(signature(Finetune).parameters)
    assert found["parameters"][1] == {"name": "epochs", "kind": "a whole number", "default": "5"}


def test_a_name_that_is_no_method_is_told_with_what_is_near(capsys: Capture) -> None:
    refused(capsys, ["methods", "Fintune"], 2, "there is no 'Fintune'", "the nearest names are Finetune")
    refused(capsys, ["methods", "Layers"], 2, "one of Layers.ALL, Layers.LAST")


@pytest.mark.parametrize("command", ["attack", "protect"])
def test_the_help_of_who_takes_a_method_says_where_its_parameters_are(command: str, capsys: Capture) -> None:
    assert "ownmark methods" in " ".join(ownmark(capsys, command, "--help").out.replace("│", " ").split())
