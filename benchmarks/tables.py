"""Writes the figures of `benchmarks/results/` into the docs, between `<!-- table: NAME -->` and `<!-- end -->`.

`python benchmarks/tables.py` updates all pages; every experiment does so when it ends.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

import mark_tables
import network_tables
import residual_tables
import zoo_tables
from helped import helped
from shown import Figures, decibel, percent, ratios, shown
from suspect_tables import elsewhere, exported, suspects

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PAGES = (
    *(
        "README.md",
        "docs/results.md",
        "docs/what-was-tried.md",
        "docs/web-suspects.md",
        "docs/threat-model.md",
        "docs/formats.md",
        "docs/detection.md",
        "docs/networks.md",
    ),
    *(f"docs/schemes/{name}.md" for name in ("saliency", "partitioned", "residual", "traces", "undertone")),
)
MARKED = re.compile(r"(<!-- table: ([a-z0-9-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def filled(page: str) -> str:
    """The page's text with every table regenerated from the available results."""

    def table(found: re.Match[str]) -> str:
        file = RESULTS / f"{SOURCES.get(found[2], found[2])}.json"
        if not file.exists():
            return found[0]
        kept = json.loads(file.read_text())
        noted = NOTED.get(found[2])
        text = TABLES[found[2]](kept["figures"]) if noted is None else noted(kept["figures"], kept["notes"])
        return f"{found[1]}\n{text}\n{found[4]}"

    return MARKED.sub(table, page)


def fill() -> None:
    """Updates every page."""
    for name in PAGES:
        page = ROOT / name
        page.write_text(filled(page.read_text()))


def skin_first(figures: Figures) -> str:
    """Both schemes on the same suspects."""
    rows = [
        ("least of the fine-tuned and pruned copies", "min_copy"),
        ("most of the independent models", "max_innocent"),
        ("least of the retrained copies", "retrained"),
        ("the distilled copy", "distilled"),
    ]
    lines = [
        "| share of samples that match | white-box | black-box | white-box, as published | black-box, as published |",
        "|---|---|---|---|---|",
    ]
    for title, key in rows:
        cells = [
            percent(figures[f"{scheme}{test}.{key}"]) for scheme in ("", "as_published.") for test in ("white_box", "black_box")
        ]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    for title, key, show in (("label kept on the model itself", "label_kept", percent), ("PSNR", "psnr_db", decibel)):
        ours, published = show(figures[key]), show(figures[f"as_published.{key}"])
        lines.append(f"| {title} | {ours} | {ours} | {published} | {published} |")
    return "\n".join(lines) + "\n"


def skin_suspects(figures: Figures) -> str:
    """Every suspect by name, with its quality and scores."""
    names = [key.removeprefix("white_box.score.") for key in figures if key.startswith("white_box.score.")]
    order = sorted(names, key=lambda name: (name != "target", name.startswith("innocent"), name))
    lines = ["| suspect | accuracy | balanced accuracy | white-box | black-box |", "|---|---|---|---|---|"]
    for name in order:
        prefix = "target" if name == "target" else f"suspect.{name}"
        worth = [percent(figures[f"{prefix}_{kind}"]) for kind in ("accuracy", "balanced_accuracy")]
        scores = [percent(figures[f"{test}.score.{name}"]) for test in ("white_box", "black_box")]
        lines.append(f"| {name.replace('_', ' ')} | {' | '.join(worth + scores)} |")
    lines.append(f"| always the commonest class | {percent(figures['majority_accuracy'])} | {percent(1 / 7)} | | |")
    return "\n".join(lines) + "\n"


