"""Writes the figures of `benchmarks/results/` into the docs, between `<!-- table: NAME -->` and `<!-- end -->`.

`python benchmarks/tables.py` updates all pages; every experiment does so when it ends.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

import cost_tables
import mark_tables
import network_tables
import residual_tables
import saliency_tables
import short_tables
import suspect_tables
import verdict_tables
import zoo_tables
from helped import helped

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PAGES = (
    *(
        "README.md",
        "docs/results.md",
        "docs/results-watermarks.md",
        "docs/results-by-suspect.md",
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
        files = [RESULTS / f"{name}.json" for name in SOURCES.get(found[2], (found[2],))]
        if not all(file.exists() for file in files):
            return found[0]
        kept = [json.loads(file.read_text()) for file in files]
        figures = [one["figures"] for one in kept]
        noted = NOTED.get(found[2])
        text = TABLES[found[2]](*figures) if noted is None else noted(figures[0], kept[0]["notes"])
        return f"{found[1]}\n{text}\n{found[4]}"

    return MARKED.sub(table, page)


def fill() -> None:
    """Updates every page."""
    for name in PAGES:
        page = ROOT / name
        page.write_text(filled(page.read_text()))


BENCHES = ("skin-cpu", "mnist-cpu", "cifar10-cpu")
ZOOS = ("skin-small", "cifar10-small", "mnist-small", "age-cpu", "face-cpu")

NOTED = {"network-matrix": network_tables.networks}  # tables that show texts, too
TABLES: dict[str, Callable[..., str]] = {  # of the figures of each of its sources, one unless `SOURCES` names more
    "copies-in-short": short_tables.copies,
    "accusations-in-short": short_tables.accusations,
    "mark-in-short": short_tables.mark,
    "allowance": mark_tables.allowance,
    "false-accusations": verdict_tables.accusations,
    "exported": suspect_tables.exported,
    "formats": suspect_tables.formats,
    "forger": verdict_tables.forger,
    "grinding": verdict_tables.grinding,
    "skin-elsewhere": suspect_tables.elsewhere,
    "skin-first": saliency_tables.skin_first,
    "skin-suspects": saliency_tables.skin_suspects,
    "saliency-variants": saliency_tables.variants,
    "detect": network_tables.detectors,
    **dict.fromkeys(("marks", "marks-cifar10", "marks-tinyimagenet100"), mark_tables.marks),
    "mark-keys": mark_tables.other_keys,
    "network-speed": network_tables.speed,
    "protect-speed": cost_tables.speed,
    "residual-zero": residual_tables.zero,
    "inconspicuous": residual_tables.inconspicuous,
    "sequential": verdict_tables.sequential,
    "residual-forger": residual_tables.forgeries,
    "students": residual_tables.students,
    "student-alarms": residual_tables.alarms,
    "student-traces": residual_tables.traces,
    "traces-in-short": residual_tables.traces_in_short,
    "vit": network_tables.transformers,
    "watermark-finetune": mark_tables.finetune,
    "watermark-prune": mark_tables.prune,
    "watermark-speed": mark_tables.embedding,
    "watermark-table": mark_tables.watermark,
    "web-speed": cost_tables.web_speed,
    **dict.fromkeys(ZOOS, zoo_tables.separation),
    **{f"{name}-copies": zoo_tables.copies for name in ZOOS},
    **{f"{name}-independents": zoo_tables.independents for name in ZOOS},
    **dict.fromkeys(BENCHES, suspect_tables.areas),
    **{f"{name}-suspects": suspect_tables.suspects for name in BENCHES},
}
SOURCES: dict[str, tuple[str, ...]] = {  # results by whose names a table is not called
    "copies-in-short": ZOOS,
    "accusations-in-short": ("false-accusations",),
    "mark-in-short": ("watermark-table", "watermark-finetune"),
    "skin-suspects": ("skin-first",),
    "mark-keys": ("marks",),
    "student-alarms": ("students",),
    "student-traces": ("students",),
    "traces-in-short": ("students",),
    **{f"{name}-{one}": (name,) for name in ZOOS for one in ("copies", "independents")},
    **{f"{name}-suspects": (name,) for name in BENCHES},
}

if __name__ == "__main__":
    helped(__doc__)
    fill()
