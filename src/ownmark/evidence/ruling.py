"""The judge's steps J4 to J8, and their conclusion, from the record alone. No torch.

Nothing here queries a model: the same record gives the same ruling, to the byte, in any year.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ownmark import keys
from ownmark.claims.claim import Claim, Test
from ownmark.errors import EvidenceError, UsageError
from ownmark.evidence import allowance, references, unchosen
from ownmark.evidence.admissibility import Checked, Standing
from ownmark.querying import control_twins
from ownmark.querying.integrity_checks import Step, access
from ownmark.querying.transcript import AS_SEALED, TWINS, Heard, Role, of_role
from ownmark.scoring.matches import Combining, scored
from ownmark.scoring.readings import Labels, Reading
from ownmark.statistics import multiplicity, p_values
from ownmark.statistics.p_values import innocents_needed
from ownmark.verdicts import ways
from ownmark.verdicts.combined import placed
from ownmark.verdicts.competence import unfit
from ownmark.verdicts.verdict import Finding
from ownmark.verdicts.verify import basis, findings
from ownmark.verdicts.weighing import discounted

OWN_CONFIDENCE = 0.99  # the claimant's own model must reach its committed score within this confidence interval
DECOY_KEYS = 199
REFERENCES = 19  # that a judge should bring, even if p is exact
CONTROLS, UNCHOSEN, FAR = "J8 control twins", "J7 other images", "J7 too far"
NONCE = 32  # bytes


class Stratum(StrEnum):
    """How close a reference is to the protected model; the closest are a defence's best arguments."""

    OTHER_DATA = "other-data"
    SAME_TASK = "same-task"
    SAME_DATA = "same-data"
    SAME_ANCESTOR = "same-ancestor"


class Outcome(StrEnum):
    """What a judge may say; never that a model is, or is not, stolen."""

    STRONG = "MATCH (strong)"
    SUPPORTING = "MATCH (supporting)"
    NO_MATCH = "NO MATCH"
    INCONCLUSIVE = "INCONCLUSIVE"
    INADMISSIBLE = "INADMISSIBLE"
    REJECTED = "REJECTED"


@dataclass(frozen=True, eq=False)
class Session:
    """All recorded answers. `nonce`: determines the order of questions and the decoy keys; `classes`: of the decoys."""

    heard: tuple[Heard, ...]
    nonce: bytes
    classes: Labels

    def __post_init__(self) -> None:
        if len(self.nonce) != NONCE or len(of_role(self.heard, Role.SUSPECT)) != 1 or len(of_role(self.heard, Role.OWN)) > 1:
            raise EvidenceError(f"a session has a nonce of {NONCE} bytes, one suspect, and at most one model of the claimant's")
        if len(self.classes) != len(self.suspect.decoys):
            raise EvidenceError(f"{len(self.suspect.decoys)} decoys were asked, but the classes of {len(self.classes)} are given")

    @property
    def suspect(self) -> Heard:
        return of_role(self.heard, Role.SUSPECT)[0]

    @property
    def references(self) -> tuple[Heard, ...]:
        return of_role(self.heard, Role.REFERENCE)


@dataclass(frozen=True, eq=False)
class Ruling:
    """`log10_p`: of the main test; `finding`: the suspect's answers to it; `missing`: strata without references."""

    outcome: Outcome
    reason: str
    steps: tuple[Step, ...]
    log10_p: float
    finding: Finding
    missing: tuple[Stratum, ...]


@dataclass(frozen=True)
class Rules:
    """What later versions of a verdict ask, and earlier ones did not.

    `able`: a NO MATCH needs a suspect that does the task, and is INCONCLUSIVE without; since version 3. `near`: what lies further
    from independent models than any copy counts as nothing, and a NO MATCH is INCONCLUSIVE then; since version 4.
    """

    able: bool = True
    near: bool = True


