"""The commands of evidence: an owner's key, a sealed claim, and one set of its triggers opened for a judge. No torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from ownmark.cli.options import AsJson
from ownmark.cli.sealing import (
    PASSPHRASE,
    passphrase,
    policy_for,
    posting,
    save_over,
    show_facts,
    stamped,
    tell_opening,
    tell_seal,
)
from ownmark.errors import UsageError
from ownmark.workflows.files import check_readable, check_writable

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from ownmark.evidence.bundle import Bundle


KeyFile = Annotated[
    Path | None, typer.Option(metavar="OWNER.key", help=f"Opened with ${PASSPHRASE} or a prompt.", show_default=False)
]
Authority = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="An RFC 3161 timestamp authority; ${NAME} in it stands for a variable of the environment.",
        show_default=False,
    ),
]


@dataclass(frozen=True, kw_only=True)
class Keygen:
    """Make an owner's key: OWNER.key signs and holds the secret of keyed triggers, OWNER.pub may be shown to anybody."""

    example: ClassVar[str] = "ownmark keygen OWNER.key"
    key: Annotated[Path, typer.Argument(metavar="OWNER.key", help="The file to write.", show_default=False)]
    as_json: AsJson = False

    def run(self) -> None:
        from ownmark.cli.console import tell
        from ownmark.evidence import owner

        check_writable(self.key)
        made = owner.create(self.key, passphrase(twice=True))
        public = owner.public_file(self.key)
        show_facts(
            "An owner's key", {"key file": str(self.key), "public file": str(public), "public key": made.public}, self.as_json
        )
        tell(
            f"Keep {self.key} and its passphrase offline, and twice: nobody can make them again, and no seal holds without them."
        )


@dataclass(frozen=True, kw_only=True)
class Seal:
    """Sign a claim and have the time confirmed, before anybody is accused. The seal shows neither triggers nor key."""

    example: ClassVar[str] = "ownmark seal my.claim --key OWNER.key --tsa https://freetsa.org/tsr --out my.claim.sealed"
    claim: Annotated[Path | None, typer.Argument(metavar="[CLAIM]", help="The claim's file.", show_default=False)] = None
    key: KeyFile = None
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="The seal (CLAIM.sealed).", show_default=False)] = None
    tsa: Authority = None
    tsa_root: Annotated[
        Path | None,
        typer.Option(
            metavar="PEM", help="The authority's root certificates, to see at once that a judge can check it.", show_default=False
        ),
    ] = None
    retry: Annotated[
        Path | None,
        typer.Option(metavar="SEAL", help="Only add a timestamp to this seal, its first or another.", show_default=False),
    ] = None
    model_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The protected model's file: its digest is sealed, too.", show_default=False),
    ] = None
    pool: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Safetensors with the images that the keys of the sets chose theirs from.", show_default=False
        ),
    ] = None
    previous: Annotated[
        Path | None, typer.Option(metavar="SEAL", help="Your last seal: names it, so that none is left out.", show_default=False)
    ] = None
    alpha: Annotated[
        float | None,
        typer.Option(
            metavar="RATE",
            help="The rate of false accusations to judge by, chosen now: 1e-6 for keyed labels, otherwise 0.05, if not said.",
            show_default=False,
        ),
    ] = None
    max_queries: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="A judge asks one suspect at most this.", show_default=False)
    ] = None
    access: Annotated[
        str | None,
        typer.Option(
            metavar="WAY",
            help="The one way of asking that counts: weights, probabilities or labels. Without it p pays for every way.",
            show_default=False,
        ),
    ] = None
    pledge: Annotated[
        Path | None,
        typer.Option(metavar="PLEDGE", help="What was timestamped before the pulse that the key takes.", show_default=False),
    ] = None
    as_json: AsJson = False

    def run(self) -> None:
        post = None if self.tsa is None else posting(self.tsa)
        roots = self._roots()
        out, bundle = self._retried() if self.retry is not None else self._sealed()
        if post is not None and self.tsa is not None:
            before, bundle = bundle, stamped(bundle, out, (self.tsa, post, roots))
            save_over(out, before, bundle)
        tell_seal(bundle, out, as_json=self.as_json)

    def _roots(self) -> "tuple[Certificate, ...]":
        from ownmark.evidence.timestamp import roots_in

        return () if self.tsa_root is None else roots_in(self.tsa_root)

    def _retried(self) -> tuple[Path, "Bundle"]:
        """Which seal to stamp."""
        from ownmark.evidence.bundle import read

        given = (
            self.claim,
            self.key,
            self.out,
            self.model_file,
            self.pool,
            self.previous,
            self.alpha,
            self.max_queries,
            self.access,
            self.pledge,
        )
        if self.retry is None or self.tsa is None or any(one is not None for one in given):
            raise UsageError("--retry takes a seal, --tsa URL and perhaps --tsa-root: what is sealed cannot be changed")
        check_readable(self.retry, "seal")
        check_writable(self.retry)
        return self.retry, read(self.retry)

    def _sealed(self) -> tuple[Path, "Bundle"]:
        """A new seal, already written: whatever the authority does, it is kept."""
        from ownmark.claims.claim import Claim
        from ownmark.evidence import owner, pledge, seal
        from ownmark.evidence.bundle import read
        from ownmark.evidence.inputs import read_pool

        if self.claim is None or self.key is None:
            raise UsageError("seal needs a claim and --key OWNER.key; or --retry SEAL --tsa URL to stamp a seal that is there")
        out = self.out or self.claim.with_name(f"{self.claim.name}.sealed")
        if out.exists():
            raise UsageError(f"{out} exists, and a seal that is overwritten is lost: name another file with --out")
        check_writable(out)
        claim = Claim.load(self.claim)
        policy = policy_for(claim, self.alpha, self.max_queries, self.access)
        pool = None if self.pool is None else read_pool(self.pool)
        pledged = None if self.pledge is None else pledge.read(self.pledge)
        beside = seal.Beside(self.model_file, pool, None if self.previous is None else read(self.previous), pledged)
        signer = owner.opened(self.key, passphrase())
        bundle = seal.seal(claim, signer, policy, beside)
        bundle.save(out)
        return out, bundle


