"""What can be typed to seal, open, judge and weigh claims: each option declared once."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from ownmark.cli.options import argument, option
from ownmark.cli.sealing import PASSPHRASE
from ownmark.errors import UsageError

OwnKey = Annotated[Path, argument("OWNER.key", "The file to write.")]
KeyFile = Annotated[Path | None, option("OWNER.key", f"The owner's key; its passphrase comes from ${PASSPHRASE} or a prompt.")]
Authority = Annotated[
    str | None, option("URL", "An RFC 3161 timestamp authority; ${NAME} in it stands for a variable of the environment.")
]
ClaimToSeal = Annotated[Path | None, argument("[CLAIM]", "The claim's file.")]
SealOut = Annotated[Path | None, option("FILE", "The seal (CLAIM.sealed).")]
AuthorityRoot = Annotated[
    Path | None, option("PEM", "The authority's root certificates, to check the timestamp at once, as a judge will.")
]
Retry = Annotated[Path | None, option("SEAL", "Only add a timestamp to this seal, its first or another.")]
ModelFile = Annotated[Path | None, option("FILE", "The protected model's file: its digest is sealed, too.")]
SealedPool = Annotated[Path | None, option("FILE", "Safetensors of the images from which the sets' keys chose.")]
Previous = Annotated[Path | None, option("SEAL", "Your previous seal, which the new one names, so that none can be left out.")]
SealedAlpha = Annotated[
    float | None,
    option("RATE", "The rate of false accusations to judge by, chosen now: 1e-6 for keyed labels, otherwise 0.05, by default."),
]
SealedQueries = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Query budget of a judge, per suspect.", show_default=False)
]
PledgeFile = Annotated[Path | None, option("PLEDGE", "The pledge with its pulse, from which the key derives.")]
SealFile = Annotated[Path, argument("SEAL", "The seal's file, in which the opening is noted.")]
SealedClaim = Annotated[Path, option("CLAIM", "The claim's file, as it was sealed.")]
OpenedOut = Annotated[Path, option("FILE", "The file to hand to the judge.")]
Part = Annotated[int | None, typer.Option(min=0, metavar="N", help="The set, from 0.", show_default=False)]
Whole = Annotated[
    bool,
    typer.Option(
        "--whole",
        help="Open every set, with the claim's secret: p pays for 2^40 tried keys instead of 2^64, and no set stays secret.",
    ),
]
Again = Annotated[bool, typer.Option("--again", help="Write a set's file once more, for the same dispute only.")]

Opened = Annotated[Path, argument("OPENED", "What `ownmark open` wrote for the judge.")]
JudgedSuspect = Annotated[
    str | None, option("SUSPECT", "An ONNX file, weights of MODEL, module:factory, an address, or an api.yaml.")
]
Own = Annotated[str | None, option("FILE", "The claimant's own model, as it was sealed.")]
References = Annotated[
    list[str] | None,
    option("STRATUM=FILE", "An independent model of yours: other-data, same-task, same-data or same-ancestor. May be repeated."),
]
Decoys = Annotated[Path | None, option("FOLDER", "Ordinary images of the task, one folder per class.")]
Root = Annotated[Path | None, option("PEM", "Root certificates of the timestamp authorities that you trust.")]
KnownOwner = Annotated[Path | None, option("OWNER.pub", "The claimant's public key, as you know it.")]
Pool = Annotated[Path | None, option("FILE", "The pool that the triggers were chosen from.")]
Seen = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"],
        metavar="DATE",
        help="When the suspect was first seen (UTC): the seal must be older.",
        show_default=False,
    ),
]
Cap = Annotated[
    float | None, option("RATE", "The largest rate of false accusations that you judge by, whatever the claimant committed to.")
]
Beacons = Annotated[Path | None, option("PEM", "Certificates of public beacons that you trust, or drand's info on a chain.")]
Pledges = Annotated[int, typer.Option(min=1, metavar="N", help="The least number of pledges per pulse that p is corrected for.")]
JudgeKey = Annotated[Path | None, option("JUDGE.key", "The key that signs the verdict; `ownmark keygen` makes one.")]
VerdictOut = Annotated[Path | None, option("FILE", "The verdict to write.")]
CycloneDX = Annotated[Path | None, option("FILE", "Write the verdict as a CycloneDX 1.7 document, too.", "--cyclonedx")]
InToto = Annotated[Path | None, option("FILE", "Write it as an in-toto attestation about the suspect's file, signed.")]
Spdx = Annotated[Path | None, option("FILE", "Write it as an SPDX 3.0 document of the AI profile.")]
Page = Annotated[Path | None, option("PAGE", "Write the verdict as a page, too.")]
Offline = Annotated[Path | None, option("VERDICT", "Ask no suspect: recompute this verdict.")]
KnownJudge = Annotated[Path | None, option("JUDGE.pub", "With --offline: the key that must have signed the verdict.")]
First = Annotated[Path, argument("A", "The first claimant's opened seal.")]
Second = Annotated[Path, argument("B", "The second claimant's.")]
DisputedSuspect = Annotated[str, argument("SUSPECT", "An ONNX file or module:factory.")]
FirstModel = Annotated[str, option("FILE", "The first claimant's model.")]
SecondModel = Annotated[str, option("FILE", "The second claimant's model.")]

AHEAD = timedelta(days=1)  # by which the date of whoever types it may be ahead of UTC


def first_seen(seen: datetime | None) -> datetime:
    """When the suspect was first seen, which must be said, and not be in the future: no seal is in time before that."""
    if seen is None:
        raise UsageError("say when the suspect was first seen, --seen DATE (UTC): only a seal that is older is in time")
    found = seen.replace(tzinfo=UTC)
    if found > datetime.now(UTC) + AHEAD:
        raise UsageError(f"--seen {found:%Y-%m-%d} is in the future, and every seal would be in time: say when it was first seen")
    return found
