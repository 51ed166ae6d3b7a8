"""The scheme where none is named: both traces; saliency maps alone where residuals cannot be had, which is told."""

from collections.abc import Callable, Sequence

from ownmark.data.images import Images
from ownmark.errors import ResidualError
from ownmark.protocols import Protected, Scheme
from ownmark.schemes.residual import LEAST, Residual
from ownmark.schemes.saliency.scheme import Saliency
from ownmark.schemes.traces import Traces
from ownmark.workflows.watching import Watcher

Making = Callable[[Scheme], Protected]
FEW = 150  # images of the residuals where there are not enough for more
NONE = "The claim holds no residuals, by which students are found"


def usual(images: Images, references: Sequence[object] | int | None, watcher: Watcher) -> Scheme:
    """`Traces()` for a model of these images, if there are enough of them and of `references` (None: as many as needed).

    Of few images its residuals ask about fewer.
    """
    if images.task.located:
        return Saliency()
    count = LEAST if references is None else references if isinstance(references, int) else len(references)
    for scheme in (Traces(), Traces(residual=Residual(samples=FEW))):
        needed = scheme.residual.needed(images.task, count)
        if count >= LEAST and len(images) >= needed:
            return scheme
    lacking = f"{LEAST} references, got {count}" if count < LEAST else f"{needed} images, got {len(images)}"
    watcher.note(f"{NONE}: they need {lacking}.")
    return Saliency()


def made_by(scheme: Scheme, make: Making, watcher: Watcher) -> tuple[Scheme, Protected]:
    """The scheme, which nobody named, and what it made; `Saliency()` in its place, which is told, if it finds no residuals."""
    try:
        return scheme, make(scheme)
    except ResidualError as error:
        watcher.note(f"{NONE}: {error}.")
        return Saliency(), make(Saliency())
