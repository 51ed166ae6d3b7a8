"""A suspect in a LiteRT file (TensorFlow Lite), run by ai-edge-litert in a process of its own. No torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ownmark.protocols import Suspect
from ownmark.suspects.aside import opened_aside
from ownmark.suspects.opener import Opener, Opening
from ownmark.suspects.ports import Order, Port

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter

MAGIC = 4, b"TFL3"  # where a FlatBuffer names its schema


@dataclass(frozen=True)
class LiteRtSession:
    """LiteRT's interpreter as every runtime's session is seen; `places` of its outputs."""

    interpreter: "Interpreter"
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    places: Mapping[str, int]

    def run(self, batch: npt.NDArray[Any], output: str) -> npt.NDArray[Any]:
        self.interpreter.set_tensor(self.interpreter.get_input_details()[0]["index"], batch)
        self.interpreter.invoke()
        return np.asarray(self.interpreter.get_tensor(self.places[output]))


def session(files: Sequence[Path]) -> LiteRtSession:
    """The first subgraph of a file."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=files[0].read_bytes(), num_threads=1)
    interpreter.allocate_tensors()
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    places = {one["name"]: one["index"] for one in outputs}
    return LiteRtSession(interpreter, tuple(map(_port, inputs)), tuple(map(_port, outputs)), places)


def _port(told: Mapping[str, Any]) -> Port:
    """The batch that the file was made for is kept, since many files hold it in their graph too."""
    scale, zero = told["quantization"]
    shape = tuple(int(one) for one in told["shape"])
    return Port(told["name"], shape, np.dtype(told["dtype"]).name, float(scale), int(zero), Order.CHANNELS_LAST)


def _opened(opening: Opening) -> Suspect:
    return opened_aside("litert", opening, [Path(opening.name)])


OPENS = Opener(written="a .tflite file", suffixes=(".tflite", ".lite"), magic=MAGIC, opened=_opened, extra="litert")
