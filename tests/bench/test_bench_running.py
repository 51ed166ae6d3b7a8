"""A bench makes what is needed in order, nothing twice, and one failure stops only what hangs on it."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import ClassVar

import numpy as np
import pytest
import torch
from benches import RECIPE, grid, outcomes, records
from deadly import Deadly
from torch import nn

import cpu_scale
from ownmark.attacks.quantize_static import QuantizeStatic
from ownmark.bench.artifacts import Making
from ownmark.bench.cache import Zoo
from ownmark.bench.executors.pool import pool as pool_of
from ownmark.bench.executors.worker import Done, Here, Workplace
from ownmark.bench.nnw import Rate, evaluated
from ownmark.bench.running import UNFINISHED, Plan, State, run
from ownmark.bench.store import Store
from ownmark.bench.trial import Outcome, Role, Trial
from ownmark.data.images import Images, load
from ownmark.errors import ModelError, UsageError
from ownmark.statistics.p_values import clopper_pearson
from ownmark.training import predict


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Outcome], list[State]]:
    folder = tmp_path_factory.mktemp("bench")
    states: list[State] = []
    return folder, outcomes(grid(folder), folder / "store", states.append), states


def test_every_trial_has_an_outcome_with_every_reading(made: tuple[Path, list[Outcome], list[State]]) -> None:
    found = made[1]
    assert [one.error for one in found] == [None] * 24
    tests = {"saliency": {"white_box", "black_box"}, "partitioned": {"label"}}
    behind = {"saliency": {"black_box"}, "partitioned": {"label"}}  # an API shows no map
    for one in found:
        assert set(one.scores) == (behind if one.trial.suspect == "jpeg" else tests)[one.trial.scheme]
        assert all(0 <= score <= 1 for score in one.scores.values())


def test_a_score_is_the_share_of_matches_and_follows_from_the_values(made: tuple[Path, list[Outcome], list[State]]) -> None:
    for one in made[1]:
        for answers in one.facts["readings"].values():
            assert answers["matches"].count("1") / len(answers["matches"]) == answers["score"]
            assert len(answers["values"]) == len(answers["matches"])


def test_an_outcome_tells_what_the_attack_cost(made: tuple[Path, list[Outcome], list[State]]) -> None:
    for one in made[1]:
        before, after = one.worth
        assert after is not None
        assert (before is None) == (one.trial.role is Role.NEGATIVE)
    noticed = {one.trial.scheme: one.facts["stealth"] for one in made[1] if one.trial.role is Role.TARGET}
    assert noticed["saliency"]["psnr_db"] > 15
    assert "psnr_db" not in noticed["partitioned"], "its triggers have no originals"


def test_watermarks_are_evaluated_as_the_standard_asks_from_the_same_outcomes(
    made: tuple[Path, list[Outcome], list[State]], tmp_path: Path
) -> None:
    broken = [replace(one, record={}, error="no") if one.trial.suspect == "jpeg" else one for one in made[1]]
    found = evaluated("tiny", broken, Zoo(Store(made[0] / "store")))
    (mark,) = found.watermarks
    copies = [one for one in broken if (one.trial.scheme, one.trial.role) == ("partitioned", Role.POSITIVE) and not one.error]
    missed = sum(one.facts["verdict"] != "MATCH (supporting)" for one in copies)
    assert mark.false_negatives == Rate(missed, 4, missed / 4, *clopper_pearson(missed, 4)), "what failed is not counted"
    assert mark.mean_symbol_error_rate == pytest.approx(1 - np.mean([one.scores["label"] for one in copies]))
    assert (mark.symbol_errors, mark.false_positives) != (None, None)
    assert [(one.name, one.models) for one in mark.modified] == [("target", 2), ("finetune", 2), ("prune", 2)]
    (target, _) = [one for one in broken if one.trial.scheme == "partitioned" and one.trial.role is Role.TARGET]
    assert mark.quality_before == target.worth[0]
    cost = mark.cost
    assert cost.seconds > 0
    assert cost.epochs == pytest.approx(cost.seconds / cost.seconds_per_epoch, rel=0.1)  # type: ignore[operator]
    assert cost.peak_bytes is None or cost.peak_bytes > cost.weights_bytes
    page = found.write(tmp_path).read_text()
    assert all(told in page for told in ("IEEE 3304-2023", "partitioned", "departs from the standard"))
    assert json.loads((tmp_path / "nnw.json").read_text())["watermarks"][0]["false_negatives"]["total"] == 4
    with pytest.raises(UsageError, match="no watermark was made"):
        evaluated("tiny", [one for one in made[1] if one.trial.scheme == "saliency"], Zoo(Store(made[0] / "store")))


def test_what_most_hangs_on_is_made_first(made: tuple[Path, list[Outcome], list[State]]) -> None:
    ran = [state.running[0] for state in made[2] if state.running]
    assert ran[0].startswith("images of ")
    assert {ran[1], ran[2]} == {f"images of {made[0] / 'images.npz'}", "model 0"}
    assert ran.index("model 1") < ran.index("Saliency 11 of model 0")


def test_the_counts_add_up_at_every_moment(made: tuple[Path, list[Outcome], list[State]]) -> None:
    for state in made[2]:
        assert state.total == state.found + state.made + state.failed + len(state.running) + state.left
    last = made[2][-1]
    assert (last.made, last.failed, last.left, last.seconds_left, last.unknown) == (last.total, 0, 0, 0, ())


def test_what_was_never_made_is_said_to_be_unknown(made: tuple[Path, list[Outcome], list[State]]) -> None:
    assert "trial" in made[2][0].unknown
    assert "images" not in made[2][2].unknown


def test_a_second_run_makes_nothing_and_gives_the_same(made: tuple[Path, list[Outcome], list[State]]) -> None:
    folder, first, _ = made
    before, states = records(folder / "store"), list[State]()
    place = Workplace(folder / "store")
    again = run(grid(folder).trials(), Zoo(place.zoo.store), Here(place), states.append)
    assert records(folder / "store") == before
    assert [one.to_json() for one in again] == [one.to_json() for one in first]
    assert (states[-1].made, states[-1].found) == (0, states[-1].total)


def test_fingerprints_share_the_targets_copies_and_a_watermarks_are_its_own(
    made: tuple[Path, list[Outcome], list[State]],
) -> None:
    store = made[0] / "store"
    assert len(list(store.glob("claim/*.claim"))) == 4
    assert len(list(store.glob("copy/*.safetensors"))) == 1 + 2 + 2 * 2  # surrogate; of the target; of each marked model
    assert len(list(store.glob("model/*.safetensors"))) == 1 + 1 + 2  # target, reference, negatives


def test_a_kept_model_answers_as_the_one_that_was_trained(made: tuple[Path, list[Outcome], list[State]]) -> None:
    folder, found, _ = made
    zoo = Workplace(folder / "store").zoo
    images: Images = load(str(folder / "images.npz"), train=False)
    trial = found[0].trial
    score = float((predict(zoo.model(trial.model), images).argmax(1).numpy() == images.labels).mean())
    assert score == found[0].worth[1]


@dataclass(frozen=True)
class Late:
    """A pool whose time is over once the first trial is made."""

    place: Workplace
    ends: list[float]
    workers: ClassVar[int] = 1
    next: list[Making] = field(default_factory=list)

    def start(self, making: Making) -> None:
        self.next.append(making)

    def wait(self, seconds: float | None = None) -> list[Done]:
        assert seconds is None or seconds > 0
        making = self.next.pop(0)
        if isinstance(making, Trial):
            self.ends.append(0.0)
        return [self.place.work(making)]


def test_what_is_planned_first_is_made_first_and_what_is_late_is_an_outcome_that_says_so(tmp_path: Path) -> None:
    place, ends = Workplace(tmp_path / "store"), [monotonic() + 600]
    trials = grid(tmp_path).picked(("saliency",), ("prune",)).trials()
    plan = Plan(lambda trial: int(trial.suspect != "negative_101"), lambda: ends[-1])
    found = run(trials, place.zoo, Late(place, ends), plan=plan)
    finished = [one.trial for one in found if one.error is None]
    assert [one.suspect for one in finished] == ["negative_101"]
    assert {one.error for one in found if one.trial not in finished} == {UNFINISHED}


def test_a_benchmark_that_ends_in_time_leaves_out_repeats_and_further_rows_that_are_not_whole(tmp_path: Path) -> None:
    text = RECIPE.replace("    thief_share", "    further:\n      noise: Noise()\n      permute: Permute()\n    thief_share")
    trials = grid(tmp_path, text).picked(("saliency",), ()).trials()
    late = {("permute", 11), ("prune", 12)}
    found = [Outcome(one, error=UNFINISHED if (one.suspect, one.repeat) in late else None) for one in trials]
    whole = cpu_scale.complete(found)
    assert {one.trial.repeat for one in whole} == {11}, "a copy that is counted is missing in the other"
    assert {one.trial.suspect for one in whole} == {one.suspect for one in trials} - {"permute"}
    assert cpu_scale.left_out(found, whole) == "saliency 12; permute"


def test_a_student_of_another_architecture_is_kept_with_its_own_network(tmp_path: Path) -> None:
    network = "ownmark:ResNet18(width=2, stem='cifar')"
    text = RECIPE.replace("prune: Prune(0.3)", f'student: Distill(epochs=1, student="{network}")')
    found = outcomes(grid(tmp_path, text).picked(("saliency",), ("student",)), tmp_path / "store")
    assert [one.error for one in found if one.error is not None] == []


def test_a_failed_attack_is_told_and_stops_nothing_else(tmp_path: Path) -> None:
    cut, hasty = "cut: PruneFilters(0.5, removal=Removal.CUT)", "hasty: Finetune(epochs=2, rate=1e30)"
    text = RECIPE.replace("prune: Prune(0.3)", f"{cut}\n      round: Quantize(activations=4)\n      {hasty}")
    found = outcomes(grid(tmp_path, text).picked(("saliency",), ()), tmp_path / "store")
    failed = {one.trial.suspect: str(one.error) for one in found if one.error is not None}
    assert set(failed) == {"cut", "round", "hasty"}
    assert "which its weights alone do not describe" in failed["cut"]
    assert failed["cut"].startswith("PruneFilters 1 of model 0: ModelError")
    assert "more than weights" in failed["round"]
    assert "diverged" in failed["hasty"]
    assert sum(one.error is None for one in found) == len(found) - 6


def test_a_copy_that_runs_otherwise_than_its_weights_is_kept_and_told_from_one_with_the_same_weights(tmp_path: Path) -> None:
    text = RECIPE.replace("prune: Prune(0.3)", "static: QuantizeStatic(8, 2)\n      round: Quantize()")
    asked = grid(tmp_path, text)
    found = outcomes(asked.picked(("saliency",), ("static", "round")), tmp_path / "store")
    assert [one.error for one in found if one.error is not None] == []
    zoo = Workplace(tmp_path / "store").zoo
    copies = {one.trial.suspect: one.trial.model for one in found if one.trial.suspect in {"static", "round"}}
    answers = {name: predict(zoo.model(model), zoo.images(asked.pictures(training=False))) for name, model in copies.items()}
    assert zoo.weights(copies["static"]) != zoo.weights(copies["round"])
    assert not torch.allclose(answers["static"], answers["round"], atol=1e-4)


def test_how_a_copy_runs_is_found_out_in_the_layout_in_which_it_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In another one sums differ by a rounding error, which a layer's rounding makes a whole step of its grid."""
    last, plainly = list[bool](), QuantizeStatic.running

    def running(attack: QuantizeStatic, model: nn.Module, thief: Images) -> nn.Module:
        kernel = next(weight for weight in model.parameters() if weight.ndim == 4)
        last.append(kernel.is_contiguous(memory_format=torch.channels_last))
        return plainly(attack, model, thief)

    monkeypatch.setattr(QuantizeStatic, "running", running)
    text = RECIPE.replace("prune: Prune(0.3)", "static: QuantizeStatic()").replace("width=4", "width=16")
    found = outcomes(grid(tmp_path, text).picked(("saliency",), ("static",)), tmp_path / "store")
    assert [one.error for one in found if one.error is not None] == []
    assert len(last) > 2
    assert all(last)


