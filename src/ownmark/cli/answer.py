"""What a command comes to: one JSON object, or words for people, and an exit code."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol


@dataclass(frozen=True)
class Answer:
    """`record`: the one object of `--json`; `show` prints the same for people; `exit_code`: 0 match or done, 1 no match, ...

    `then`: what goes on once that was said, as a server does; None: nothing.
    """

    record: Mapping[str, Any]
    show: Callable[[], None]
    exit_code: int = 0
    then: Callable[[], None] | None = None


class Command(Protocol):
    """A frozen dataclass of what can be typed, `--json` aside: options, one call of a workflow, one renderer."""

    example: ClassVar[str]

    def run(self) -> Answer:
        """Do it, and say what came of it."""
