"""A suspect in a torch.export archive (.pt2), run by torch in a process of its own, if its code may run.

Opening one unpickles what it names and evaluates expressions that it holds, so that it can run any code.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ownmark.models.kinds import EXPORTED
from ownmark.protocols import Suspect
from ownmark.suspects.aside import check_code, opened_aside
from ownmark.suspects.opener import Opener, Opening
from ownmark.suspects.ports import Port


@dataclass(frozen=True)
class ExportedSession:
    """An exported program as every runtime's session is seen."""

    program: Any
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    def run(self, batch: npt.NDArray[Any], output: str) -> npt.NDArray[Any]:
        import torch
        from torch.utils._pytree import tree_leaves

        with torch.no_grad():
            found = tree_leaves(self.program(torch.from_numpy(batch)))[[one.name for one in self.outputs].index(output)]
        return np.asarray((found.float() if found.dtype == torch.bfloat16 else found).numpy())


def session(files: Sequence[Path]) -> ExportedSession:
    """The program as it was exported."""
    import torch

    program = torch.export.load(files[0])
    told = program.graph_signature
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    outputs = [str(name) for name in told.user_outputs]
    spec = program.call_spec.out_spec
    names = list(spec.context) if spec is not None and spec.type is dict and len(spec.context) == len(outputs) else outputs
    return ExportedSession(
        program.module(),
        tuple(_port(str(name), values.get(str(name))) for name in told.user_inputs),
        tuple(_port(str(name), values.get(node)) for name, node in zip(names, outputs, strict=True)),
    )


def _port(name: str, value: Any) -> Port:  # noqa: ANN401 - a stand-in for a tensor, or another value
    """An input or output; a dimension that is a symbol is free."""
    import torch

    if not isinstance(value, torch.Tensor):
        return Port(name, None, type(value).__name__)
    shape = tuple(one if isinstance(one, int) else -1 for one in value.shape)
    return Port(name, shape, str(value.dtype).removeprefix("torch."))


def _opened(opening: Opening) -> Suspect:
    return opened_aside("torch_export", opening, [Path(opening.name)])


OPENS = Opener(written="a .pt2 file", suffixes=(".pt2",), packed=EXPORTED, check=check_code, opened=_opened, extra="torch")
