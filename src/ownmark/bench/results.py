"""Writes a bench's results: every outcome, tables as CSV and Markdown, figures, and one page with all of them."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ownmark.bench.figures.curves import pictures
from ownmark.bench.provenance import provenance
from ownmark.bench.tables import Figures, Table, figures, tables
from ownmark.bench.trial import Outcome
from ownmark.files import write_whole
from ownmark.report.page import template

PAGE = "report.html"
CAPTIONS = {
    "curves": "R: share of copies that score above the threshold. U: share of independent models that do not. "
    "The fainter lines are single repeats.",
    "areas": "ARUC, the mean of min(R, U) over all thresholds, with its spread over the repeats; paler: behind a thief's alarm "
    "that answers at random when it rings.",
    "scores": "Each dot is one repeat; crosses are independent models.",
    "survival": "Each dot is a marked model or a copy of one: the share of triggers that still hold, and its accuracy.",
    "distances": "Scores by a thief's detectors of normal images and of a claim's queries; right of the dashed line the alarm "
    "rings, as it does for 5 % of the normal images.",
    "samples": "The first samples of each scheme's claim, as sent.",
    "ablations": "The same answers judged by other thresholds, or by the first samples alone.",
}


@dataclass(frozen=True)
class Results:
    """The results of a bench called `title`."""

    title: str
    outcomes: Sequence[Outcome]

    @property
    def ended(self) -> bool:
        """Whether any trial has an outcome that is no error."""
        return any(one.error is None for one in self.outcomes)

    @property
    def figures(self) -> Figures:
        return figures(self.outcomes)

    @property
    def tables(self) -> list[Table]:
        return tables(self.outcomes)

    @property
    def pictures(self) -> dict[str, str]:
        """Name -> SVG."""
        return pictures(self.outcomes)

    def write(self, folder: Path) -> Path:
        """Writes everything into the folder; returns the page, which is written last."""
        folder.mkdir(parents=True, exist_ok=True)
        drawn, told = self.pictures, self.tables
        texts = {f"{table.name}.csv": table.csv() for table in told} | {f"{name}.svg": svg for name, svg in drawn.items()}
        texts["tables.md"] = "\n".join(f"## {table.title}\n\n{table.markdown()}" for table in told)
        texts["figures.json"] = json.dumps(self.figures, indent=1, sort_keys=True)
        texts["outcomes.json"] = json.dumps([outcome.to_json() for outcome in self.outcomes], indent=1)
        texts[PAGE] = self.page(drawn)
        for name, text in texts.items():
            write_whole(folder / name, text.encode())
        return folder / PAGE

    def page(self, drawn: Mapping[str, str]) -> str:
        """One self-contained HTML page."""
        shown = [(CAPTIONS[name], base64.b64encode(svg.encode()).decode()) for name, svg in drawn.items()]
        return template("bench.html", "bench").render(
            title=self.title, outcomes=self.outcomes, tables=self.tables, pictures=shown, made=provenance()
        )
