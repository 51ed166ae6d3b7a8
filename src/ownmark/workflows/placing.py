"""Images as the network's name says that they are to be brought to it, where nobody said otherwise."""

from dataclasses import replace

from ownmark.claims.fitting import Fitting
from ownmark.data.images import Place, Split
from ownmark.errors import UsageError
from ownmark.models.network import Network
from ownmark.workflows.watching import Watcher


def placed(data: Place | Split, network: Network, watcher: Watcher) -> Place | Split:
    """The place with the fitting that the network's name says; `size`, where it is given, only changes how large.

    The watcher hears it. Images in memory stay as they are. Raises UsageError for channels that the network does not take.
    """
    intake = network.intake
    if intake.preprocess is not None and network.preprocess is None:
        mean, std = (", ".join(f"{value:g}" for value in values) for values in (intake.preprocess.mean, intake.preprocess.std))
        watcher.note(f"Images are normalised by mean {mean} and std {std}, as {intake.origin} says (--mean, --std).")
        if isinstance(data, Place) and len(intake.preprocess.mean) not in {1, data.channels}:
            raise UsageError(
                f"{intake.origin} takes images of {len(intake.preprocess.mean)} channels, and --channels is {data.channels}: "
                "change it, or give --mean and --std"
            )
    if intake.fitting is None or isinstance(data, Split) or isinstance(data.size, Fitting):
        return data
    fitting = intake.fitting if data.size is None else intake.fitting.to(data.size)
    watcher.note(f"Images are brought to size: {fitting}, as {intake.origin} says (--size).")
    return replace(data, size=fitting)


def fitting_of(data: Place | Split) -> Fitting | None:
    """How the images of a place were brought to size, if a network's makers said it."""
    return data.size if isinstance(data, Place) and isinstance(data.size, Fitting) else None
