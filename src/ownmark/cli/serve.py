"""Serving a model, to try out how a judge asks it from afar."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from ownmark.cli.options import AsJson, Channels, Device, Mean, Output, Outputs, Seed, Std, Weights, chosen, normalisation
from ownmark.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Serve:
    """Serve a model by the Open Inference Protocol until Ctrl-C, to try `verify` on an address; no server for the public."""

    example: ClassVar[str] = "ownmark serve suspect.onnx --port 8000 --harden round"
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="suspect.onnx, module:factory or torchvision:resnet18.", show_default=False)
    ]
    weights: Weights = None
    classes: Annotated[
        int | None, typer.Option(min=2, metavar="N", help="Its classes; an ONNX file knows them.", show_default=False)
    ] = None
    channels: Channels = 3
    mean: Mean = None
    std: Std = None
    outputs: Outputs = "logits"
    output: Output = ""
    harden: Annotated[
        str, typer.Option(metavar="none|round|top1|noise|refuse", help="What is done to the answers against judges.")
    ] = "none"
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen; 0.0.0.0 lets other machines in.")] = "127.0.0.1"
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="0 takes any that is free.")] = 8000
    name: Annotated[str, typer.Option(metavar="NAME", help="The model's name in the address.")] = "suspect"
    seed: Seed = 0
    device: Device = "auto"
    as_json: AsJson = False

    def run(self) -> None:
        import numpy as np

        from ownmark.claims.claim import Preprocess
        from ownmark.cli.console import emit, show, tell
        from ownmark.cli.suspects import ONNX, Access
        from ownmark.suspects.answers import Outputs as Kind
        from ownmark.workflows.oip_server import Harden, Service, listening

        if not self.name.replace("-", "").replace("_", "").isalnum() or not self.name.isascii():
            raise UsageError(f"--name is made of letters, digits, - and _, got {self.name!r}")
        if self.classes is None and Path(self.model).suffix != ONNX:
            raise UsageError(f"say how many classes {self.model} knows: --classes N")
        harden = chosen(Harden, self.harden, "--harden")
        preprocess = normalisation(self.mean, self.std, Preprocess(), self.channels)
        outputs = chosen(Kind, self.outputs or "logits", "--outputs")
        access = Access(preprocess, self.classes or 0, outputs=outputs, device=self.device, output=self.output)
        suspect = access.suspect(self.model, self.weights)
        service = Service(suspect, self.name, self.channels, harden, np.random.default_rng(self.seed))
        try:
            server = listening(service, self.host, self.port)
        except (OSError, UnicodeError) as error:
            raise UsageError(f"cannot listen at {self.host}:{self.port}: {error}; name another --port") from error
        with server, suppress(KeyboardInterrupt):
            url = f"http://{self.host}:{server.server_address[1]}/v2/models/{self.name}"
            if self.as_json:
                emit({"url": url, "harden": harden.value})
            else:
                show(url)
            tell("Ctrl-C stops it.")
            server.serve_forever()
