"""The judge's commands: what can be typed to calibrate a claim, to ask suspects and to look into a claim."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from ownmark.cli.files import check_writable
from ownmark.cli.options import (
    Alpha,
    AsJson,
    ClaimFile,
    Device,
    Layer,
    Mean,
    ModelOfFiles,
    Outputs,
    Std,
    Weights,
    chosen,
    normalisation,
    rate,
)

if TYPE_CHECKING:
    from ownmark.claim import Claim
    from ownmark.cli.suspects import Access


@dataclass(frozen=True, kw_only=True)
class Calibrate:
    """Show a claim to models that are certainly innocent. Before that no verdict can uphold it."""

    example: ClassVar[str] = "ownmark calibrate my.claim innocents/*.safetensors --model mymodel:build"
    claim: ClaimFile
    innocents: Annotated[list[str], typer.Argument(metavar="FILE", help="Innocent models: weights or ONNX.", show_default=False)]
    model: ModelOfFiles = None
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the claim here and leave the old one.", show_default=False)
    ] = None
    outputs: Outputs = "logits"
    mean: Mean = None
    std: Std = None
    device: Device = "auto"
    as_json: AsJson = False

    def run(self) -> None:
        from ownmark.claim import Claim
        from ownmark.cli.judge import calibrated

        claim, out = Claim.load(self.claim), self.out or self.claim
        check_writable(out)
        calibrated(claim, self.innocents, _access(self, claim), out, as_json=self.as_json)


@dataclass(frozen=True, kw_only=True)
class Verify:
    """Ask one suspect and give a verdict: MATCH (supporting), NO MATCH or INCONCLUSIVE."""

    example: ClassVar[str] = "ownmark verify my.claim mymodel:build --weights suspect.safetensors --report page.html"
    claim: ClaimFile
    suspect: Annotated[
        str, typer.Argument(metavar="SUSPECT", help="suspect.onnx, module:factory or torchvision:resnet18.", show_default=False)
    ]
    weights: Weights = None
    alpha: Alpha = 0.05
    report: Annotated[Path | None, typer.Option(metavar="PAGE", help="Write a page about it, too.", show_default=False)] = None
    outputs: Outputs = "logits"
    layer: Layer = ""
    mean: Mean = None
    std: Std = None
    device: Device = "auto"
    as_json: AsJson = False

    def run(self) -> None:
        from ownmark.claim import Claim
        from ownmark.cli.judge import verified
        from ownmark.cli.records import EXIT_CODES

        rate(self.alpha)
        claim = Claim.load(self.claim)
        if self.report is not None:
            check_writable(self.report)
        suspect = _access(self, claim).suspect(self.suspect, self.weights)
        outcome = verified(claim, suspect, self.alpha, self.report, as_json=self.as_json)
        raise typer.Exit(EXIT_CODES[outcome])


@dataclass(frozen=True, kw_only=True)
class Report:
    """Judge several suspects on one HTML page that opens without a network."""

    example: ClassVar[str] = "ownmark report my.claim one.onnx two.safetensors --model mymodel:build --out page.html"
    claim: ClaimFile
    suspects: Annotated[
        list[str],
        typer.Argument(metavar="SUSPECT", help="ONNX files, weights of MODEL, or module:factory.", show_default=False),
    ]
    out: Annotated[Path, typer.Option(metavar="PAGE", help="The page to write.", show_default=False)]
    model: ModelOfFiles = None
    alpha: Alpha = 0.05
    outputs: Outputs = "logits"
    mean: Mean = None
    std: Std = None
    device: Device = "auto"
    as_json: AsJson = False

    def run(self) -> None:
        from ownmark.claim import Claim
        from ownmark.cli.judge import reported

        rate(self.alpha)
        claim = Claim.load(self.claim)
        check_writable(self.out)
        reported(claim, self.suspects, _access(self, claim), (self.alpha, self.out), as_json=self.as_json)


@dataclass(frozen=True, kw_only=True)
class Inspect:
    """Show what is in a claim."""

    example: ClassVar[str] = "ownmark inspect my.claim"
    claim: ClaimFile
    as_json: AsJson = False

    def run(self) -> None:
        from ownmark.claim import Claim
        from ownmark.cli.judge import inspected

        inspected(Claim.load(self.claim), self.claim, as_json=self.as_json)


def _access(asked: Calibrate | Verify | Report, claim: "Claim") -> "Access":
    """How the judge gets at suspects."""
    from ownmark.cli.suspects import Access
    from ownmark.suspects.answers import Outputs as Kind

    preprocess = normalisation(asked.mean, asked.std, claim.preprocess, claim.images.shape[-1])
    model = None if isinstance(asked, Verify) else asked.model
    layer = asked.layer if isinstance(asked, Verify) else ""
    outputs = chosen(Kind, asked.outputs, "--outputs")
    return Access(preprocess, len(claim.classes), model, outputs, layer, asked.device)
