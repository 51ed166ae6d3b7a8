"""The options of `protect` alone, each declared once."""

from pathlib import Path
from typing import Annotated

import typer

from ownmark.cli.options import listed, option

ClaimOut = Annotated[Path, option("FILE", "The claim to write.")]
SchemeText = Annotated[
    str | None,
    option(
        "SCHEME",
        f'The method: {listed("schemes")}; e.g. "Saliency(samples=50)"; see `ownmark methods NAME`. '
        "By default Traces, or Saliency with fewer than 3 references or 150 images.",
    ),
]
Marked = Annotated[Path | None, option("FILE", "Where a watermark's marked weights go (by default beside the claim).")]
OwnersKey = Annotated[
    Path | None, option("OWNER.key", "The key whose secret a watermark's labels derive from; by default a random one.")
]
MarksAlpha = Annotated[
    float,
    typer.Option(metavar="RATE", help="The rate of false accusations that a watermark is judged by: its key depends on it."),
]
PledgeFile = Annotated[
    Path | None,
    option(
        "PLEDGE",
        "The first run writes this; `ownmark beacon` adds a pulse; the next run derives the key from both.",
    ),
]
Pledges = Annotated[
    int, typer.Option(min=1, metavar="N", help="How many pledges you make for this claim: p is corrected for all.")
]
References = Annotated[
    int | None,
    typer.Option(
        min=0,
        metavar="N",
        help="How many references to train on the images (without it 3 for residuals, 2 for saliency maps, 2 or 3 for others).",
        show_default=False,
    ),
]
ReferenceFiles = Annotated[
    list[Path] | None, option("FILE", "Weights of another model of yours, trained independently; may be repeated.", "--reference")
]
TrainingText = Annotated[
    str, typer.Option(metavar="TRAINING", help="How other models are trained; see `ownmark methods Training`.")
]
ReferencesCache = Annotated[
    Path | None, option("FOLDER", "Where trained references and copies stay for later runs.", "--references-cache")
]
Batch = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Images changed at once (by the device's memory).", show_default=False),
]
