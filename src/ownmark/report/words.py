"""What a verdict says in plain words, and what it does not show. No HTML and no torch."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from ownmark.claims.claim import Claim, Test
from ownmark.scoring.matches import Area
from ownmark.scoring.null_models import KeyedLabels, Null
from ownmark.scoring.readings import Reading
from ownmark.verdicts.verdict import KINDS, Finding, Outcome, Verdict

TEST_NAMES = {
    Reading.SALIENCY: "White-box test: where the model looks",
    Reading.PROBABILITY: "Black-box test: how sure the model is",
    Reading.BEST: "Black-box test: how sure the model is of its best class",
    Reading.LABEL: "Black-box test: the labels that the model returns",
    Reading.VALUE: "Black-box test: the number that the model returns",
    Reading.SIMILARITY: "Black-box test: how similar the model rates two images",
    Reading.SCORE: "Black-box test: how sure the model is of an object",
    Reading.EMBEDDING: "Black-box test: the embeddings that the model returns",
}
ACCESS = {
    Reading.SALIENCY: "white box (its weights)",
    Reading.PROBABILITY: "black box (its probabilities)",
    Reading.BEST: "black box (its best class, with its probability)",
    Reading.LABEL: "black box (its labels)",
    Reading.VALUE: "black box (its numbers)",
    Reading.SIMILARITY: "black box (its similarity of two images)",
    Reading.SCORE: "black box (its scores of objects)",
    Reading.EMBEDDING: "black box (its embeddings)",
}
HEADLINES = {
    Outcome.MATCH: "The answers support the claim that this model derives from the protected one.",
    Outcome.NO_MATCH: "The answers do not link this model to the protected one.",
    Outcome.INCONCLUSIVE: "The answers decide nothing about this model.",
}
LIMITS = {
    Outcome.MATCH: (
        "It does not say why this model answers like the protected one, who made it, or whether anybody did wrong. "
        "A licensed copy would answer in the same way."
    ),
    Outcome.NO_MATCH: (
        "It does not show that this model is independent. Training it again, distilling it into another network or pruning it "
        "hard can remove a fingerprint or a watermark."
    ),
    Outcome.INCONCLUSIVE: "It supports neither side: it is evidence neither of copying nor of independence.",
}

PAIR = 2  # names from which something common can be dropped
COLOURS = {1: "grey", 3: "colour"}
TINIEST = 1e-300  # a p-value that is smaller is told by its logarithm
RARE = 1e-6  # rates below it are written as a power of ten
UNBOUND = (
    "The key of these labels depends on neither the order of the classes nor where the images come from: anyone who knew the key "
    "could have arranged both after it. A judge therefore relies on innocent models and never calls a match strong."
)
SUPPORTING = (
    "A match is supporting evidence: it needs corroboration, and it never shows what anybody intended or was allowed to do."
)
EXCHANGEABLE = (
    "p is valid if a suspect, were it innocent, is exchangeable with the {}: trained on such data, in such a way. "
    "A suspect of another kind may score higher by its nature alone."
)
STRATA = (
    "The claim does not record the kinds of its innocent models. Ask whether they include models trained on other "
    "data; on other data for the same task; on the same public data with the same architecture; and from the same public "
    "pretrained ancestor. The last two are the hardest for the owner. Ask also who selected them."
)
SMALLEST = "With {}, p can never fall below 1/{} = {:.3g}, however clear the score."
UNCALIBRATED = "This claim was not calibrated: it is unknown how innocent models score, so no score, however high, supports it."
EXACT = (
    "p is exact, whatever kind of model the suspect is, if the images were drawn independently of their labels and the suspect "
    "was made without knowledge of the key. A judge verifies the former by remaking the images from the key; only a seal with a "
    "timestamp shows that the key is older than the suspect."
)
GRINDING = (
    "A claimant may have tried many keys and kept the luckiest. So p is multiplied by 2^{} before it is compared with alpha, as "
    "if so many keys had been tried: that adds {:.1f} to log10 p."
)
KEYED_SMALLEST = "With {} in {}, {}, however clear the score."
SEVERAL = (
    "{} suspects were judged, each at alpha = {:g} for itself. If all were innocent, the chance that at least one of them "
    "matches could be as high as {}."
)


@dataclass(frozen=True)
class Terms:
    """What the words and pictures about one claim have in common, found out once.

    `triggers`: whether its images are triggers of labels; `image`: the name of one of them; `area`: where on the map the
    fingerprint lies, None if no test says so; `letters`: of the suspects, in order.
    """

    triggers: bool
    image: str
    area: Area | None
    letters: tuple[str, ...]


def terms(claim: Claim, suspects: int) -> Terms:
    """The terms of a claim on which so many suspects are judged."""
    triggers = all(test.reading is Reading.LABEL for test in claim.tests) or keyed(claim) is not None
    area = next((test.match.area for test in claim.tests if test.match.area is not None), None)
    name = "trigger image" if triggers else "fingerprint image"
    return Terms(triggers, name, area, tuple(letter(place) for place in range(suspects)))


def titled(test: Test) -> str:
    """A test's heading on the page."""
    return TEST_NAMES[test.reading] + KINDS.get(type(test.match), "")


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
    """(19, "model") -> "19 models"; `many` if an s does not suffice."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def p_value(finding: Finding) -> str:
    """ "p = 0.05", which no line break may part."""
    return f"p = {p_figure(finding)}".replace(" ", "\N{NO-BREAK SPACE}")


def p_figure(finding: Finding) -> str:
    """ "0.05", or "10^-345.6" if no floating-point number is that small."""
    return figure(finding.p, finding.test.null, finding.score)


def smallest_figure(finding: Finding) -> str:
    """The same for the smallest p that the test could give."""
    return figure(finding.smallest, finding.test.null, 1)


def figure(p: float, null: Null, score: float) -> str:
    """The p-value of a score in three digits; as a power of ten below what a floating-point number can be."""
    return f"{p:.3g}" if null.keyed is None or p > TINIEST else f"10^{null.keyed.log10_p_adjusted(score):.1f}"


def before_and_after(null: KeyedLabels, score: float) -> str:
    """log10 p before and after the allowance for tried keys."""
    return f"{null.log10_p(score):.1f}, or {null.log10_p_adjusted(score):.1f} with the allowance for 2^{null.grinding} tried keys"


def by_chance(test: Test) -> str:
    """What any model scores by chance alone, as a clause to append, "" where that is not known."""
    return "" if test.null.luck is None else f", chance alone {percent(test.null.luck)}"


def keyed(claim: Claim) -> KeyedLabels | None:
    """The null of the claim's first test of keyed labels, if it has one."""
    return next((test.null.keyed for test in claim.tests if test.null.keyed is not None), None)


