"""A suspect that is a network named by its factory, or a file of weights of such a network. torch is imported to open it."""

from pathlib import Path

from ownmark.claims.claim import Preprocess
from ownmark.errors import ModelError, UsageError
from ownmark.models.kinds import Kind, kind_of
from ownmark.models.sources import open as sources
from ownmark.protocols import Suspect
from ownmark.suspects.opener import Opener, Opening, check_file

WEIGHTS = (".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".tar", ".th", ".pkl", ".model")


def holds_weights(name: str) -> bool:
    """By the name or, of a file with another one, by the content; what is plainly something else is told when it is read."""
    path = Path(name)
    if path.suffix in WEIGHTS or not path.is_file():
        return path.suffix in WEIGHTS
    try:
        return kind_of(path) is not Kind.TORCH
    except ModelError:
        return True


def _named(name: str) -> bool:
    return ":" in name or holds_weights(name)


def _check(opening: Opening) -> None:
    name = opening.name
    if Path(name).suffix in WEIGHTS:
        check_file(opening)
    if holds_weights(name) and opening.model is None:
        kind_of(Path(name))  # what holds no weights at all is told as what it is
        raise UsageError(
            f"{name} holds weights only; name their network: verify CLAIM MODEL --weights FILE, or --model MODEL for several"
        )


def _taken(opening: Opening, name: str) -> Preprocess:
    """What the judge says of normalisation; else what the network's own name says; else what the claim does."""
    said = sources.intake(name)
    if opening.said or said.preprocess is None:
        return opening.preprocess
    if said.preprocess != opening.preprocess:
        opening.note(
            f"{name} normalises images by itself, as {said.origin} says, not as the claim does; --mean and --std change that."
        )
    return said.preprocess


def _opened(opening: Opening) -> Suspect:
    from ownmark.models.network import Network, device
    from ownmark.suspects.local import Local

    own = opening.model is not None and holds_weights(opening.name)
    name, weights = (str(opening.model), Path(opening.name)) if own else (opening.name, opening.weights)
    network = Network(name, opening.classes or None, _taken(opening, name), device(opening.device), opening.output)
    model = network.loaded(weights, opening.note)
    return Local(model, name=name if weights is None else str(weights), outputs=opening.outputs, layer=opening.layer)


OPENS = Opener(
    written=sources.written(),
    opened=_opened,
    suffixes=WEIGHTS,
    other=_named,
    check=_check,
    extra="torch",
    maps=True,
    built=True,
)
