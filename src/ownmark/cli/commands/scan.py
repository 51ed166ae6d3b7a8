"""`ownmark scan`: many suspects at once. No torch, unless a suspect needs it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from ownmark.cli.access import reach_of
from ownmark.cli.answer import Answer
from ownmark.cli.options import AllowExternal, ClaimFile, Device, Layer, Mean, ModelOfFiles, Output, Outputs, Std, Way
from ownmark.cli.options import rate as checked_rate
from ownmark.cli.web import Api, AtOnce, Header, PerSecond, Tensor


@dataclass(frozen=True, kw_only=True)
class Scan:
    """Ask many suspects: a few questions to each, all of them to those that are left; every p is corrected for all suspects.

    A scan that was cut short goes on where it was, and each further scan of a claim may use a smaller share of the rate, since
    scanning one by one is scanning. "Look closer" bounds the share of false leads (Benjamini and Hochberg); a MATCH, which names
    one suspect, bounds the chance of any false accusation (Holm).
    """

    example: ClassVar[str] = "ownmark scan my.claim suspects/*.onnx http://127.0.0.1:8000/v2/models/suspect"
    claim: ClaimFile
    suspects: Annotated[
        list[str],
        typer.Argument(
            metavar="SUSPECT", help="ONNX files, weights of MODEL, module:factory, addresses, api.yaml.", show_default=False
        ),
    ]
    model: ModelOfFiles = None
    rate: Annotated[
        float, typer.Option(metavar="RATE", help="The share of false leads, and the chance of a false accusation.")
    ] = 0.05
    screen: Annotated[int, typer.Option(min=1, metavar="N", help="Samples that every suspect is asked about first.")] = 20
    keep: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where every suspect's answers are kept (CLAIM.scan if not said).", show_default=False),
    ] = None
    last: Annotated[bool, typer.Option("--last", help="Use all of the rate that is left; no suspect can be added later.")] = False
    access: Way = None
    outputs: Outputs = None
    output: Output = ""
    layer: Layer = ""
    mean: Mean = None
    std: Std = None
    device: Device = "auto"
    allow_external: AllowExternal = False
    api: Api = None
    header: Header = None
    tensor: Tensor = None
    per_second: PerSecond = 0
    at_once: AtOnce = 8

    def run(self) -> Answer:
        from ownmark.claims.claim import Claim
        from ownmark.cli.console import Terminal
        from ownmark.cli.render_judge import of_scan
        from ownmark.workflows.scan import ScanRequest, scan

        claim = Claim.load(self.claim)
        request = ScanRequest(
            claim=claim,
            suspects=tuple(self.suspects),
            reach=reach_of(self, claim, self.model),
            keep=self.keep or self.claim.with_name(f"{self.claim.name}.scan"),
            rate=checked_rate(self.rate),
            screen=self.screen,
            last=self.last,
            access=self.access or "",
        )
        return of_scan(scan(request, Terminal()))