def short_names(names: Sequence[str]) -> list[str]:
    """The names without the folder and the suffix that all of them share; whole where two would become one."""
    if len(names) < PAIR or any("://" in name for name in names):
        return [name if "://" in name else os.path.basename(name) or name for name in names]  # noqa: PTH119 - no path
    folder = os.path.commonpath([os.path.dirname(name) for name in names]) if _alike(names) else ""  # noqa: PTH120 - as above
    rest = [name.removeprefix(folder).lstrip("/") if folder else name for name in names]
    ends = {os.path.splitext(name)[1] for name in rest}  # noqa: PTH122 - as above
    short = [name.removesuffix(next(iter(ends))) for name in rest] if len(ends) == 1 else rest
    return short if all(short) and len(set(short)) == len(set(names)) else list(names)


def _alike(names: Sequence[str]) -> bool:
    """Whether all names are absolute paths, or none is."""
    return len({name.startswith("/") for name in names}) == 1


def protected(claim: Claim) -> str:
    """The protected model in words: what it does, on which images."""
    height, width, channels = claim.images.shape[2:]
    size = f"{height} \N{MULTIPLICATION SIGN} {width} pixels in {COLOURS.get(channels, f'{channels} channels')}"
    does = {
        "classification": f"tells {counted(len(claim.classes), 'class', 'classes')} apart",
        "regression": f"estimates {claim.classes[0] if claim.classes else 'a number'}",
        "similarity": "tells how alike two images are",
    }.get(claim.task.name, f"does {claim.task.name}")
    return f"The protected model {does}, on images of {size}."


def because(verdict: Verdict) -> str:
    """What the figures of the reason come from, "" where nothing was compared."""
    finding, null = verdict.deciding, verdict.deciding.test.null
    if verdict.early is not None or not (null.scores or null.luck):
        return ""
    said = f"the score is {amount(finding, finding.score)}"
    if null.luck is not None:
        return f"{said}, where chance alone gives about {_by_chance(finding, null.luck)}: "
    better = sum(score >= finding.score for score in null.scores)
    told = f"{better} scored as high" if better else f"the highest has {amount(finding, max(null.scores))}"
    return f"{said}; of {counted(len(null.scores), 'innocent model')} {told}: "