def variants(figures: Figures) -> str:
    """One change at a time."""
    names = list(dict.fromkeys(key.split(".white_box")[0] for key in figures if ".white_box" in key))
    names.sort(key=lambda name: (name != "default", name))
    columns = [f"{test}.{key}" for test in ("white_box", "black_box") for key in ("min_copy", "retrained", "max_innocent")]
    head = "| variant | PSNR | white-box: copies | retrained | innocents | black-box: copies | retrained | innocents |"
    lines = [head, "|---" * 8 + "|"]
    for name in names:
        cells = [decibel(figures[f"{name}.psnr_db"]), *(percent(figures[f"{name}.{column}"]) for column in columns)]
        lines.append(f"| {name.replace('_', ' ')} | {' | '.join(cells)} |")
    failed = [
        key.removesuffix(".holds").replace("_", " ") for key, value in figures.items() if key.endswith(".holds") and not value
    ]
    return "\n".join(lines) + "\n" + (f"\nToo few samples held on the model itself: {', '.join(failed)}.\n" if failed else "")


def speed(figures: Figures) -> str:
    """Cost of protect and verify, as ratios."""
    rows = {
        "one step of `protect` over the plain forward and backward passes that it asks for": figures["step_over_plain"],
        "the straightforward version over ours": figures["naive_over_ours"],
        "`verify` over the bare forward passes of its images": figures["verify_over_forward"],
        "a step, relative to the earlier commit": figures["step_over_before"],
        "a sample of 30 steps, relative to the earlier commit": figures["sample_over_before"],
        "`verify`, relative to the earlier commit": figures["verify_over_before"],
    }
    return ratios(rows)


