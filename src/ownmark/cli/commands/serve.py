"""`ownmark serve`: a model behind an address, to try out how a judge asks it from afar."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import typer

from ownmark.cli.answer import Answer
from ownmark.cli.options import (
    AllowExternal,
    Channels,
    Device,
    Mean,
    Output,
    Outputs,
    Seed,
    Std,
    Weights,
    argument,
    chosen,
    normalisation,
)
from ownmark.models.sources.open import written


@dataclass(frozen=True, kw_only=True)
class Serve:
    """Serve a model by the Open Inference Protocol until Ctrl-C, to try `verify` on an address; not a server for the public."""

    example: ClassVar[str] = "ownmark serve suspect.onnx --port 8000 --harden round"
    model: Annotated[str, argument("MODEL", f"suspect.onnx, {written()}.")]
    weights: Weights = None
    classes: Annotated[
        int | None, typer.Option(min=2, metavar="N", help="Its classes; an ONNX file knows them.", show_default=False)
    ] = None
    channels: Channels = 3
    mean: Mean = None
    std: Std = None
    outputs: Outputs = "logits"
    output: Output = ""
    allow_external: AllowExternal = False
    harden: Annotated[str, typer.Option(metavar="none|round|top1|noise|refuse", help="Defence applied to the answers.")] = "none"
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen; 0.0.0.0 lets other machines in.")] = "127.0.0.1"
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="0 takes any that is free.")] = 8000
    name: Annotated[str, typer.Option(metavar="NAME", help="The model's name in the address.")] = "suspect"
    seed: Seed = 0
    device: Device = "auto"

    def run(self) -> Answer:
        from ownmark.claims.claim import Preprocess
        from ownmark.cli.console import Terminal
        from ownmark.cli.render_judge import of_serve
        from ownmark.suspects.answers import Outputs as Kind
        from ownmark.suspects.open import Access
        from ownmark.workflows.oip_server import Harden
        from ownmark.workflows.serve import ServeRequest, serve

        preprocess = normalisation(self.mean, self.std, Preprocess(), self.channels)
        outputs = chosen(Kind, self.outputs or "logits", "--outputs")
        request = ServeRequest(
            model=self.model,
            near=Access(
                preprocess,
                self.classes or 0,
                outputs=outputs,
                device=self.device,
                output=self.output,
                external=self.allow_external,
                said=self.mean is not None,
            ),
            weights=self.weights,
            channels=self.channels,
            harden=chosen(Harden, self.harden, "--harden"),
            host=self.host,
            port=self.port,
            name=self.name,
            seed=self.seed,
        )
        return of_serve(serve(request, Terminal()))