def ruled(found: Checked, session: Session, rules: Rules = Rules()) -> Ruling:
    """The ruling on a genuine seal and the recorded answers. Raises UsageError, or AnswerError for unusable answers."""
    part = allowance.allowed(opened_part(found), found.allowances)
    alpha = found.alpha
    check_references(session.references, part)
    told_by, far = findings(part, session.suspect.replayed()), ""
    if rules.near:
        told_by, far = discounted(part, told_by)
    finding, asked = ways.deciding(told_by, part.tests, found.commitment.policy.access)
    parts = basis(part, finding, told_by)
    steps = [*_sealed(found), _own(part, session, found, finding.test)]
    steps += access(session.suspect, session.classes, len(part.classes))
    steps += [Step(FAR, None, far)] if far else []
    p, least, told = _main(part, finding, session, found)
    other = unchosen.ranked(session.heard, parts, len(part.classes)).paid(asked.count) if unchosen.by_weights(parts[0]) else None
    p, least = min(p + math.log10(asked.count), 0.0), min(least + math.log10(asked.count), 0.0)
    steps += [Step("J7 terms", None, f"{found.terms}; {asked.told}"), Step("J7 main test", p <= math.log10(alpha), told)]
    exact = found.exact and finding.test.null.keyed is not None
    if other is not None:
        steps += [Step(UNCHOSEN, other.p <= alpha if other.taken else None, other.told)]
        p, least = max(p, math.log10(other.p)), max(least, math.log10(other.smallest))
    steps += [allowance.told(finding, found.allowances)] if exact else []
    steps += _rivals(part, session, finding, alpha) + _purified(part, session, finding, alpha)
    steps += _decoy_keys(session, finding)
    steps += allowance.early(finding, session.nonce, found.commitment.policy.survival, alpha) if exact else []
    steps += _controlled(part, session.suspect, finding, parts[0]) if p <= math.log10(alpha) else []
    outcome, reason = _outcome(found, steps, (p, least), finding)
    if asked.count == math.inf and outcome is Outcome.INCONCLUSIVE:
        reason = f"no score could reach alpha = {alpha:.6g}: {asked.told}"
    if outcome is Outcome.NO_MATCH and (why := (unfit(part.task, told_by) if rules.able else "") or far):
        outcome, reason = Outcome.INCONCLUSIVE, f"{reason}; but {why}"
    reason += _few(outcome, session, found)
    present = {one.stratum for one in session.references}
    return Ruling(outcome, reason, tuple(steps), p, finding, tuple(one for one in Stratum if one.value not in present))


def opened_part(found: Checked) -> Claim:
    """The opened set. Raises UsageError if nothing was opened."""
    if found.part is None:
        raise UsageError("nothing of this seal is opened: the owner writes a judge's file with `ownmark open`")
    return found.part


def check_references(brought: Sequence[Heard], part: Claim) -> None:
    """Raises UsageError for a reference that is not another, independent model of a known stratum."""
    seen = {part.model: "the protected model itself"} | dict.fromkeys(part.built_with, "a model that helped to build the claim")
    for one in brought:
        identity = one.digest or one.name
        if one.stratum not in set(Stratum):
            raise UsageError(f"{one.name}: a stratum is one of {', '.join(Stratum)}, got {one.stratum!r}")
        if identity in seen:
            raise UsageError(f"{one.name} is {seen[identity]}, not another reference")
        seen[identity] = "counted already"


def _alike(part: Claim, one: Heard, test: Test, form: str = AS_SEALED) -> Finding:
    """The same test on another model, or on other forms of the triggers."""
    found = next((each for each in findings(part, one.replayed(form)) if each.test is test), None)
    if found is None:
        raise UsageError(f"{one.name} does not reveal the {test.reading} that decides about this suspect: leave it out")
    return found


def _best(part: Claim, one: Heard, test: Test) -> Finding:
    """The same test on a reference: as sealed, or through the front where it scores highest.

    A suspect may see every image through a front, and a forger can make images that show an innocent model something else then.
    """
    return max((_alike(part, one, test, form) for form in one.forms), key=lambda found: found.score)


def _sealed(found: Checked) -> list[Step]:
    made = "labels and images made anew from the key" if found.remade else "not every image can be made anew from a key"
    keyed = [Step("J3 key", found.bound.choices is not None or None, found.bound.why)] if found.remade else []
    time = "" if found.time is None else f" ({found.time:%Y-%m-%d %H:%M:%S} UTC)"
    return [
        Step("J1 seal", passed=True, told=f"whole, signed by {found.commitment.owner}"),
        Step("J2 time", found.standing is Standing.IN_TIME, f"{found.standing.value}{time}"),
        Step("J3 triggers", found.remade or None, made),
        *keyed,
    ]


def _own(part: Claim, session: Session, found: Checked, test: Test) -> Step:
    name, own = "J4 own model", of_role(session.heard, Role.OWN)
    if not own:
        return Step(name, None, "the claimant's own model was not shown")
    if not found.is_of(own[0].digest):
        return Step(name, passed=False, told=f"{own[0].name} is not the model that was sealed")
    score = _alike(part, own[0], test)
    high = _high(part, own[0], score)
    return Step(name, high >= test.target_score, f"{_rate(score)} on it, {test.target_score:.3g} was committed to")


