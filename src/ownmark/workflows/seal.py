"""The owner's side of evidence: make a key, seal a claim before anybody is accused, open one set of it in a dispute. No torch.

What was sealed is kept whatever happens to its timestamp: `stamp` goes on from there.
"""

import shlex
from dataclasses import dataclass
from pathlib import Path

from cryptography.x509 import Certificate

from ownmark.claims.claim import Claim
from ownmark.errors import EvidenceError, SuspectError, UsageError
from ownmark.evidence import bundle, claim_record, owner
from ownmark.evidence import seal as sealing
from ownmark.evidence.bundle import Bundle
from ownmark.evidence.commitment import Policy
from ownmark.evidence.owner import OwnerKey
from ownmark.evidence.seal import Beside
from ownmark.files import check_new
from ownmark.verdicts.ways import calibrated
from ownmark.verdicts.ways import ways as ways_of
from ownmark.workflows.posting import posting
from ownmark.workflows.watching import NOBODY, Watcher

EXACT_ALPHA, RANKED_ALPHA = 1e-6, 0.05


@dataclass(frozen=True)
class Keys:
    """An owner's key that was made: `file` is secret, `public_file` and `public` may be shown to anybody."""

    file: Path
    public_file: Path
    public: str


def keygen(file: Path, passphrase: str) -> Keys:
    """Make an owner's key. Raises UsageError for a file that is there already, and for a passphrase that is too short."""
    made = owner.create(file, passphrase)
    return Keys(file, owner.public_file(file), made.public)


@dataclass(frozen=True)
class Authority:
    """An RFC 3161 timestamp authority. `roots`: certificates under which its timestamps must hold at once; (): no check."""

    url: str
    roots: tuple[Certificate, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class SealRequest:
    """What is sealed, by whom, and where it goes.

    `alpha`: the rate of false accusations to judge by, None: that of the claim's choices or, without them, 1e-6 for keyed labels
    and 0.05 for others; `most_queries`: what a judge may ask one suspect; `access`: the one way of asking that counts, None: p
    pays for every way; `beside`: what else is sealed by its digest.
    """

    claim: Claim
    owner: OwnerKey
    out: Path
    alpha: float | None = None
    most_queries: int | None = None
    access: str | None = None
    beside: Beside = Beside()
    authority: Authority | None = None


@dataclass(frozen=True)
class SealResult:
    """A seal and the file that it is in."""

    bundle: Bundle
    path: Path


def seal(request: SealRequest, watcher: Watcher = NOBODY) -> SealResult:
    """Sign a claim, write the seal, and only then have it timestamped.

    Raises UsageError for a claim that no verdict could rest on, and SuspectError if the authority gives no timestamp that holds.
    """
    if request.authority is not None:
        posting(request.authority.url)  # what is no address is told before anything is written
    check_new(request.out, "a seal that is overwritten is lost: name another file with --out")
    sealing.check_sealable(request.claim)
    policy = policy_for(request.claim, request.alpha, request.most_queries, request.access, watcher)
    made = sealing.seal(request.claim, request.owner, policy, request.beside)
    made.save(request.out)
    return SealResult(made, request.out) if request.authority is None else stamp(request.out, request.authority)


def stamp(path: Path, authority: Authority) -> SealResult:
    """Have a seal that is there timestamped, or once more. Raises SuspectError, with what to do, if that fails."""
    post, before = posting(authority.url), bundle.read(path)
    try:
        after = sealing.stamped(before, authority.url, post, authority.roots)
    except (EvidenceError, SuspectError) as error:
        kept = "as it was" if before.stamps else "untimestamped"
        again = retry(path, authority.url)
        raise SuspectError(f"no timestamp: {error}. The seal {path} is kept, {kept}; try again: {again}") from error
    _save_over(path, before, after)
    return SealResult(after, path)


def retry(path: Path, url: str) -> str:
    """The command that asks for a timestamp again."""
    return f"ownmark seal --retry {shlex.quote(str(path))} --tsa {shlex.quote(url)}"


def policy_for(claim: Claim, alpha: float | None, most_queries: int | None, access: str | None, watcher: Watcher) -> Policy:
    """By what a claim is to be judged, where that is not said: what its key was derived from. Raises UsageError."""
    usual = EXACT_ALPHA if claim_record.keyed(claim) else RANKED_ALPHA
    before = usual if claim.choices is None else float(claim.choices["alpha"])  # what the key was derived from
    chosen, ways = before if alpha is None else alpha, ways_of(calibrated(claim))
    if not 0 < chosen < 1:
        raise UsageError(f"alpha must lie between 0 and 1, got {chosen:g}: it is the rate of false accusations that you accept")
    if access is None and len(ways) > 1:
        watcher.note(f"Note: p pays for {len(ways)} ways of asking, since none is named: --access {' or '.join(ways)} names one.")
    named = access or (ways[0] if len(ways) == 1 else "")
    if named and named not in ways:
        raise UsageError(f"the claim asks by {', '.join(ways)}, not by {named}: name one of them with --access")
    judged = claim.part(0) if claim_record.sets(claim) else claim
    least = min(test.null.smallest for test in judged.tests)
    if least > chosen:
        watcher.note(
            f"Note: no suspect can reach p <= {chosen:g} on what one opening shows; the smallest possible p is {least:.3g}."
        )
    return Policy(chosen, most_queries=most_queries, access=named)


@dataclass(frozen=True, kw_only=True, eq=False)
class OpenRequest:
    """What of a seal's file is opened, and where the judge's file goes.

    `part`: the set, None: the whole of a claim without sets; `whole`: every set, with the claim's secret; `again`: write a set
    that was opened before once more, for the same dispute only.
    """

    seal: Path
    claim: Claim
    owner: OwnerKey
    out: Path
    part: int | None = None
    whole: bool = False
    again: bool = False


@dataclass(frozen=True)
class OpenResult:
    """`handed`: what the judge gets, in the file `path`; `noted`: the owner's own seal, which remembers what was opened."""

    handed: Bundle
    noted: Bundle
    path: Path


def open_seal(request: OpenRequest) -> OpenResult:
    """Write what a judge needs, and note in the seal what was opened. Raises UsageError for a set that never counts again."""
    before, number = bundle.read(request.seal), request.part or 0
    check_unopened(before, request.part, whole=request.whole, again=request.again)
    if request.whole:
        handed, noted = sealing.opened_whole(before, request.claim, request.owner), sealing.noted_whole(before)
    else:
        handed, noted = sealing.opened(before, request.claim, request.owner, request.part), sealing.noted(before, number)
    _save_over(request.seal, before, noted)  # first: a set that is noted and not handed out can be written again
    handed.save(request.out)
    return OpenResult(handed, noted, request.out)


def check_unopened(before: Bundle, part: int | None, *, whole: bool, again: bool) -> None:
    """Raises UsageError for a set that was opened, unless its file is to be written again, and for a set of the whole."""
    if whole and part is not None:
        raise UsageError("--whole opens every set: leave --part out")
    if (part or 0) in before.opened and not again and not whole:
        raise UsageError(
            f"set {part or 0} was opened before and never counts again: open another; --again writes the same file anew"
        )


def _save_over(path: Path, before: Bundle, after: Bundle) -> None:
    """Write the seal anew. Raises UsageError if another process did so meanwhile: what it noted would be lost."""
    if bundle.read(path) != before:
        raise UsageError(
            f"{path} was changed while this was under way, perhaps by another ownmark: nothing is written, run again"
        )
    after.save(path)
