"""The researcher's command: makes a recipe's models, copies and claims, asks every suspect, and writes one page."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from ownmark.cli.answer import Answer
from ownmark.cli.options import Device, argument, option
from ownmark.errors import UsageError
from ownmark.files import check_writable


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Redraw a paper's tables and figures. Ctrl-C or worse loses nothing: the same command resumes."""

    example: ClassVar[str] = "ownmark bench skin --scale cpu"
    recipe: Annotated[
        str,
        argument("RECIPE", "skin, age, face, mnist, cifar10, cifar100, digits, or a .yaml file."),
    ]
    scale: Annotated[
        str, typer.Option(metavar="SCALE", help="smoke (a minute), cpu (two cores), paper (a GPU), or another one of the recipe.")
    ] = "smoke"
    scheme: Annotated[
        list[str] | None,
        option("NAME", "Only this scheme of the recipe; may be repeated."),
    ] = None
    attack: Annotated[
        list[str] | None,
        option("NAME", 'Only this attack, or one of your own: "Noise(scale=0.2)"; may be repeated.'),
    ] = None
    out: Annotated[
        Path | None,
        option("FOLDER", "Where tables, figures and page go (bench-RECIPE-SCALE)."),
    ] = None
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Parallel workers (default: one per core).", show_default=False)
    ] = None
    ray: Annotated[
        str | None,
        option("ADDRESS", "Run on this Ray cluster; local starts one here."),
    ] = None
    report: Annotated[
        str | None,
        option("nnw", "Also evaluate the watermarks as IEEE 3304-2023 asks: nnw.json and nnw.html."),
    ] = None
    device: Device = "cpu"

    def run(self) -> Answer:
        from ownmark.bench.redrawing import Redrawing, redrawn
        from ownmark.cli.console import tell
        from ownmark.cli.render_bench import BenchProgress, bench_answer
        from ownmark.models.network import device

        asked = Redrawing(
            recipe=self.recipe,
            scale=self.scale,
            schemes=tuple(self.scheme or ()),
            attacks=tuple(self.attack or ()),
            out=self.out,
            workers=self.workers,
            ray=self.ray,
            device=str(device(self.device)),
            report=self.report,
        )
        asked.check()
        _make(asked.folder)
        for name, reason in asked.grid.skipped.items():
            tell(f"{name} is skipped: {reason}.")
        tell(f"Finished work is kept in {asked.store.root}: after an interruption, the same command resumes.")
        return bench_answer(redrawn(asked, BenchProgress))


def _make(folder: Path) -> None:
    """The folder, before hours of work."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder {folder}: {error.strerror or error}") from error
    check_writable(folder / "report.html")
