"""A pledge on its way to a pulse: JSON data, and lines for people. No torch."""

from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from ownmark.cli.answer import Answer
from ownmark.cli.console import facts, show
from ownmark.evidence.pledge import Pledge


def of_pledge(path: Path, found: Pledge) -> Answer:
    """The pledge in that file."""
    times = [f"{stamp.time:%Y-%m-%d %H:%M:%S} UTC, {stamp.url}" for stamp in found.stamps]
    rows = {
        "file": str(path),
        "timestamp": "; ".join(times) or "none yet",
        "pulse": "none yet: give it the first one after the timestamp" if found.pulse is None else found.pulse.record["uri"],
        "pledges": str(found.told["pledges"]),
        "now": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
    }
    return Answer(rows, partial(_tell, rows))


def _tell(rows: dict[str, str]) -> None:
    show("A pledge", "bold")
    facts(dict(rows))
