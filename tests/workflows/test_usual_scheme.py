"""Without a scheme a claim holds both traces, or says what it lacks for residuals."""

from dataclasses import replace

import pytest
from conftest import pictures, small_claim, tiny
from spotter import squares

from ownmark.data.images import Images
from ownmark.errors import ResidualError
from ownmark.protocols import Protected, Scheme
from ownmark.schemes.residual import Residual
from ownmark.schemes.saliency.scheme import Saliency
from ownmark.schemes.traces import Traces
from ownmark.tasks import Similarity
from ownmark.workflows.contrast import may_grow, wanted_references
from ownmark.workflows.usual_scheme import made_by, usual
from ownmark.workflows.watching import Nobody

ENOUGH = pictures(160)


class Listener(Nobody):
    def __init__(self) -> None:
        self.told = list[str]()

    def note(self, text: str) -> None:
        self.told.append(text)


@pytest.mark.parametrize("references", [None, 3, ("a", "b", "c")])
def test_three_references_and_150_images_give_both_traces(references: tuple[str, ...] | int | None) -> None:
    listener = Listener()
    scheme = usual(ENOUGH, references, listener)
    assert (scheme, listener.told) == (Traces(residual=Residual(150)), [])
    assert wanted_references(scheme, tiny(), ENOUGH) == 3
    assert usual(pictures(300), references, listener) == Traces()


@pytest.mark.parametrize(
    ("images", "references", "lacking"),
    [
        (ENOUGH, 2, "3 references, got 2"),
        (ENOUGH, ("a",), "3 references, got 1"),
        (pictures(100), None, "150 images, got 100"),
        (replace(pictures(150), task=Similarity()), None, "156 images, got 150"),
        (replace(pictures(156), task=Similarity()), 5, "160 images, got 156"),
    ],
)
def test_what_residuals_lack_is_told(images: Images, references: tuple[str, ...] | int | None, lacking: str) -> None:
    listener = Listener()
    assert usual(images, references, listener) == Saliency()
    assert lacking in listener.told[0]


def test_a_detector_gets_maps_alone_and_hears_nothing_of_it() -> None:
    boxed = squares(160)
    listener = Listener()
    assert (usual(boxed, None, listener), listener.told) == (Saliency(), [])


def test_references_whose_answers_are_compared_are_trained_as_the_model_was() -> None:
    assert not may_grow(Traces())
    assert may_grow(Saliency())
    assert not may_grow(Saliency(), 2), "fewer than three that grow tell less than two in full"


def making(scheme: Scheme) -> Protected:
    """Finds no residual."""
    if isinstance(scheme, Traces):
        raise ResidualError("the model cannot be told")
    return Protected(tiny(), small_claim())


def test_where_residuals_tell_nothing_the_usual_claim_goes_by_maps_and_says_so() -> None:
    listener = Listener()
    scheme, found = made_by(Traces(), making, listener)
    assert (scheme, found.claim) == (Saliency(), small_claim())
    assert "holds no residuals" in listener.told[0]
