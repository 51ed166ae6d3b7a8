"""A suspect in OpenVINO's format (.xml with its .bin), run by openvino in a process of its own. No torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ownmark.protocols import Suspect
from ownmark.suspects.aside import opened_aside
from ownmark.suspects.opener import Opener, Opening, beside, check_beside
from ownmark.suspects.ports import Order, Port

if TYPE_CHECKING:
    import openvino

KINDS = {"f32": "float32", "f16": "float16", "f64": "float64", "u8": "uint8", "i8": "int8", "i32": "int32"}
EXACT = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}  # else some processors compute in bfloat16


@dataclass(frozen=True)
class OpenVinoSession:
    """OpenVINO's compiled model as every runtime's session is seen."""

    compiled: "openvino.CompiledModel"
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    def run(self, batch: npt.NDArray[Any], output: str) -> npt.NDArray[Any]:
        place = [one.name for one in self.outputs].index(output)
        return np.array(self.compiled([batch])[place])


def session(files: Sequence[Path]) -> OpenVinoSession:
    """A model with its weights."""
    import openvino

    core = openvino.Core()
    compiled = core.compile_model(core.read_model(str(files[0]), str(files[1])), "CPU", EXACT)
    inputs, outputs = (
        tuple(_port(one, f"{side}{place}") for place, one in enumerate(ports))
        for side, ports in (("input", compiled.inputs), ("output", compiled.outputs))
    )
    return OpenVinoSession(compiled, inputs, outputs)


def _port(told: Any, place: str) -> Port:  # noqa: ANN401 - an input or an output
    shape = tuple(one.get_length() if one.is_static else -1 for one in told.partial_shape)
    kind = told.element_type.get_type_name()
    last = str(told.node.layout).replace(" ", "") in {"[N,H,W,C]", "[NHWC]"} if place.startswith("input") else False
    order = Order.CHANNELS_LAST if last else Order.CHANNELS_FIRST
    return Port(min(told.names, default=place), shape, KINDS.get(kind, kind), order=order)


def _opened(opening: Opening) -> Suspect:
    return opened_aside("openvino", opening, beside(opening.name))


OPENS = Opener(
    written="an OpenVINO .xml file", suffixes=(".xml",), check=check_beside, files=beside, opened=_opened, extra="openvino"
)
