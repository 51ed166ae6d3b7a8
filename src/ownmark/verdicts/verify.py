"""The judge: put a claim's questions to a suspect and say what the answers prove. No torch."""

from dataclasses import replace

import numpy as np

from ownmark import keys
from ownmark.claims.claim import Claim, Test
from ownmark.errors import AnswerError, KindError, UnsettledError, UsageError
from ownmark.protocols import Question, Suspect
from ownmark.querying import control_twins
from ownmark.querying.answering import Hiding, answers_of
from ownmark.scoring.null_models import KeyedLabels
from ownmark.scoring.readings import Labels, Reading
from ownmark.scoring.validation import checked
from ownmark.statistics import sequential
from ownmark.statistics.sequential import Early, Rule, Stop
from ownmark.verdicts.asking import CONFIDENCE, answered, source
from ownmark.verdicts.verdict import Finding, Outcome, Verdict

STOPPED = {Stop.UPHELD: Outcome.MATCH, Stop.GIVEN_UP: Outcome.NO_MATCH, Stop.NOT_YET: Outcome.INCONCLUSIVE}


def verify(claim: Claim, suspect: Suspect, *, alpha: float = 0.05, early: Early | None = None) -> Verdict:
    """Ask `suspect` every question of `claim` that it can answer, each image once, and judge at level `alpha`.

    What would be a MATCH by two views of each sample is one only if control twins match less. With `early` only the keyed
    labels are asked about, one by one until they decide. Answers whose meaning cannot be settled are INCONCLUSIVE. Raises
    UsageError before any query if nothing can be asked, SuspectError if the answers cannot be used.
    """
    if not 0 < alpha < 1:
        raise UsageError(f"alpha must lie between 0 and 1, got {alpha}: it is the rate of false accusations you accept")
    try:
        verdict = _verify_whole(claim, suspect, alpha) if early is None else _verify_early(claim, suspect, alpha, early)
    except UnsettledError as error:
        verdict = unsettled(claim, suspect, alpha, str(error))
    return replace(verdict, notes=(*verdict.notes, *notes_of(suspect)))


def notes_of(suspect: Suspect) -> tuple[str, ...]:
    """How a suspect was read, where that was not the only way. A suspect of one's own needs no `notes`."""
    notes: tuple[str, ...] = getattr(suspect, "notes", ())
    return notes


def unsettled(claim: Claim, suspect: Suspect, alpha: float, reason: str) -> Verdict:
    """INCONCLUSIVE for that reason, without a single answer that could be judged."""
    test = next((test for test in claim.tests if test.reading in suspect.reveals), claim.tests[0])
    nothing = Finding(test, np.zeros(0, dtype=np.bool_), np.zeros((0, 1)), 0.0, (0.0, 1.0), 1.0, test.null.smallest)
    return Verdict(Outcome.INCONCLUSIVE, reason, alpha, nothing, (), 0, claim.digest, suspect.name, suspect.digest)


def findings(claim: Claim, suspect: Suspect) -> tuple[Finding, ...]:
    """What every test that the suspect can answer finds, the deciding one first; control twins are not asked about."""
    found = list(answered(claim, suspect).values())
    deciding = next((finding for finding in found if finding.smallest < 1), found[0])
    return (deciding, *(finding for finding in found if finding is not deciding))


def _told(claim: Claim, suspect: Suspect) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """The findings, and which tests were left out. Probabilities that cannot be settled count only where they would decide."""
    try:
        return findings(claim, suspect), ()
    except KindError as error:
        tests = [test for test in claim.tests if source(test.reading, suspect) in suspect.reveals]
        deciding = next((test for test in tests if test.null.smallest < 1), tests[0])
        if deciding.reading is Reading.PROBABILITY or not any(test.reading is Reading.PROBABILITY for test in tests):
            raise
        found = findings(claim, Hiding(suspect, Reading.PROBABILITY))
        return found, (f"the black-box test, which would not have decided, was left out: {error}",)


def _verify_whole(claim: Claim, suspect: Suspect, alpha: float) -> Verdict:
    (deciding, *others), notes = _told(claim, suspect)
    outcome, reason = _judge(deciding, alpha)
    queries = claim.images.shape[0] * claim.images.shape[1]
    noted = f"; {deciding.note}" if deciding.note else ""
    if outcome is Outcome.MATCH and control_twins.needed(deciding.test):
        outcome, told, asked = _controlled(claim, suspect, deciding)
        reason, queries = f"{reason}; {told}" if outcome is Outcome.MATCH else told, queries + asked
    known = (claim.digest, suspect.name, suspect.digest)
    return Verdict(outcome, reason + noted, alpha, deciding, tuple(others), queries, *known, notes=notes)