@dataclass(frozen=True, kw_only=True)
class Open:
    """Write what a judge needs of a sealed claim: one set of keyed triggers, while the others stay secret, or the whole."""

    example: ClassVar[str] = "ownmark open my.claim.sealed --claim my.claim --key OWNER.key --part 0 --out dispute.opened"
    bundle: Annotated[Path, typer.Argument(metavar="SEAL", help="The seal's file, which notes it.", show_default=False)]
    claim: Annotated[Path, typer.Option(metavar="CLAIM", help="The claim's file, as it was sealed.", show_default=False)]
    out: Annotated[Path, typer.Option(metavar="FILE", help="What the judge gets.", show_default=False)]
    key: KeyFile = None
    part: Annotated[int | None, typer.Option(min=0, metavar="N", help="The set, from 0.", show_default=False)] = None
    whole: Annotated[
        bool,
        typer.Option(
            "--whole",
            help="Open every set, with the claim's secret: p pays for 2^40 tried keys instead of 2^64, and no set is left.",
        ),
    ] = False
    again: Annotated[bool, typer.Option("--again", help="Write a set's file once more, for the same dispute only.")] = False
    as_json: AsJson = False

    def run(self) -> None:
        from ownmark.claims.claim import Claim
        from ownmark.evidence import owner, seal
        from ownmark.evidence.bundle import read

        bundle = read(self.bundle)
        if self.key is None:
            raise UsageError("opening needs --key OWNER.key, as sealing did")
        if self.whole and self.part is not None:
            raise UsageError("--whole opens every set: leave --part out")
        if (self.part or 0) in bundle.opened and not self.again and not self.whole:
            raise UsageError(
                f"set {self.part or 0} was opened before and never counts again: open another; --again writes the same file anew"
            )
        check_writable(self.out)
        check_writable(self.bundle)
        claim, holder = Claim.load(self.claim), owner.opened(self.key, passphrase())
        if self.whole:
            handed, noted = seal.opened_whole(bundle, claim, holder), seal.noted_whole(bundle)
        else:
            handed, noted = seal.opened(bundle, claim, holder, self.part), seal.noted(bundle, self.part)
        save_over(self.bundle, bundle, noted)  # first: a set that is noted and not handed out can be written again
        handed.save(self.out)
        tell_opening(handed, noted, self.out, as_json=self.as_json)
