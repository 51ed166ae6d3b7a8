"""The command that seals a claim. No torch."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from ownmark.cli import evidence_options as options
from ownmark.cli.answer import Answer
from ownmark.cli.options import Way
from ownmark.cli.sealing import passphrase
from ownmark.errors import UsageError
from ownmark.files import check_readable, check_writable

if TYPE_CHECKING:
    from ownmark.workflows.seal import Authority, SealResult


@dataclass(frozen=True, kw_only=True)
class Seal:
    """Sign a claim and have the time confirmed, before anybody is accused. The seal shows neither triggers nor key."""

    example: ClassVar[str] = "ownmark seal my.claim --key OWNER.key --tsa https://freetsa.org/tsr --out my.claim.sealed"
    claim: options.ClaimToSeal = None
    key: options.KeyFile = None
    out: options.SealOut = None
    tsa: options.Authority = None
    tsa_root: options.AuthorityRoot = None
    retry: options.Retry = None
    model_file: options.ModelFile = None
    pool: options.SealedPool = None
    previous: options.Previous = None
    alpha: options.SealedAlpha = None
    max_queries: options.SealedQueries = None
    access: Way = None
    pledge: options.PledgeFile = None

    def run(self) -> Answer:
        from ownmark.cli.render_evidence import seal_answer
        from ownmark.evidence.timestamp import roots_in
        from ownmark.workflows.seal import Authority

        roots = () if self.tsa_root is None else roots_in(self.tsa_root)
        authority = None if self.tsa is None else Authority(self.tsa, roots)
        return seal_answer(self._sealed(authority) if self.retry is None else self._stamped(authority))

    def _stamped(self, authority: "Authority | None") -> "SealResult":
        from ownmark.workflows.seal import stamp

        new = (self.claim, self.key, self.out, self.model_file, self.pool, self.previous)
        terms = (self.alpha, self.max_queries, self.access, self.pledge)
        if self.retry is None or authority is None or any(one is not None for one in (*new, *terms)):
            raise UsageError("--retry takes a seal, --tsa URL and perhaps --tsa-root: what is sealed cannot be changed")
        check_readable(self.retry, "seal")
        check_writable(self.retry)
        return stamp(self.retry, authority)

    def _sealed(self, authority: "Authority | None") -> "SealResult":
        from ownmark.claims.claim import Claim
        from ownmark.cli.console import Terminal
        from ownmark.evidence import bundle, inputs, owner, pledge
        from ownmark.evidence.seal import Beside
        from ownmark.workflows.seal import SealRequest, seal

        if self.claim is None or self.key is None:
            raise UsageError("seal needs a claim and --key OWNER.key; or --retry SEAL --tsa URL to stamp a seal that is there")
        out = self.out or self.claim.with_name(f"{self.claim.name}.sealed")
        check_writable(out)
        pool = None if self.pool is None else inputs.read_pool(self.pool)
        previous = None if self.previous is None else bundle.read(self.previous)
        beside = Beside(self.model_file, pool, previous, None if self.pledge is None else pledge.read(self.pledge))
        claim, signer = Claim.load(self.claim), owner.opened(self.key, passphrase())
        request = SealRequest(claim=claim, owner=signer, out=out, beside=beside, authority=authority)
        request = replace(request, alpha=self.alpha, most_queries=self.max_queries, access=self.access)
        return seal(request, Terminal())
