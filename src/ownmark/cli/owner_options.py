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
        "Without it Traces, or Saliency where 3 references or 150 images are not there.",
    ),
]
Marked = Annotated[Path | None, option("FILE", "A watermark's weights to write (the claim's name, safetensors).")]
OwnersKey = Annotated[
    Path | None, option("OWNER.key", "Whose secret a watermark's triggers come from; without it, a random key.")
]
MarksAlpha = Annotated[
    float,
    typer.Option(metavar="RATE", help="The rate of false accusations that a watermark is judged by: its key depends on it."),
]
PledgeFile = Annotated[
    Path | None,
    option("PLEDGE", "First writes this and stops; `ownmark beacon` gives it a public pulse; then the key takes that, too."),
]
Pledges = Annotated[int, typer.Option(min=1, metavar="N", help="As one of how many you pledge for this claim: p pays for each.")]
References = Annotated[
    int | None,
    typer.Option(
        min=0,
        metavar="N",
        help="Models to train on the images as references (3 for residuals; else 3 that grow, or 2).",
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
    Path | None, option("FOLDER", "Keeps the trained references and copies, and finds them again.", "--references-cache")
]
Batch = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Change so many images at once (by the device's memory).", show_default=False),
]
