"""A suspect in a TorchScript archive, run by torch in a process of its own, if its code may run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ownmark.errors import ModelError
from ownmark.models.kinds import TORCHSCRIPT
from ownmark.protocols import Suspect
from ownmark.suspects.aside import check_code, opened_aside
from ownmark.suspects.opener import Opener, Opening
from ownmark.suspects.ports import Port

KINDS = ("float32", "float16", "float64")  # of weights: images are given in the same


@dataclass(frozen=True)
class ScriptedSession:
    """A scripted module as every runtime's session is seen; it does not say what shapes it takes."""

    module: Any
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    def run(self, batch: npt.NDArray[Any], output: str) -> npt.NDArray[Any]:
        import torch

        with torch.no_grad():
            found = self.module(torch.from_numpy(batch))
        found = found if isinstance(found, torch.Tensor) else found[int(output)]
        return np.asarray((found.float() if found.dtype == torch.bfloat16 else found).numpy())


def session(files: Sequence[Path]) -> ScriptedSession:
    """The module in eval mode, on the CPU."""
    import torch

    module = torch.jit.load(files[0], map_location="cpu").eval()  # type: ignore[no-untyped-call]
    kind = next((str(one.dtype).removeprefix("torch.") for one in module.parameters() if one.is_floating_point()), "float32")
    (given,) = list(module.graph.outputs())
    many = given.type().kind() == "TupleType"
    if not many and given.type().kind() != "TensorType":
        raise ModelError(f"it returns a {given.type().annotation_str}: export it to ONNX where it was made")
    count = len(given.type().elements()) if many else 1
    outputs = tuple(Port(str(place) if many else "output", None, "float32") for place in range(count))
    return ScriptedSession(module, (Port("images", None, kind if kind in KINDS else "float32"),), outputs)


def _opened(opening: Opening) -> Suspect:
    return opened_aside("torchscript", opening, [Path(opening.name)])


OPENS = Opener(
    written="a TorchScript file", suffixes=(".torchscript",), packed=TORCHSCRIPT, check=check_code, opened=_opened, extra="torch"
)
