"""A suspect in an ExecuTorch program (.pte), run by executorch in a process of its own.

A program that was exported from a channels-last example takes its numbers in that order and does not notice another; its Python
runtime does not say so, hence the order is read from the file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ownmark.protocols import Suspect
from ownmark.suspects.aside import opened_aside
from ownmark.suspects.opener import Opener, Opening
from ownmark.suspects.ports import Port

METHOD = "forward"
KINDS = {0: "uint8", 1: "int8", 3: "int32", 5: "float16", 6: "float32", 7: "float64", 15: "bfloat16"}  # ScalarType
TENSOR = 5  # of the union KernelTypes
PLANS, NAME, VALUES, INPUTS, KIND, VALUE, ORDER = 1, 0, 2, 3, 0, 1, 3  # program.fbs: places of fields in their tables
LAST = bytes((0, 2, 3, 1))  # n, height, width, channels, outermost first
MAGIC = 4, b"ET"  # where a FlatBuffer names its schema


@dataclass(frozen=True)
class ExecuTorchSession:
    """ExecuTorch's method as every runtime's session is seen. `kept`: the program and its bytes, which the method reads."""

    kept: tuple[Any, bytes]
    method: Any
    last: bool
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    def run(self, batch: npt.NDArray[Any], output: str) -> npt.NDArray[Any]:
        import torch

        given = torch.from_numpy(batch.transpose(0, 2, 3, 1).copy()).permute(0, 3, 1, 2) if self.last else torch.from_numpy(batch)
        found = self.method.execute([given])[int(output)]
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
    return ExecuTorchSession((program, data), method, _order(data) == LAST, inputs, outputs)


def _port(told: Any, name: str) -> Port:  # noqa: ANN401 - its type has no public name
    """An input or output; the sizes are those that the program was planned for."""
    return Port(name, tuple(told.sizes()), KINDS.get(told.dtype(), f"type {told.dtype()}"))


def _order(data: bytes) -> bytes:
    """In which order the first input's dimensions lie in memory, as the program says it; b"" if it says nothing."""
    program = Table(data, int.from_bytes(data[:4], "little"))
    plan = next((one for one in program.tables(PLANS) if one.text(NAME) == METHOD), None)
    place = -1 if plan is None else next(iter(plan.numbers(INPUTS)), -1)
    if plan is None or place < 0:
        return b""
    value = plan.tables(VALUES)[place]
    inner = value.table(VALUE) if value.byte(KIND) == TENSOR else None
    return b"" if inner is None else inner.text(ORDER).encode("latin-1")


@dataclass(frozen=True)
class Table:
    """A table of a FlatBuffer: `at` is where it begins in `data`."""

    data: bytes
    at: int

    def text(self, field: int) -> str:
        """A string, or bytes as one."""
        start, count = self._vector(field)
        return self.data[start : start + count].decode("latin-1")

    def byte(self, field: int) -> int:
        place = self._place(field)
        return self.data[place] if place else 0

    def numbers(self, field: int) -> list[int]:
        start, count = self._vector(field)
        return [self._number(start + 4 * place) for place in range(count)]

    def table(self, field: int) -> "Table | None":
        place = self._place(field)
        return Table(self.data, place + self._number(place)) if place else None

    def tables(self, field: int) -> list["Table"]:
        start, count = self._vector(field)
        places = range(start, start + 4 * count, 4)
        return [Table(self.data, place + self._number(place)) for place in places]

    def _place(self, field: int) -> int:
        """Where a field lies, 0 if it is left out."""
        fields = self.at - self._number(self.at)
        entry = fields + 4 + 2 * field
        if entry + 2 > fields + int.from_bytes(self.data[fields : fields + 2], "little"):
            return 0
        offset = int.from_bytes(self.data[entry : entry + 2], "little")
        return self.at + offset if offset else 0

    def _vector(self, field: int) -> tuple[int, int]:
        """Where the elements of a vector begin, and how many there are."""
        place = self._place(field)
        if not place:
            return 0, 0
        start = place + self._number(place)
        return start + 4, self._number(start)

    def _number(self, at: int) -> int:
        return int.from_bytes(self.data[at : at + 4], "little", signed=True)


def _opened(opening: Opening) -> Suspect:
    return opened_aside("executorch", opening, [Path(opening.name)])


OPENS = Opener(written="a .pte file", suffixes=(".pte",), magic=MAGIC, opened=_opened, extra="executorch")
