"""Methods and models are read from the names that people type: what a repr says is read back, and nothing typed is run."""

from contextlib import suppress
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from conftest import same_weights
from hypothesis import given
from hypothesis import strategies as st
from workshop import MODULE, furnished, opened

from ownmark import attacks, schemes
from ownmark.attacks import ATTACKS
from ownmark.attacks.distill import Distill
from ownmark.attacks.finetune import Finetune
from ownmark.attacks.prune import Prune
from ownmark.attacks.retrain import Retrain
from ownmark.errors import ModelError, UsageError
from ownmark.method_strings import nearest, read
from ownmark.models.layers import Layers
from ownmark.models.network import build, draws_weights
from ownmark.models.sources.python import Named
from ownmark.perturb.pgd import Descent, Norm
from ownmark.schemes import SCHEMES
from ownmark.schemes.saliency.objectives import Contrast, Published
from ownmark.schemes.saliency.pattern import Fill
from ownmark.schemes.saliency.scheme import Saliency
from ownmark.scoring.matches import Change, Drop
from ownmark.training import Training

ALL = (*SCHEMES, *ATTACKS)
shares = st.floats(0, 1, allow_nan=False)
rates = st.floats(1e-9, 1e9, allow_nan=False)
counts = st.integers(1, 10**6)
descents = st.builds(Descent, rates, st.sampled_from(Norm), counts, rates, shares)
methods = st.one_of(
    st.builds(Prune, st.floats(0, 1, exclude_max=True), counts, rates),
    st.builds(Finetune, st.sampled_from(Layers), counts, rates),
    st.builds(Retrain, st.sampled_from(Layers), counts, rates),
    st.builds(Distill, counts, rates),
    st.builds(
        Saliency,
        samples=counts,
        descent=descents,
        cells=st.lists(st.tuples(counts, counts), min_size=1, max_size=4).map(tuple),
        layer=st.text(max_size=8),
        objective=st.one_of(st.builds(Published, rates), st.builds(Contrast, shares, shares)),
        fill=st.sampled_from(Fill),
        map_threshold=st.none() | shares,
        masked=st.one_of(st.builds(Drop, shares), st.builds(Change, shares)),
    ),
)


def has_defaults(kind: type) -> bool:
    return all(one.default is not one.empty for one in signature(kind).parameters.values())


@given(methods)
def test_what_a_repr_says_is_read_back(method: Any) -> None:
    assert read(repr(method), ALL) == method


@pytest.mark.parametrize("kind", [kind for kind in ALL if has_defaults(kind)], ids=lambda kind: kind.__name__)
def test_a_bare_name_is_the_method_with_its_defaults(kind: type) -> None:
    assert read(kind.__name__, ALL) == read(kind.__name__.lower(), ALL) == read(f" {kind.__name__.upper()}() ", ALL) == kind()


@pytest.mark.parametrize("package", [schemes, attacks], ids=["schemes", "attacks"])
def test_every_method_is_in_its_registry(package: Any) -> None:
    homes = Path(package.__file__).parent.glob("[!_]*")  # a method is a file or a package
    found = {home.stem for home in homes if home.suffix == ".py" or (home / "__init__.py").exists()}
    kinds = SCHEMES if package is schemes else ATTACKS
    listed = {kind.__module__.removeprefix(f"{package.__name__}.").partition(".")[0] for kind in kinds}
    assert listed == found


@pytest.mark.parametrize(
    ("text", "method"),
    [
        ("Prune(0.4)", Prune(fraction=0.4)),
        ("prune(.4, rate=1)", Prune(fraction=0.4, rate=1)),
        ("finetune(layers=Layers.LAST)", Finetune(layers=Layers.LAST)),
        ("Saliency(descent=Descent(bound=0.05))", Saliency(descent=Descent(bound=0.05))),
        ("saliency(descent=descent(5e-2, norm=norm.L2), masked=Change(0.1))",
         Saliency(descent=Descent(0.05, Norm.L2), masked=Change(0.1))),
        ("Saliency(objective=Published)", Saliency(objective=Published())),
        ("Saliency(cells=[[0, 1], [1, 1]])", Saliency(cells=((0, 1), (1, 1)))),
        ("Saliency.as_published()", Saliency.as_published()),
        ("Saliency.as_published(samples=7)", Saliency.as_published(7)),
    ],
)  # fmt: skip
def test_methods_are_read_as_they_are_typed(text: str, method: object) -> None:
    assert read(text, ALL) == method


