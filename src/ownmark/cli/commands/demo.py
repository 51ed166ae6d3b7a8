"""`ownmark demo`: the whole story on handwritten digits."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from ownmark.cli.answer import Answer
from ownmark.cli.options import Seed


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Tell the whole story on handwritten digits: protect, steal, judge, and a page to open. Takes a minute or so."""

    example: ClassVar[str] = "ownmark demo --out demo"
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the page, the claim and the weights go.")] = Path("demo")
    seed: Seed = 0

    def run(self) -> Answer:
        from ownmark.cli.demo.story import run_story

        return run_story(self.out, self.seed)
