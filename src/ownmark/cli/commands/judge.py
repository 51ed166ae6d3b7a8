"""The command that judges a suspect by an opened seal. No torch, unless a suspect needs it."""

from dataclasses import dataclass
from typing import ClassVar

from ownmark.cli import evidence_options as options
from ownmark.cli.answer import Answer
from ownmark.cli.options import AllowCode, AllowExternal, Layer, ModelOfFiles, Output, Outputs, wire_of
from ownmark.cli.sealing import passphrase
from ownmark.cli.web import Api, AtOnce, Binary, Header, LedgerFile, PerSecond, Tensor
from ownmark.errors import UsageError
from ownmark.files import check_writable


@dataclass(frozen=True, kw_only=True)
class Judge:
    """Check an opened seal, ask the suspect yourself, and sign a verdict that anybody can compute again."""

    example: ClassVar[str] = (
        "ownmark judge dispute.opened --suspect suspect.onnx --own model.onnx --decoys images --root tsa.pem "
        "--reference same-data=other.onnx --seen 2026-05-01 --key JUDGE.key --out verdict.json"
    )
    bundle: options.Opened
    suspect: options.JudgedSuspect = None
    own: options.Own = None
    reference: options.References = None
    decoys: options.Decoys = None
    model: ModelOfFiles = None
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
    key: options.JudgeKey = None
    out: options.VerdictOut = None
    offline: options.Offline = None
    judge: options.KnownJudge = None
    cyclonedx: options.CycloneDX = None
    in_toto: options.InToto = None
    spdx: options.Spdx = None
    page: options.Page = None
    api: Api = None
    header: Header = None
    tensor: Tensor = None
    binary: Binary = None
    ledger: LedgerFile = None
    per_second: PerSecond = 0
    at_once: AtOnce = 8

    def run(self) -> Answer:
        from ownmark.cli import hearings
        from ownmark.cli.render_evidence import judged_answer
        from ownmark.evidence import owner
        from ownmark.suspects.open import Reach
        from ownmark.workflows.records import Named, Records
        from ownmark.workflows.terms import trusted

        records = Records(cyclonedx=self.cyclonedx, in_toto=self.in_toto, spdx=self.spdx, page=self.page)
        named = Named.before(self.suspect, external=self.allow_external)
        records.check(named, signs=self.offline is None)
        if self.offline is not None:
            given = (self.suspect, self.own, self.reference, self.decoys, self.seen, self.key, self.out, self.alpha)
            hearings.check_offline(*given, self.layer or None, self.allow_external or None, self.allow_code or None)
            known = {"judge_key": self.judge, "owner_key": self.owner, "roots": self.root}
            read = hearings.reread(self.offline, self.bundle, self.pool, **known)
            if read.found is not None:
                records.write(read.found, self.offline)
            return judged_answer(read, self.offline, heard=False)
        if self.suspect is None or self.key is None or self.out is None:
            raise UsageError("judge needs --suspect, --key JUDGE.key to sign with, and --out; or --offline VERDICT")
        if self.judge is not None:
            raise UsageError("--judge names who must have signed a verdict, with --offline; --key signs yours")
        check_writable(self.out)
        seen = options.first_seen(self.seen)
        parties = hearings.Parties(self.suspect, self.own, self.reference, self.decoys, self.layer)
        trust = trusted(
            roots=self.root, owner_key=self.owner, pool=self.pool, alpha=self.alpha, beacons=self.beacon, pledges=self.pledges
        )
        near = hearings.near_of(self, self.bundle)
        reach = Reach(claim_file=self.bundle, near=near, wire=wire_of(self), ledger=self.ledger)
        signer = owner.opened(self.key, passphrase())
        made = hearings.heard(reach, parties, trust, seen, signer, self.out)
        if made.found is not None:
            records.write(made.found, self.out, named, signer)
        return judged_answer(made, self.out, heard=True)
