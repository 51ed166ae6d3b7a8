"""Neighbours: near-duplicates within a stream of queries, against a slow, literal search."""

import numpy as np
import numpy.typing as npt
import pytest
from conftest import pictures, seed, tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from ownmark.data.images import Images
from ownmark.detectors.neighbours import Neighbours
from ownmark.protocols import Alarm

NORMAL, FEW = pictures(300, number=2), pictures(20, size=4)


def slowly(stream: npt.NDArray[np.uint8], count: int, memory: int) -> list[float]:
    """Image by image: the mean of the `count` smallest distances to the `memory` images before."""
    found = []
    for place, image in enumerate(stream):
        before = stream[max(place - memory, 0) : place]
        apart = sorted(float(np.sqrt(np.mean((image / 255.0 - other / 255.0) ** 2))) for other in before)
        found.append(-float(np.mean(apart[:count])) if len(apart) >= count else -np.inf)
    return found


def alarm(detector: Neighbours, normal: Images = NORMAL) -> Alarm:
    return detector.fit(tiny(), normal, seed(0))


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(0, 8), st.integers(1, 30))
def test_the_score_is_that_of_a_literal_search(number: int, count: int, more: int, length: int) -> None:
    stream = np.random.default_rng(number).integers(0, 256, (length, 3, 2, 1), dtype=np.uint8)
    found = alarm(Neighbours(count, count + more), FEW).score(stream)
    assert found == pytest.approx(slowly(stream, count, count + more), abs=1e-9)


def test_the_score_is_that_of_a_literal_search_beyond_one_block() -> None:
    stream = pictures(300, size=4).pixels
    assert alarm(Neighbours(3, 150)).score(stream) == pytest.approx(slowly(stream, 3, 150), abs=1e-9)


def test_a_twin_is_seen_with_one_neighbour_and_not_with_the_papers_fifty() -> None:
    stream = np.repeat(pictures(100, number=9).pixels, 2, axis=0)
    stream[1::2, :4, :4] //= 2
    near, far = alarm(Neighbours(1)), alarm(Neighbours())
    assert (near.score(stream) > near.threshold(0.05))[1::2].all()
    assert (near.score(stream) > near.threshold(0.05))[::2].mean() < 0.15
    assert (far.score(stream) > far.threshold(0.05)).mean() < 0.15


def test_an_attack_of_many_small_steps_is_seen_with_the_papers_fifty() -> None:
    steps = np.random.default_rng(0).integers(-3, 4, (120, 16, 16, 3))
    stream = np.clip(pictures(1).pixels + steps, 0, 255).astype(np.uint8)
    rings = alarm(Neighbours()).score(stream) > alarm(Neighbours()).threshold(0.05)
    assert not rings[:50].any(), "too few queries before them"
    assert rings[50:].all()


def test_a_query_that_was_asked_before_counts_as_a_distance_of_nothing_until_it_is_forgotten() -> None:
    stream = np.concatenate([pictures(10, number=3).pixels, pictures(1, number=3).pixels])
    assert alarm(Neighbours(1, 10)).score(stream)[-1] == 0
    assert alarm(Neighbours(1, 9)).score(stream)[-1] < -0.01


def test_what_is_usual_is_how_near_each_normal_image_lies_to_all_others() -> None:
    for count in (1, 3):
        found = alarm(Neighbours(count, 1000), FEW).normal
        last = [slowly(np.roll(FEW.pixels, number, axis=0), count, 1000)[-1] for number in range(len(FEW))]
        assert sorted(found) == pytest.approx(sorted(last), abs=1e-9)
    assert len(alarm(Neighbours(2, 20)).normal) == 21
