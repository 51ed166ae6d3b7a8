"""Recipes can be read, say what the papers say, and an error in one is named with its place."""

from dataclasses import replace
from pathlib import Path

import pytest
from benches import RECIPE, grid, recipe_file

from ownmark.attacks._common.foreign import Foreign
from ownmark.attacks.knockoff import Knockoff
from ownmark.attacks.noise import Noise
from ownmark.bench.artifacts import Claimed, Copied
from ownmark.bench.executors.worker import Workplace
from ownmark.bench.grid import Grid
from ownmark.bench.recipe import names, recipe
from ownmark.bench.trial import Role
from ownmark.data.image_places import resolved, stamp
from ownmark.errors import UsageError

SCALES = [(name, scale) for name in names() for scale in recipe(name).scales]


@pytest.mark.parametrize(("name", "scale"), SCALES, ids=["-".join(one) for one in SCALES])
def test_every_recipe_gives_trials_each_of_its_own_name(name: str, scale: str) -> None:
    found = recipe(name)
    trials = Grid(found, found.scale(scale)).trials()
    assert found.name == name
    assert len({(one.scheme, one.suspect, one.repeat) for one in trials}) == len(trials) > 0
    assert {one.role for one in trials} == set(Role)


def test_every_task_has_a_smoke_test_and_all_but_the_digits_the_papers_scale() -> None:
    assert set(names()) >= {"cifar10", "cifar100", "digits", "mnist", "skin"}
    for name in names():
        assert set(recipe(name).scales) >= ({"smoke"} if name == "digits" else {"smoke", "cpu", "paper"})


@pytest.mark.parametrize("scale", ["cpu", "paper"])
def test_the_skin_task_has_the_papers_twenty_positives_and_twenty_negatives(scale: str) -> None:
    skin = recipe("skin").scale(scale)
    attacks = [repr(theft.attack) for theft in skin.attacks.values()]
    kinds = {kind: sum(text.startswith(f"{kind}(") for text in attacks) for kind in ("Finetune", "Retrain", "Prune")}
    assert kinds == {"Finetune": 2, "Retrain": 2, "Prune": 5}
    assert sum(text.startswith("PruneFilters(") for text in attacks) == 7
    assert len({theft.seed for theft in skin.attacks.values() if "Distill(" in repr(theft.attack)}) == 4
    assert (len(attacks), len(skin.negatives)) == (20, 20)
    assert len(skin.repeats) >= 3


def test_a_fingerprint_is_stolen_with_the_target_and_a_watermark_with_the_marked_model(tmp_path: Path) -> None:
    for trial in grid(tmp_path).trials():
        if isinstance(trial.model, Copied):
            assert (trial.model.stolen == trial.claim) == (trial.scheme == "partitioned")


def test_a_scheme_that_needs_more_references_gets_the_further_ones_and_no_other_does(tmp_path: Path) -> None:
    text = RECIPE.replace("references: [1]", "references: [1]\n    more_references: 2..4")
    text = text.replace("    watermarks:", "      residual: Residual(samples=3)\n    watermarks:", 1)
    claims = {trial.scheme: trial.claim for trial in grid(tmp_path, text).trials()}
    seeds = {name: [one.seed for one in claim.references] for name, claim in claims.items() if isinstance(claim, Claimed)}
    assert (seeds["saliency"], seeds["residual"], seeds["partitioned"]) == ([1], [1, 2, 3], [])


def test_strangers_are_negatives_of_other_images_or_of_another_network(tmp_path: Path) -> None:
    more = """strangers:
      far: {{seeds: 200..201, held_out: true}}
      wide: {{seeds: [210], network: "ownmark:ResNet18(width=8)"}}
    negatives"""
    asked = grid(tmp_path, RECIPE.replace("negatives", more)).picked(("saliency",), ("prune",))
    found = {one.suspect: one for one in asked.trials() if one.role is Role.NEGATIVE}
    assert {name: one.stranger for name, one in found.items()} == {
        "negative_100": False,
        "negative_101": False,
        "far_200": True,
        "far_201": True,
        "wide_210": True,
    }
    assert not found["far_200"].model.setting.pictures.training
    assert found["wide_210"].model.setting.network == "ownmark:ResNet18(width=8)"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("Prune(0.3)", "Prun(0.3)"), "scales.smoke.attacks.prune.attack: .*is not one of"),
        (("Prune(0.3)", "__import__('os')"), "scales.smoke.attacks.prune"),
        (("thief_share: 0.5", "thief_share: half"), "scales.smoke.thief_share"),
        (("references: [1]", "references: [100]"), "references and negatives share a seed"),
        (("references: [1]", "reference: [1]"), "scales.smoke.reference: Extra inputs"),
        (("Classification", "Guessing"), "task: .*Guessing"),
    ],
)
def test_an_error_in_a_recipe_is_named_with_its_place(tmp_path: Path, wrong: tuple[str, str], said: str) -> None:
    file = recipe_file(tmp_path, RECIPE.replace(*wrong))
    with pytest.raises(UsageError, match=said):
        recipe(str(file))


