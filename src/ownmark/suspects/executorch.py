"""A suspect in an ExecuTorch program (.pte), run by executorch in a process of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ownmark.protocols import Suspect
from ownmark.suspects.aside import opened_aside
from ownmark.suspects.opener import Opener, Opening, begins
from ownmark.suspects.ports import Port

METHOD = "forward"
KINDS = {0: "uint8", 1: "int8", 3: "int32", 5: "float16", 6: "float32", 7: "float64", 15: "bfloat16"}  # ScalarType
MAGIC = 4, b"ET"  # where a FlatBuffer names its schema


@dataclass(frozen=True)
class ExecuTorchSession:
    """ExecuTorch's method as every runtime's session is seen. `kept`: the program and its bytes, which the method reads."""

    kept: tuple[Any, bytes]
    method: Any
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    def run(self, batch: npt.NDArray[Any], output: str) -> npt.NDArray[Any]:
        import torch

        found = self.method.execute([torch.from_numpy(batch)])[int(output)]
        return np.array((found.float() if found.dtype == torch.bfloat16 else found).numpy())


def session(files: Sequence[Path]) -> ExecuTorchSession:
    """The method `forward` of a program."""
    from executorch.runtime import Runtime, Verification

    data = files[0].read_bytes()
    program = Runtime.get().load_program(data, verification=Verification.InternalConsistency)
    method = program.load_method(METHOD)
    told = method.metadata
    inputs = tuple(_port(told.input_tensor_meta(place), str(place)) for place in range(told.num_inputs()))
    outputs = tuple(_port(told.output_tensor_meta(place), str(place)) for place in range(told.num_outputs()))
    return ExecuTorchSession((program, data), method, inputs, outputs)


def _port(told: Any, name: str) -> Port:  # noqa: ANN401 - its type has no public name
    """An input or output; the sizes are those that the program was planned for."""
    return Port(name, tuple(told.sizes()), KINDS.get(told.dtype(), f"type {told.dtype()}"))


def _opened(opening: Opening) -> Suspect:
    return opened_aside("executorch", opening, [Path(opening.name)])


def _holds(name: str) -> bool:
    return begins(name, *MAGIC)


OPENS = Opener(written="a .pte file", suffixes=(".pte",), holds=_holds, opened=_opened, extra="executorch")
