"""The command by which an accused judges his own model as a judge would. No torch, unless the model needs it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar

from ownmark.cli import answer
from ownmark.cli import evidence_options as options
from ownmark.cli.options import AllowCode, AllowExternal, Layer, Output, Outputs, option
from ownmark.cli.sealing import passphrase
from ownmark.errors import UsageError
from ownmark.files import check_writable


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Put an opened seal to your own model as a judge would, with your own references, and sign what follows.

    The verdict has the judge's form and anybody can compute it again; its page says what matched, on which terms, and what was
    not shown. It says that it is yours.
    """

    example: ClassVar[str] = (
        "ownmark answer dispute.opened --model mine.onnx --reference same-data=other.onnx --decoys images --root tsa.pem "
        "--seen 2026-05-01 --key MY.key --out answer.json --page answer.html"
    )
    bundle: options.Opened
    model: Annotated[str, option("MODEL", "Your model: an ONNX file, module:factory, or weights.")]
    key: Annotated[Path, option("MY.key", "The key that signs the answer; `ownmark keygen` makes one.")]
    out: Annotated[Path, option("FILE", "The signed answer to write.")]
    page: options.Page = None
    network: Annotated[str | None, option("MODEL", "The network that files of weights belong to.")] = None
    reference: options.References = None
    decoys: options.Decoys = None
    outputs: Outputs = None
    output: Output = ""
    layer: Layer = ""
    allow_external: AllowExternal = False
    allow_code: AllowCode = False
    root: options.Root = None
    owner: options.KnownOwner = None
    pool: options.Pool = None
    seen: options.Seen = None
    alpha: options.Cap = None
    beacon: options.Beacons = None
    pledges: options.Pledges = 2**16

    def run(self) -> answer.Answer:
        from ownmark.cli import hearings
        from ownmark.cli.render_evidence import judged_answer
        from ownmark.evidence import owner
        from ownmark.suspects.open import Reach, is_web
        from ownmark.workflows.records import Named, Records
        from ownmark.workflows.terms import trusted

        if is_web(self.model):
            raise UsageError(f"{self.model} stands behind an address: name the model itself, whose digest the answer tells")
        records = Records(page=self.page)
        named = Named.before(self.model, external=self.allow_external)
        records.check(named, signs=True)
        check_writable(self.out)
        seen, parties = options.first_seen(self.seen), hearings.Parties(self.model, None, self.reference, self.decoys, self.layer)
        trust = trusted(
            roots=self.root, owner_key=self.owner, pool=self.pool, alpha=self.alpha, beacons=self.beacon, pledges=self.pledges
        )
        near = replace(hearings.near_of(self, self.bundle), model=self.network)
        signer = owner.opened(self.key, passphrase())
        reach = Reach(claim_file=self.bundle, near=near)
        made = hearings.heard(reach, parties, trust, seen, signer, self.out, accused=True)
        if made.found is not None:
            records.write(made.found, self.out, named, signer)
        return judged_answer(made, self.out, heard=True)