def test_what_does_not_exist_is_answered_with_what_does(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no recipe 'skim'; similar: skin"):
        recipe("skim")
    with pytest.raises(UsageError, match="cannot read the recipe"):
        recipe(str(tmp_path / "none.yaml"))
    with pytest.raises(UsageError, match="no scale 'small'; similar: smoke"):
        recipe("digits").scale("small")
    with pytest.raises(UsageError, match="no 'salience' at this scale; similar: saliency"):
        grid(tmp_path).picked(("salience",), ())
    with pytest.raises(UsageError, match="is not one of: Prune"):
        grid(tmp_path).picked((), ("Prun(0.3)",))


def test_parts_can_be_picked_and_an_attack_of_ones_own_added(tmp_path: Path) -> None:
    trials = grid(tmp_path).picked(("saliency",), ("prune", "Noise(scale=0.2)")).trials()
    assert {one.scheme for one in trials} == {"saliency"}
    assert {one.suspect for one in trials} == {"target", "prune", "Noise(scale=0.2)", "negative_100", "negative_101"}
    assert Noise(0.2) in {one.model.attack for one in trials if isinstance(one.model, Copied)}


FURTHER = RECIPE.replace("    thief_share", "    further:\n      noise: Noise()\n      permute: Permute()\n    thief_share")


def test_further_thefts_are_picked_by_their_names_and_stay_further(tmp_path: Path) -> None:
    picked = grid(tmp_path, FURTHER).picked(("saliency",), ("prune", "noise", "Noise(scale=0.2)")).trials()
    roles = {one.suspect: one.role for one in picked if isinstance(one.model, Copied)}
    assert roles == {"prune": Role.POSITIVE, "Noise(scale=0.2)": Role.POSITIVE, "noise": Role.FURTHER}
    with pytest.raises(UsageError, match="'prune' names one of the attacks and one of the further thefts"):
        grid(tmp_path, FURTHER.replace("permute: Permute()", "prune: Permute()"))


def test_a_copy_is_made_anew_when_the_foreign_images_change_and_others_keep_their_names(tmp_path: Path) -> None:
    place = tmp_path / "foreign"
    place.mkdir()
    (place / "a.png").write_bytes(b"12")
    zoo = Workplace(tmp_path / "store").zoo
    (trial,) = [one for one in grid(tmp_path).picked(("saliency",), ("prune",)).trials() if isinstance(one.model, Copied)][:1]
    assert isinstance(trial.model, Copied)
    assert "sources" not in trial.model.specification(zoo)
    knockoff = replace(trial.model, attack=Knockoff(Foreign(str(place))))
    before = knockoff.specification(zoo)["sources"]
    (place / "b.png").write_bytes(b"1")
    assert knockoff.specification(zoo)["sources"] != before
    assert set(before) == {str(place)}


def test_a_place_is_filled_in_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OWNMARK_DATA", raising=False)
    with pytest.raises(UsageError, match="set OWNMARK_DATA"):
        resolved("${OWNMARK_DATA}/ham10000")
    monkeypatch.setenv("OWNMARK_DATA", str(tmp_path))
    assert resolved("${OWNMARK_DATA}/ham10000") == f"{tmp_path}/ham10000"
    (tmp_path / "ham10000.zip").touch()
    assert resolved("${OWNMARK_DATA}/ham10000") == f"{tmp_path}/ham10000.zip"


def test_other_files_in_a_place_are_other_images(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"12")
    first = stamp(str(tmp_path))
    assert first == stamp(str(tmp_path)) != ""
    (tmp_path / "a.png").write_bytes(b"123")
    assert stamp(str(tmp_path)) != first
    assert stamp("torchvision:MNIST") == ""
