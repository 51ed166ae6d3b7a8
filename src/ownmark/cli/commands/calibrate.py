"""`ownmark calibrate`: how models known to be independent answer a claim. No torch, unless one of them is a torch module."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

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
    argument,
    near_of,
    option,
)


@dataclass(frozen=True, kw_only=True)
class Calibrate:
    """Calibrate a claim on models known to be independent. Before that no verdict can uphold it."""

    example: ClassVar[str] = "ownmark calibrate my.claim innocents/*.safetensors --model mymodel:build"
    claim: ClaimFile
    innocents: Annotated[list[str], argument("FILE", "Innocent models: weights or ONNX.")]
    model: ModelOfFiles = None
    out: Annotated[Path | None, option("FILE", "Write the claim here and leave the old one.")] = None
    outputs: Outputs = None
    output: Output = ""
    layer: Layer = ""
    mean: Mean = None
    std: Std = None
    device: Device = "auto"
    allow_external: AllowExternal = False
    allow_code: AllowCode = False

    def run(self) -> Answer:
        from ownmark.claims.claim import Claim
        from ownmark.cli.console import Terminal
        from ownmark.cli.render_judge import of_calibrate
        from ownmark.workflows.calibrate import CalibrateRequest, calibrate

        claim, out = Claim.load(self.claim), self.out or self.claim
        near = near_of(self, claim, self.model)
        request = CalibrateRequest(claim=claim, innocents=tuple(self.innocents), near=near, out=out)
        return of_calibrate(calibrate(request, Terminal()), out)
