"""`ownmark report`: several suspects on one page. No torch, unless a suspect is a torch module."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from ownmark.cli.answer import Answer
from ownmark.cli.options import (
    AllowCode,
    AllowExternal,
    Alpha,
    Claimant,
    ClaimFile,
    Device,
    JudgeName,
    Layer,
    Mean,
    ModelOfFiles,
    Output,
    Outputs,
    Std,
    Way,
    about,
    argument,
    near_of,
    option,
    rate,
)


@dataclass(frozen=True, kw_only=True)
class Report:
    """Judge several suspects on one HTML page that opens without a network.

    A suspect that cannot be judged is listed with the cause; the exit code is then 5.
    """

    example: ClassVar[str] = "ownmark report my.claim one.onnx two.pt --model my:build --access probabilities --out page.html"
    claim: ClaimFile
    suspects: Annotated[
        list[str],
        argument("SUSPECT", "ONNX files, weights of MODEL, or module:factory."),
    ]
    out: Annotated[Path, option("PAGE", "The page to write.")]
    model: ModelOfFiles = None
    alpha: Alpha = 0.05
    access: Way = None
    outputs: Outputs = None
    output: Output = ""
    layer: Layer = ""
    mean: Mean = None
    std: Std = None
    device: Device = "auto"
    allow_external: AllowExternal = False
    claimant: Claimant = ""
    judge: JudgeName = ""
    allow_code: AllowCode = False

    def run(self) -> Answer:
        from ownmark.claims.claim import Claim
        from ownmark.cli.console import Terminal
        from ownmark.cli.render_judge import of_report
        from ownmark.workflows.report import ReportRequest, report

        alpha, claim = rate(self.alpha), Claim.load(self.claim)
        request = ReportRequest(
            claim=claim,
            suspects=tuple(self.suspects),
            near=near_of(self, claim, self.model),
            page=self.out,
            alpha=alpha,
            access=self.access or "",
            about=about(self.claimant, self.judge),
        )
        return of_report(report(request, Terminal()), self.out)
