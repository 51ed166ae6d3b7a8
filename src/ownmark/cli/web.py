"""The options of a suspect behind an address, each declared once."""

from pathlib import Path
from typing import Annotated

import typer

from ownmark.cli.options import option

PANEL = "A suspect behind an address"

Api = Annotated[
    str | None,
    option(
        "NAME|FILE",
        "torchserve, huggingface, mlflow, bentoml, gradio, vertex, ... or a mapping; by default the Open Inference Protocol.",
        panel=PANEL,
    ),
]
Header = Annotated[
    list[str] | None,
    option(
        "'NAME: TEXT'",
        "Sent with every request; ${NAME} in it stands for a variable of the environment. May be repeated.",
        panel=PANEL,
    ),
]
Tensor = Annotated[
    str | None,
    option(
        "IN:TYPE:LAYOUT:OUT",
        "What the server does not tell itself, e.g. image:FP32:nchw:scores; parts may be empty.",
        panel=PANEL,
    ),
]
Binary = Annotated[
    str | None, option("yes|no", "Send tensors as bytes even where the server does not list that, or never.", panel=PANEL)
]
LedgerFile = Annotated[
    Path | None,
    option(
        "FILE",
        "The ledger of every query (by default beside the claim; a judge must name one); a second run asks only what is missing.",
        panel=PANEL,
    ),
]
MostQueries = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="N", help="Ask about at most N images, repeats counted.", show_default=False, rich_help_panel=PANEL
    ),
]
PerSecond = Annotated[
    float, typer.Option(min=0, metavar="N", help="At most N requests per second; 0: no limit.", rich_help_panel=PANEL)
]
AtOnce = Annotated[int, typer.Option(min=1, max=256, metavar="N", help="Concurrent requests.", rich_help_panel=PANEL)]
Repeats = Annotated[
    int, typer.Option(min=0, metavar="N", help="Images queried twice, to see whether answers change.", rich_help_panel=PANEL)
]
DecoyFolder = Annotated[
    Path | None,
    option(
        "FOLDER",
        "Ordinary images, one folder per class, asked first to find out what it reveals (by default CLAIM.decoys, if present).",
        "--decoys",
        panel=PANEL,
    ),
]
BlueFirst = Annotated[bool, typer.Option("--blue-first", help="Send blue, green, red.", rich_help_panel=PANEL)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Query nothing; print how many it takes.", rich_help_panel=PANEL)]
Price = Annotated[
    float | None,
    typer.Option(min=0, metavar="N", help="Price of 1000 queries, for --dry-run.", show_default=False, rich_help_panel=PANEL),
]
