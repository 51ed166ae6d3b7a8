"""Tables of watermarks: what a mark costs, and what thieves who train on answers or on weights leave of it."""

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


SETS = {"mnist": "MNIST", "cifar10": "CIFAR-10", "tinyimagenet100": "Tiny-ImageNet, 100 classes"}


def watermark(figures: Figures) -> str:
    """Each scheme's cost in clean accuracy, and trigger survival: mean and spread over the seeds."""
    lines = ["| set | scheme | accuracy before | after | survival | log10 p before the factor |", "|---|---|---|---|---|---|"]
    for key, title in SETS.items():
        schemes = dict.fromkeys(name.split(".")[1] for name in figures if name.startswith(f"{key}."))
        for scheme in schemes:
            start = f"{key}.{scheme}"
            cells = [
                f"{100 * figures[f'{start}.{column}']:.2f} ± {100 * figures[f'{start}.{column}_std']:.2f} %"
                for column in ("accuracy_before", "accuracy_after", "survival")
            ]
            exponent = f"{figures[f'{start}.log10_p']:.1f}" if figures[f"{start}.log10_p"] else "labels not keyed"
            lines.append(f"| {title} | {scheme.replace('_', ' ')} | {' | '.join(cells)} | {exponent} |")
    return "\n".join(lines) + "\n"


def finetune(figures: Figures) -> str:
    """Accuracy and survival of each mark after fine-tuning at increasing rates."""
    schemes = list(dict.fromkeys(name.split(".")[1] for name in figures if ".rate_" in name))
    lines = [f"| set | rate | {' | '.join(scheme.replace('_', ' ') for scheme in schemes)} |", "|---" * (2 + len(schemes)) + "|"]
    for key, title in SETS.items():
        start = f"{key}.{schemes[0]}.rate_"
        rates = sorted({name.removeprefix(start).rpartition(".")[0] for name in figures if name.startswith(start)}, key=float)
        for rate in rates:
            pairs = [[figures[f"{key}.{scheme}.rate_{rate}.{what}"] for what in ("accuracy", "survival")] for scheme in schemes]
            cells = [" / ".join(percent(value) for value in pair) for pair in pairs]
            lines.append(f"| {title} | {'none' if rate == '0' else rate} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def prune(figures: Figures) -> str:
    """Survival at the pruning that costs ten points of accuracy."""
    keys = [name.split(".")[:2] for name in figures if name.endswith(".survival_at_fall")]
    schemes = list(dict.fromkeys(scheme for _, scheme in keys))
    lines = [f"| set | {' | '.join(scheme.replace('_', ' ') for scheme in schemes)} |", "|---" * (1 + len(schemes)) + "|"]
    for key in dict.fromkeys(key for key, _ in keys):
        cells = [percent(figures[f"{key}.{scheme}.survival_at_fall"]) for scheme in schemes]
        lines.append(f"| {SETS[key]} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def allowance(figures: Figures) -> str:
    """Matches of each kind of mark under each allowance, then every attacked mark on which the allowances disagree."""
    bits = sorted({int(key.rsplit("^", 1)[1]) for key in figures if ".match_2^" in key}, reverse=True)
    rows = sorted(key.removesuffix(".survived") for key in figures if key.endswith(".survived"))
    heads = [f"under 2^{one}" for one in bits]
    lines = [f"| mark | attacked | {' | '.join(heads)} |", "|---|---|" + "---|" * len(bits)]
    for kind in dict.fromkeys(".".join(row.split(".")[:2]) for row in rows):
        mine = [row for row in rows if row.startswith(f"{kind}.")]
        counts = [f"{sum(figures[f'{row}.match_2^{one}'] for row in mine):.0f}" for one in bits]
        lines.append(f"| {kind.replace('.', ', ').replace('_', ' ')} | {len(mine)} | {' | '.join(counts)} |")
    needed = [f"{figures[f'all.needed_of_100_2^{one}']:.0f}" for one in bits]
    lines += [f"| matches that are needed, of 100 | | {' | '.join(needed)} |", ""]
    lines += [f"| where they disagree | triggers that hold | {' | '.join(heads)} |", "|---|---|" + "---|" * len(bits)]
    for row in rows:
        found = [figures[f"{row}.match_2^{one}"] for one in bits]
        if len(set(found)) > 1:
            told = " | ".join("MATCH" if one else "" for one in found)
            lines.append(f"| {', '.join(row.split('.', 2)).replace('_', ' ')} | {percent(figures[f'{row}.survived'])} | {told} |")
    return "\n".join(lines) + "\n"