def sequential(figures: Figures) -> str:
    """Queries of 100 triggers that early stopping needs, with and without the allowance for tried keys."""
    rows = {f"copy, {rate} % of the marks survived": f"copy_{rate}" for rate in (100, 95, 90, 80, 60)}
    head = "| suspect | median queries, keys may have been tried | decided for the mark | median queries, they were not |"
    lines = [f"{head} decided for the mark |", "|---" * 5 + "|"]
    for title, key in (rows | {"innocent": "innocent"}).items():
        cells = [
            cell
            for bits in ("bits_64", "bits_0")
            for cell in (f"{figures[f'{bits}.{key}.median_queries']:.0f}", percent(figures[f"{bits}.{key}.matched"]))
        ]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def web_speed(figures: Figures) -> str:
    """Cost of a web suspect beyond the network."""
    rows = {
        "images a second over what latency and concurrency allow": f"{figures['throughput_over_ideal']:.2f}",
        "the client's own CPU, an image": f"{figures['cpu_ms']:.2f} ms",
        "of it, the PNG": f"{figures['png_ms']:.2f} ms",
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {title} | {value} |" for title, value in rows.items())]) + "\n"


SEEN = {
    "sample_accuracy": "accuracy on the samples",
    "psnr_db": "PSNR",
    "dr.feature_squeezing.samples": "DR, squeezing, samples",
    "dr.feature_squeezing": "all queries",
    "dr.deep_svdd.samples": "DR, SVDD, samples",
    "dr.deep_svdd": "all queries",
}
BENCHES = ("skin-cpu", "mnist-cpu", "cifar10-cpu")
ZOOS = ("skin-small", "cifar10-small", "mnist-small", "age-cpu", "face-cpu")
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


FORGERIES = {
    "arranged": "the pool arranged to the key",
    "ordered": "the classes put in order after asking",
    "planted": "answers planted in a ledger or a scan",
    "faced": "images that speak only behind a front",
    "faced_without_fronts": "the same, before a judge who tries no fronts",
}


def forger(figures: Figures) -> str:
    """Forged and genuine claims before the same judge."""
    forged, genuine = int(figures["forged_tried"]), int(figures["genuine_tried"])
    rows = {
        "forged claims upheld by a judge with references of his own": f"{figures['forged_upheld']:.0f} of {forged}",
        "the same, where the forger's innocents are believed and images are not made anew": (
            f"{figures['forged_upheld_without_a_judge']:.0f} of {forged}"
        ),
        "forged claims that could be stated as keyed, labels and images": f"{figures['forged_stated_as_keyed']:.0f} of {forged}",
        "forged images that an independent model answers as the forger wants": percent(figures["forged_score"]),
        "genuine claims upheld, on a copy and a fine-tuned copy": f"{figures['genuine_upheld']:.0f} of {genuine}",
    }
    lines = ["| | |", "|---|---|", *(f"| {title} | {value} |" for title, value in rows.items()), ""]
    lines += ["| forgery | attempts | refused | upheld | the best matches on an honest model |", "|---|---|---|---|---|"]
    for key, title in (one for one in FORGERIES.items() if f"{one[0]}_tried" in figures):
        counts = [f"{figures[f'{key}_{one}']:.0f}" for one in ("tried", "refused", "upheld")]
        lines.append(f"| {title} | {' | '.join(counts)} | {percent(figures[f'{key}_score'])} |")
    return "\n".join(lines) + "\n"


def grinding(figures: Figures) -> str:
    """False matches of independent models, and the number that the committed rate allows."""
    rows = {
        "the luckiest of all keys": "luckiest",
        "any one key": "one_key",
        "a fingerprint, by rank": "ranked",
    }
    lines = ["| each model accused by | false MATCH | p at most alpha before the factor |", "|---|---|---|"]
    for title, key in rows.items():
        plain = figures.get(f"{key}.without_factor")
        lines.append(f"| {title} | {figures[f'{key}.false_match']:.0f} | {'' if plain is None else f'{plain:.0f}'} |")
    allowed = f"of {figures['models']:.0f} models; {figures['bound']:.0f} are allowed by chance (99 %)"
    return "\n".join([*lines, f"| {allowed} | | |"]) + "\n"


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


ROUTES = {
    "rank": "a fingerprint, by rank among 19 innocents",
    "rank_among_clones": "the same among 30, of which 20 are copies of the others",
    "strata": "by rank in two strata of a judge, the harder one",
    "keyed": "a keyed watermark",
    "sequential": "the same, stopped at the first trigger that decides",
    "access_chosen": "the luckiest of three accesses, none of them named: p pays for three",
    "access_named": "the same, one of them named beforehand",
    "scan_at_once": "any of 20 innocents, scanned at once",
    "scan_one_by_one": "the same, one by one",
    "scan_in_portions": "the same, five at a time",
}


def accusations(figures: Figures) -> str:
    """The false-accusation rate of each route."""
    lines = ["| route to a verdict | stated | found | exact 99 % interval | trials |", "|---|---|---|---|---|"]
    for key, title in ROUTES.items():
        low, high = (percent(figures[f"{key}.{end}"]) for end in ("low", "high"))
        cells = [title, percent(figures[f"{key}.stated"]), percent(figures[f"{key}.found"]), f"{low} to {high}"]
        lines.append(f"| {' | '.join(cells)} | {figures[f'{key}.trials']:.0f} |")
    former = {
        "scan_one_by_one": "one by one, each at the whole rate",
        "access_chosen": "the luckiest of three accesses, at the whole rate",
    }
    for key, title in former.items():
        if f"unshared.{key}" in figures:
            lines.append(f"| {title}, as it was | | {percent(figures[f'unshared.{key}'])} | | |")
    return "\n".join(lines) + "\n"


def areas(figures: Figures) -> str:
    """Every scheme and test of a bench: separation of copies and independent models, also behind alarms, and detectability."""
    alarms = list(dict.fromkeys(key.split("_behind_")[1].split(".")[0] for key in figures if "_behind_" in key))
    seen = [measure for measure in SEEN if any(key.endswith(f".{measure}") for key in figures)]
    titles = (
        "scheme",
        "test",
        "ARUC",
        "best min(R, U)",
        *(f"ARUC behind {name}" for name in alarms),
        *(SEEN[one] for one in seen),
    )
    lines = [f"| {' | '.join(titles).replace('_', ' ')} |", "|---" * len(titles) + "|"]
    for start in (key.removesuffix(".aruc") for key in figures if key.endswith(".aruc") and "_behind_" not in key):
        scheme, test = start.split(".")
        spread = f"{figures[f'{start}.aruc']:.3f} ± {figures[f'{start}.aruc_std']:.3f}"
        cells = [scheme, test, spread, percent(figures[f"{start}.best_r_and_u"])]
        cells += [shown(figures.get(f"{start}_behind_{name}.aruc"), "{:.3f}".format) for name in alarms]
        cells += [shown(figures.get(f"{scheme}.{one}"), decibel if one == "psnr_db" else percent) for one in seen]
        lines.append(f"| {' | '.join(cells).replace('_', ' ')} |")
    return "\n".join(lines) + "\n"


def formats(figures: Figures) -> str:
    """Every format and precision of each stolen model: its score, p, and seconds."""
    cases = sorted({key.split(".")[0] for key in figures})
    names = list(dict.fromkeys(key.split(".", 1)[1].rsplit(".", 1)[0] for key in figures))
    names.sort(key=lambda name: (name != "torch float", name))
    titles = [f"{case}: {title}" for case in cases for title in ("score", "p", "seconds to export", "seconds to ask")]
    lines = [f"| format and precision | {' | '.join(titles)} |", "|---" * (len(titles) + 1) + "|"]
    for name in names:
        cells = [cell for case in cases for cell in _format_cells(figures, f"{case}.{name}")]
        lines.append(f"| {' | '.join([name, *cells])} |")
    return "\n".join(lines) + "\n"


def _format_cells(figures: Figures, row: str) -> list[str]:
    """The four cells of a row, or why it has none."""
    if f"{row}.score" not in figures:
        return ["package missing" if f"{row}.missing" in figures else "failed", "", "", ""]
    score, p, made, asked = (figures[f"{row}.{key}"] for key in ("score", "p", "made_seconds", "asked_seconds"))
    return [percent(score), f"{p:.2g}", f"{made:.1f}", f"{asked:.1f}"]


NOTED = {"network-matrix": network_tables.networks}  # tables that show texts, too
TABLES: dict[str, Callable[[Figures], str]] = {
    "allowance": allowance,
    "false-accusations": accusations,
    "exported": exported,
    "formats": formats,
    "forger": forger,
    "grinding": grinding,
    "skin-elsewhere": elsewhere,
    "skin-first": skin_first,
    "skin-suspects": skin_suspects,
    "saliency-variants": variants,
    "detect": network_tables.detectors,
    **dict.fromkeys(("marks", "marks-cifar10", "marks-tinyimagenet100"), mark_tables.marks),
    "mark-keys": mark_tables.other_keys,
    "network-speed": network_tables.speed,
    "protect-speed": speed,
    "residual-zero": residual_tables.zero,
    "inconspicuous": residual_tables.inconspicuous,
    "sequential": sequential,
    "residual-forger": residual_tables.forgeries,
    "students": residual_tables.students,
    "student-alarms": residual_tables.alarms,
    "student-traces": residual_tables.traces,
    "traces-in-short": residual_tables.traces_in_short,
    "vit": network_tables.transformers,
    "watermark-finetune": finetune,
    "watermark-prune": prune,
    "watermark-speed": mark_tables.embedding,
    "watermark-table": watermark,
    "web-speed": web_speed,
    **dict.fromkeys(ZOOS, zoo_tables.separation),
    **{f"{name}-copies": zoo_tables.copies for name in ZOOS},
    **{f"{name}-independents": zoo_tables.independents for name in ZOOS},
    **dict.fromkeys(BENCHES, areas),
    **{f"{name}-suspects": suspects for name in BENCHES},
}
SOURCES = {
    "skin-suspects": "skin-first",
    "mark-keys": "marks",
    "student-alarms": "students",
    "student-traces": "students",
    "traces-in-short": "students",
    **{f"{name}-{one}": name for name in ZOOS for one in ("copies", "independents")},
    **{f"{name}-suspects": name for name in BENCHES},
}

if __name__ == "__main__":
    helped(__doc__)
    fill()