SLIPS = [
    ("Salency", ["'Salency' is not one of: Saliency"]),
    ("", ["cannot read ''"]),
    ("Saliency(", ["cannot read 'Saliency('", "Saliency(samples=..., descent=..."]),
    ("Prune(fraction=0.3", ["Prune(fraction=..., epochs=..., rate=..., flips=...)"]),
    ("((((" * 200, ["cannot read"]),
    ("1", ["'1' is not one of"]),
    ("Fill.CLEAN", ["not one of"]),
    ("Descent(0.1)", ["not one of"]),
    ("Saliency(sample=3)", ["no parameter 'sample'; it has samples"]),
    ("Saliency(**{'samples': 3})", ["no parameter"]),
    ("Saliency(samples='x')", ["expects samples: a whole number; got 'x'"]),
    ("Saliency(samples=0)", ["expected at least one sample, got 0"]),
    ("Saliency(samples=1.5)", ["a whole number"]),
    ("Saliency(samples=True)", ["a whole number"]),
    ("Prune(fraction=True)", ["a number"]),
    ("Saliency(descent=0.05)", ["expects descent: Descent(bound=..."]),
    ("Saliency(descent=Descent())", ["missing a required argument: 'bound'", "Descent(bound=..., norm=..."]),
    ("Saliency(masked=Drop(5))", ["in Drop: a threshold must be a number in [0, 1]"]),
    ("Saliency(masked=Prune())", ["Drop(threshold=...) or Change(threshold=...)"]),
    ("Saliency(fill=Fill.WHITE)", ["Fill has no member 'WHITE'", "Fill.BLACK, Fill.MEAN, Fill.CLEAN"]),
    ("Saliency(fill=Fill)", ["Fill is an enumeration"]),
    ("Saliency(fill='clean')", ["one of Fill.BLACK"]),
    ("Saliency(map_threshold='a')", ["a number or None"]),
    ("Finetune(layers=Layers.LAST())", ["Layers cannot be called; write one of Layers.ALL, Layers.LAST"]),
    ("Saliency(objective=Prune())", ["one of Contrast, Own, Published"]),
    ("Saliency(cells=(0, 0))", ["expects cells"]),
    ("Saliency(cells=((0, 0, 0),))", ["expects cells"]),
    ("Saliency(masked=Foo())", ["there is no 'Foo'", "Drop"]),
    ("Saliency(layer=train)", ["there is no 'train'"]),
    ("Prune(1, 2, 3, 4, 5)", ["too many positional arguments"]),
    ("Prune(fraction=2)", ["a fraction in [0, 1)"]),
    ("Saliency.forge()", ["no constructor 'forge'"]),
    ("Saliency.protect(1)", ["no constructor 'protect'"]),
    ("Saliency(samples=1)(2)", ["cannot read"]),
    ("Prune().apply(1)", ["cannot read"]),
    ("Prune(0.1) if 1 else Prune(0.2)", ["not one of"]),
    ("Prune; Prune", ["cannot read"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "told"), SLIPS, ids=[text[:40] for text, _ in SLIPS])
def test_a_slip_is_told_with_what_exists(text: str, told: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        read(text, ALL)
    assert [part for part in told if part not in str(caught.value)] == []
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "text",
    [
        "__import__('pathlib').Path('sprung').touch()",
        "Prune(fraction=__import__('pathlib').Path('sprung').touch())",
        "Saliency(layer=open('sprung', 'w').name)",
        "Prune(*[open('sprung', 'w')])",
        "Saliency(layer=f\"{open('sprung', 'w')}\")",
    ],
)
def test_nothing_that_is_typed_is_run(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        read(text, ALL)
    with pytest.raises(ModelError):
        build(f"{MODULE}:build({text})")
    assert list(tmp_path.iterdir()) == []


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(UsageError):
        assert isinstance(read(text, (Training,)), Training)


def test_the_nearest_name_comes_first() -> None:
    assert nearest("fintune", ["Prune", "Distill", "Finetune"]).startswith("Finetune, ")
    assert nearest("x", []) == ""


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Path:
    return opened(furnished()[1], monkeypatch)


def test_a_model_is_built_by_its_name_in_eval_mode_and_told_the_number_of_classes(here: Path) -> None:
    assert here.exists()
    for name, classes in ((f"{MODULE}:build", 5), ("ownmark:ResNet18(width=4)", 5), ("torchvision:shufflenet_v2_x0_5", 5)):
        model = build(name, classes)
        assert not model.training
        assert list(model.parameters())[-1].shape == (classes,)
    assert list(build(f"{MODULE}:build(num_classes=4)", 5).parameters())[-1].shape == (4,)
    assert list(build(f"{MODULE}:build(4)", 5).parameters())[-1].shape == (4,)


def test_a_model_that_a_module_holds_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(tmp_path, monkeypatch)
    (tmp_path / "holder.py").write_text("from torch import nn\n\n\nclass Box:\n    net = nn.Linear(2, 2)\n", encoding="utf-8")
    first, second = build("holder:Box.net"), build("holder:Box.net")
    assert first is not second
    assert same_weights(first, second)
    assert not draws_weights("holder:Box.net")


def test_a_factory_that_draws_its_weights_is_known(here: Path) -> None:
    assert here.exists()
    assert draws_weights(f"{MODULE}:build")


WRONG = {
    "raising": (
        "def build():\n    return 1 / 0\n",
        "cannot build its model: ZeroDivisionError: division by zero (raising.py, line 2)",
    ),
    "number": ("build = 3\n", "is int; expected a function"),
    "nothing": ("def build():\n    pass\n", "returns NoneType; expected a function that returns a torch.nn.Module"),
    "needy": ("def build(width):\n    pass\n", "missing a required argument: 'width'; its parameters: width"),
    "importing": ("import absent_module\n", "cannot be imported: ModuleNotFoundError: No module named 'absent_module'"),
    "unwritten": ("def (\n", "cannot be imported: SyntaxError"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_a_users_module_does_wrong_is_told_with_its_place(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(tmp_path, monkeypatch)
    code, told = WRONG[name]
    (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    with pytest.raises(ModelError) as caught:
        build(f"{name}:build")
    assert told in str(caught.value)


@pytest.mark.parametrize("name", ["resnet18", "a:", ":b", "a b:c", "a:b?x=1", "a:b(c)", "a:b.", "a.:b", "a:b()()", "a:1"])
def test_a_name_that_is_none_is_refused_with_the_forms_there_are(name: str) -> None:
    with pytest.raises(ModelError, match="expected module:factory, 'module:factory\\(width=16\\)' or torchvision:resnet18"):
        Named.read(name)
