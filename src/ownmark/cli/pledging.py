"""A pledge on the command line: made by `protect`, then timestamped, then given the first public pulse after that. No torch."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from ownmark.cli.evidence_options import Authority
from ownmark.cli.files import check_writable
from ownmark.cli.options import AsJson
from ownmark.cli.sealing import show_facts
from ownmark.errors import UsageError
from ownmark.workflows.posting import fetched, posting

if TYPE_CHECKING:
    from ownmark.evidence.beacon import Pulse
    from ownmark.evidence.pledge import Pledge


@dataclass(frozen=True, kw_only=True)
class Beacon:
    """Timestamp a pledge, or give it the first pulse of a public beacon after its timestamp. Then `protect` goes on."""

    example: ClassVar[str] = "ownmark beacon my.pledge --pulse https://beacon.nist.gov/beacon/2.0/pulse/time/next/MILLISECONDS"
    pledge: Annotated[
        Path, typer.Argument(metavar="PLEDGE", help="What `ownmark protect --pledge PLEDGE` wrote.", show_default=False)
    ]
    tsa: Authority = None
    pulse: Annotated[
        str | None,
        typer.Option(
            metavar="PULSE",
            help="The pulse: a file or an address, JSON as the NIST Randomness Beacon 2.0 has it.",
            show_default=False,
        ),
    ] = None
    certificate: Annotated[
        Path | None,
        typer.Option(
            metavar="PEM", help="The beacon's certificate, to see at once that a judge can check it.", show_default=False
        ),
    ] = None
    as_json: AsJson = False

    def run(self) -> None:
        from ownmark.evidence import pledge

        found = pledge.read(self.pledge)
        check_writable(self.pledge)
        if (self.tsa is None) == (self.pulse is None):
            raise UsageError("give --tsa URL, to have the pledge timestamped, or --pulse PULSE, the first pulse after that")
        found = self._stamped(found, self.tsa) if self.tsa is not None else pledge.with_pulse(found, self._pulse())
        found.save(self.pledge)
        self._tell(found)

    def _stamped(self, found: "Pledge", url: str) -> "Pledge":
        from ownmark.evidence import timestamp

        if found.stamps:
            raise UsageError(f"{self.pledge} is timestamped: every further timestamp would be another pledge to pay for")
        return replace(found, stamps=(timestamp.asked(found.envelope.data, url, posting(url)),))

    def _pulse(self) -> "Pulse":
        from ownmark.evidence import beacon

        named = str(self.pulse)
        try:
            data = fetched(named) if "://" in named else Path(named).read_bytes()
        except OSError as error:
            raise UsageError(f"cannot read the pulse {named}: {error.strerror or error}") from error
        pulse = beacon.from_bytes(data)
        if self.certificate is not None:
            pulse.check(beacon.certificates_in(self.certificate))
        return pulse

    def _tell(self, found: "Pledge") -> None:
        times = [f"{stamp.time:%Y-%m-%d %H:%M:%S} UTC, {stamp.url}" for stamp in found.stamps]
        rows = {
            "file": str(self.pledge),
            "timestamp": "; ".join(times) or "none yet",
            "pulse": "none yet: give it the first one after the timestamp" if found.pulse is None else found.pulse.record["uri"],
            "pledges": str(found.told["pledges"]),
            "now": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
        }
        show_facts("A pledge", rows, self.as_json)
