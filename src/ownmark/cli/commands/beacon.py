"""`ownmark beacon`: a pledge is timestamped, then given the first public pulse after that. No torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from ownmark.cli.answer import Answer
from ownmark.cli.evidence_options import Authority
from ownmark.cli.options import argument, option


@dataclass(frozen=True, kw_only=True)
class Beacon:
    """Timestamp a pledge, or give it the first pulse of a public beacon after its timestamp. Then `protect` goes on."""

    example: ClassVar[str] = "ownmark beacon my.pledge --pulse https://beacon.nist.gov/beacon/2.0/pulse/time/next/MILLISECONDS"
    pledge: Annotated[Path, argument("PLEDGE", "What `ownmark protect --pledge PLEDGE` wrote.")]
    tsa: Authority = None
    pulse: Annotated[
        str | None,
        option("PULSE", "The pulse: a file or an address, JSON as the NIST Randomness Beacon 2.0 has it."),
    ] = None
    certificate: Annotated[
        Path | None,
        option("PEM", "The beacon's certificate, to see at once that a judge can check it."),
    ] = None

    def run(self) -> Answer:
        from ownmark.cli.render_beacon import of_pledge
        from ownmark.workflows.beacon import BeaconRequest, beacon
        from ownmark.workflows.posting import fetched, posting

        request = BeaconRequest(self.pledge, posting, fetched, tsa=self.tsa, pulse=self.pulse, certificate=self.certificate)
        return of_pledge(self.pledge, beacon(request))
