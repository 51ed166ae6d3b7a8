"""The commands and watermarks: marked weights beside the claim, what the mark costs, where its key comes from, and a verdict."""

import re
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import pytest
from conftest import same_weights
from marking import MARK, marked, marking, null_of, owners_key
from workshop import MODEL, ownmark, protecting, refused, shop_in

from ownmark.attacks import ATTACKS
from ownmark.claims.claim import Claim
from ownmark.cli import console
from ownmark.cli.options import listed
from ownmark.evidence.choices import from_record
from ownmark.models.network import build
from ownmark.models.weights import load_weights, weights_digest
from ownmark.protocols import Progress, silent
from ownmark.schemes import SCHEMES

Capture = pytest.CaptureFixture[str]
STRONG = MARK.replace("steps=1,", "steps=100, layers=1.0, batch=60, keep=0.1, source=Patterns(cells=8),")
PLAIN = "IPGuard(samples=2, margin=0.01, search=Search(steps=60, rate=0.05))"
SUSPECT = (MODEL, "--weights", "my.safetensors")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return shop_in(tmp_path / "shop", monkeypatch)


def test_protect_writes_marked_weights_that_the_claim_is_about_and_leaves_the_given_ones(shop: Path, capsys: Capture) -> None:
    before = (shop / "model.safetensors").read_bytes()
    ran = marked(capsys)
    claim = Claim.load(shop / "my.claim")
    copy = load_weights(build(MODEL), shop / "my.safetensors")
    assert weights_digest(copy) == claim.model
    assert not same_weights(copy, load_weights(build(MODEL), shop / "model.safetensors"))
    assert (shop / "model.safetensors").read_bytes() == before
    assert claim.built_with == ()
    assert "Training reference" not in ran.err
    assert "Making a copy" not in ran.err
    assert not (shop / "my.claim.work").exists()


def test_the_marked_model_is_matched_and_another_is_not_without_any_innocent_and_what_the_mark_costs_is_said(
    shop: Path, capsys: Capture
) -> None:
    record = marked(capsys, "--scheme", STRONG, "--json").record
    null = null_of(Claim.load(shop / "my.claim"))
    assert record["held_out"] == "a fifth of the images, held out"
    assert 8 <= record["held_out_images"] <= 12
    assert record["accuracy_before"] == 1
    assert 0 <= record["accuracy_after"] <= 1
    assert record["survival"] == record["tests"][0]["target_score"] > 0.9
    assert record["log10_p"] == null.log10_p(record["survival"]) < -20
    assert (
        record["log10_p_adjusted"]
        == null.log10_p_adjusted(record["survival"])
        == pytest.approx(record["log10_p"] + 19.266, abs=0.001)
    )
    assert record["seconds"] > 0
    assert record["marked"] == "my.safetensors"
    assert record["key"] == "random"
    check_verdicts(shop, capsys)


def test_people_read_the_same_and_are_sent_on_to_verify(shop: Path, capsys: Capture) -> None:
    said = marked(capsys).out
    for told in (
        "accuracy before",
        "accuracy after",
        "a fifth of the images, held out",
        "survival",
        "of 60 triggers",
        "2^64 tried keys",
    ):
        assert told in said
    assert "in the claim only" in said
    assert f"ownmark verify my.claim {MODEL} --weights SUSPECT.safetensors" in said
    assert "calibrate" not in said
    assert null_of(Claim.load(shop / "my.claim")).key not in said


def test_a_test_split_is_what_a_mark_is_measured_on_where_there_is_one(shop: Path, capsys: Capture) -> None:
    (shop / "split").mkdir()
    (shop / "images").rename(shop / "split" / "train")
    for number in range(3):
        folder = shop / "split" / "test" / f"class {number}"
        folder.mkdir(parents=True)
        for file in sorted((shop / "split" / "train" / f"class {number}").iterdir())[:2]:
            file.rename(folder / file.name)
    record = marked(capsys, "--data", "split", "--json").record
    assert (record["held_out"], record["held_out_images"]) == ("the test split", 6)


def check_verdicts(shop: Path, capsys: Capture) -> None:
    """The marked model is matched, and another is not, without any innocent."""
    found = ownmark(capsys, "verify", "my.claim", *SUSPECT, "--report", "page.html")
    assert found.code == 0, found.out
    assert "log10 p = -" in found.out
    assert "at most 1 time in" in (shop / "page.html").read_text(encoding="utf-8")
    other = ownmark(capsys, "verify", "my.claim", MODEL, "--weights", "other.safetensors", "--json")
    assert other.code == 1
    assert other.record["deciding"]["log10_p"] <= 0
    assert "exact by its key" in ownmark(capsys, "inspect", "my.claim").out
    refused(capsys, ["calibrate", "my.claim", "other.safetensors", "--model", MODEL], 2, "exact already")


