"""`ownmark verify`: one suspect, one verdict. No torch, unless the suspect is a torch module."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar

from ownmark.cli import options, web
from ownmark.cli.answer import Answer
from ownmark.cli.options import argument, option, reach_of
from ownmark.models.sources.open import written


@dataclass(frozen=True, kw_only=True)
class Verify:
    """Ask one suspect and give a verdict: MATCH (supporting), NO MATCH or INCONCLUSIVE."""

    example: ClassVar[str] = "ownmark verify my.claim mymodel:build --weights suspect.safetensors --access weights"
    claim: options.ClaimFile
    suspect: Annotated[
        str,
        argument("SUSPECT", f"suspect.onnx, {written()}, http://HOST/v2/models/NAME or an api.yaml."),
    ]
    weights: options.Weights = None
    alpha: options.Alpha = 0.05
    access: options.Way = None
    page: Annotated[Path | None, option("PAGE", "Write the verdict as a page, too.", "--page", "--report")] = None
    outputs: options.Outputs = None
    output: options.Output = ""
    layer: options.Layer = ""
    sequential: options.Sequential = False
    mean: options.Mean = None
    std: options.Std = None
    device: options.Device = "auto"
    allow_external: options.AllowExternal = False
    allow_code: options.AllowCode = False
    api: web.Api = None
    header: web.Header = None
    tensor: web.Tensor = None
    binary: web.Binary = None
    ledger: web.LedgerFile = None
    max_queries: web.MostQueries = None
    per_second: web.PerSecond = 0
    at_once: web.AtOnce = 8
    repeats: web.Repeats = 3
    decoys: web.DecoyFolder = None
    blue_first: web.BlueFirst = False
    dry_run: web.DryRun = False
    claimant: options.Claimant = ""
    judge: options.JudgeName = ""
    price: web.Price = None

    def run(self) -> Answer:
        from ownmark.claims.claim import Claim
        from ownmark.cli.console import Terminal
        from ownmark.cli.render_judge import of_plan, of_verify
        from ownmark.workflows.verify import VerifyRequest, planned, verify

        claim, alpha = Claim.load(self.claim), options.rate(self.alpha)
        reach = reach_of(self, claim)
        wire = replace(reach.wire, max_queries=self.max_queries, repeats=self.repeats, blue_first=self.blue_first)
        reach = replace(reach, wire=wire, ledger=self.ledger)
        request = VerifyRequest(
            claim=claim,
            suspect=self.suspect,
            reach=reach,
            weights=self.weights,
            alpha=alpha,
            page=self.page,
            early=self.sequential,
            decoys=self.decoys,
            about=options.about(self.claimant, self.judge),
            access=self.access or "",
        )
        if self.price is not None:
            request.reach.check_remote((self.suspect,))
        if self.dry_run:
            return of_plan(planned(request, self.price, Terminal()))
        return of_verify(verify(request, Terminal()), claim)
