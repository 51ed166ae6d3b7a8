"""The report's drawings: inline SVG positioned by shares of the width, so that text keeps its size on a phone."""

from collections import Counter

from markupsafe import Markup

from ownmark.report.words import Figures
from ownmark.verdicts.verdict import Finding, Outcome

SHAPES = {
    Outcome.MATCH: Markup('<circle class="full" r="8"/><path class="stroke" d="M-3.6 .3 -1.1 2.9 3.7 -2.7"/>'),
    Outcome.NO_MATCH: Markup('<circle class="hollow" r="7"/><path class="stroke" d="M-3.2 0H3.2"/>'),
    Outcome.INCONCLUSIVE: Markup(
        '<path class="hollow" d="M0-8.4 8.4 0 0 8.4-8.4 0Z"/><path class="stroke" d="M0-3.4V.8M0 3.3v.1"/>'
    ),
}
TONES = {Outcome.MATCH: "match", Outcome.NO_MATCH: "none", Outcome.INCONCLUSIVE: "open"}
BADGE = Markup('<svg class="badge {}" viewBox="-10 -10 20 20" width="20" height="20" aria-hidden="true">{}</svg>')
STRIP = Markup('<svg class="{}" width="100%" height="{:g}" role="img" aria-label="{}">{}</svg>')
RANGE = Markup('<line class="range {}" x1="{}" x2="{}" y1="{y}" y2="{y}"/>')
RANGE_END = Markup('<path class="range {}" d="M0-5V5"/>')
DOT = Markup('<circle class="dot {}" r="{}"/>')
TITLED = Markup('<text class="lane" y="{y}">{}</text><text class="value" x="100%" dx="-6" y="{y}" text-anchor="end">{}</text>')
REGION = Markup('<rect class="region" x="{}" y="0" width="{}" height="{:g}"/>')
EDGE = Markup('<line class="edge" x1="{0}" x2="{0}" y1="{1:g}" y2="{2:g}"/>')
DIAMOND = Markup('<path class="own" d="M0-6.5 6.5 0 0 6.5-6.5 0Z"/>')
BINS = 40  # columns in which equal innocent scores are stacked
STACK = 64  # the largest height of a stack of innocents, in pixels
STEP = 9.0  # pixels between stacked innocents, if there is room
LANE = 46  # pixels between lanes
WORDS = 18  # pixels at the top of a lane that hold its words, which no line crosses


def badge(outcome: Outcome) -> Markup:
    """The outcome's shape: filled disc, hollow ring or diamond, beside the words."""
    return BADGE.format(TONES[outcome], SHAPES[outcome])


def strip(finding: Finding, told: Figures, outcome: Outcome, least: float | None) -> Markup:
    """One axis from 0 to 100 % (of the samples): the protected model, the suspect with its interval, the innocents.

    `told`: the finding's figures. Scores above `least` are tinted; None: no score matches.
    """
    scores = _compared(finding)
    swarm, rise = _swarm(scores, 2 * LANE + 24)
    base = 2 * LANE + 30 + rise
    parts = (
        _region(least, base),
        _axis(base),
        _titled("Protected model", told.own, 0),
        _at(finding.test.target_score, 28, DIAMOND),
        _titled("This suspect", f"{told.score} ({told.interval})", LANE),
        *_suspect_lane(finding, outcome),
        _titled(told.others, told.spread, 2 * LANE),
        swarm,
    )
    return STRIP.format("strip", base + 22, told.whole, Markup("").join(parts))


def small_strip(finding: Finding, told: Figures, outcome: Outcome) -> Markup:
    """The same on one line, for a table."""
    scores = _compared(finding)
    low, high = finding.interval
    parts = (
        Markup('<line class="rule" x1="0" x2="100%" y1="12" y2="12"/>'),
        *(Markup('<line class="tick" x1="{0}" x2="{0}" y1="7" y2="17"/>').format(_x(score)) for score in scores),
        RANGE.format(TONES[outcome], _x(low), _x(high), y=12),
        _at(finding.test.target_score, 12, DIAMOND),
        _at(finding.score, 12, DOT.format(TONES[outcome], 4.5)),
    )
    return STRIP.format("small strip", 24, told.whole, Markup("").join(parts))


def leaning(finding: Finding, alpha: float) -> Outcome:
    """The tone of a test that does not decide: whether p <= alpha, if p could be that small at all."""
    if finding.smallest > alpha:
        return Outcome.INCONCLUSIVE
    return Outcome.MATCH if finding.p <= alpha else Outcome.NO_MATCH


def _compared(finding: Finding) -> tuple[float, ...]:
    """The scores to compare the suspect's with: of innocent models, or chance."""
    luck = finding.test.null.luck
    scores = finding.test.null.scores
    return scores if luck is None else (luck,)


def _suspect_lane(finding: Finding, outcome: Outcome) -> tuple[Markup, ...]:
    low, high = finding.interval
    return (
        RANGE.format(TONES[outcome], _x(low), _x(high), y=LANE + 28),
        *(_at(end, LANE + 28, RANGE_END.format(TONES[outcome])) for end in (low, high)),
        _at(finding.score, LANE + 28, DOT.format(TONES[outcome], 6)),
    )


def _titled(name: str, value: str, top: int) -> Markup:
    return TITLED.format(name, value, y=top + 12)


def _swarm(scores: tuple[float, ...], top: int) -> tuple[Markup, float]:
    """The innocents as a stacked dot plot below `top`, and its height."""
    stacks = Counter(round(score * BINS) for score in scores)
    tallest = max(stacks.values(), default=0)
    step = min(STEP, STACK / max(tallest - 1, 1))
    height, placed, dots = step * max(tallest - 1, 0), Counter[int](), []
    for score in sorted(scores):
        column = round(score * BINS)
        level = top + height - step * placed[column]
        placed[column] += 1
        dots.append(Markup('<circle class="innocent" cx="{}" cy="{}" r="3.6"/>').format(_x(score), f"{level:g}"))
    return Markup("").join(dots), height


def _axis(base: float) -> Markup:
    ends = {0: "start", 50: "middle", 100: "end"}
    lines = [
        Markup('<line class="grid" x1="{0}%" x2="{0}%" y1="0" y2="{1}"/>').format(at, f"{base:g}") for at in range(0, 101, 25)
    ]
    rule = Markup('<line class="rule" x1="0" x2="100%" y1="{0}" y2="{0}"/>').format(f"{base:g}")
    labels = [
        Markup('<text class="scale" x="{0}%" y="{1}" text-anchor="{2}">{0}\N{NO-BREAK SPACE}%</text>').format(
            at, f"{base + 16:g}", anchor
        )
        for at, anchor in ends.items()
    ]
    return Markup("").join((*lines, rule, *labels))


def _region(least: float | None, base: float) -> Markup:
    """The scores that would match, tinted."""
    if least is None or least >= 1:
        return Markup()
    edges = [EDGE.format(_x(least), top + WORDS, end) for top, end in ((0, LANE), (LANE, 2 * LANE), (2 * LANE, base))]
    return Markup("").join((REGION.format(_x(least), _x(1 - least), base), *edges))


def _x(share: float) -> str:
    return f"{100 * min(max(share, 0.0), 1.0):.5g}%"


def _at(share: float, y: int, mark: Markup) -> Markup:
    """`mark`, drawn around (0, 0), moved to a share of the width."""
    return Markup('<svg x="{}" y="{}" overflow="visible">{}</svg>').format(_x(share), y, mark)