def test_a_key_from_an_owners_secret_is_the_one_that_all_choices_give(
    shop: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = owners_key(shop, monkeypatch)
    ran = marked(capsys, "--key", "OWNER.key")
    assert "derived from your secret" in ran.out
    claim = Claim.load(shop / "my.claim")
    digest = weights_digest(load_weights(build(MODEL), shop / "model.safetensors"))
    chosen = from_record(claim.choices)
    assert (chosen.owner, chosen.scheme, chosen.model) == (mine.public, claim.scheme, digest)
    assert (chosen.classes, chosen.alpha) == (claim.classes, 1e-6)
    assert null_of(claim) == chosen.null(mine.secret)
    assert ownmark(capsys, "seal", "my.claim", "--key", "OWNER.key").code == 0


def test_a_wrong_passphrase_is_told_before_any_work(shop: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    owners_key(shop, monkeypatch)
    monkeypatch.setenv("OWNMARK_PASSPHRASE", "another passphrase")
    refused(capsys, marking("--key", "OWNER.key"), 2, "wrong passphrase")


def test_two_claims_without_an_owners_key_have_different_keys(shop: Path, capsys: Capture) -> None:
    found = []
    for name in ("one", "two"):
        assert ownmark(capsys, *marking(out=f"{name}.claim")).code == 0
        found.append(null_of(Claim.load(shop / f"{name}.claim")).key)
    assert found[0] != found[1]


def test_an_interrupted_run_goes_on_with_the_same_random_key_which_nobody_else_may_read(
    shop: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def working(_: str) -> Iterator[Progress]:
        def progress(_done: int, _total: int) -> None:
            raise KeyboardInterrupt

        yield progress

    with monkeypatch.context() as patch:
        patch.setattr(console, "working", working)
        assert ownmark(capsys, *marking()).code == 130
    (file,) = (shop / "my.claim.work").glob("*.key")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    key = file.read_bytes()
    marked(capsys)
    claim = Claim.load(shop / "my.claim")
    assert null_of(claim) == from_record(claim.choices).null(key)
    assert not (shop / "my.claim.work").exists()


def test_a_watermark_without_keyed_labels_is_sent_on_to_innocent_models(shop: Path, capsys: Capture) -> None:
    mark = "Zhang(triggers=4, training=Training(epochs=1, batch=16), source=Patterns(), target=TARGET, least=0.0)"
    started = [ownmark(capsys, *marking("--scheme", mark.replace("TARGET", str(number)))) for number in range(3)]
    ran = next(one for one in started if one.code == 0)
    assert "ownmark calibrate my.claim" in ran.out
    assert "log10 p" not in ran.out
    assert (shop / "my.safetensors").exists()
    assert not Claim.load(shop / "my.claim").calibrated


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--out", "model.claim"), "the weights to mark lie there"),
        (("--marked", "./model.safetensors"), "the command's own input (weights)"),
        (("--marked", "my.claim"), "written twice"),
        (("--out", "other.claim"), "other.safetensors exists"),
        (("--marked", "gone/my.safetensors"), "there is no folder gone"),
        (("--reference", "other.safetensors"), "uses no other models"),
        (("--references", "2"), "uses no other models"),
    ],
)
def test_weights_that_must_not_be_lost_and_words_without_meaning_are_refused(
    more: tuple[str, ...], told: str, shop: Path, capsys: Capture
) -> None:
    before = (shop / "model.safetensors").read_bytes()
    refused(capsys, marking(*more), 2, told)
    assert (shop / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize("more", [("--marked", "my.safetensors"), ("--key", "OWNER.key")])
def test_a_fingerprint_has_neither_a_key_nor_marked_weights(more: tuple[str, str], shop: Path, capsys: Capture) -> None:
    assert shop.exists()
    refused(capsys, protecting("my.claim", *more), 2, "does not change the model")
    refused(capsys, marking("--scheme", PLAIN, *more), 2, "does not change the model")


def test_a_fingerprint_that_looks_at_no_other_models_takes_all_images_and_changes_no_weights(
    shop: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused(capsys, marking("--scheme", PLAIN, "--references", "2"), 2, "uses no other models")
    titles: list[str] = []

    def working(title: str) -> AbstractContextManager[Progress]:
        titles.append(title)
        return nullcontext(silent)

    monkeypatch.setattr(console, "working", working)
    ran = marked(capsys, "--scheme", PLAIN, "--json")
    assert titles == ["Making the fingerprint"]
    assert "The model on 48 images" in ran.err
    assert not {"marked", "key"} & ran.record.keys()
    assert not (shop / "my.safetensors").exists()


def test_the_help_lists_every_scheme_and_every_attack(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    for command, kinds, package in (("protect", SCHEMES, "schemes"), ("attack", ATTACKS, "attacks")):
        names = {kind.__name__ for kind in kinds}
        assert set(listed(package).split(", ")) == names
        shown = set(re.findall(r"\w+", ownmark(capsys, command, "--help").out))
        assert names <= shown


@pytest.mark.parametrize(
    "attack",
    [
        "PruneFilters(removal=Removal.CUT)",
        "Then(first=PruneFilters(0.3, Removal.CUT), second=Finetune(epochs=1))",
        "Then(first=Finetune(epochs=1), second=Then(first=Noise, second=PruneFilters(0.3, Removal.CUT)))",
    ],
)
def test_an_attack_that_cuts_filters_out_is_refused_before_any_work(attack: str, shop: Path, capsys: Capture) -> None:
    assert shop.exists()
    words = ["attack", MODEL, "--weights", "model.safetensors", "--data", "nowhere", "--out", "cut.safetensors"]
    refused(capsys, [*words, "--attack", attack], 2, "cannot load the remaining weights", "Removal.MASK")


def test_an_attack_that_masks_filters_is_carried_out(shop: Path, capsys: Capture) -> None:
    words = ["attack", MODEL, "--weights", "model.safetensors", "--data", "images", "--out", "masked.safetensors"]
    ran = ownmark(capsys, *words, "--attack", "PruneFilters(0.3)")
    assert ran.code == 0, ran.err
    assert "a fifth of the images, held out" in ran.out
    assert not same_weights(
        load_weights(build(MODEL), shop / "masked.safetensors"), load_weights(build(MODEL), "model.safetensors")
    )
