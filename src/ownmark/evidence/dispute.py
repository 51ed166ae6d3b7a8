"""Two claimants and one suspect: whose mark is in whose model (posed by Fan, Ng, Chan 2019, arXiv:1909.07830). No torch.

Time alone decides nothing: a forger may hold the older seal. The earlier claim prevails only if its mark is in the other's model
and not the other way round, and only if its labels and images come from a key: here no judge's references stand against innocents
that a claimant may have invented.
"""

from dataclasses import dataclass
from enum import StrEnum

from ownmark.errors import UsageError
from ownmark.evidence import claim_record
from ownmark.evidence.admissibility import Checked, Standing
from ownmark.evidence.ruling import opened_part
from ownmark.protocols import Suspect
from ownmark.verdicts.verdict import Outcome
from ownmark.verdicts.verify import verify

OWN_INNOCENTS = "the earlier claim's p follows from innocents that its own claimant chose, so that its matches settle nothing"


class Prevails(StrEnum):
    """What the table says."""

    FIRST = "the first claim"
    SECOND = "the second claim"
    UNRESOLVED = "UNRESOLVED"


@dataclass(frozen=True)
class Table:
    """Whether each mark was found: in the other claimant's model, and in the suspect."""

    first_in_second: Outcome
    second_in_first: Outcome
    first_in_suspect: Outcome
    second_in_suspect: Outcome


@dataclass(frozen=True)
class Dispute:
    """The table and what follows from it."""

    table: Table
    prevails: Prevails
    reason: str


def disputed(first: Checked, second: Checked, models: tuple[Suspect, Suspect], suspect: Suspect) -> Dispute:
    """Test each claimant's model (in the claims' order) for the other's mark, and the suspect for both. Raises UsageError."""
    for found, model in zip((first, second), models, strict=True):
        if not found.is_of(model.digest):
            raise UsageError(f"{model.name} is not the model that its claimant sealed: use the sealed model")
    one, other = models
    table = Table(_marked(first, other), _marked(second, one), _marked(first, suspect), _marked(second, suspect))
    return resolved(table, first, second)


def resolved(table: Table, first: Checked, second: Checked) -> Dispute:
    """What the table implies, given when each claim was sealed."""
    for number, found in (("first", first), ("second", second)):
        if found.time is None or found.standing is not Standing.IN_TIME:
            return Dispute(table, Prevails.UNRESOLVED, f"the {number} claim cannot be used: {found.standing.value}")
        if found.part is not None and claim_record.keyed(found.part) is not None and not found.exact:
            return Dispute(table, Prevails.UNRESOLVED, f"the {number} claim cannot be used: {found.bound.why}")
    if first.time == second.time:
        return Dispute(table, Prevails.UNRESOLVED, "both were sealed at the same time")
    earlier = first.time is not None and second.time is not None and first.time < second.time
    if not (first if earlier else second).exact:
        return Dispute(table, Prevails.UNRESOLVED, OWN_INNOCENTS)
    if earlier:
        crossed, back, there, winner = table.first_in_second, table.second_in_first, table.first_in_suspect, Prevails.FIRST
    else:
        crossed, back, there, winner = table.second_in_first, table.first_in_second, table.second_in_suspect, Prevails.SECOND
    if (crossed, back, there) == (Outcome.MATCH, Outcome.NO_MATCH, Outcome.MATCH):
        return Dispute(table, winner, f"{winner.value} was sealed earlier, and its mark is in the other's model, not the reverse")
    return Dispute(table, Prevails.UNRESOLVED, _why(crossed, back))


def _marked(found: Checked, model: Suspect) -> Outcome:
    return verify(opened_part(found), model, alpha=found.alpha, access=found.commitment.policy.access).outcome


def _why(crossed: Outcome, back: Outcome) -> str:
    if Outcome.INCONCLUSIVE in {crossed, back}:
        return "whether a mark is in the other's model could not be decided"
    if crossed is back:
        return "both marks are in the other's model" if crossed is Outcome.MATCH else "no mark is in the other's model"
    if crossed is Outcome.NO_MATCH:
        return "only the later claim's mark is in the other's model, so the seals contradict the marks"
    return "the earlier claim's mark is in the other's model, but it was not found in the suspect"
