"""The table of watermarks against thieves who train on answers or on weights."""

from shown import Figures, percent

SCHEMES = ("undertone", "partitioned")
TOLD = {"unmarked": "the model before it was marked", "marked": "the marked model"}


def marks(figures: Figures) -> str:
    """Per theft and scheme: the share of triggers that match, the accuracy of what was made, and whether it is a match."""
    found = [key.split(".marked.", 1)[0] for key in figures if key.endswith(".marked.score")]
    schemes = [name for name in SCHEMES if name in found]
    thefts = [key.removeprefix(f"{schemes[0]}.").removesuffix(".score") for key in figures if key.startswith(f"{schemes[0]}.")]
    order = [name for name in dict.fromkeys(thefts) if f"{schemes[0]}.{name}.score" in figures]
    order.sort(key=lambda name: (name not in TOLD, name == "marked", name))
    lines = [f"| triggers that match (accuracy) | {' | '.join(f'`{one.capitalize()}`' for one in schemes)} |"]
    lines.append("|---" * (len(schemes) + 1) + "|")
    for name in order:
        cells = []
        for scheme in schemes:
            score, right, match = (figures[f"{scheme}.{name}.{key}"] for key in ("score", "accuracy", "match"))
            said = f"{percent(score)} ({percent(right)})"
            cells.append(f"**{said}**" if match == 1 else said)
        lines.append(f"| {TOLD.get(name, name.replace('_', ' '))} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
