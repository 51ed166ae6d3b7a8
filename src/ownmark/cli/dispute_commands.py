"""The commands of a dispute: judge a suspect by an opened seal, and weigh two claimants. No torch, unless a suspect needs it."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from ownmark.cli.options import AsJson, ModelOfFiles, Output, Outputs, chosen
from ownmark.cli.web import Api, AtOnce, Header, LedgerFile, PerSecond, Tensor
from ownmark.errors import UsageError
from ownmark.workflows.files import check_writable

if TYPE_CHECKING:
    from ownmark.evidence.verdict_file import Recomputed
    from ownmark.suspects.open import Access
    from ownmark.workflows.reach import Reach

UNRESOLVED = 3  # the exit code of what is inconclusive
Opened = Annotated[Path, typer.Argument(metavar="OPENED", help="What `ownmark open` wrote for the judge.", show_default=False)]
Root = Annotated[
    Path | None,
    typer.Option(metavar="PEM", help="Root certificates of the timestamp authorities that you believe.", show_default=False),
]
Seen = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"],
        metavar="DATE",
        help="When the suspect was first seen (UTC): the seal must be older.",
        show_default=False,
    ),
]
Pool = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The pool that the triggers were chosen from.", show_default=False)
]


@dataclass(frozen=True, kw_only=True)
class Judge:
    """Check an opened seal, ask the suspect yourself, and sign a verdict that anybody can compute again."""

    example: ClassVar[str] = (
        "ownmark judge dispute.opened --suspect suspect.onnx --own model.onnx --decoys images --root tsa.pem "
        "--reference same-data=other.onnx --seen 2026-05-01 --key JUDGE.key --out verdict.json"
    )
    bundle: Opened
    suspect: Annotated[
        str | None,
        typer.Option(
            metavar="SUSPECT",
            help="An ONNX file, weights of MODEL, module:factory, an address, or an api.yaml.",
            show_default=False,
        ),
    ] = None
    own: Annotated[
        str | None, typer.Option(metavar="FILE", help="The claimant's own model, as it was sealed.", show_default=False)
    ] = None
    reference: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STRATUM=FILE",
            help="An independent model of yours: other-data, same-task, same-data or same-ancestor. May be repeated.",
            show_default=False,
        ),
    ] = None
    decoys: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Ordinary images of the task, one folder a class.", show_default=False)
    ] = None
    model: ModelOfFiles = None
    outputs: Outputs = None
    output: Output = ""
    root: Root = None
    owner: Annotated[
        Path | None, typer.Option(metavar="OWNER.pub", help="The key that you know as the claimant's.", show_default=False)
    ] = None
    pool: Pool = None
    seen: Seen = None
    alpha: Annotated[
        float | None,
        typer.Option(
            metavar="RATE",
            help="The largest rate of false accusations that you judge by, whatever the claimant committed to.",
            show_default=False,
        ),
    ] = None
    beacon: Annotated[
        Path | None,
        typer.Option(metavar="PEM", help="Certificates of the public beacons that you believe.", show_default=False),
    ] = None
    pledges: Annotated[
        int,
        typer.Option(min=1, metavar="N", help="As one of how many you count a pledge before a pulse, at least."),
    ] = 2**16
    key: Annotated[
        Path | None, typer.Option(metavar="JUDGE.key", help="Signs the verdict; ownmark keygen makes one.", show_default=False)
    ] = None
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="The verdict to write.", show_default=False)] = None
    offline: Annotated[
        Path | None, typer.Option(metavar="VERDICT", help="Ask nobody: compute this verdict anew.", show_default=False)
    ] = None
    judge: Annotated[
        Path | None,
        typer.Option(metavar="JUDGE.pub", help="With --offline: the key that must have signed the verdict.", show_default=False),
    ] = None
    api: Api = None
    header: Header = None
    tensor: Tensor = None
    ledger: LedgerFile = None
    per_second: PerSecond = 0
    at_once: AtOnce = 8
    as_json: AsJson = False

    def run(self) -> None:
        from ownmark.cli.disputes import tell_judged
        from ownmark.evidence.verdict_file import EXIT_CODES

        found, file = self._recomputed(self.offline) if self.offline else self._asked()
        tell_judged(found, file, as_json=self.as_json, heard=self.offline is None)
        raise typer.Exit(EXIT_CODES[found.judged.ruling.outcome])

    def _recomputed(self, verdict: Path) -> "tuple[Recomputed, Path]":
        """A verdict that was read; whoever says whom he expects sees that it is from them."""
        from ownmark.evidence import bundle, inputs, owner, timestamp, verdict_file

        given = (self.suspect, self.own, self.reference, self.decoys, self.seen, self.key, self.out, self.alpha)
        if any(one is not None for one in given):
            raise UsageError(
                "--offline takes the opened seal and perhaps --pool, --judge, --owner and --root: all else stands in the verdict"
            )
        pool = None if self.pool is None else inputs.read_pool(self.pool)
        expected = verdict_file.Expected(
            "" if self.judge is None else owner.public_key(self.judge),
            "" if self.owner is None else owner.public_key(self.owner),
            None if self.root is None else timestamp.roots_in(self.root),
        )
        found = verdict_file.recomputed(verdict_file.read_whole(verdict), bundle.read(self.bundle), pool)
        expected.check(found)
        return found, verdict

    def _asked(self) -> "tuple[Recomputed, Path]":
        """A verdict, signed and written."""
        from ownmark.cli.disputes import Known, Parties, judged
        from ownmark.cli.sealing import passphrase
        from ownmark.evidence import owner
        from ownmark.evidence.verdict_file import Recomputed
        from ownmark.files import write_whole

        if self.suspect is None or self.key is None or self.out is None:
            raise UsageError("judge needs --suspect, --key JUDGE.key to sign with, and --out; or --offline VERDICT")
        check_writable(self.out)
        if self.judge is not None:
            raise UsageError("--judge names who must have signed a verdict, with --offline; --key signs yours")
        known = Known.of(self.root, self.owner, self.pool, self.seen).by(self.alpha, self.beacon, self.pledges)
        signer = owner.opened(self.key, passphrase())
        parties = Parties(self.suspect, self.own, tuple(self.reference or ()), self.decoys)
        one = judged(self.bundle, known, parties, self._reach())
        write_whole(self.out, one.signed(signer).data)
        return Recomputed(one, signer.public), self.out

    def _reach(self) -> "Reach":
        """How the suspect is got at; the other models are files."""
        from ownmark.workflows.reach import Reach

        near = _access(self.bundle, self.model, self.outputs, self.output)
        return Reach(
            claim_file=self.bundle,
            near=near,
            api=self.api,
            header=tuple(self.header or ()),
            tensor=self.tensor,
            ledger=self.ledger,
            per_second=self.per_second,
            at_once=self.at_once,
        )


@dataclass(frozen=True, kw_only=True)
class Dispute:
    """Weigh two claimants of one suspect: whose mark is in whose model? UNRESOLVED unless it is clear."""

    example: ClassVar[str] = (
        "ownmark dispute A.opened B.opened suspect.onnx --first-model a.onnx --second-model b.onnx --root tsa.pem"
    )
    first: Annotated[Path, typer.Argument(metavar="A", help="The first claimant's opened seal.", show_default=False)]
    second: Annotated[Path, typer.Argument(metavar="B", help="The second claimant's.", show_default=False)]
    suspect: Annotated[str, typer.Argument(metavar="SUSPECT", help="An ONNX file or module:factory.", show_default=False)]
    first_model: Annotated[str, typer.Option(metavar="FILE", help="The first claimant's model.", show_default=False)]
    second_model: Annotated[str, typer.Option(metavar="FILE", help="The second claimant's model.", show_default=False)]
    model: ModelOfFiles = None
    outputs: Outputs = None
    output: Output = ""
    root: Root = None
    pool: Pool = None
    seen: Seen = None
    as_json: AsJson = False

    def run(self) -> None:
        from ownmark.cli.disputes import Known, tell_dispute, weighed
        from ownmark.evidence.dispute import Prevails

        known = Known.of(self.root, None, self.pool, self.seen)
        access = [_access(file, self.model, self.outputs, self.output) for file in (self.first, self.second)]
        found = weighed((self.first, self.second), known, (self.first_model, self.second_model, self.suspect), access)
        tell_dispute(found, as_json=self.as_json)
        raise typer.Exit(UNRESOLVED if found.prevails is Prevails.UNRESOLVED else 0)


def _access(bundle: Path, model: str | None, outputs: str | None, output: str) -> "Access":
    """How the models of a seal's claim are asked."""
    from ownmark.cli.console import tell
    from ownmark.cli.disputes import part_of
    from ownmark.suspects.answers import Outputs as Kind
    from ownmark.suspects.open import Access

    part = part_of(bundle)
    kind = None if outputs is None else chosen(Kind, outputs, "--outputs")
    return Access(part.preprocess, len(part.classes), model, kind, output=output, note=tell)
