"""What the report page promises: the verdict's own numbers, honest words, and nothing that leads outside."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_cases import (
    BLACK,
    Element,
    calibrated,
    claim_of,
    colour_claim,
    innocents,
    innocents_of,
    marked,
    noise_images,
    read,
    scripted,
    verdict_on,
    words,
)

from ownmark.claims.claim import Claim, Preprocess, Test
from ownmark.errors import UsageError
from ownmark.report import drawing
from ownmark.report import words as report_words
from ownmark.report.page import About, page, write
from ownmark.scoring.matches import MATCHES, Agreement, Change
from ownmark.scoring.null_models import Uncalibrated
from ownmark.scoring.readings import Reading
from ownmark.verdicts.verdict import Outcome, Verdict
from ownmark.verdicts.verify import verify

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7 * 7 }}&amp;</style>"
SCORES = {Outcome.MATCH: (19, 18), Outcome.NO_MATCH: (3, 4)}


@pytest.fixture(scope="module")
def claim() -> Claim:
    return colour_claim()


def case(claim: Claim, outcome: Outcome) -> tuple[Claim, Verdict]:
    """A claim and a verdict with that outcome."""
    if outcome is Outcome.INCONCLUSIVE:
        claim = claim.with_nulls({0: Uncalibrated(), 1: Uncalibrated()})
        return claim, verdict_on(claim, "suspect", 19, 18)
    verdict = verdict_on(claim, "suspect", *SCORES[outcome])
    assert verdict.outcome is outcome
    return claim, verdict


def facts(elements: list[Element]) -> dict[str, str]:
    """Names and values of every definition list, the last one of a name counts."""
    names = [element.text for element in elements if element.tag == "dt"]
    values = [element.text.strip() for element in elements if element.tag == "dd"]
    return dict(zip(names, values, strict=True))


@pytest.mark.parametrize("outcome", Outcome)
def test_the_page_shows_the_verdicts_own_numbers(claim: Claim, outcome: Outcome) -> None:
    claim, verdict = case(claim, outcome)
    found = facts(read(page(claim, [verdict])))
    low, high = (float(end.rstrip("\N{NO-BREAK SPACE}%")) for end in found["95 % interval"].split("\N{EN DASH}"))
    assert found["Score"] == f"{verdict.deciding.matches.sum()} of {len(claim.images)}"
    assert (low / 100, high / 100) == pytest.approx(verdict.deciding.interval, abs=0.0005)
    assert float(found["p"]) == pytest.approx(verdict.deciding.p, rel=0.005)
    assert float(found["Smallest p possible"]) == pytest.approx(verdict.deciding.smallest, rel=0.005)
    assert float(found["Level alpha"]) == verdict.alpha
    assert int(found["Queries"]) == verdict.queries
    assert found["Outcome"] == outcome.value


@pytest.mark.parametrize("outcome", Outcome)
def test_the_outcome_is_told_by_words_and_by_a_shape_not_by_colour_alone(claim: Claim, outcome: Outcome) -> None:
    claim, verdict = case(claim, outcome)
    html = page(claim, [verdict])
    (stamp,) = marked(read(html), "stamp")
    assert stamp.text.strip() == outcome.value
    assert drawing.SHAPES[outcome] in html
    assert len(set(drawing.SHAPES.values())) == len(Outcome)


def test_the_match_is_told_as_counts_of_images_and_of_innocent_models(claim: Claim) -> None:
    text = words(page(claim, [verdict_on(claim, "suspect", 19, 18)]))
    assert "On 19 of 20 fingerprint images this model looked at the marked corner." in text
    assert "None of 19 innocent models did so on more than 5." in text
    assert "would score this high at most 5 times in 100 (p = 0.05)" in text


def test_innocents_that_did_as_well_are_counted_in_the_sentence(claim: Claim) -> None:
    verdict = verdict_on(claim, "suspect", 3, 4)
    as_high = sum(score >= verdict.deciding.score for score in innocents_of(claim, 0).scores)
    assert f"{as_high} of 19 innocent models did so at least as often." in words(page(claim, [verdict]))


@pytest.mark.parametrize("outcome", Outcome)
def test_no_page_says_more_than_the_verdict(claim: Claim, outcome: Outcome) -> None:
    claim, verdict = case(claim, outcome)
    text = words(page(claim, [verdict])).lower()
    assert not re.search(r"\b(stolen|stole|steal|theft|thief|guilty|proven|infring)", text)
    assert "what this verdict does not prove" in text
    assert "supporting evidence" in text


def test_a_match_says_what_it_relies_on_and_where_its_p_ends(claim: Claim) -> None:
    text = words(page(claim, [verdict_on(claim, "suspect", 19, 18)]))
    assert "is exchangeable with the 19 innocent models" in text
    assert "The claim does not record the kinds of its innocent models." in text
    assert "p can never fall below 1/20 = 0.05" in text
    assert "p = 0.05 is not the probability that this model is innocent" in text


def test_no_match_does_not_read_as_innocence(claim: Claim) -> None:
    assert "does not show that this model is independent" in words(page(claim, [verdict_on(claim, "suspect", 0, 0)]))


def test_an_uncalibrated_claim_is_told_as_deciding_nothing() -> None:
    claim = claim_of(noise_images(20, 56, 56, 3))
    verdict = verdict_on(claim, "suspect", 20, 20)
    html = page(claim, [verdict])
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "The answers decide nothing about this model." in words(html)
    assert "How often innocent models do so was not measured." in words(html)
    assert verdict.reason in words(html)
    assert not marked(read(html), "region")
    assert not marked(read(html), "innocent")


def test_too_few_innocents_are_shown_but_no_score_is_tinted_as_enough() -> None:
    claim = calibrated(claim_of(noise_images(20, 56, 56, 3)), 5)
    html = page(claim, [verdict_on(claim, "suspect", 20, 20)])
    assert "INCONCLUSIVE" in words(html)
    assert "No score would match at alpha = 0.05." in words(html)
    assert len(marked(read(html), "innocent")) == 2 * 5
    assert not marked(read(html), "region")


def test_the_test_that_decides_comes_first(claim: Claim) -> None:
    text = words(page(claim, [verdict_on(claim, "suspect", 19, 18)]))
    assert text.index("This test decides White-box test") < text.index("This test only informs Black-box test")
    only = words(page(claim, [verdict_on(claim, "suspect", 0, 18, reveals=BLACK)]))
    assert "This test decides Black-box test" in only
    assert "only informs" not in only


@given(st.floats(1e-6, 1))
def test_a_rate_in_words_is_never_smaller_than_p(p: float) -> None:
    said = report_words.at_most(p)
    times, _, total = re.sub(r"at most |times? in ", "", said).partition(" ")
    assert p <= float(times) / float(total) * (1 + 1e-6)
    assert float(times) / float(total) <= p + max(0.001, p * p)


def test_names_and_classes_are_shown_as_text_never_as_markup() -> None:
    claim = claim_of(noise_images(6, 16, 16, 3), (HOSTILE, "naevus", "other"), scheme=HOSTILE, model=HOSTILE)
    verdicts = [verdict_on(claim, HOSTILE, 3, 3, digest=HOSTILE), verdict_on(claim, "b", 1, 1)]
    html = page(claim, verdicts, title=HOSTILE)
    elements = read(html)
    assert not [name for element in elements for name in element.attributes if name.startswith("on")]
    assert "script" not in {element.tag for element in elements}
    assert "x" not in {element.attributes.get("src") for element in elements}
    assert "49" not in next(element.text for element in elements if element.tag == "h1")
    assert words(html).count(HOSTILE) > 6


def test_nothing_on_the_page_leads_outside(claim: Claim) -> None:
    name = "https://api.example.com/v2/models/suspect"
    html = page(claim, [verdict_on(claim, name, 0, 18, reveals=BLACK, digest=""), verdict_on(claim, "b", 19, 19)])
    elements = read(html)
    outward = {"link", "script", "iframe", "object", "embed", "base", "form", "audio", "video", "source"}
    assert not [element.tag for element in elements if element.tag in outward]
    loads = [
        element.attributes[key]
        for element in elements
        for key in ("src", "href", "xlink:href", "srcset", "data", "action", "poster", "background")
        if key in element.attributes
    ]
    assert len(loads) > 20
    assert not [address for address in loads if not address.startswith(("data:image/png;base64,", "#"))]
    styles = "".join(element.text for element in elements if element.tag == "style")
    styles += "".join(element.attributes.get("style", "") for element in elements)
    assert not re.search(r"url\(|@import|expression|src\(|image-set", styles)


def test_every_fragment_that_is_referred_to_is_on_the_page(claim: Claim) -> None:
    elements = read(page(claim, [verdict_on(claim, "a", 19, 18), verdict_on(claim, "b", 2, 2)]))
    names = [element.attributes["id"] for element in elements if "id" in element.attributes]
    asked = {element.attributes.get("href", "") for element in elements}
    assert len(names) == len(set(names))
    assert {address[1:] for address in asked if address.startswith("#")} <= set(names)


def test_a_claim_of_one_view_that_asks_for_labels_makes_a_page() -> None:
    whole = claim_of(noise_images(6, 16, 16, 3))
    labels = Test(Reading.LABEL, Agreement(), whole.tests[0].expected, 1.0)
    claim = replace(whole, images=whole.images[:, :1], tests=(labels,), maps=None)
    html = page(claim, [verify(claim, scripted("suspect", 6, 6, 6, reveals=BLACK), access="labels")])
    assert "On 6 of 6 trigger images this model gave the expected label." in words(html)
    assert "covered" not in words(html)


def test_a_test_on_change_either_way_is_told_in_its_own_words(claim: Claim) -> None:
    either = replace(claim.tests[1], match=Change(0.05))
    other = replace(claim, tests=(either,))
    assert "changed its confidence in the image's class" in words(page(other, [verdict_on(other, "suspect", 0, 18)]))


def test_several_suspects_are_listed_with_their_outcomes_and_the_risk_of_many_tests(claim: Claim) -> None:
    cases = {"copy": (19, 18), "pruned": (15, 14), "stranger": (2, 3)}
    verdicts = [verdict_on(claim, name, *scores) for name, scores in cases.items()]
    html = page(claim, verdicts)
    rows = [" ".join(element.text.split()) for element in read(html) if element.tag == "tr"][1:]
    for row, verdict, mark in zip(rows, verdicts, "ABC", strict=True):
        assert row.startswith(f"{mark}{verdict.suspect} {verdict.outcome.value} {verdict.deciding.matches.sum()} of 20")
    assert "3 suspects were judged" in words(html)
    assert "could be as high as 15 %" in words(html)
    assert len([element for element in read(html) if element.tag == "article"]) == 3


def test_every_setting_and_digest_that_a_verdict_rests_on_is_in_the_table(claim: Claim) -> None:
    verdict = verdict_on(claim, "suspect.onnx", 19, 18, digest="c0ffee" * 8)
    text = words(page(claim, [verdict]))
    for needed in (
        claim.digest,
        claim.model,
        claim.scheme,
        "c0ffee" * 8,
        "suspect.onnx",
        "features.8",
        "56 \N{MULTIPLICATION SIGN} 56 \N{MULTIPLICATION SIGN} 3",
        "melanoma, naevus, keratosis",
        "mean (0.5), std (0.25)",
        "at most 12 of 255 levels; PSNR",
        "OnPattern(threshold=0.25",
        "Drop(threshold=0.05)",
        "ownmark 0.",
    ):
        assert needed in text, needed


def test_a_suspect_without_a_digest_is_said_to_have_none(claim: Claim) -> None:
    assert "unknown: only its answers are available" in words(page(claim, [verdict_on(claim, "api", 0, 18, digest="")]))


def test_every_outcome_reading_and_match_has_its_words_and_its_shape() -> None:
    assert set(Outcome) == set(drawing.SHAPES) == set(drawing.TONES) == set(report_words.HEADLINES) == set(report_words.LIMITS)
    assert set(Reading) == set(report_words.TEST_NAMES) == set(report_words.ACCESS)
    assert all(len(kind.did.split()) > 2 and kind.did[0].islower() for kind in MATCHES)


def test_suspects_are_lettered_like_the_columns_of_a_table() -> None:
    assert [report_words.letter(place) for place in (0, 25, 26, 51, 52, 701, 702)] == ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]


def test_the_same_verdicts_always_give_the_same_page(claim: Claim) -> None:
    verdict = verdict_on(claim, "suspect", 19, 18)
    assert page(claim, [verdict]) == page(Claim.from_bytes(claim.to_bytes()), [verdict])


def test_a_verdict_on_another_claim_is_refused(claim: Claim) -> None:
    other = replace(claim, preprocess=Preprocess((0.4,), (0.25,)))
    with pytest.raises(UsageError, match="belongs to claim"):
        page(claim, [verdict_on(other, "suspect", 19, 18)])
    with pytest.raises(UsageError, match="at least one verdict"):
        page(claim, [])


def test_a_page_is_written_whole_or_the_place_is_named(tmp_path: Path) -> None:
    write(tmp_path / "report.html", "<p>é</p>")
    assert (tmp_path / "report.html").read_bytes() == "<p>é</p>".encode()
    with pytest.raises(UsageError, match=r"report\.html.*none"):
        write(tmp_path / "none" / "report.html", "<p>")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_the_report_needs_no_torch() -> None:
    code = "import sys, ownmark.report.page; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_scripted_innocents_of_these_tests_are_different_models() -> None:
    assert len({innocent.digest for innocent in innocents(19)}) == 19


NAMED = {
    ("runs/a/one.onnx", "runs/a/two.onnx"): ["one", "two"],
    ("runs/a/one.onnx", "runs/b/one.onnx"): ["a/one", "b/one"],
    ("runs/a/one.onnx", "runs/a/one.pt"): ["one.onnx", "one.pt"],
    ("/x/one.onnx", "y/one.onnx"): ["/x/one", "y/one"],
    ("deep/down/one.onnx",): ["one.onnx"],
    ("http://host/v2/models/a", "b/two.onnx"): ["http://host/v2/models/a", "two.onnx"],
    ("torchvision:resnet18", "mine:build"): ["torchvision:resnet18", "mine:build"],
    ("a", "a"): ["a", "a"],
}


@pytest.mark.parametrize("names", NAMED)
def test_what_all_names_share_is_dropped_and_no_two_become_one(names: tuple[str, ...]) -> None:
    assert report_words.short_names(names) == NAMED[names]


def test_the_page_says_who_judged_for_whom_when_and_about_which_model(claim: Claim) -> None:
    verdict = verdict_on(claim, "runs/suspect.onnx", 19, 18)
    text = words(page(claim, [verdict], about=About("28 November 2026", "A. Owner", "J. Judge")))
    assert "Judged on 28 November 2026 by J. Judge; the claimant is A. Owner." in text
    size = f"{claim.images.shape[2]} \N{MULTIPLICATION SIGN} {claim.images.shape[3]}"
    assert f"The protected model tells 3 classes apart, on images of {size} pixels in colour." in text
    assert "Verdict on suspect.onnx" in text
    assert "runs/suspect.onnx" in text, "the settings have the whole name"
    assert "Judged on" not in words(page(claim, [verdict]))


def test_the_reason_says_what_p_comes_from(claim: Claim) -> None:
    text = words(page(claim, [verdict_on(claim, "suspect", 19, 18)]))
    assert "Reason the score is 19 of 20; of 19 innocent models the highest has 5 of 20: p = 0.05 is not above" in text
    assert "of 19 innocent models 6 scored as high: p" in words(page(claim, [verdict_on(claim, "suspect", 4, 18)]))
