"""What a verdict says in plain words, and what it does not prove. No HTML and no torch."""

from math import ceil, floor

from ownmark.claim import Claim
from ownmark.match import Agreement, Change, Drop, OnPattern, Reading
from ownmark.null import Innocents
from ownmark.verdict import Finding, Outcome, Verdict

DID: dict[type, str] = {
    OnPattern: "looked at {place}",
    Drop: "became clearly less sure of the image's class when {place} was covered",
    Change: "changed its confidence in the image's class when {place} was covered",
    Agreement: "gave the expected label",
}
TEST_NAMES = {
    Reading.SALIENCY: "White-box test: where the model looks",
    Reading.PROBABILITY: "Black-box test: how sure the model is",
    Reading.LABEL: "Black-box test: what the model answers",
}
ACCESS = {
    Reading.SALIENCY: "white box (its weights)",
    Reading.PROBABILITY: "black box (its probabilities)",
    Reading.LABEL: "black box (its labels)",
}
HEADLINES = {
    Outcome.MATCH: "The answers support the claim that this model derives from the protected one.",
    Outcome.NO_MATCH: "The answers do not link this model to the protected one.",
    Outcome.INCONCLUSIVE: "The answers decide nothing about this model.",
}
LIMITS = {
    Outcome.MATCH: (
        "It does not say how this model came to answer like the protected one, who made it, or whether anybody did wrong. "
        "A licensed copy would answer in the same way."
    ),
    Outcome.NO_MATCH: (
        "It does not show that this model is independent. Training it again, distilling it into another network or pruning it "
        "hard can remove a fingerprint."
    ),
    Outcome.INCONCLUSIVE: "It counts for neither side: it is no sign of copying and no sign of independence.",
}

SUPPORTING = (
    "A fingerprint is supporting evidence: it needs other evidence beside it, and it never shows what anybody intended or was "
    "allowed to do."
)
EXCHANGEABLE = (
    "p holds if a suspect, were it innocent, could just as well have been one of the {}: trained on such data, in such a way. "
    "A suspect of another kind may score higher by its nature alone."
)
STRATA = (
    "The claim does not record of which kinds the innocent models are. Ask whether among them were models trained on other "
    "data; on other data for the same task; on the same public data with the same architecture; and from the same public "
    "pretrained ancestor. The last two are the hardest for the owner. Ask also who picked them."
)
SMALLEST = "With {}, p can never fall below 1/{} = {:.3g}, however clear the score."
UNCALIBRATED = "This claim was not calibrated: it is not known how innocent models do, so no score, however high, can be upheld."
SEVERAL = (
    "{} suspects were judged, each at alpha = {:g} for itself. If all were innocent, the chance that at least one of them "
    "matches could be as high as {}."
)


def percent(share: float) -> str:
    """0.974 -> "97.4 %"."""
    return f"{tenths(share)}\N{NO-BREAK SPACE}%"


def interval(finding: Finding) -> str:
    """Both ends of the score's interval: "91.5-99.4 %" with an en dash."""
    return f"{tenths(finding.interval[0])}\N{EN DASH}{percent(finding.interval[1])}"


def tenths(share: float) -> str:
    """0.974 -> "97.4", 0.97 -> "97"."""
    return f"{100 * share:.1f}".removesuffix(".0")


