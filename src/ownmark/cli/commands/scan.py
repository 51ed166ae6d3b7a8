"""`ownmark scan`: many suspects at once, also those inside apps. No torch, unless a suspect needs it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from ownmark.cli.answer import Answer
from ownmark.cli.options import (
    AllowCode,
    AllowExternal,
    ClaimFile,
    Device,
    Layer,
    Mean,
    ModelOfFiles,
    Output,
    Outputs,
    Std,
    Way,
    argument,
    option,
    reach_of,
)
from ownmark.cli.options import rate as checked_rate
from ownmark.cli.web import Api, AtOnce, Binary, Header, PerSecond, Tensor

MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class Scan:
    """Ask many suspects: a few questions to each, all of them to those that are left; every p is corrected for all suspects.

    An interrupted scan resumes, and each further scan of a claim may use a smaller share of the rate, since
    scanning one by one is scanning. "Look closer" bounds the share of false leads (Benjamini and Hochberg); a MATCH, which names
    one suspect, bounds the chance of any false accusation (Holm).

    In an app (.apk, .aab, .ipa), an archive or a folder every model is found by its content, also in archives within it. Those
    that take the claim's images, perhaps resized, are asked; the others are listed with the reason. Nothing in it is executed.
    """

    example: ClassVar[str] = "ownmark scan my.claim app.apk suspects/*.onnx http://127.0.0.1:8000/v2/models/suspect"
    claim: ClaimFile
    suspects: Annotated[
        list[str],
        argument("SUSPECT", "Apps, folders, ONNX files, weights of MODEL, addresses, ..."),
    ]
    model: ModelOfFiles = None
    rate: Annotated[
        float, typer.Option(metavar="RATE", help="The share of false leads, and the chance of a false accusation.")
    ] = 0.05
    screen: Annotated[int, typer.Option(min=1, metavar="N", help="Samples that every suspect is asked about first.")] = 20
    keep: Annotated[
        Path | None,
        option("FILE", "Where every suspect's answers are kept (CLAIM.scan by default)."),
    ] = None
    last: Annotated[bool, typer.Option("--last", help="Use all of the rate that is left; no suspect can be added later.")] = False
    most_mib: Annotated[
        int, typer.Option(min=1, metavar="MIB", help="Larger files in apps are refused; 8 times that in all.")
    ] = 1024
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Processes that ask the suspects at hand.", show_default=False)
    ] = None
    ray: Annotated[
        str | None,
        option("ADDRESS", "Ask them on this Ray cluster, which sees the same files; local starts one here."),
    ] = None
    access: Way = None
    outputs: Outputs = None
    output: Output = ""
    layer: Layer = ""
    mean: Mean = None
    std: Std = None
    device: Device = "auto"
    allow_external: AllowExternal = False
    allow_code: AllowCode = False
    api: Api = None
    header: Header = None
    tensor: Tensor = None
    binary: Binary = None
    per_second: PerSecond = 0
    at_once: AtOnce = 8

    def run(self) -> Answer:
        from ownmark.claims.claim import Claim
        from ownmark.cli.console import Terminal
        from ownmark.cli.render_judge import of_scan
        from ownmark.finding.archives import Limits
        from ownmark.workflows.scan import ScanRequest, scan
        from ownmark.workflows.scan_ahead import Helpers

        claim = Claim.load(self.claim)
        request = ScanRequest(
            claim=claim,
            suspects=tuple(self.suspects),
            reach=reach_of(self, claim, self.model),
            keep=self.keep or self.claim.with_name(f"{self.claim.name}.scan"),
            rate=checked_rate(self.rate),
            screen=self.screen,
            last=self.last,
            limits=Limits(member=self.most_mib * MIB, total=8 * self.most_mib * MIB),
            access=self.access or "",
            helpers=None if self.workers is None and self.ray is None else Helpers(self.workers, self.ray),
        )
        return of_scan(scan(request, Terminal()))
