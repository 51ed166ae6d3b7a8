"""The judge's commands: what can be typed to calibrate a claim, to ask suspects and to look into a claim."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from ownmark.cli.files import check_writable
from ownmark.cli.options import (
    AllowExternal,
    Alpha,
    AsJson,
    ClaimFile,
    Device,
    Layer,
    Mean,
    ModelOfFiles,
    Output,
    Outputs,
    Sequential,
    Std,
    Weights,
    chosen,
    normalisation,
    rate,
)
from ownmark.cli.web import (
    Api,
    AtOnce,
    BlueFirst,
    DecoyFolder,
    DryRun,
    Header,
    LedgerFile,
    MostQueries,
    PerSecond,
    Price,
    Repeats,
    Tensor,
    Web,
    is_web,
)
from ownmark.errors import UsageError

if TYPE_CHECKING:
    from ownmark.claims.claim import Claim
    from ownmark.cli.suspects import Access
    from ownmark.verdicts.verdict import Outcome


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
    outputs: Outputs = None
    output: Output = ""
    layer: Layer = ""
    mean: Mean = None
    std: Std = None
    device: Device = "auto"
    allow_external: AllowExternal = False
    as_json: AsJson = False

    def run(self) -> None:
        from ownmark.claims.claim import Claim
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
        str,
        typer.Argument(
            metavar="SUSPECT",
            help="suspect.onnx, module:factory, torchvision:resnet18, http://HOST/v2/models/NAME or an api.yaml.",
            show_default=False,
        ),
    ]
    weights: Weights = None
    alpha: Alpha = 0.05
    report: Annotated[Path | None, typer.Option(metavar="PAGE", help="Write a page about it, too.", show_default=False)] = None
    outputs: Outputs = None
    output: Output = ""
    layer: Layer = ""
    sequential: Sequential = False
    mean: Mean = None
    std: Std = None
    device: Device = "auto"
    allow_external: AllowExternal = False
    api: Api = None
    header: Header = None
    tensor: Tensor = None
    ledger: LedgerFile = None
    max_queries: MostQueries = None
    per_second: PerSecond = 0
    at_once: AtOnce = 8
    repeats: Repeats = 3
    decoys: DecoyFolder = None
    blue_first: BlueFirst = False
    dry_run: DryRun = False
    price: Price = None
    as_json: AsJson = False

    def run(self) -> None:
        from ownmark.claims.claim import Claim
        from ownmark.cli.console import tell
        from ownmark.cli.judge import verified
        from ownmark.cli.render import EXIT_CODES
        from ownmark.statistics.sequential import Early
        from ownmark.verdicts.verify import verify

        rate(self.alpha)
        claim = Claim.load(self.claim)
        if self.claim.with_name(f"{self.claim.name}.scan").exists():
            tell("This claim was used to scan: p is that of one suspect alone, and counts none of those.", "yellow")
        if self.report is not None:
            check_writable(self.report)
            if self.sequential:
                raise UsageError("a page shows all of a claim, of which --sequential asks only a part: leave one of them out")
        if is_web(self.suspect):
            outcome = self._asked_afar(claim)
        else:
            self._check_near()
            access = _access(self, claim)
            access.check_layer([self.suspect])
            suspect = access.suspect(self.suspect, self.weights)
            judge = partial(verify, early=Early() if self.sequential else None)
            outcome = verified(claim, suspect, (self.alpha, self.report), as_json=self.as_json, ways=(judge, dict))
        raise typer.Exit(0 if outcome is None else EXIT_CODES[outcome])

    def _asked_afar(self, claim: "Claim") -> "Outcome | None":
        """The verdict on a suspect behind an address; None if nothing was to be asked."""
        from ownmark.cli.console import tell
        from ownmark.cli.judge import planned, verified

        if self.weights is not None or self.layer:
            raise UsageError(f"{self.suspect} shows neither weights nor layers; leave --weights and --layer out")
        access = _access(self, claim)
        web = Web(
            name=self.suspect,
            claim_file=self.claim,
            api=self.api,
            header=self.header or (),
            tensor=self.tensor,
            ledger=self.ledger,
            max_queries=self.max_queries,
            per_second=self.per_second,
            at_once=self.at_once,
            repeats=self.repeats,
            decoys=self.decoys,
            blue_first=self.blue_first,
            sequential=self.sequential,
            output=self.output,
        )
        if self.dry_run:
            planned(web.planned(claim, self.price), as_json=self.as_json)
            return None
        with web.opened(claim, access.preprocess, access.outputs) as (suspect, ledger):
            ledger.begin(web.rule(claim, self.alpha))
            tell(f"Every query is kept in {web.file}.")

            def kept() -> dict[str, object]:
                counts = {"queries_spent": ledger.spent, "answers_from_before": ledger.taken}
                return {"ledger": str(web.file), "ledger_digest": ledger.digest, **counts}

            ways = web.judged, kept
            return verified(claim, suspect, (self.alpha, self.report), as_json=self.as_json, ways=ways)

    def _check_near(self) -> None:
        """Raises UsageError for options that only mean something for an address."""
        given = (
            self.api,
            self.header,
            self.tensor,
            self.ledger,
            self.max_queries,
            self.per_second or None,
            self.price,
            self.decoys,
        )
        if self.dry_run or self.blue_first or any(option is not None for option in given):
            raise UsageError(
                f"{self.suspect} is no web address, so --api, --header, --dry-run and their like mean nothing for it"
            )


@dataclass(frozen=True, kw_only=True)
class Report:
    """Judge several suspects on one HTML page that opens without a network.

    A suspect that cannot be judged is listed with the cause; the exit code is then 5.
    """

    example: ClassVar[str] = "ownmark report my.claim one.onnx two.safetensors --model mymodel:build --out page.html"
    claim: ClaimFile
    suspects: Annotated[
        list[str],
        typer.Argument(metavar="SUSPECT", help="ONNX files, weights of MODEL, or module:factory.", show_default=False),
    ]
    out: Annotated[Path, typer.Option(metavar="PAGE", help="The page to write.", show_default=False)]
    model: ModelOfFiles = None
    alpha: Alpha = 0.05
    outputs: Outputs = None
    output: Output = ""
    layer: Layer = ""
    mean: Mean = None
    std: Std = None
    device: Device = "auto"
    allow_external: AllowExternal = False
    as_json: AsJson = False

    def run(self) -> None:
        from ownmark.claims.claim import Claim
        from ownmark.cli.judge import reported

        rate(self.alpha)
        claim = Claim.load(self.claim)
        check_writable(self.out)
        asked = self.alpha, self.out
        raise typer.Exit(reported(claim, self.suspects, _access(self, claim), asked, as_json=self.as_json))


@dataclass(frozen=True, kw_only=True)
class Inspect:
    """Show what is in a claim."""

    example: ClassVar[str] = "ownmark inspect my.claim"
    claim: ClaimFile
    as_json: AsJson = False

    def run(self) -> None:
        from ownmark.claims.claim import Claim
        from ownmark.cli.judge import inspected

        inspected(Claim.load(self.claim), self.claim, as_json=self.as_json)


def _access(asked: Calibrate | Verify | Report, claim: "Claim") -> "Access":
    """How the judge gets at suspects."""
    from ownmark.cli.suspects import Access
    from ownmark.suspects.answers import Outputs as Kind

    preprocess = normalisation(asked.mean, asked.std, claim.preprocess, claim.images.shape[-1])
    model = None if isinstance(asked, Verify) else asked.model
    outputs = None if asked.outputs is None else chosen(Kind, asked.outputs, "--outputs")
    return Access(preprocess, len(claim.classes), model, outputs, asked.layer, asked.device, asked.output, asked.allow_external)