def counted(number: int, one: str, many: str = "") -> str:
    """(19, "model") -> "19 models"; `many` where an s is not enough."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def p_value(finding: Finding) -> str:
    """ "p = 0.05", which no line break may part."""
    return f"p = {finding.p:.3g}".replace(" ", "\N{NO-BREAK SPACE}")


def letter(place: int) -> str:
    """0, 1, ... -> A, B, ..., Z, AA, AB, ...: what a suspect is called on the page."""
    return (letter(place // 26 - 1) if place >= 26 else "") + chr(ord("A") + place % 26)  # noqa: PLR2004 - the alphabet


def matched(finding: Finding) -> int:
    """How many samples matched."""
    return int(finding.matches.sum())


def innocent_counts(finding: Finding) -> tuple[int, ...]:
    """How many samples matched on each innocent model; empty where none were asked."""
    null = finding.test.null
    return tuple(round(score * len(finding.matches)) for score in null.scores) if isinstance(null, Innocents) else ()


def place(claim: Claim) -> str:
    """Where the pattern lies: a corner if one corner of the map is in it, else just an area."""
    match = pattern(claim)
    if match is None:
        return "the marked area"
    rows, columns = match.grid
    corners = {(row, column) for row in (0, rows - 1) for column in (0, columns - 1)}
    return "the marked corner" if len(corners & set(match.cells)) == 1 else "the marked area"


def pattern(claim: Claim) -> OnPattern | None:
    """Where on the map the fingerprint lies, if a test of the claim says so."""
    return next((test.match for test in claim.tests if isinstance(test.match, OnPattern)), None)


def observed(claim: Claim, finding: Finding) -> str:
    """What the model did, how often, and how often innocent models do: one or two sentences."""
    did = DID.get(type(finding.test.match), finding.test.match.meaning).format(place=place(claim))
    total = counted(len(finding.matches), "fingerprint image")
    return f"On {matched(finding)} of {total} this model {did}. {_compared(finding)}"


def _compared(finding: Finding) -> str:
    scores = finding.test.null.scores if isinstance(finding.test.null, Innocents) else ()
    if not scores:
        return "How often innocent models do so was not measured."
    as_high = sum(score >= finding.score for score in scores)
    most = max(innocent_counts(finding))
    models = counted(len(scores), "innocent model")
    if as_high:
        return f"{as_high} of {models} did so at least as often."
    if len(scores) == 1:
        return f"The one innocent model did so on {most}."
    return f"None of {models} did so on more than {most}." if most else f"None of {models} did so on any."


def consequence(verdict: Verdict) -> str:
    """What follows, in one sentence."""
    finding = verdict.deciding
    if verdict.outcome is Outcome.MATCH:
        return f"A model of the same kind as those innocent ones would come this far {at_most(finding.p)} ({p_value(finding)})."
    if verdict.outcome is Outcome.NO_MATCH:
        return f"That is too little to set it apart from innocent models ({p_value(finding)})."
    return f"No verdict can be built on that ({p_value(finding)})."


def at_most(p: float) -> str:
    """0.05 -> "at most 5 times in 100"; never a smaller rate than p."""
    if p >= 0.01:  # noqa: PLR2004 - rarer than one time in a hundred is said the other way round
        return f"at most {ceil(1000 * p - 1e-9) / 10:g} times in 100"
    return f"at most 1 time in {floor(1 / p + 1e-9)}"


def own_limits(verdict: Verdict) -> list[str]:
    """What this one verdict does not prove: it depends on the outcome and on the numbers."""
    finding = verdict.deciding
    said = [LIMITS[verdict.outcome]]
    if verdict.outcome is Outcome.MATCH:
        said.append(
            f"{p_value(finding)} is not the probability that this model is innocent. It bounds how often an innocent model "
            "would answer like this."
        )
    if finding.test.reading is not Reading.SALIENCY:
        said.append("It rests on the answers alone: nobody looked inside this model.")
    return said


def shared_limits(claim: Claim, alpha: float, suspects: int) -> list[str]:
    """What no verdict on this claim proves, and under which conditions it holds at all."""
    count = max((len(test.null.scores) for test in claim.tests if isinstance(test.null, Innocents)), default=0)
    said = [SUPPORTING]
    if count:
        models = counted(count, "innocent model")
        said += [EXCHANGEABLE.format(models), STRATA, SMALLEST.format(models, count + 1, 1 / (count + 1))]
    else:
        said.append(UNCALIBRATED)
    if suspects > 1:
        said.append(SEVERAL.format(suspects, alpha, percent(min(1.0, suspects * alpha))))
    return said
