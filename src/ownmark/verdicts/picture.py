"""The picture of a score as self-contained SVG: the suspect with its interval, the protected model, the innocents. No torch."""

from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT, LEFT, RIGHT = 560, 118, 118, 16  # pixels
LANES = {"suspect": 22, "protected model": 50, "innocent models": 78}  # name -> height of its line
AXIS = 98


def of_score(score: float, interval: tuple[float, float], *, protected: float, innocents: Sequence[float]) -> str:
    """One axis from 0 to 100 % of the samples. `innocents`: their scores, () where the null needs none."""
    low, high = interval
    suspect, own, others = LANES.values()
    named = [(name, y) for name, y in LANES.items() if innocents or y != others]
    parts = [
        *(f'<text x="{LEFT - 12}" y="{y + 4}" text-anchor="end">{name}</text>' for name, y in named),
        f'<path d="M{LEFT} {AXIS}H{WIDTH - RIGHT}" stroke="#888"/>',
        *(f'<text x="{_x(share):.1f}" y="{AXIS + 15}" text-anchor="middle">{share:.0%}</text>' for share in (0, 0.5, 1)),
        f'<path class="interval" d="M{_x(low):.1f} {suspect}H{_x(high):.1f}" stroke="#b3261e" stroke-width="3"/>',
        f'<circle class="suspect" cx="{_x(score):.1f}" cy="{suspect}" r="6" fill="#b3261e"/>',
        f'<circle class="protected" cx="{_x(protected):.1f}" cy="{own}" r="6" fill="none" stroke="#1f5fa8" stroke-width="2"/>',
        *(
            f'<circle class="innocent" cx="{_x(one):.1f}" cy="{others}" r="4" fill="#666" fill-opacity=".45"/>'
            for one in innocents
        ),
    ]
    said = f"suspect {score:.0%}, 95 % interval {low:.0%} to {high:.0%}; protected model {protected:.0%}"
    if innocents:
        said += f"; {len(innocents)} innocent models, {min(innocents):.0%} to {max(innocents):.0%}"
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    style = 'style="font:12px sans-serif;max-width:100%" fill="currentColor"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style} role="img" aria-label="{said}">{"".join(parts)}</svg>'


def titled(title: str, text: str, drawn: str) -> str:
    """A picture below its title and one sentence, both of which may hold a stranger's words."""
    return f"<div><strong>{escape(title)}</strong><p>{escape(text)}</p>{drawn}</div>"


def _x(share: float) -> float:
    """The place of a share of the samples on the axis."""
    return LEFT + share * (WIDTH - LEFT - RIGHT)
