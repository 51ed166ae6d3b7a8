"""What the fingerprints by labels share: samples are judged after rounding, what is done is left alone; and their pages."""

import re
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import pictures, seed, tiny
from learnt import learnt
from torch import Tensor, nn

import ownmark
from ownmark.errors import ProtectError, TooFewError
from ownmark.perturb.adam import Search
from ownmark.protocols import Owner, Progress, Scheme
from ownmark.schemes._common.resume import Resume
from ownmark.schemes._common.sampling import TOGETHER, Gathering, Rows, Samples, gathered, some

PAGES = Path(__file__).parents[2] / "docs" / "schemes"
KINDS = {
    "ipguard": "IPGuard",
    "mistakes": "Mistakes",
    "negatives": "Negatives",
    "confer-ae": "ConferAE",
    "characteristic": "Characteristic",
    "tafa": "TAFA",
}


SEARCHES: list[Scheme] = [
    ownmark.IPGuard(samples=4, margin=0.01, search=Search(steps=20, rate=0.05)),
    ownmark.ConferAE(samples=4, leave=10.0, least=0.0, search=Search(steps=10, rate=0.1)),
    ownmark.Characteristic(samples=4, descent=ownmark.Descent(bound=0.5, steps=12, momentum=0.0), draws=1),
    ownmark.TAFA(samples=4, units=4, least=0.0, search=Search(steps=4, rate=0.01)),
]


class Above(nn.Module):
    """Class 1 where the mean of an image lies above `level`, else class 0."""

    def __init__(self, level: float) -> None:
        super().__init__()
        self.level = level

    def forward(self, images: Tensor) -> Tensor:
        lead = images.mean(dim=(1, 2, 3)) - self.level
        return torch.stack([-lead, lead], dim=1)


def every_third(seen: list[int]) -> object:
    """Makes an image of its number for each candidate; those that 3 divides hold."""

    def make(rows: Rows, tell: Progress) -> Samples:
        seen.append(len(rows))
        for step in (1, 2):
            tell(step, 2)
        pixels = np.broadcast_to(rows.astype(np.uint8)[:, None, None, None], (len(rows), 2, 2, 1)).copy()
        return Samples(pixels, rows, rows % 3 == 0, pixels)

    return make


def test_a_label_that_rounding_takes_away_does_not_hold() -> None:
    level = 100.3 / 255
    images = torch.tensor([100.4, 100.6]).view(2, 1, 1, 1).expand(2, 1, 2, 2) / 255
    model = Above(level)
    assert model(images).argmax(dim=1).tolist() == [1, 1]
    made = Samples.checked(model, images, torch.tensor([1, 1]))
    assert made.images[:, 0, 0, 0].tolist() == [100, 101]
    assert made.holds.tolist() == [False, True]


def test_where_samples_are_chosen_all_that_hold_are_handed_on_of_as_many_batches_as_a_few_more_take() -> None:
    def make(rows: Rows, _: int, __: Progress) -> dict[str, Rows]:
        return {"row": rows}

    search = Gathering(np.arange(40), 3, make, lambda made, _: made["row"] % 3 == 0, together=16, more=1)
    assert search.run(Resume())[0]["row"].tolist() == [0, 3, 6, 9]  # of 5, 3 and 3 candidates
    assert replace(search, together=4, more=0).run(Resume())[0]["row"].tolist() == [0, 3, 6]
    assert replace(search, more=100).run(Resume())[0]["row"].tolist() == list(range(0, 40, 3))


def test_the_first_that_hold_are_gathered_batch_by_batch_and_no_more_are_tried_than_needed() -> None:
    seen: list[int] = []
    calls: list[tuple[int, int]] = []
    made = gathered(np.arange(200), 25, every_third(seen), lambda done, total: calls.append((done, total)))  # type: ignore[arg-type]
    assert made.expected.tolist() == list(range(0, 75, 3))
    assert made.holds.all()
    assert made.originals is not None
    assert np.array_equal(made.originals, made.images)
    assert max(seen) <= TOGETHER
    assert sum(seen) < 90
    shares = [done / total for done, total in calls]
    assert 0 < shares[0] <= shares[-1] <= 1


def test_too_few_that_hold_are_an_error_with_both_counts() -> None:
    with pytest.raises(ProtectError, match="expected 20 samples, but only 10 of 30 candidates hold"):
        gathered(np.arange(30), 20, every_third([]))  # type: ignore[arg-type]


