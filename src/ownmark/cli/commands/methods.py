"""`ownmark methods`: the methods and their parameters, as read from the methods themselves."""

from dataclasses import asdict, dataclass
from functools import partial
from typing import Annotated, ClassVar

from ownmark.cli.answer import Answer
from ownmark.cli.options import argument, listed
from ownmark.method_strings import described

GROUPS = ("schemes", "attacks", "detectors")
OTHERS = ("Training", *listed("tasks").split(", "))


@dataclass(frozen=True, kw_only=True)
class Methods:
    """List the schemes, attacks and detectors; with a name, the parameters of that one with their types and defaults."""

    example: ClassVar[str] = "ownmark methods Finetune"
    name: Annotated[
        str | None,
        argument("NAME", "A method, or a part of one: Finetune, Saliency, Training, Descent."),
    ] = None

    def run(self) -> Answer:
        from ownmark.cli.render_methods import tell_method, tell_methods

        if self.name is None:
            groups = {group: listed(group).split(", ") for group in GROUPS} | {"others": list(OTHERS)}
            return Answer(groups, partial(tell_methods, groups, self.example))
        found = described(self.name.partition("(")[0].strip())
        return Answer(asdict(found), partial(tell_method, found))