def _controlled(claim: Claim, suspect: Suspect, finding: Finding) -> tuple[Outcome, str, int]:
    """What control twins leave of a match, why, and how many images were asked about. No answer to them is no match."""
    twins = control_twins.controls_of(claim)
    if twins is None:
        return Outcome.MATCH, control_twins.NONE, 0
    asking = twins.asking(claim, finding.test)
    asked = asking.images.shape[0] * asking.images.shape[1]
    try:
        (control,) = answered(asking, suspect).values()
    except AnswerError as error:
        return Outcome.INCONCLUSIVE, f"the control twins got no answer that can be judged: {error}", asked
    found = control_twins.compared(finding.matches, twins.matches(finding.test, finding.observed[:, 0], control.observed[:, 1]))
    return Outcome.MATCH if found.apart else Outcome.INCONCLUSIVE, found.reason, asked


def _verify_early(claim: Claim, suspect: Suspect, alpha: float, early: Early) -> Verdict:
    """The order derives from the claim's key: whoever asks cannot choose it, and the suspect cannot foresee it."""
    test, null = _keyed(claim, suspect)
    rule, order = Rule(alpha, null.classes, null.grinding, test.target_score, early.miss), keyed_order(null)[: early.most]
    if not rule.reachable(len(order)):
        return unsettled(
            claim, suspect, alpha, f"no score of {len(order)} triggers could reach p <= {alpha:g}. {null.advice(alpha)}"
        )
    state, labels = sequential.BEGUN, []
    while rule.outcome(state) is Stop.NOT_YET and state.asked < len(order):
        labels.append(_label(claim, suspect, test, int(order[state.asked])))
        state = rule.after(state, matched=bool(labels[-1] == test.expected[order[state.asked]]))
    matches, stop, p = np.array(labels) == test.expected[order[: len(labels)]], rule.outcome(state), rule.p(state)
    span = sequential.interval(state.matched, state.asked, CONFIDENCE)
    score = state.matched / state.asked
    finding = Finding(test, matches, np.array(labels)[:, None], score, span, p, rule.smallest(len(order)))
    told = (claim.digest, suspect.name, suspect.digest, early)
    return Verdict(STOPPED[stop], rule.told(state, len(order)), alpha, finding, (), state.asked, *told)


def keyed_order(null: KeyedLabels) -> Labels:
    """(n,) the triggers in the order in which a test that stops early asks about them."""
    return keys.chosen(keys.derived(bytes.fromhex(null.key), "order", 0), null.count, null.count)


def _keyed(claim: Claim, suspect: Suspect) -> tuple[Test, KeyedLabels]:
    """The strongest test of keyed labels that the suspect can answer."""
    for test in claim.tests:
        if isinstance(test.null, KeyedLabels) and test.reading in suspect.reveals:
            return test, test.null
    raise UsageError(
        f"only a test of keyed labels can stop early, and there is none that {suspect.name} can answer: ask about the whole claim"
    )


def _label(claim: Claim, suspect: Suspect, test: Test, row: int) -> int:
    """The suspect's label of one trigger's first view."""
    question = Question(frozenset({test.reading}), test.expected[row : row + 1], test.layer)
    answers = answers_of(suspect, claim.images[row, :1], question)
    return int(checked(test.reading, answers, (1, len(claim.classes)))[0])


def _judge(finding: Finding, alpha: float) -> tuple[Outcome, str]:
    least = f"the smallest possible p is {finding.smallest:.3g}"
    if finding.smallest > alpha:
        return Outcome.INCONCLUSIVE, (f"no score could reach p <= {alpha:g}: {least}. {finding.test.null.advice(alpha)}")
    if finding.p <= alpha:
        return Outcome.MATCH, f"p = {finding.p:.3g} is not above alpha = {alpha:g}; {least}"
    if finding.interval[1] >= finding.test.target_score:
        return Outcome.INCONCLUSIVE, (
            f"p = {finding.p:.3g} is above alpha = {alpha:g}, but the score may still equal the protected model's own; {least}"
        )
    return Outcome.NO_MATCH, (
        f"p = {finding.p:.3g} is above alpha = {alpha:g} and the score lies below the protected model's own; {least}"
    )
