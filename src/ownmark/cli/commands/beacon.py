"""`ownmark beacon`: a pledge is timestamped, then given the first public pulse after that. No torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from ownmark.cli.answer import Answer
from ownmark.cli.evidence_options import Authority


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
            help="The pulse: a file or an address, JSON as the NIST Randomness Beacon 2.0 or drand has it.",
            show_default=False,
        ),
    ] = None
    certificate: Annotated[
        Path | None,
        typer.Option(
            metavar="PEM", help="The beacon's certificate (PEM), or drand's info on its chain (JSON).", show_default=False
        ),
    ] = None

    def run(self) -> Answer:
        from ownmark.cli.render_beacon import of_pledge
        from ownmark.workflows.beacon import BeaconRequest, beacon
        from ownmark.workflows.posting import fetched, posting

        request = BeaconRequest(self.pledge, posting, fetched, tsa=self.tsa, pulse=self.pulse, certificate=self.certificate)
        return of_pledge(self.pledge, beacon(request))
