"""The command that opens a set of a sealed claim. No torch."""

from dataclasses import dataclass
from typing import ClassVar

from ownmark.cli import evidence_options as options
from ownmark.cli.answer import Answer
from ownmark.cli.sealing import passphrase
from ownmark.errors import UsageError
from ownmark.files import check_writable


@dataclass(frozen=True, kw_only=True)
class Open:
    """Write what a judge needs of a sealed claim: one set of keyed triggers, while the others stay secret, or the whole."""

    example: ClassVar[str] = "ownmark open my.claim.sealed --claim my.claim --key OWNER.key --part 0 --out dispute.opened"
    bundle: options.SealFile
    claim: options.SealedClaim
    out: options.OpenedOut
    key: options.KeyFile = None
    part: options.Part = None
    whole: options.Whole = False
    again: options.Again = False

    def run(self) -> Answer:
        from ownmark.claims.claim import Claim
        from ownmark.cli.render_evidence import opened_answer
        from ownmark.evidence import bundle, owner
        from ownmark.workflows.seal import OpenRequest, check_unopened, open_seal

        if self.key is None:
            raise UsageError("opening needs --key OWNER.key, as sealing did")
        before = bundle.read(self.bundle)
        check_unopened(before, self.part, whole=self.whole, again=self.again)  # before a passphrase is asked for
        check_writable(self.out)
        check_writable(self.bundle)
        claim, holder = Claim.load(self.claim), owner.opened(self.key, passphrase())
        request = OpenRequest(
            seal=self.bundle, claim=claim, owner=holder, out=self.out, part=self.part, whole=self.whole, again=self.again
        )
        return opened_answer(open_seal(request))
