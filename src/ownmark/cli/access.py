"""From the options of a command to how its suspects are got at. No torch."""

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ownmark.cli.options import chosen, normalisation

if TYPE_CHECKING:
    from ownmark.claims.claim import Claim
    from ownmark.suspects.open import Access
    from ownmark.workflows.reach import Reach


class Asking(Protocol):
    """A command that asks suspects: the options that all such commands have."""

    @property
    def mean(self) -> str | None: ...
    @property
    def std(self) -> str | None: ...
    @property
    def outputs(self) -> str | None: ...
    @property
    def output(self) -> str: ...
    @property
    def layer(self) -> str: ...
    @property
    def device(self) -> str: ...
    @property
    def allow_external(self) -> bool: ...
    @property
    def allow_code(self) -> bool: ...


class AskingFarAway(Asking, Protocol):
    """The same, with suspects behind addresses among them."""

    @property
    def claim(self) -> Path: ...
    @property
    def api(self) -> str | None: ...
    @property
    def header(self) -> list[str] | None: ...
    @property
    def tensor(self) -> str | None: ...
    @property
    def per_second(self) -> float: ...
    @property
    def at_once(self) -> int: ...


def access_of(asked: Asking, claim: "Claim", model: str | None = None) -> "Access":
    """What is said of all suspects; `model`: the network that weights files belong to."""
    from ownmark.suspects.answers import Outputs as Kind
    from ownmark.suspects.open import Access

    preprocess = normalisation(asked.mean, asked.std, claim.preprocess, claim.images.shape[-1])
    outputs = None if asked.outputs is None else chosen(Kind, asked.outputs, "--outputs")
    return Access(
        preprocess,
        len(claim.classes),
        model,
        outputs,
        layer=asked.layer,
        device=asked.device,
        output=asked.output,
        external=asked.allow_external,
        code=asked.allow_code,
    )


def reach_of(asked: AskingFarAway, claim: "Claim", model: str | None = None) -> "Reach":
    """How suspects at hand and behind addresses are got at, with one ledger per address."""
    from ownmark.workflows.reach import Reach

    return Reach(
        claim_file=asked.claim,
        near=access_of(asked, claim, model),
        api=asked.api,
        header=tuple(asked.header or ()),
        tensor=asked.tensor,
        per_second=asked.per_second,
        at_once=asked.at_once,
    )
