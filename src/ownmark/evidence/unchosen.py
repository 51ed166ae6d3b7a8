"""Residuals on a judge's ordinary images, none of which the claimant chose: of the claim only the sealed model counts. No torch.

The weights of a claim on residuals are numbers that its maker may have invented, and its images may be the luckiest of millions.
So the judge takes the crossed residual anew: of the claimant's model as it was sealed, among his own references, on his decoys.
The suspect and the references are treated alike, each against all others, so that p is a rank, exact for a suspect that could
have been one of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ownmark.evidence import references
from ownmark.querying.transcript import DECOYS, Heard, Role, of_role
from ownmark.scoring.matches import Retaken
from ownmark.scoring.readings import WIDER, Floats, Reading, best_only
from ownmark.statistics.multiplicity import intersection_union
from ownmark.statistics.p_values import rank_p
from ownmark.verdicts.verdict import Finding

LEAST = 3  # references of a stratum, so that each is compared with two others at least
Take = Callable[[Floats, Floats, Floats], float | None]
NEEDED = f"its weights are the claimant's, so a residual counts only beside the judge's own: bring {{}}, and {LEAST} references"


@dataclass(frozen=True)
class Unchosen:
    """`p`: the largest over the strata, and the `smallest` that it could be; `told`: what was found or, unless `taken`, lacks."""

    p: float
    smallest: float
    told: str
    taken: bool = True

    def paid(self, count: float) -> "Unchosen":
        """With a p that pays for so many ways of asking, as the claim's own does."""
        return replace(self, p=min(1.0, self.p * count), smallest=min(1.0, self.smallest * count))


def by_weights(part: Finding) -> bool:
    """Whether its score rests on weights that the claimant chose, and not on a key."""
    return part.graded and part.test.null.keyed is None


def ranked(everybody: Sequence[Heard], parts: Sequence[Finding], classes: int) -> Unchosen:
    """By every graded part of what decides, the least favourable of all: whoever may choose among several has as many tries."""
    found = [_ranked(everybody, one, classes) for one in parts if by_weights(one)]
    return max(found, key=lambda one: (not one.taken, one.p, one.smallest))


def _ranked(everybody: Sequence[Heard], finding: Finding, classes: int) -> Unchosen:
    """The suspect's rank among the references of each stratum, by the reading of the finding; p is 1 where there is none."""
    (suspect,), own = of_role(everybody, Role.SUSPECT), of_role(everybody, Role.OWN)
    groups = references.merged(of_role(everybody, Role.REFERENCE))
    match = finding.test.match
    if not isinstance(match, Retaken) or DECOYS not in suspect.given:
        return _missing("ordinary images (--decoys)")
    if not own or not _tells(own[0], finding.test.reading):
        return _missing("the claimant's own model")
    strata: dict[str, list[list[Heard]]] = {}
    for group in groups:
        strata.setdefault(group[0].stratum, []).append(group)
    if not strata or min(map(len, strata.values())) < LEAST:
        return _missing(f"{LEAST} references or more of each stratum")
    taken = partial(match.anew, classes=classes)
    found = {name: _residuals((own[0], suspect, some), finding.test.reading, taken) for name, some in strata.items()}
    ranks = {name: rank_p(mine, others) for name, (mine, others) in found.items()}
    smallest = max(1 / (len(others) + 1) for _, others in found.values())
    count = len(suspect.decoys)
    told = ", ".join(
        f"{mine:.3g} (p = {ranks[name]:.6g} among {len(others)} {name}, which reach {max(others):.3g})"
        for name, (mine, others) in found.items()
    )
    return Unchosen(intersection_union(list(ranks.values())), smallest, f"residual on {count} images of the judge's: {told}")


def _missing(what: str) -> Unchosen:
    return Unchosen(1.0, 1.0, NEEDED.format(what), taken=False)


def _tells(one: Heard, reading: Reading) -> bool:
    """Whether it answered the decoys in that way, or in one from which that follows."""
    return bool({reading, WIDER.get(reading, reading)} & set(one.given.get(DECOYS, {})))


def _answers(one: Heard, reading: Reading, form: str = DECOYS) -> Floats:
    """Its answers to the decoys; the best class follows from probabilities, where it told those."""
    shown = reading in one.to(form) or reading not in WIDER
    return np.asarray(one.told(form, reading) if shown else best_only(one.told(form, WIDER[reading])))


def _residuals(heard: tuple[Heard, Heard, Sequence[Sequence[Heard]]], reading: Reading, taken: Take) -> tuple[float, list[float]]:
    """The suspect's residual among the references, and each reference's among the suspect and the other ones.

    `heard`: the claimant's model, the suspect, the references, grouped by identical answers: a group has the highest of its
    members' residuals, as they are and behind each front, and its first member stands for it among the others.
    """
    own, suspect, others = heard
    target, mine = (_answers(one, reading) for one in (own, suspect))
    plain = np.stack([_answers(group[0], reading) for group in others])
    found = []
    for place, group in enumerate(others):
        rest = np.concatenate([mine[None], np.delete(plain, place, axis=0)])
        given = [_answers(one, reading, form) for one in group for form in one.given if form.startswith(DECOYS)]
        seen = [taken(target, answers, rest) for answers in given]
        found.append(max(1.0 if value is None else value for value in seen))
    residual = taken(target, mine, plain)
    return 0.0 if residual is None else residual, found