def _high(part: Claim, own: Heard, finding: Finding) -> float:
    """The upper end of the interval around the score of the claimant's own model, graded or counted, at OWN_CONFIDENCE."""
    match = finding.test.match
    parts = placed(part, match, findings(part, own.replayed())) if isinstance(match, Combining) else {0: finding}
    scores = {at: scored(one.test.match, one.observed, one.test.expected, OWN_CONFIDENCE)[1] for at, one in parts.items()}
    return (match.of(scores) if isinstance(match, Combining) else scores[0]).interval[1]


def _controlled(part: Claim, suspect: Heard, deciding: Finding, finding: Finding) -> list[Step]:
    """Whether more samples than control twins match, if enough match for a MATCH; `finding`: what the deciding one rests on."""
    made = control_twins.controls_of(part)
    if not control_twins.needed(finding.test) or deciding.test.reading is Reading.SALIENCY:
        return []
    if made is None or TWINS not in suspect.given:
        return [Step(CONTROLS, None, control_twins.NONE)]
    answers = suspect.told(TWINS, finding.test.reading)
    found = control_twins.compared(finding.matches, made.matches(finding.test, finding.observed[:, 0], answers))
    return [Step(CONTROLS, found.apart, found.told)]


def _main(part: Claim, finding: Finding, session: Session, found: Checked) -> tuple[float, float, str]:
    """log10 of p, of its smallest possible value, and both in words."""
    null, rate = finding.test.null, f"{_rate(finding)}, interval {finding.interval[0]:.3g} to {finding.interval[1]:.3g}"
    if null.keyed is not None and found.exact:
        p, least, told = allowance.exact(finding, null.keyed, found.alpha)
        return p, least, f"{rate}; {told}"
    groups = _groups(session, finding, part)
    ranks = {stratum: p_values.rank_p(finding.score, scores) for stratum, scores in groups.items()}
    committed = [finding.p] if null.calibrated else []
    smallest = [finding.smallest] if committed else []
    p = multiplicity.intersection_union([*ranks.values(), *committed]) if ranks else 1.0
    least = max([1 / (len(scores) + 1) for scores in groups.values()] + smallest) if ranks else 1.0
    shown = ", ".join(f"{value:.6g} among {len(groups[stratum])} {stratum}" for stratum, value in ranks.items())
    told = f"p by rank, the largest counts: {shown or 'no references'}"
    told += "" if finding.graded else f"; {references.bound(finding, groups)}"
    return math.log10(p), math.log10(least), f"{rate}; {told}"


def _groups(session: Session, finding: Finding, part: Claim) -> dict[str, list[float]]:
    """The references' scores by stratum; those with identical answers count once, with the highest of their scores."""
    groups: dict[str, list[float]] = {}
    for members in references.merged(session.references):
        scores = [_best(part, one, finding.test).score for one in members]
        groups.setdefault(members[0].stratum, []).append(max(scores))
    return groups


def _rivals(part: Claim, session: Session, finding: Finding, alpha: float) -> list[Step]:
    found = [(one, _best(part, one, finding.test)) for one in session.references]
    rivals = [f"{one.name} ({one.stratum}, {_rate(score)})" for one, score in found if _as_good(score, finding, alpha)]
    told = f"as good as the suspect: {', '.join(rivals)}" if rivals else f"none of {len(found)} is as good as the suspect"
    told += references.also(session.references)
    return [Step("J8 references", not rivals if found else None, told if found else "the judge had no references")]


def _as_good(reference: Finding, suspect: Finding, alpha: float) -> bool:
    exact = reference.test.null.keyed is not None
    return reference.score >= suspect.score or (exact and reference.p <= alpha)


def _purified(part: Claim, session: Session, finding: Finding, alpha: float) -> list[Step]:
    steps = []
    for form in sorted(set(session.suspect.forms) - {AS_SEALED}):
        score = _alike(part, session.suspect, finding.test, form)
        survives = score.p <= alpha if score.test.null.keyed is not None else score.interval[1] >= finding.score
        steps.append(Step(f"J8 triggers through {form}", survives, _rate(score)))
    return steps