def test_a_failed_target_fails_all_that_hangs_on_it_with_the_reason(tmp_path: Path) -> None:
    found = outcomes(grid(tmp_path, RECIPE.replace("stem='cifar'", "stem='cifar', channels=1")), tmp_path / "store")
    assert all("the model cannot be trained on images of" in str(one.error) for one in found), found[0].error
    assert "model 0: ModelError: " in str(found[0].error)
    assert list((tmp_path / "store").glob("model/*")) == []


def test_a_network_that_cannot_be_built_is_an_error_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="unexpected keyword argument 'wide'"):
        outcomes(grid(tmp_path, RECIPE.replace("ResNet18(width=4", "ResNet18(wide=4")), tmp_path / "store")


def scores(found: list[Outcome]) -> dict[tuple[str, str, int], str]:
    """By what a table calls each trial."""
    return {(one.trial.scheme, one.trial.suspect, one.trial.repeat): f"{one.error} {one.scores}" for one in found}


def test_a_process_gives_the_scores_of_this_process_and_when_it_dies_all_that_was_in_work_fails_and_the_bench_goes_on(
    made: tuple[Path, list[Outcome], list[State]], tmp_path: Path
) -> None:
    folder, alone, _ = made
    """One process, since each takes seconds to load torch; the slow tests have two."""
    place = Workplace(tmp_path)
    with pool_of(place, workers=1) as pool:
        trials = grid(folder).picked(("partitioned",), ("prune",)).trials()
        found = scores(run(trials, place.zoo, pool))
        assert len(found) == len(trials) > 0
        assert found.keys() <= scores(alone).keys()
        if torch.backends.mkldnn.enabled:  # other processes do not know that `make test-plain` has switched it off here
            assert found.items() <= scores(alone).items()
        pool.start(Deadly(0.1))
        pool.start(Deadly(600))
        ended = pool.wait()
        assert {done.making for done in ended} == {Deadly(0.1), Deadly(600)}
        assert all("its process died" in str(done.error) for done in ended)
        pool.start(Deadly(0))
        (done,) = pool.wait()
        assert done.error is None
