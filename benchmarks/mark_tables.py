"""The table of watermarks against thieves who train on answers or on weights."""

from shown import Figures, percent, ratios

COLUMNS = {
    "undertone": "`Undertone`",
    "partitioned": "`Partitioned`",
    "entangled": "`Entangled`",
    "zhang": "`Zhang`",
}
TOLD = {"unmarked": "the model before it was marked", "marked": "the marked model"}


def marks(figures: Figures) -> str:
    """Per theft and scheme: the share of triggers that hold, the accuracy of what was made, and whether it is a match."""
    found = [start for start in COLUMNS if f"{start}.marked.score" in figures]
    scored = [key.removesuffix(".score") for key in figures if key.endswith(".score")]
    order = sorted({key.removeprefix(f"{start}.") for start in found for key in scored if key.startswith(f"{start}.")})
    order.sort(key=lambda name: (name not in TOLD, name == "marked"))
    lines = [f"| triggers that hold (accuracy) | {' | '.join(COLUMNS[start] for start in found)} |"]
    lines.append("|---" * (len(found) + 1) + "|")
    for name in order:
        cells = [_cell(figures, f"{start}.{name}") for start in found]
        lines.append(f"| {TOLD.get(name, name.replace('_', ' '))} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(figures: Figures, start: str) -> str:
    if f"{start}.score" not in figures:
        return ""
    held = figures.get(f"{start}.held", figures[f"{start}.score"])
    said = f"{percent(held)} ({percent(figures[f'{start}.accuracy'])})"
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


def embedding(figures: Figures) -> str:
    """Cost of a mark relative to the model's own training, what it costs in accuracy, and what thieves leave of it."""
    costs = {
        "embedding 100 triggers over one epoch of the model's own training": figures["embedding_over_epoch"],
        "the same with fewer images, asked about once": figures["embedding_over_epoch_fast"],
        "the latter over the former": figures["fast_over_now"],
        "in more layers, all the way, over one epoch": figures["embedding_over_epoch_deep"],
    }
    lines = [ratios(costs)]
    builds = {"now": "default", "fast": "fewer images", "deep": "more layers"}
    places = {"mnist": "MNIST", "cifar10": "CIFAR-10"}
    heads = [f"{title}, {build}" for title in places.values() for build in builds.values()]
    lines += [f"| accuracy; survival | {' | '.join(heads)} |", "|---" * (1 + len(heads)) + "|"]
    for row in dict.fromkeys(
        name.removeprefix("mnist.now.").rpartition(".")[0] for name in figures if name.startswith("mnist.now.")
    ):
        cells = [
            f"{percent(figures[f'{place}.{build}.{row}.accuracy'])}; {percent(figures[f'{place}.{build}.{row}.survival'])}"
            for place in places
            for build in builds
        ]
        lines.append(f"| {row.replace('_', ' ')} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
