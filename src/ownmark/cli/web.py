"""From what a judge types to a suspect behind an address, with a ledger of every query beside the claim. No torch."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ownmark.cli.files import check_readable, check_writable
from ownmark.cli.options import chosen
from ownmark.errors import UsageError

if TYPE_CHECKING:
    from ownmark.claims.claim import Claim, Preprocess
    from ownmark.protocols import Suspect
    from ownmark.querying.transcript import Decoys
    from ownmark.statistics.sequential import Early
    from ownmark.suspects.answers import Outputs
    from ownmark.suspects.http.ledger import Ledger
    from ownmark.suspects.http.mapping import Mapping
    from ownmark.suspects.http.oip import Dialect
    from ownmark.verdicts.verdict import Verdict

PANEL = "A suspect behind an address"
MAPPINGS = {".yaml", ".yml"}
TENSOR_PARTS = 4

Api = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|FILE",
        help="torchserve, huggingface, mlflow, bentoml, vertex, azureml, sagemaker or a mapping; none: Open Inference Protocol.",
        show_default=False,
        rich_help_panel=PANEL,
    ),
]
Header = Annotated[
    list[str] | None,
    typer.Option(
        metavar="'NAME: TEXT'",
        help="Sent with every request; ${NAME} in it stands for a variable of the environment. May be repeated.",
        show_default=False,
        rich_help_panel=PANEL,
    ),
]
Tensor = Annotated[
    str | None,
    typer.Option(
        metavar="IN:TYPE:LAYOUT:OUT",
        help="What the server does not tell itself, e.g. image:FP32:nchw:scores; parts may be empty.",
        show_default=False,
        rich_help_panel=PANEL,
    ),
]
LedgerFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Where every query is kept (beside the claim if not said, but a judge names it); a second run asks what is missing.",
        show_default=False,
        rich_help_panel=PANEL,
    ),
]
MostQueries = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="N", help="Ask about at most N images, repeats counted.", show_default=False, rich_help_panel=PANEL
    ),
]
PerSecond = Annotated[
    float, typer.Option(min=0, metavar="N", help="At most N requests a second; 0: no limit.", rich_help_panel=PANEL)
]
AtOnce = Annotated[int, typer.Option(min=1, max=256, metavar="N", help="Requests under way at once.", rich_help_panel=PANEL)]
Repeats = Annotated[
    int,
    typer.Option(min=0, metavar="N", help="Images asked about twice, to see that the suspect stays.", rich_help_panel=PANEL),
]
DecoyFolder = Annotated[
    Path | None,
    typer.Option(
        "--decoys",
        metavar="FOLDER",
        help="Ordinary images, one folder a class, that find out what it reveals first (CLAIM.decoys, if that is there).",
        show_default=False,
        rich_help_panel=PANEL,
    ),
]
BlueFirst = Annotated[bool, typer.Option("--blue-first", help="Send blue, green, red.", rich_help_panel=PANEL)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Ask nothing; tell how many queries it takes.", rich_help_panel=PANEL)]
Price = Annotated[
    float | None,
    typer.Option(min=0, metavar="N", help="What 1000 queries cost, for --dry-run.", show_default=False, rich_help_panel=PANEL),
]


@dataclass(frozen=True, kw_only=True)
class Web:
    """How the judge gets at a suspect behind an address; the fields are the options of the same names."""

    name: str
    claim_file: Path
    api: str | None = None
    header: Sequence[str] = ()
    tensor: str | None = None
    ledger: Path | None = None
    max_queries: int | None = None
    per_second: float = 0
    at_once: int = 8
    repeats: int = 3
    decoys: Path | None = None
    blue_first: bool = False
    sequential: bool = False
    output: str = ""

    @property
    def file(self) -> Path:
        """The ledger's file: one for each claim and address."""
        mark = hashlib.sha256(self.name.encode()).hexdigest()[:8]
        return self.ledger or self.claim_file.with_name(f"{self.claim_file.name}.{mark}.ledger")

    def planned(self, claim: "Claim", price: float | None) -> dict[str, Any]:
        """How many queries there would be, at most, and what they would cost; nothing is sent."""
        from ownmark.suspects.http.ledger import Ledger

        self._described(None)
        known, spent = 0, 0
        if self.file.exists():
            with closing(Ledger(self.file)) as ledger:
                known, spent = ledger.answered, ledger.spent
        total = sum(self._counted(claim))
        needed = max(total - known, 0)
        cost = None if price is None else round(needed * price / 1000, 6)
        return {"queries": total, "answered": known, "needed": needed, "spent": spent, "cost": cost, "ledger": str(self.file)}

    def judged(self, claim: "Claim", suspect: "Suspect", *, alpha: float) -> "Verdict":
        """The verdict on an opened suspect, with what its decoys found out told on the way."""
        from ownmark.cli.console import tell
        from ownmark.suspects.http.http_json import HttpJson
        from ownmark.suspects.http.oip import Oip
        from ownmark.suspects.http.probing import heard

        if not isinstance(suspect, Oip | HttpJson):
            raise UsageError(f"{suspect.name} is not behind an address")
        hearing = heard(claim, suspect, self._images(claim), alpha=alpha, early=self._early(claim))
        for note in hearing.notes:
            tell(f"{note}.")
        return hearing.verdict

    def rule(self, claim: "Claim", alpha: float) -> str:
        """When the test stops, for the ledger; it is said before anything is asked."""
        from ownmark.suspects.http.ledger import WHOLE

        early = self._early(claim)
        if early is None:
            return WHOLE
        most = self._counted(claim)[1]
        return f"at most {most} triggers one by one, alpha {alpha:g}, misses {early.miss:g}, claim {claim.digest}"

    def _early(self, claim: "Claim") -> "Early | None":
        """The rule of a test that stops early, its cap what the budget leaves for triggers."""
        from ownmark.statistics.sequential import Early
        from ownmark.suspects.http.probing import planned

        if not self.sequential:
            return None
        beside = planned(claim, self._images(claim), self.repeats, Early())[0]
        if self.max_queries is None:
            return Early()
        if self.max_queries <= beside:
            raise UsageError(f"--max-queries leaves nothing for the claim: decoys and repeats alone take {beside}")
        return Early(most=self.max_queries - beside)

    def _counted(self, claim: "Claim") -> tuple[int, int]:
        from ownmark.suspects.http.probing import planned

        return planned(claim, self._images(claim), self.repeats, self._early(claim))

    def _images(self, claim: "Claim") -> "Decoys | None":
        """The decoys that are named, or kept with the claim."""
        from ownmark.querying.decoys import decoys_in

        kept = self.claim_file.with_name(f"{self.claim_file.name}.decoys")
        folder = self.decoys or (kept if kept.is_dir() else None)
        return None if folder is None else decoys_in(folder, claim)

    @contextmanager
    def opened(self, claim: "Claim", preprocess: "Preprocess", outputs: "Outputs | None") -> Iterator[tuple["Suspect", "Ledger"]]:
        """The suspect and its ledger. Raises UsageError before anything is sent."""
        from ownmark.suspects.http.http_json import HttpJson
        from ownmark.suspects.http.ledger import Ledger
        from ownmark.suspects.http.oip import Dialect, Oip
        from ownmark.suspects.http.transport import Limits, Transport

        described = self._described(outputs)
        check_writable(self.file)
        limits = Limits(most_queries=self.max_queries, per_second=self.per_second, at_once=self.at_once)
        with closing(Transport(limits, Ledger(self.file))) as carrier:
            if isinstance(described, Dialect):
                suspect: Oip | HttpJson = Oip(self.name, len(claim.classes), carrier, preprocess=preprocess, dialect=described)
            else:
                suspect = HttpJson(described, claim.classes, carrier, preprocess=preprocess, repeats=self.repeats)
            yield suspect.asked(replace(suspect.manner, blue_first=self.blue_first)), carrier.ledger

    def _described(self, outputs: "Outputs | None") -> "Dialect | Mapping":
        """How the server is spoken to."""
        from ownmark.suspects.http.mapping import PRESETS, Mapping

        headers = tuple(_header(text) for text in self.header)
        source = self.name if is_mapping(self.name) else self.api
        if source is None:
            return self._dialect(headers, outputs)
        if self.output:
            raise UsageError("--output names a tensor; what to read of an answer in JSON is said by --api or its file")
        if self.tensor is not None or (self.api is not None and source is self.name):
            raise UsageError("--tensor belongs to the Open Inference Protocol, --api to an address; leave out what does not fit")
        url = "" if source is self.name else self.name
        if source in PRESETS:
            mapping = Mapping.read(source, url)
        elif is_mapping(source):
            check_readable(Path(source), "mapping")
            mapping = Mapping.load(source, url)
        else:
            raise UsageError(f"--api is one of {', '.join(PRESETS)} or a file that ends in .yaml, got {source!r}")
        named = {name.lower() for name, _ in headers}
        merged = (*(pair for pair in mapping.headers if pair[0].lower() not in named), *headers)
        return replace(mapping, headers=merged, outputs=outputs or mapping.outputs)

    def _dialect(self, headers: tuple[tuple[str, str], ...], outputs: "Outputs | None") -> "Dialect":
        from ownmark.suspects.http.oip import Dialect, Layout

        parts = (self.tensor or "").split(":")
        if len(parts) > TENSOR_PARTS:
            raise UsageError(f"--tensor is IN:TYPE:LAYOUT:OUT, of which any part may be empty, got {self.tensor!r}")
        name, datatype, layout, output = parts + [""] * (TENSOR_PARTS - len(parts))
        if self.output and output not in {"", self.output}:
            raise UsageError(f"--output says {self.output!r} and --tensor {output!r}: name one output")
        placed = chosen(Layout, layout, "the layout in --tensor") if layout else None
        return Dialect(headers, outputs, name, datatype.upper(), placed, output or self.output, repeats=self.repeats)


def is_mapping(name: str) -> bool:
    return Path(name).suffix in MAPPINGS


def is_web(name: str) -> bool:
    """Whether a suspect's name is an address, or a mapping that holds one."""
    return name.startswith(("http://", "https://")) or is_mapping(name)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise UsageError(f"--header is 'NAME: TEXT', got {text!r}")
    return name.strip(), value.strip()
