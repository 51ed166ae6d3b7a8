"""The table of watermarks against thieves who train on answers or on weights."""

from shown import Figures, percent

SCHEMES = ("undertone", "partitioned", "entangled", "zhang")
TOLD = {"unmarked": "the model before it was marked", "marked": "the marked model"}


def marks(figures: Figures) -> str:
    """Per theft and scheme: the share of triggers that match, the accuracy of what was made, and whether it is a match."""
    found = [key.split(".marked.", 1)[0] for key in figures if key.endswith(".marked.score")]
    schemes = [name for name in SCHEMES if name in found]
    thefts = [key.split(".")[1:] for key in figures if key.endswith(".score") and key.split(".")[0] in schemes]
    order = list(dict.fromkeys(".".join(parts[:-1]) for parts in thefts))
    order.sort(key=lambda name: (name not in TOLD, name == "marked", name))
    lines = [f"| triggers that match (accuracy) | {' | '.join(f'`{one.capitalize()}`' for one in schemes)} |"]
    lines.append("|---" * (len(schemes) + 1) + "|")
    for name in order:
        cells = [_cell(figures, f"{scheme}.{name}") for scheme in schemes]
        lines.append(f"| {TOLD.get(name, name.replace('_', ' '))} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(figures: Figures, start: str) -> str:
    if f"{start}.score" not in figures:
        return ""
    said = f"{percent(figures[f'{start}.score'])} ({percent(figures[f'{start}.accuracy'])})"
    return f"**{said}**" if figures[f"{start}.match"] == 1 else said


def other_keys(figures: Figures) -> str:
    """How often p is at or below 0.05 for keys of others, beside what is stated, and the 99 % band around that."""
    told = {"innocent": "an innocent model", "student": "its student", "other_owner": "a model that bears another owner's mark"}
    lines = ["| 2,000 keys on | p at or below 0.05 | stated | 99 % band |", "|---|---|---|---|"]
    for name, said in told.items():
        if f"{name}.share_at_0.05" in figures:
            share, stated, low, high = (
                percent(figures[f"{name}.{key}"]) for key in ("share_at_0.05", "stated_at_0.05", "band_low", "band_high")
            )
            lines.append(f"| {said} | {share} | {stated} | {low} to {high} |")
    return "\n".join(lines) + "\n"
