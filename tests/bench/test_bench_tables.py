"""Tables and figures follow from outcomes, curves are those of scikit-learn, and nothing that failed is passed over."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from benches import grid
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from ownmark.bench.ablations import Point, ablations
from ownmark.bench.artifacts import Fresh
from ownmark.bench.figures.curves import pictures
from ownmark.bench.results import Results
from ownmark.bench.tables import figures, scores, snake, summary, tables
from ownmark.bench.trial import Outcome, Role, Trial
from ownmark.metrics import THRESHOLDS, aruc, auc, best_robust_and_unique, robust_and_unique
from ownmark.report.gallery import picture
from ownmark.scoring.matches import CrossedResidual, Drop, to_record

shares = st.lists(st.integers(0, 40).map(lambda hits: hits / 40), min_size=1, max_size=25)
WORTH = {"accuracy": 0.75, "balanced_accuracy": 0.5}


@given(shares, shares)
def test_r_and_u_are_the_rates_of_scikit_learns_curve(positives: list[float], negatives: list[float]) -> None:
    truth = [1] * len(positives) + [0] * len(negatives)
    false, true, cuts = roc_curve(truth, positives + negatives, drop_intermediate=False)
    robust, unique = robust_and_unique(np.array(positives), np.array(negatives))
    for place, threshold in enumerate(THRESHOLDS):
        at = np.flatnonzero(cuts > threshold)[-1]  # a score above the threshold is one of at least the next cut
        assert robust[place] == pytest.approx(true[at])
        assert unique[place] == pytest.approx(1 - false[at])


@given(shares, shares)
def test_the_area_is_the_mean_of_the_smaller_rate_and_the_best_its_largest(
    positives: list[float], negatives: list[float]
) -> None:
    smaller = []
    for step in range(101):
        robust = sum(score > step / 100 for score in positives) / len(positives)
        unique = sum(score <= step / 100 for score in negatives) / len(negatives)
        smaller.append(min(robust, unique))
    assert aruc(np.array(positives), np.array(negatives)) == pytest.approx(sum(smaller) / 101)
    assert best_robust_and_unique(np.array(positives), np.array(negatives)) == pytest.approx(max(smaller))


def test_scores_that_are_all_right_and_all_wrong_have_the_known_areas() -> None:
    one, zero = np.ones(20), np.zeros(20)
    assert aruc(one, zero) == 100 / 101  # at a threshold of 1 no copy scores above it
    assert aruc(zero, one) == 0
    assert best_robust_and_unique(one, zero) == 1
    assert best_robust_and_unique(np.array([0.004, 0.9]), np.array([0.001, 0.003])) == 1  # told apart between two hundredths


@given(shares, shares)
def test_the_area_under_the_roc_curve_is_scikit_learns(positives: list[float], negatives: list[float]) -> None:
    truth = [1] * len(positives) + [0] * len(negatives)
    assert auc(np.array(positives), np.array(negatives)) == pytest.approx(roc_auc_score(truth, positives + negatives))


def outcome(trial: Trial, score: float) -> Outcome:
    before = None if trial.role is Role.NEGATIVE else WORTH
    stealth = {"psnr_db": 30.0} if trial.role is Role.TARGET else {}
    hits = round(10 * score)
    matches, values = "1" * hits + "0" * (10 - hits), [0.2] * hits + [0.04] * (10 - hits)
    answers = {"score": score, "p": 1.0, "match": to_record(Drop(0.1)), "matches": matches, "values": values}
    return Outcome(trial, {"facts": {"readings": {"black_box": answers}, "before": before, "after": WORTH, "stealth": stealth}})


@pytest.fixture
def found(tmp_path: Path) -> list[Outcome]:
    """Two repeats of one scheme: in the first, copies score 0.9 and others 0.1, in the second 0.6 and 0.4."""
    trials = grid(tmp_path).picked(("saliency",), ()).trials()
    high, low = {11: 0.9, 12: 0.6}, {11: 0.1, 12: 0.4}
    return [outcome(one, (low if one.role is Role.NEGATIVE else high)[one.repeat]) for one in trials]


def test_the_figures_are_means_and_spreads_over_the_repeats(found: list[Outcome]) -> None:
    told = figures(found)
    assert told["saliency.black_box.aruc"] == pytest.approx((80 / 101 + 20 / 101) / 2)
    assert told["saliency.black_box.aruc_std"] == pytest.approx(30 / 101)
    assert told["saliency.black_box.best_r_and_u"] == 1
    assert (told["saliency.black_box.auc"], told["saliency.black_box.auc_std"], told["saliency.black_box.tpr_at_5"]) == (1, 0, 1)
    assert told["saliency.black_box.auc.finetune"] == 1
    assert "saliency.black_box.aruc_mapped" not in told, "a share of samples is mapped by nothing"
    assert told["saliency.black_box.score.finetune"] == pytest.approx(0.75)
    assert told["saliency.black_box.score.negative_100"] == pytest.approx(0.25)
    assert told["saliency.psnr_db"] == 30
    assert told["saliency.accuracy.prune"] == 0.75
    assert told["failed"] == 0


def test_independent_models_of_other_images_count_and_the_figures_without_them_stand_beside(found: list[Outcome]) -> None:
    strange = []
    for trial in (one.trial for one in found if one.trial.suspect == "negative_100"):
        other = Fresh(replace(trial.model.setting, network="another"), 100)
        strange.append(outcome(replace(trial, suspect="far", model=other), 1.0))
    told = figures([*found, *strange])
    assert told["saliency.black_box.auc"] == pytest.approx(2 / 3)
    assert told["saliency.black_box.best_r_and_u"] == pytest.approx(2 / 3)
    assert told["saliency.black_box.auc_alike"] == told["saliency.black_box.best_r_and_u_alike"] == 1
    assert "saliency.black_box.auc_alike" not in figures(found)


def test_a_graded_test_has_the_area_of_its_residuals_and_that_of_its_mapped_scores(found: list[Outcome]) -> None:
    match = CrossedResidual(0.2, 0.05)
    graded = []
    for one in found:
        residual = one.scores["black_box"] - 0.4  # copies 0.5 and 0.2, others -0.3 and 0
        answers = {"score": match.mapped(residual), "p": 1.0, "match": to_record(match), "matches": "", "values": [residual] * 4}
        graded.append(replace(one, record={"facts": {**one.facts, "readings": {"black_box": answers}}}))
    told = figures(graded)
    assert told["saliency.black_box.aruc"] == pytest.approx((50 / 101 + 20 / 101) / 2)
    mapped = [np.ceil(100 * match.mapped(high)) - np.ceil(100 * match.mapped(low)) for high, low in ((0.5, -0.3), (0.2, 0.0))]
    assert told["saliency.black_box.aruc_mapped"] == pytest.approx(np.mean(mapped) / 101)
    assert told["saliency.black_box.auc"] == 1
    sizes = {point.value: point.aruc for point in ablations(graded)["saliency", "black_box", "samples"]}
    assert sizes[2] == pytest.approx(told["saliency.black_box.aruc_mapped"]), "every sample says the same"


def test_a_failed_trial_is_counted_and_named(found: list[Outcome]) -> None:
    broken = [replace(found[1], record={}, error="ModelError: no"), *found[2:], found[0]]
    assert figures(broken)["failed"] == 1
    (row,) = (table for table in tables(broken) if table.name == "failures")
    assert row.rows == (("saliency", "finetune", 11, "ModelError: no"),)
    (line,) = summary(broken).rows
    assert line[7:] == (2, 2, 2), "one of three copies was not asked in each repeat"


def test_a_further_theft_is_scored_and_not_counted(found: list[Outcome]) -> None:
    copies = [one for one in found if one.trial.suspect == "prune"]
    more = [outcome(replace(one.trial, suspect="hard", role=Role.FURTHER), 0.0) for one in copies]
    told, plain = figures([*found, *more]), figures(found)
    added = {name: value for name, value in told.items() if name not in plain}
    assert added == {
        "saliency.black_box.score.hard": 0,
        "saliency.black_box.score.hard_std": 0,
        "saliency.black_box.auc.hard": 0,
        "saliency.black_box.auc.hard_std": 0,
        "saliency.black_box.auc_further": 0.75,
        "saliency.black_box.auc_further_std": 0,
        "saliency.accuracy.hard": 0.75,
    }
    assert {name: told[name] for name in plain} == plain
    assert ablations([*found, *more]) == ablations(found)
    assert ("saliency", "hard", "further") in {row[:3] for table in tables([*found, *more]) for row in table.rows}


def test_without_a_negative_there_is_no_area(found: list[Outcome]) -> None:
    copies = [one for one in found if one.trial.role is not Role.NEGATIVE]
    assert summary(copies).rows[0][2:5] == (None, None, None)
    assert "saliency.black_box.aruc" not in figures(copies)


def test_other_thresholds_and_fewer_samples_are_judged_from_the_same_answers(found: list[Outcome]) -> None:
    varied = ablations(found)
    own = figures(found)["saliency.black_box.aruc"]
    thresholds = {point.value: point.aruc for point in varied["saliency", "black_box", "threshold"]}
    assert thresholds[0.1] == pytest.approx(own), "it is the claim's own threshold"
    assert thresholds[0.02] == 0, "every sample of every model matches"
    assert list(thresholds) == pytest.approx([0.02 * step for step in range(1, 11)])
    samples = varied["saliency", "black_box", "samples"]
    assert samples[-1] == Point(10, own)
    assert samples[0] == Point(1, 0), "the first sample matches on all models"


def test_a_table_as_csv_keeps_every_digit_and_as_markdown_every_row(found: list[Outcome]) -> None:
    table = scores(found)
    rows = list(csv.reader(io.StringIO(table.csv())))
    assert tuple(rows[0]) == table.columns
    assert float(rows[1][table.columns.index("black_box")]) == 0.75
    assert table.markdown().count("\n") == len(table.rows) + 2


def test_names_in_figures_are_lower_case_with_underscores() -> None:
    assert snake("TriggerSet") == "trigger_set"
    assert snake("prune_0.3") == "prune_0.3"
    assert snake("Noise(scale=0.2)") == "noise_scale_0.2"


def test_a_bench_leaves_tables_pictures_and_one_page_that_loads_nothing(tmp_path: Path, found: list[Outcome]) -> None:
    page = Results("tiny", found).write(tmp_path / "out")
    names = {file.name for file in page.parent.iterdir()}
    assert names >= {"summary.csv", "scores.csv", "tables.md", "figures.json", "outcomes.json", "curves.svg", "scores.svg"}
    html = page.read_text()
    assert 'src="data:image/svg+xml' in html
    assert "http" not in html.replace("http-equiv", "")
    assert len(json.loads((page.parent / "outcomes.json").read_text())) == len(found)
    for drawn in page.parent.glob("*.svg"):
        ET.parse(drawn)  # noqa: S314 - our own picture


def test_the_same_outcomes_give_the_same_pictures(tmp_path: Path, found: list[Outcome]) -> None:
    first, second = (Results("tiny", found).write(tmp_path / name).parent for name in ("first", "second"))
    assert (first / "curves.svg").read_bytes() == (second / "curves.svg").read_bytes()


def test_what_alarms_and_people_see_of_a_claim_is_drawn_once_a_scheme(found: list[Outcome]) -> None:
    assert not {"distances", "samples"} & set(pictures(found))
    alarm = {"threshold": 0.5, "queries": [[0.1, 0.7], [0.2, 0.9]], "normal": [0.1, 0.3, 0.2]}
    noticed = {"alarms": {"squeezing": alarm}, "shown": [picture(np.full((8, 8, 3), 90, np.uint8))]}
    seen = [
        replace(one, record={"facts": {**one.facts, "stealth": noticed}}) if one.trial.role is Role.TARGET else one
        for one in found
    ]
    drawn = pictures(seen)
    assert ET.fromstring(drawn["distances"]).tag.endswith("svg")  # noqa: S314 - our own picture
    assert drawn["samples"].count("<image") == 1
    assert figures(seen).keys() == figures(found).keys() - {"saliency.psnr_db"} | {"saliency.dr.squeezing.samples"}
    assert figures(seen)["saliency.dr.squeezing.samples"] == 0, "only masked twins ring"


def test_behind_an_alarm_a_test_has_its_own_area_and_no_curve_of_its_own(found: list[Outcome]) -> None:
    hidden = [
        replace(
            one, record={"facts": dict(one.facts) | {"readings": {**one.facts["readings"], "black_box_behind_squeezing": never}}}
        )
        for one in found
        for never in [{**one.facts["readings"]["black_box"], "score": 0.0, "matches": "0" * 10}]
    ]
    told = figures(hidden)
    assert told["saliency.black_box_behind_squeezing.aruc"] == 0
    assert told["saliency.black_box.aruc"] == figures(found)["saliency.black_box.aruc"]
    assert ablations(hidden).keys() == ablations(found).keys()
    assert pictures(hidden)["curves"] == pictures(found)["curves"]
    assert pictures(hidden)["areas"] != pictures(found)["areas"]
