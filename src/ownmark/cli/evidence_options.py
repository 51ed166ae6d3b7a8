"""What can be typed to seal, open, judge and weigh claims: each option declared once."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ownmark.cli.sealing import PASSPHRASE
from ownmark.errors import UsageError

OwnKey = Annotated[Path, typer.Argument(metavar="OWNER.key", help="The file to write.", show_default=False)]
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
ClaimToSeal = Annotated[Path | None, typer.Argument(metavar="[CLAIM]", help="The claim's file.", show_default=False)]
SealOut = Annotated[Path | None, typer.Option(metavar="FILE", help="The seal (CLAIM.sealed).", show_default=False)]
AuthorityRoot = Annotated[
    Path | None,
    typer.Option(
        metavar="PEM", help="The authority's root certificates, to see at once that a judge can check it.", show_default=False
    ),
]
Retry = Annotated[
    Path | None,
    typer.Option(metavar="SEAL", help="Only add a timestamp to this seal, its first or another.", show_default=False),
]
ModelFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The protected model's file: its digest is sealed, too.", show_default=False),
]
SealedPool = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Safetensors with the images that the keys of the sets chose theirs from.", show_default=False
    ),
]
Previous = Annotated[
    Path | None, typer.Option(metavar="SEAL", help="Your last seal: names it, so that none is left out.", show_default=False)
]
SealedAlpha = Annotated[
    float | None,
    typer.Option(
        metavar="RATE",
        help="The rate of false accusations to judge by, chosen now: 1e-6 for keyed labels, otherwise 0.05, if not said.",
        show_default=False,
    ),
]
SealedQueries = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="A judge asks one suspect at most this.", show_default=False)
]
PledgeFile = Annotated[
    Path | None,
    typer.Option(metavar="PLEDGE", help="What was timestamped before the pulse that the key takes.", show_default=False),
]
SealFile = Annotated[Path, typer.Argument(metavar="SEAL", help="The seal's file, which notes it.", show_default=False)]
SealedClaim = Annotated[Path, typer.Option(metavar="CLAIM", help="The claim's file, as it was sealed.", show_default=False)]
OpenedOut = Annotated[Path, typer.Option(metavar="FILE", help="What the judge gets.", show_default=False)]
Part = Annotated[int | None, typer.Option(min=0, metavar="N", help="The set, from 0.", show_default=False)]
Whole = Annotated[
    bool,
    typer.Option(
        "--whole",
        help="Open every set, with the claim's secret: p pays for 2^40 tried keys instead of 2^64, and no set is left.",
    ),
]
Again = Annotated[bool, typer.Option("--again", help="Write a set's file once more, for the same dispute only.")]

Opened = Annotated[Path, typer.Argument(metavar="OPENED", help="What `ownmark open` wrote for the judge.", show_default=False)]
JudgedSuspect = Annotated[
    str | None,
    typer.Option(
        metavar="SUSPECT",
        help="An ONNX file, weights of MODEL, module:factory, an address, or an api.yaml.",
        show_default=False,
    ),
]
Own = Annotated[str | None, typer.Option(metavar="FILE", help="The claimant's own model, as it was sealed.", show_default=False)]
References = Annotated[
    list[str] | None,
    typer.Option(
        metavar="STRATUM=FILE",
        help="An independent model of yours: other-data, same-task, same-data or same-ancestor. May be repeated.",
        show_default=False,
    ),
]
Decoys = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Ordinary images of the task, one folder a class.", show_default=False)
]
Root = Annotated[
    Path | None,
    typer.Option(metavar="PEM", help="Root certificates of the timestamp authorities that you believe.", show_default=False),
]
KnownOwner = Annotated[
    Path | None, typer.Option(metavar="OWNER.pub", help="The key that you know as the claimant's.", show_default=False)
]
Pool = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The pool that the triggers were chosen from.", show_default=False)
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
Cap = Annotated[
    float | None,
    typer.Option(
        metavar="RATE",
        help="The largest rate of false accusations that you judge by, whatever the claimant committed to.",
        show_default=False,
    ),
]
Beacons = Annotated[
    Path | None,
    typer.Option(
        metavar="PEM", help="Certificates of the public beacons that you believe, or drand's info on a chain.", show_default=False
    ),
]
Pledges = Annotated[
    int,
    typer.Option(min=1, metavar="N", help="As one of how many you count a pledge before a pulse, at least."),
]
JudgeKey = Annotated[
    Path | None, typer.Option(metavar="JUDGE.key", help="Signs the verdict; ownmark keygen makes one.", show_default=False)
]
VerdictOut = Annotated[Path | None, typer.Option(metavar="FILE", help="The verdict to write.", show_default=False)]
Offline = Annotated[
    Path | None, typer.Option(metavar="VERDICT", help="Ask nobody: compute this verdict anew.", show_default=False)
]
KnownJudge = Annotated[
    Path | None,
    typer.Option(metavar="JUDGE.pub", help="With --offline: the key that must have signed the verdict.", show_default=False),
]
First = Annotated[Path, typer.Argument(metavar="A", help="The first claimant's opened seal.", show_default=False)]
Second = Annotated[Path, typer.Argument(metavar="B", help="The second claimant's.", show_default=False)]
DisputedSuspect = Annotated[str, typer.Argument(metavar="SUSPECT", help="An ONNX file or module:factory.", show_default=False)]
FirstModel = Annotated[str, typer.Option(metavar="FILE", help="The first claimant's model.", show_default=False)]
SecondModel = Annotated[str, typer.Option(metavar="FILE", help="The second claimant's model.", show_default=False)]


def first_seen(seen: datetime | None) -> datetime:
    """When the suspect was first seen, which must be said: no seal is in time before that."""
    if seen is None:
        raise UsageError("say when the suspect was first seen, --seen DATE (UTC): only a seal that is older is in time")
    return seen.replace(tzinfo=UTC)
