"""`ownmark inspect`: what is in a claim. No torch."""

from dataclasses import dataclass
from typing import ClassVar

from ownmark.cli.answer import Answer
from ownmark.cli.options import ClaimFile


@dataclass(frozen=True, kw_only=True)
class Inspect:
    """Show what is in a claim."""

    example: ClassVar[str] = "ownmark inspect my.claim"
    claim: ClaimFile

    def run(self) -> Answer:
        from ownmark.cli.console import Terminal
        from ownmark.cli.render_judge import of_inspect
        from ownmark.workflows.inspect import InspectRequest, inspect

        return of_inspect(inspect(InspectRequest(file=self.claim), Terminal()), self.claim)
