"""A verdict on keyed labels that asks about one trigger after the other, and stops at the first that decides. No torch."""

import numpy as np

from ownmark import keys
from ownmark.claims.claim import Claim, Test
from ownmark.errors import UnsettledError, UsageError
from ownmark.protocols import Question, Suspect
from ownmark.querying.answering import answers_of, checked
from ownmark.scoring.matches import Graded, Score, scored, together
from ownmark.scoring.null_models import KeyedLabels
from ownmark.scoring.readings import Floats, Labels
from ownmark.statistics import sequential
from ownmark.statistics.sequential import Early, Rule, Stop
from ownmark.verdicts import ways
from ownmark.verdicts.verdict import CONFIDENCE, Finding, Outcome, Verdict

STOPPED = {Stop.UPHELD: Outcome.MATCH, Stop.GIVEN_UP: Outcome.NO_MATCH, Stop.NOT_YET: Outcome.INCONCLUSIVE}


def verify_early(claim: Claim, suspect: Suspect, alpha: float, early: Early, access: str) -> Verdict:
    """The verdict as soon as the triggers that were asked about decide, or after the last one.

    The order derives from the claim's key: whoever asks cannot choose it, and the suspect cannot foresee it. Raises
    UnsettledError if no score could decide.
    """
    test, null = _keyed(claim, suspect, access)
    patient = together(test.match)  # its first answers say less, since what is usual is not known yet
    rule = Rule(alpha, null.classes, null.grinding, test.target_score, early.miss, gives_up=not patient)
    order = keyed_order(null)[: early.most]
    if not rule.reachable(len(order)):
        raise UnsettledError(f"no score of {len(order)} triggers could reach p <= {alpha:g}. {null.advice(alpha)}")
    state, answers, matches = sequential.BEGUN, [], []
    while rule.outcome(state) is Stop.NOT_YET and state.asked < len(order):
        asked = order[: state.asked + 1]
        answers.append(_answer(claim, suspect, test, int(asked[-1])))
        matches.append(bool(test.match(np.concatenate(answers), test.expected[asked])[-1]))  # earlier answers may be usual ones
        state = rule.after(state, matched=matches[-1])
    stop, p = rule.outcome(state), rule.p(state)
    observed, span = np.concatenate(answers), sequential.interval(state.matched, state.asked, CONFIDENCE)
    told = Score(state.matched / state.asked, span)
    if isinstance(test.match, Graded):  # p counts its hits, but its score is what it always is
        told = scored(test.match, observed, test.expected[order[: state.asked]], CONFIDENCE)[1]
    finding = Finding(test, np.array(matches), observed, told.value, told.interval, p, rule.smallest(len(order)))
    about = (claim.digest, suspect.name, suspect.digest, early)
    return Verdict(STOPPED[stop], rule.told(state, len(order)), alpha, finding, (), state.asked, *about)


def keyed_order(null: KeyedLabels) -> Labels:
    """(n,) the triggers in the order in which a test that stops early asks about them."""
    return keys.chosen(keys.derived(bytes.fromhex(null.key), "order", 0), null.count, null.count)


def _keyed(claim: Claim, suspect: Suspect, access: str) -> tuple[Test, KeyedLabels]:
    """The strongest test of keyed labels that the suspect can answer, by the way that is named if there are several."""
    for test in claim.tests:
        if test.null.keyed is not None and test.reading in suspect.reveals and access in {"", ways.way(test)}:
            known = ways.ways(ways.calibrated(claim))
            if not access and len(known) > 1:
                raise UsageError(f"the claim asks by {', '.join(known)}: a test that stops early needs one of them named")
            return test, test.null.keyed
    raise UsageError(
        f"only a test of keyed labels can stop early, and there is none that {suspect.name} can answer: ask about the whole claim"
    )


def _answer(claim: Claim, suspect: Suspect, test: Test, row: int) -> Floats:
    """(1, 1, ...) the suspect's answer to one trigger's first view."""
    question = Question(frozenset({test.reading}), test.expected[row : row + 1], test.layer, classes=len(claim.classes))
    answers = answers_of(suspect, claim.images[row, :1], question)
    return checked(test.reading, answers, (1, len(claim.classes)))[:, None]
