"""What the commands of evidence need: passphrases, timestamps over HTTP, and how a seal is told to a person. No torch."""

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ownmark.cli.options import rate
from ownmark.errors import EvidenceError, SuspectError, UsageError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from ownmark.claims.claim import Claim
    from ownmark.evidence.bundle import Bundle
    from ownmark.evidence.commitment import Policy
    from ownmark.evidence.timestamp import Post

PASSPHRASE = "OWNMARK_PASSPHRASE"  # noqa: S105 - the name of a variable
EXACT_ALPHA, RANKED_ALPHA = 1e-6, 0.05


def stamped(bundle: "Bundle", path: Path, authority: "tuple[str, Post, tuple[Certificate, ...]]") -> "Bundle":
    """The bundle with a timestamp. Raises SuspectError, with what to do, if the authority gives none that holds."""
    from ownmark.evidence import seal

    url, post, roots = authority
    try:
        return seal.stamped(bundle, url, post, roots)
    except (EvidenceError, SuspectError) as error:
        kept = "as it was" if bundle.stamps else "untimestamped"
        raise SuspectError(f"no timestamp: {error}. The seal {path} is kept, {kept}; try again: {_retry(path, url)}") from error


def save_over(path: Path, before: "Bundle", after: "Bundle") -> None:
    """Write the seal anew. Raises UsageError if another process did so meanwhile: what it noted would be lost."""
    from ownmark.evidence.bundle import read

    if read(path) != before:
        raise UsageError(
            f"{path} was changed while this was under way, perhaps by another ownmark: nothing is written, run again"
        )
    after.save(path)


def _retry(path: Path, url: str) -> str:
    return f"ownmark seal --retry {shlex.quote(str(path))} --tsa {shlex.quote(url)}"


def posting(url: str) -> "Post":
    """How a request gets to the authority."""
    from ownmark.evidence.timestamp import MEDIA_TYPE
    from ownmark.suspects.http.request import Request, check_address
    from ownmark.suspects.http.transport import Limits, Transport

    check_address(url)

    def post(body: bytes) -> bytes:
        transport = Transport(Limits(silence=10, longest=30, attempts=3, most_bytes=2**20, patience=10))
        try:
            return transport.send(Request("POST", url, body, (("content-type", MEDIA_TYPE),))).body
        finally:
            transport.close()

    return post


def fetched(url: str) -> bytes:
    """What lies at an address, at most a mebibyte of it."""
    from ownmark.suspects.http.request import Request, check_address
    from ownmark.suspects.http.transport import Limits, Transport

    check_address(url)
    transport = Transport(Limits(silence=10, longest=30, attempts=3, most_bytes=2**20, patience=10))
    try:
        return transport.send(Request("GET", url)).body
    finally:
        transport.close()


def policy_for(claim: "Claim", alpha: float | None, most_queries: int | None, access: str | None = None) -> "Policy":
    from ownmark.cli.console import tell
    from ownmark.evidence import claim_record
    from ownmark.evidence.commitment import Policy

    usual = EXACT_ALPHA if claim_record.keyed(claim) else RANKED_ALPHA
    before = usual if claim.choices is None else float(claim.choices["alpha"])  # what the key was derived from
    chosen, ways = rate(before if alpha is None else alpha), claim_record.ways(claim)
    if access is None and len(ways) > 1:
        tell(f"Note: p pays for {len(ways)} ways of asking, since none is named: --access {' or '.join(ways)} names one.")
    named = access or (ways[0] if len(ways) == 1 else "")
    if named and named not in ways:
        raise UsageError(f"the claim asks by {', '.join(ways)}, not by {named}: name one of them with --access")
    judged = claim.part(0) if claim_record.sets(claim) else claim
    least = min(test.null.smallest for test in judged.tests)
    if least > chosen:
        tell(f"Note: no suspect can reach p <= {chosen:g} on what one opening shows; the smallest possible p is {least:.3g}.")
    return Policy(chosen, most_queries=most_queries, access=named)


def passphrase(*, twice: bool = False) -> str:
    """From the environment, or asked for where somebody can answer."""
    known = os.environ.get(PASSPHRASE)
    if known:
        return known
    if not sys.stdin.isatty():
        raise UsageError(f"a key needs its passphrase: set {PASSPHRASE} in the environment, or type it in a terminal")
    return str(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=twice, err=True))


def tell_seal(bundle: "Bundle", path: Path, *, as_json: bool) -> None:
    from ownmark.cli.console import tell

    committed = bundle.commitment
    times = [f"{stamp.time:%Y-%m-%d %H:%M:%S} UTC, {stamp.url}" for stamp in bundle.stamps]
    rows = {
        "file": str(path),
        "digest": bundle.digest,
        "owner": committed.owner,
        "claim": committed.claim,
        "model": committed.model,
        "model file": committed.model_file or "not sealed",
        "triggers": str(committed.leaves),
        "sets": str(committed.sets) if committed.sets else "none: opened as a whole",
        "alpha": f"{committed.policy.alpha:g}",
        "timestamp": "; ".join(times) or "untimestamped: nothing shows when it was sealed",
    }
    show_facts("Sealed", rows, as_json)
    if not times:
        tell(f"A seal without a timestamp proves nothing against a suspect. To have one: {_retry(path, 'URL')}")


def tell_opening(handed: "Bundle", noted: "Bundle", path: Path, *, as_json: bool) -> None:
    committed, opening = noted.commitment, handed.opening
    left = [str(number) for number in range(max(committed.sets, 1)) if number not in noted.opened]
    rows = {
        "file": str(path),
        "seal": noted.digest,
        "opened": "the whole claim" if opening is None or opening.number is None else f"set {opening.number}",
        "triggers": str(committed.size if opening is None else len(opening.claim.images)),
        "secret": "shown: p pays for 2^40 tried keys" if opening is not None and opening.secret else "not shown",
        "left": ", ".join(left) or "nothing",
    }
    show_facts("Opened", rows, as_json)


def show_facts(title: str, rows: dict[str, str], as_json: bool) -> None:  # noqa: FBT001 - one of two ways to say the same
    from ownmark.cli.console import emit, facts, show

    if as_json:
        emit({name.replace(" ", "_"): value for name, value in rows.items()})
        return
    show(title, "bold")
    facts(rows)