def _decoy_keys(session: Session, finding: Finding) -> list[Step]:
    key = finding.test.null.keyed
    if key is None:
        return []
    count, scores = len(finding.observed), []
    for number in range(DECOY_KEYS):
        labels = keys.labels(keys.derived(session.nonce, "decoy", number), count, key.classes)
        scores.append(scored(finding.test.match, finding.observed, labels, OWN_CONFIDENCE)[1].value)
    p = p_values.rank_p(finding.score, scores)
    return [Step("J8 decoy keys", None, f"p = {p:.6g} among the labels of {DECOY_KEYS} keys that nobody trained with")]


def _few(outcome: Outcome, session: Session, found: Checked) -> str:
    """What a match does not show without enough references of the judge's, as a clause to append."""
    count = len(session.references)
    if outcome not in {Outcome.STRONG, Outcome.SUPPORTING} or count >= REFERENCES or not found.exact:
        return ""
    return f"; {count} references were there of the {REFERENCES} that the rules ask for: innocent models were hardly looked at"


def _outcome(found: Checked, steps: list[Step], logs: tuple[float, float], finding: Finding) -> tuple[Outcome, str]:
    (p, least), bar = logs, math.log10(found.alpha)
    failed = {step.name: step for step in steps if step.passed is False}
    if "J4 own model" in failed:
        return Outcome.REJECTED, f"the claimant's own model does not bear the claim out: {failed['J4 own model'].told}"
    if found.standing is not Standing.IN_TIME:
        return Outcome.INADMISSIBLE, f"{found.standing.value}; the statistics are shown, but they are no verdict"
    hindered = [step for name, step in failed.items() if name.startswith("J6")]
    if hindered:
        return Outcome.INCONCLUSIVE, "; ".join(step.told for step in hindered)
    lacking = next((step.told for step in steps if step.name == UNCHOSEN and step.passed is None), "")
    if least > bar and lacking:
        return Outcome.INCONCLUSIVE, f"no score could reach alpha = {found.alpha:.6g}: {lacking}"
    if least > bar:
        needed = innocents_needed(found.alpha)
        advice = finding.test.null.advice(found.alpha) if found.exact else f"bring {needed} references of each stratum"
        return Outcome.INCONCLUSIVE, f"no score could reach alpha = {found.alpha:.6g}: {advice}"
    return _silent(steps, finding) if p > bar else _match(found, steps, finding)


def _silent(steps: list[Step], finding: Finding) -> tuple[Outcome, str]:
    other = next((step.told for step in steps if step.name == UNCHOSEN and not step.passed), "")
    if other and any(step.name == "J7 main test" and step.passed for step in steps):
        return Outcome.INCONCLUSIVE, f"it matches on the claimant's images and by the claimant's weights only; {other}"
    if finding.interval[1] >= finding.test.target_score:
        return Outcome.INCONCLUSIVE, "p is above alpha, but the score may still equal the protected model's own"
    return Outcome.NO_MATCH, "p is above alpha and the score lies below the protected model's own"


def _match(found: Checked, steps: list[Step], finding: Finding) -> tuple[Outcome, str]:
    """Strong only if labels and images come from a key and every step was performed and passed."""
    exact = finding.test.null.keyed is not None and found.exact
    random = [step.told for step in steps if step.name == CONTROLS and step.passed is False]
    if random:
        return Outcome.INCONCLUSIVE, random[0]
    rivals = [step.told for step in steps if step.name == "J8 references" and step.passed is False]
    if rivals:
        return Outcome.INCONCLUSIVE, f"{rivals[0]}: what the suspect does, an innocent model does too"
    lacking = [f"{step.name}: {step.told}" for step in steps if step.passed is not True and step.name in NEEDED]
    lacking += [f"{step.name}: {step.told}" for step in steps if step.passed is False and step.name.startswith("J8")]
    if exact and not lacking:
        compared = any(step.name == "J8 references" and step.passed for step in steps)
        told = "no reference is as good" if compared else "there were no references to compare with"
        return Outcome.STRONG, f"p is not above alpha, every step was taken, and {told}"
    loose = found.bound.why if found.remade else "its labels and images do not both come from a key"
    told = "; ".join(lacking) if exact else loose
    return Outcome.SUPPORTING, f"p is not above alpha, but it is not strong: {told}"


NEEDED = {"J3 triggers", "J4 own model", "J6 refusals", "J6 repeats", "J6 decoys"}


def _rate(finding: Finding) -> str:
    if finding.graded:
        return f"a score of {finding.score:.3g}"
    return f"{int(finding.matches.sum())} of {len(finding.matches)} triggers match"