def test_fewer_samples_are_advised_only_where_enough_of_the_candidates_hold_for_a_smaller_claim() -> None:
    with pytest.raises(TooFewError, match="ask for fewer samples") as told:
        gathered(np.arange(30), 20, every_third([]), tries=3)  # type: ignore[arg-type]
    assert told.value.held == 10
    with pytest.raises(ProtectError, match="too small a share for any number of samples") as never:
        gathered(np.arange(40), 20, every_third([]), tries=2)  # type: ignore[arg-type]
    assert "fewer samples" not in str(never.value)


def test_an_image_that_is_done_stays_as_it_was_and_costs_no_more() -> None:
    images = torch.full((3, 1, 2, 2), 0.5)
    asked: list[list[int]] = []

    def darker(changed: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        asked.append(rows.tolist())
        mean = changed.mean(dim=(1, 2, 3))
        return mean, mean <= torch.tensor([0.45, 0.3, -1.0])[rows] + 1e-6

    changed = Search(steps=30, rate=0.01, bound=0.25).run(images, darker)
    assert changed.amax(dim=(1, 2, 3)).tolist() == pytest.approx([0.45, 0.3, 0.25], abs=1e-4)
    assert [sum(row in rows for rows in asked) for row in range(3)] == [6, 21, 30]
    assert torch.equal(images, torch.full((3, 1, 2, 2), 0.5))


def test_others_take_the_place_of_images_that_are_done_and_those_that_are_not_when_enough_are_come_back_unchanged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ownmark.perturb.adam.TOGETHER", 2)
    asked: list[list[int]] = []

    def darker(changed: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        asked.append(rows.tolist())
        mean = changed.mean(dim=(1, 2, 3))
        return mean, mean <= torch.tensor([0.47, 0.3, 0.45, 0.0])[rows] + 1e-6

    search, images = Search(steps=30, rate=0.01), torch.full((4, 1, 2, 2), 0.5)
    changed = search.run(images, darker, enough=3)
    assert changed.amax(dim=(1, 2, 3)).tolist() == pytest.approx([0.47, 0.3, 0.45, 0.5], abs=1e-4)
    assert [sum(row in rows for rows in asked) for row in range(4)] == [4, 21, 6, 11]
    assert max(map(len, asked)) == 2
    alone = [search.run(images[:1], darker), search.run(images[:2], darker)[1:]]
    assert torch.equal(torch.cat(alone), changed[:2])


@pytest.mark.parametrize("scheme", SEARCHES, ids=lambda scheme: type(scheme).__name__)
def test_a_search_that_is_killed_goes_on_after_its_last_finished_batch(
    scheme: Scheme, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ownmark.schemes._common.sampling.TOGETHER", 2)
    monkeypatch.setattr("ownmark.schemes.ipguard.POOL", 2)
    model, owner = learnt("bright"), Owner(pictures(40), (learnt("bright", 1),), (tiny(2),))
    whole: list[tuple[int, int]] = []
    again: list[tuple[int, int]] = []
    wanted = scheme.protect(model, owner, seed(0), lambda *step: whole.append(step)).claim

    def stop(_: int, __: int) -> None:
        if len(list(tmp_path.iterdir())) == 1:
            raise KeyboardInterrupt

    owner = replace(owner, workspace=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        scheme.protect(model, owner, seed(0), stop)
    assert scheme.protect(model, owner, seed(0), lambda *step: again.append(step)).claim == wanted
    assert 0 < len(again) < len(whole)
    assert again == whole[-len(again) :]
    again.clear()
    assert scheme.protect(model, owner, seed(1), lambda *step: again.append(step)).claim != wanted
    assert again[0][0] / again[0][1] <= 2 / 5, "another generator begins anew"


def test_rows_are_drawn_without_repeating() -> None:
    assert sorted(some(7, 100, seed(0))) == list(range(7))
    assert len(some(7, 3, seed(0))) == 3


@pytest.mark.parametrize("page", KINDS)
def test_a_page_shows_every_setting_with_its_default(page: str) -> None:
    kind = getattr(ownmark, KINDS[page])
    names = {name: getattr(ownmark, name) for name in ownmark.__all__}
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    shown = {name: eval(default, names) for name, default in re.findall(r"^\| `(\w+)` \| `([^|]+)` \|", text, re.MULTILINE)}  # noqa: S307 - the project's own page
    assert shown == {field.name: getattr(kind(), field.name) for field in fields(kind)}
    published = f"`{KINDS[page]}.as_published()`" in text or "`as_published()`" in text
    assert published == hasattr(kind, "as_published")