def letter(place: int) -> str:
    """0, 1, ... -> A, B, ..., Z, AA, AB, ...: the letters of suspects on the page."""
    return (letter(place // 26 - 1) if place >= 26 else "") + chr(ord("A") + place % 26)  # noqa: PLR2004 - the alphabet


def amount(finding: Finding, score: float) -> str:
    """A score as the test counts it: "93 of 100" samples, or "0.93"."""
    return f"{score:.2f}" if finding.graded else f"{round(score * len(finding.matches))} of {len(finding.matches)}"


@dataclass(frozen=True)
class Figures:
    """What a picture of one finding says: the suspect's `score` and its `interval`, the score of the protected model (`own`).

    `others`: what these are compared with, and `spread`: how that scores; `whole`: all of it, for those who cannot see it.
    """

    score: str
    interval: str
    own: str
    others: str
    spread: str
    whole: str


def figures(finding: Finding) -> Figures:
    """The scores of a finding and of its null, as the test counts them."""
    score, own, ends = amount(finding, finding.score), amount(finding, finding.test.target_score), interval(finding)
    null, total = finding.test.null, len(finding.matches)
    if null.luck is not None:
        others, spread = "By chance alone", f"about {_by_chance(finding, null.luck)}{'' if finding.graded else f' of {total}'}"
    elif null.scores:
        others, spread = counted(len(null.scores), "innocent model"), _spread(finding)
    else:
        others, spread = "Innocent models", "none were asked"
    compared = f"{others}: {spread}" if null.scores or null.luck is not None else "no innocent models"
    whole = f"Suspect: {score}, 95 % interval {ends}. Protected model: {own}. {compared}."
    return Figures(score, ends, own, others, spread, whole)


def _by_chance(finding: Finding, luck: float) -> str:
    """What a model reaches by chance alone, as the test counts it."""
    return f"{luck:.2f}" if finding.graded else tenths(luck * len(finding.matches) / 100)


def _spread(finding: Finding) -> str:
    """From the least to the largest of the innocent models' scores."""
    scores, count = finding.test.null.scores, len(finding.matches)
    if finding.graded:
        return f"{min(scores):.2f} to {max(scores):.2f}"
    least, most = (round(end * count) for end in (min(scores), max(scores)))
    return f"{least} to {most} of {count}" if least < most else f"{least} of {count}"


def boundary(finding: Finding, alpha: float, least: float | None) -> str:
    """The meaning of the tinted part of a picture: the scores above `least`."""
    if least is None or least >= 1:
        return f"No score would match at alpha = {alpha:g}."
    return f"Tinted: more than {amount(finding, least)}, where p is at most alpha = {alpha:g}."


def innocent_counts(finding: Finding) -> tuple[int, ...]:
    """How many samples matched on each innocent model; empty if there were none."""
    return tuple(round(score * len(finding.matches)) for score in finding.test.null.scores)


def _where(area: Area | None) -> str:
    """Where the pattern is: a corner if it covers exactly one corner of the map, else an area."""
    if area is None:
        return "the marked area"
    rows, columns = area.grid
    corners = {(row, column) for row in (0, rows - 1) for column in (0, columns - 1)}
    return "the marked corner" if len(corners & set(area.cells)) == 1 else "the marked area"


def observed(shared: Terms, finding: Finding) -> str:
    """What the model did, how often, and how often innocent models do: one or two sentences."""
    did = finding.test.match.did.format(place=_where(shared.area))
    total = counted(len(finding.matches), shared.image)
    if finding.graded:
        return f"On {total} together this model {did}, with {finding.told} out of 1. {_compared(finding)}"
    return f"On {round(finding.score * len(finding.matches))} of {total} this model {did}. {_compared(finding)}"


def _compared(finding: Finding) -> str:
    luck = finding.test.null.luck
    if luck is not None:
        often = f"{luck * len(finding.matches):.1f}".removesuffix(".0")
        reached = f"scores about {luck:.2f}" if finding.graded else f"matches about {often} of them"
        return f"Their labels were drawn at random from a secret key: by chance alone a model {reached}."
    scores = finding.test.null.scores
    if not scores:
        return "How often innocent models do so was not measured."
    as_high = sum(score >= finding.score for score in scores)
    most: float = round(max(scores), 2) if finding.graded else max(innocent_counts(finding))
    models = counted(len(scores), "innocent model")
    if as_high:
        return f"{as_high} of {models} {'scored at least as high' if finding.graded else 'did so at least as often'}."
    if finding.graded:
        return f"None of {models} scored more than {most:.2f}."
    if len(scores) == 1:
        return f"The one innocent model did so on {most}."
    return f"None of {models} did so on more than {most}." if most else f"None of {models} did so on any."


def consequence(verdict: Verdict) -> str:
    """The consequence, in one sentence."""
    finding, key = verdict.deciding, verdict.deciding.test.null.keyed
    if key is not None:
        return _of_keyed(verdict, key)
    if verdict.outcome is Outcome.MATCH:
        return f"A model of the same kind as those innocent ones would score this high {at_most(finding.p)} ({p_value(finding)})."
    if verdict.outcome is Outcome.NO_MATCH:
        return f"That is too little to distinguish it from innocent models ({p_value(finding)})."
    return f"That cannot support a verdict ({p_value(finding)})."


def _of_keyed(verdict: Verdict, null: KeyedLabels) -> str:
    finding = verdict.deciding
    figures = f"log10 p = {before_and_after(null, finding.score)}"
    if verdict.outcome is Outcome.MATCH:
        rarely = times(null.log10_p_adjusted(finding.score))
        return (
            f"A model made without the key would score this high {rarely}, even if the claimant had tried 2^{null.grinding} keys "
            f"and kept the luckiest ({figures})."
        )
    if verdict.outcome is Outcome.NO_MATCH:
        return f"That is too little to distinguish it from chance ({figures})."
    return f"That cannot support a verdict ({figures})."


def at_most(p: float) -> str:
    """0.05 -> "at most 5 times in 100"; never a smaller rate than p."""
    if p >= 0.01:  # noqa: PLR2004 - rates below 1 in 100 are phrased the other way round
        return f"at most {ceil(1000 * p - 1e-9) / 10:g} times in 100"
    return f"at most 1 time in {floor(1 / p + 1e-9)}" if p >= RARE else times(log10(p))


def times(log10_p: float) -> str:
    """The same for a rate given by its logarithm, however small: -80.7 -> "at most 1 time in 10^80 (...)"."""
    if log10_p > -5:  # noqa: PLR2004 - a number that is still readable
        return at_most(10**log10_p)
    zeros = floor(-log10_p + 1e-9)
    return f"at most 1 time in 10^{zeros} (a one with {zeros} zeros)"


def own_limits(verdict: Verdict) -> list[str]:
    """What this one verdict does not show, depending on its outcome and numbers."""
    finding = verdict.deciding
    said = [LIMITS[verdict.outcome]]
    if verdict.outcome is Outcome.MATCH:
        said.append(
            f"{p_value(finding)} is not the probability that this model is innocent. It bounds how often an innocent model "
            "would score this high."
        )
    if finding.test.reading is not Reading.SALIENCY:
        said.append("It relies on the answers alone: nobody inspected this model's weights.")
    return said


def shared_limits(claim: Claim, alpha: float, suspects: int) -> list[str]:
    """What no verdict on this claim shows, and the conditions under which it is valid."""
    labels, said = keyed(claim), [SUPPORTING]
    count = max(len(test.null.scores) for test in claim.tests)
    if labels is not None:
        said += _exact(labels) + ([] if labels.context else [UNBOUND])
    if count:
        models = counted(count, "innocent model")
        said += [EXCHANGEABLE.format(models), STRATA, SMALLEST.format(models, count + 1, 1 / (count + 1))]
    elif labels is None:
        said.append(UNCALIBRATED)
    if suspects > 1:
        said.append(SEVERAL.format(suspects, alpha, percent(min(1.0, suspects * alpha))))
    return said


def _exact(null: KeyedLabels) -> list[str]:
    """The assumptions and limits of the p-values of keyed labels."""
    triggers, classes = counted(null.count, "trigger"), counted(null.classes, "class", "classes")
    end = f"log10 p can never fall below {null.log10_p_adjusted(1):.1f}"
    raised = GRINDING.format(null.grinding, null.grinding * log10(2))
    return [EXACT, raised, KEYED_SMALLEST.format(triggers, classes, end)]
