"""What the report's pictures promise: the very pixels that were sent, and nothing shown that is not there."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_cases import (
    BLACK,
    addresses,
    calibrated,
    claim_of,
    colour_claim,
    innocents_of,
    maps,
    marked,
    noise_images,
    pixels,
    read,
    verdict_on,
    words,
)

from ownmark.claims.claim import Claim
from ownmark.report import drawing
from ownmark.report.gallery import RAMP, gain_of, heat
from ownmark.report.page import page
from ownmark.report.words import figures
from ownmark.scoring.null_models import Innocents


@pytest.fixture(scope="module")
def claim() -> Claim:
    return colour_claim()


def test_the_picture_puts_every_score_where_it_belongs(claim: Claim) -> None:
    verdict = verdict_on(claim, "suspect", 16, 9, reveals=BLACK)
    elements = read(
        drawing.strip(
            verdict.deciding, figures(verdict.deciding), verdict.outcome, verdict.deciding.test.null.threshold(verdict.alpha)
        )
    )
    places = sorted(float(circle.attributes["cx"].rstrip("%")) for circle in marked(elements, "innocent"))
    scores = innocents_of(claim, 1).scores
    assert places == pytest.approx(sorted(100 * score for score in scores))
    (region,) = marked(elements, "region")
    assert float(region.attributes["x"].rstrip("%")) == pytest.approx(100 * max(scores))
    moved = [float(inner.attributes["x"].rstrip("%")) for inner in elements if inner.attributes.get("overflow") == "visible"]
    low, high = verdict.deciding.interval
    assert sorted(moved) == pytest.approx(sorted(100 * at for at in (0.95, 9 / 20, low, high)), abs=0.01)


@given(st.lists(st.integers(0, 20), min_size=1, max_size=60), st.sampled_from([0.5, 0.2, 0.05, 0.01]))
def test_the_tinted_scores_are_exactly_those_whose_p_is_small_enough(counts: list[int], alpha: float) -> None:
    null = Innocents(tuple(count / 20 for count in counts), tuple(str(place) for place in range(len(counts))))
    least = null.threshold(alpha)
    for score in (count / 20 for count in range(21)):
        assert (null.p_value(score) <= alpha) == (least is not None and score > least)


def test_the_gallery_shows_the_very_pixels_and_the_difference_scaled_to_what_is_there(claim: Claim) -> None:
    html = page(claim, [verdict_on(claim, "suspect", 19, 18)])
    found = [pixels(address) for address in addresses(read(html))]
    assert claim.originals is not None
    change = claim.images[0, 0].astype(np.int32) - claim.originals[0]
    assert np.abs(change).max() == 12, "so that ten times as much is the largest whole number that is not cut off"
    assert "difference \N{MULTIPLICATION SIGN}10" in html
    for shown in (claim.originals[0], claim.images[0, 0], claim.images[0, 1], 128 + 10 * change):
        assert any(one.shape == shown.shape and np.array_equal(one, shown) for one in found)


def test_at_most_eight_samples_are_shown_spread_over_the_claim(claim: Claim) -> None:
    html = page(claim, [verdict_on(claim, "suspect", 19, 18)])
    titles = [element.text for element in read(html) if element.tag == "h3" and element.text.startswith("Sample")]
    numbers = [int(title.split()[1]) for title in titles]
    assert (len(numbers), numbers[0], numbers[-1]) == (8, 1, 20)
    assert "8 of 20 samples, evenly spaced and not chosen by their result." in words(html)


def test_a_sample_shows_what_the_suspect_answered_and_whether_it_matched(claim: Claim) -> None:
    hits = marked(read(page(claim, [verdict_on(claim, "suspect", 1, 20)])), "line")
    text = [" ".join(line.text.split()) for line in hits[:3]]
    assert [line.split(" ", 1)[0] for line in text] == ["●", "●", "●"]
    assert text[2] == "● 90→50 %, match"
    last = [" ".join(line.text.split()) for line in hits[-3:]]
    assert last[1].startswith("○")
    assert last[1].endswith("no match")


def test_grey_images_and_other_grids_are_shown_too() -> None:
    claim = calibrated(claim_of(noise_images(9, 28, 28, 1), tuple("0123456789")))
    html = page(claim, [verdict_on(claim, "suspect", 9, 9, grid=(14, 14))])
    shapes = [pixels(address).shape for address in addresses(read(html))]
    assert (28, 28) in shapes
    assert (64, 64, 4) in shapes
    assert "coarse" in html


def test_originals_and_maps_that_the_claim_lacks_are_left_out_and_said_so(claim: Claim) -> None:
    bare = replace(claim, originals=None, maps=None)
    html = page(bare, [verdict_on(bare, "suspect", 0, 18, reveals=BLACK)])
    captions = {element.text for element in marked(read(html), "narrow")}
    assert captions == {"fingerprint", "covered", "answers of the suspect"}
    assert "contains no original images" in words(html)
    assert "contains no maps of the protected model" in words(html)
    assert "The suspect gave no map" in words(html)
    assert not marked(read(html), "heat")


def test_maps_from_a_stranger_that_hold_nan_do_not_break_the_page(claim: Claim) -> None:
    broken = maps(np.ones(20, dtype=bool))
    broken[:, 3, 3] = np.nan
    broken[:, 4, 4] = np.inf
    strange = replace(claim, maps=broken)
    assert "Sample 1" in words(page(strange, [verdict_on(strange, "suspect", 19, 18)]))


def test_nothing_is_laid_over_an_image_where_a_map_is_zero_and_most_where_it_is_highest() -> None:
    values = np.zeros((7, 7), dtype=np.float32)
    values[0, 0] = 0.5
    opacity = pixels(heat(values, 0.5, (56, 56)))[..., 3]
    assert opacity[0, 0] == RAMP[-1, 3]
    assert opacity[20:, 20:].max() == 0
    assert pixels(heat(values, 1.0, (56, 56)))[0, 0, 3] < RAMP[-1, 3]


@pytest.mark.parametrize(("change", "gain"), [(0, 60), (1, 60), (2, 60), (40, 3), (127, 1), (255, 1)])
def test_no_difference_is_cut_off_or_blown_up_beyond_measure(change: int, gain: int) -> None:
    original = np.zeros((1, 2, 2, 3), np.uint8)
    assert gain_of(original + np.uint8(change), original) == gain


def test_many_suspects_have_their_maps_in_one_row(claim: Claim) -> None:
    count = 20
    verdicts = [verdict_on(claim, f"suspect {number}", 19, 18) for number in range(count)]
    rows = [one.attributes["style"] for one in read(page(claim, verdicts)) if one.attributes.get("class") == "tiles"]
    assert set(rows) == {"--columns: 4", f"--columns: {count + 1}"}, "the sample, and below it all maps"
    (alone,) = {one.attributes["style"] for one in read(page(claim, verdicts[:1])) if one.attributes.get("class") == "tiles"}
    assert alone == "--columns: 6"


def test_the_line_of_the_threshold_crosses_no_words(claim: Claim) -> None:
    verdict = verdict_on(claim, "suspect", 16, 9, reveals=BLACK)
    elements = read(
        drawing.strip(
            verdict.deciding, figures(verdict.deciding), verdict.outcome, verdict.deciding.test.null.threshold(verdict.alpha)
        )
    )
    lines = [(float(one.attributes["y1"]), float(one.attributes["y2"])) for one in marked(elements, "edge")]
    assert len(lines) == 3
    for text in (*marked(elements, "lane"), *marked(elements, "value")):
        bottom = float(text.attributes["y"])
        assert not [line for line in lines if line[0] < bottom + 4 and bottom - 11 < line[1]]
