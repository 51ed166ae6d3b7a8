"""A claim is made from Python as it is from the command line: with keys, references and copies of one's own, and resumable."""

import doctest
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from conftest import pictures
from learnt import learnt
from workshop import CODE, EASY, MODEL, ownmark, protecting, shop_in

from ownmark.attacks.prune import Prune
from ownmark.data.images import Place, Split
from ownmark.errors import UsageError
from ownmark.evidence import owner, pledge
from ownmark.method_strings import read
from ownmark.models.network import Network
from ownmark.models.weights import load_weights, weights_digest
from ownmark.protocols import Progress
from ownmark.schemes import SCHEMES
from ownmark.workflows import measuring
from ownmark.workflows import protect as workflow
from ownmark.workflows.protect import KeyFile, ProtectRequest, make_pledge, protect

Capture = pytest.CaptureFixture[str]
SECRET = "correct horse battery"  # noqa: S105 - of a key that only a test uses
MARK = "Partitioned(triggers=60, sets=1, stages=1, steps=1, clean=8, least=0.0)"


@dataclass(frozen=True)
class Listener:
    """Remembers what it was told, and interrupts as soon as a step of the name `stop` is half done."""

    stop: str = ""
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    @contextmanager
    def step(self, title: str) -> Iterator[Progress]:
        self.steps.append(title)

        def progress(done: int, total: int) -> None:
            if title == self.stop and done >= total / 2:
                raise KeyboardInterrupt

        yield progress


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return shop_in(tmp_path / "shop", monkeypatch)


@pytest.fixture
def request_(shop: Path) -> ProtectRequest:
    """What `workshop.protecting` types, in Python."""
    return ProtectRequest(
        network=Network(MODEL),
        model=shop / "model.safetensors",
        data=Place("images"),
        scheme=read(EASY, SCHEMES),
        references=(shop / "other.safetensors",),
        out=shop / "python.claim",
    )


def marking(request: ProtectRequest) -> ProtectRequest:
    return replace(request, scheme=read(MARK, SCHEMES), references=None)


def test_the_example_of_the_module_does_what_it_shows(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (shop / "mymodel.py").write_text(CODE, encoding="utf-8")
    monkeypatch.delitem(sys.modules, "mymodel", raising=False)
    found = doctest.testmod(workflow)
    assert (found.failed, found.attempted > 5) == (0, True)


def test_python_makes_the_claim_that_the_command_line_makes_and_says_nothing(
    request_: ProtectRequest, shop: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "MEASURED", 40)
    made = protect(request_)
    assert (len(made.split.mine), len(made.split.held_out)) == (48, 40)
    assert capsys.readouterr() == ("", "")
    assert made.mark is None
    assert made.doubts
    assert not request_.folder.exists()
    assert ownmark(capsys, *protecting("typed.claim")).code == 0
    assert (shop / "python.claim").read_bytes() == (shop / "typed.claim").read_bytes()


def test_modules_and_images_in_memory_serve_as_files_do(request_: ProtectRequest) -> None:
    """And the surrogates are the owner's own: one kind of copy instead of three."""
    listener = Listener()
    model = learnt("bright")
    before = weights_digest(model)
    given = replace(
        request_,
        model=model,
        data=Split.whole(pictures(48)),
        references=(learnt("bright", 1),),
        surrogates={"pruned a little": Prune(0.2)},
    )
    made = protect(given, listener)
    assert made.model is model
    assert made.claim.model == before == weights_digest(model)
    assert listener.steps == ["Making a copy: pruned a little", "Making the fingerprint"]
    assert len(made.claim.built_with) == 2


def test_an_interrupted_request_goes_on_and_makes_no_copy_twice(request_: ProtectRequest) -> None:
    whole = protect(replace(request_, out=request_.out.with_name("whole.claim")))
    stopped = Listener(stop="Making the fingerprint")
    with pytest.raises(KeyboardInterrupt):
        protect(request_, stopped)
    assert "resumes there" in stopped.warnings[-1]
    assert not request_.out.exists()
    listener = Listener()
    assert protect(request_, listener).claim.digest == whole.claim.digest
    assert listener.steps == ["Making the fingerprint"]


def test_labels_that_are_too_few_for_a_verdict_are_told_before_the_mark_is_trained_and_once(request_: ProtectRequest) -> None:
    few = replace(marking(request_), scheme=read(MARK.replace("triggers=60", "triggers=20"), SCHEMES))
    before = Listener(stop="Embedding the watermark")
    with pytest.raises(KeyboardInterrupt):
        protect(few, before)
    assert before.warnings[0].startswith("Warning: No score could give a verdict at alpha = 0.05. At least 44 keyed triggers")
    assert "Only the key is kept" in before.warnings[-1], "a mark that is being trained starts anew"
    after = Listener()
    made = protect(few, after)
    assert [one.kind for one in made.doubts].count("few-triggers") == 1
    assert sum("No score could give a verdict" in one for one in after.warnings) == 1


def test_a_watermark_takes_its_key_from_an_owner_and_writes_its_weights(request_: ProtectRequest, shop: Path) -> None:
    mine = owner.create(shop / "OWNER.key", SECRET)
    made = protect(replace(marking(request_), owner=mine))
    assert made.mark is not None
    assert made.mark.own_key
    assert made.mark.weights == shop / "python.safetensors"
    copy = load_weights(Network(MODEL, 3).blank(), made.mark.weights)
    assert weights_digest(copy) == made.claim.model == weights_digest(made.model)
    assert made.split.origin == "a fifth of the images, held out"


def test_a_pledge_is_written_once_and_protect_waits_for_its_pulse(request_: ProtectRequest, shop: Path) -> None:
    mine = owner.create(shop / "OWNER.key", SECRET)
    asked = replace(marking(request_), owner=KeyFile(shop / "OWNER.key", lambda: SECRET), pledge=shop / "my.pledge", pledges=3)
    with pytest.raises(UsageError, match="there is no pledge"):
        protect(asked)
    made = make_pledge(asked)
    told = pledge.read(made.file).told
    assert (told["owner"], told["pledges"]) == (mine.public, 3)
    with pytest.raises(UsageError, match="a pledge is made once"):
        make_pledge(asked)
    with pytest.raises(UsageError, match="has no pulse yet"):
        protect(asked)
    assert not asked.out.exists()


def never() -> str:
    pytest.fail("a passphrase was asked for that has no use")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"owner": KeyFile(Path("OWNER.key"), never)}, "does not change the model"),
        ({"pledge": Path("my.pledge")}, "only a watermark"),
        ({"scheme": read(MARK, SCHEMES)}, "uses no other models"),
        ({"scheme": read(MARK, SCHEMES), "references": None, "pledge": Path("my.pledge")}, "signed by its owner"),
        ({"model": Path("gone.safetensors")}, "there is no weights file gone.safetensors"),
        ({"references": (Path("gone.safetensors"),)}, "there is no weights file gone.safetensors"),
        ({"out": Path("nowhere/my.claim")}, "there is no folder nowhere"),
        ({"out": Path("other.safetensors")}, "exists, and a claim that is overwritten is lost"),
        ({"data": Place("nowhere", channels=2)}, "3 for colour or 1 for grey"),
    ],
)
def test_what_cannot_be_meant_is_an_error_before_any_image_is_read(
    changes: dict[str, object], told: str, request_: ProtectRequest
) -> None:
    fields = {"data": Place("nowhere")} | changes
    with pytest.raises(UsageError, match=told):
        protect(replace(request_, **fields))  # type: ignore[arg-type]
