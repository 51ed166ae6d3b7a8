"""A suspect in an MNN file, run by MNN in a process of its own. No torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ownmark.protocols import Suspect
from ownmark.suspects.aside import opened_aside
from ownmark.suspects.opener import Opener, Opening
from ownmark.suspects.ports import Order, Port

SETTING = {"backend": "CPU", "numThread": 1, "precision": "high"}  # else some processors compute in half precision


@dataclass(frozen=True)
class MnnSession:
    """MNN's interpreter as every runtime's session is seen; it keeps only what refers to it alive."""

    interpreter: Any
    started: Any
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    def run(self, batch: npt.NDArray[Any], output: str) -> npt.NDArray[Any]:
        import MNN

        place = self.interpreter.getSessionInput(self.started, self.inputs[0].name)
        if tuple(place.getShape()) != batch.shape:
            self.interpreter.resizeTensor(place, batch.shape)
            self.interpreter.resizeSession(self.started)
            place = self.interpreter.getSessionInput(self.started, self.inputs[0].name)
        last = self.inputs[0].order is Order.CHANNELS_LAST
        kind = MNN.Tensor_DimensionType_Tensorflow if last else MNN.Tensor_DimensionType_Caffe
        place.copyFrom(MNN.Tensor(batch.shape, MNN.Halide_Type_Float, batch, kind))
        self.interpreter.runSession(self.started)
        found = self.interpreter.getSessionOutput(self.started, output)
        shape = tuple(found.getShape())
        answer = MNN.Tensor(shape, MNN.Halide_Type_Float, np.zeros(shape, np.float32), MNN.Tensor_DimensionType_Caffe)
        found.copyToHostTensor(answer)
        return np.array(answer.getNumpyData(), dtype=np.float32).reshape(shape)


def session(files: Sequence[Path]) -> MnnSession:
    """A net in float32."""
    import MNN

    interpreter = MNN.Interpreter(str(files[0]))
    started = interpreter.createSession(SETTING)
    ends = interpreter.getSessionInputAll(started), interpreter.getSessionOutputAll(started)
    inputs, outputs = (_ports(one, MNN.Tensor_DimensionType_Tensorflow) for one in ends)
    return MnnSession(interpreter, started, inputs, outputs)


def _ports(tensors: Mapping[str, Any], last: int) -> tuple[Port, ...]:
    """MNN hands floats in and out, whatever it stores."""
    orders = {True: Order.CHANNELS_LAST, False: Order.CHANNELS_FIRST}
    return tuple(
        Port(
            name,
            tuple(one if one > 0 else -1 for one in told.getShape()),
            "float32",
            order=orders[told.getDimensionType() == last],
        )
        for name, told in tensors.items()
    )


def _opened(opening: Opening) -> Suspect:
    return opened_aside("mnn", opening, [Path(opening.name)])


OPENS = Opener(written="an .mnn file", suffixes=(".mnn",), opened=_opened, extra="mnn")
