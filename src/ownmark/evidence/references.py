"""A judge's references: those with identical answers count once, and what the worst of them allows. No torch."""

from collections.abc import Mapping, Sequence

from ownmark.querying.transcript import AS_SEALED, Heard
from ownmark.statistics import p_values
from ownmark.verdicts import duplicates
from ownmark.verdicts.verdict import Finding


def merged(references: Sequence[Heard]) -> list[list[Heard]]:
    """The references of each stratum, grouped by identical answers."""
    strata = dict.fromkeys(one.stratum for one in references)
    members = [[one for one in references if one.stratum == stratum] for stratum in strata]
    return [[some[at] for at in group] for some in members for group in duplicates.groups([one.to(AS_SEALED) for one in some])]


def also(references: Sequence[Heard]) -> str:
    """Which references were merged, as a clause to append; "" if none."""
    told = duplicates.merged_clause([[one.name for one in group] for group in merged(references)])
    return f"; {told}" if told else ""


def bound(finding: Finding, groups: Mapping[str, Sequence[float]]) -> str:
    """p if the suspect matches no more often than the worst reference, in words; `groups`: scores by stratum."""
    count = len(finding.matches)
    matched = [round(score * count) for scores in groups.values() for score in scores]
    if not matched:
        return "bring references"
    p = p_values.berger_boos(int(finding.matches.sum()), count, matched)
    return f"if the suspect is no worse than the worst reference, p <= {p:.6g} (Berger and Boos)"
