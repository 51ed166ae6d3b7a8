"""A suspect in ncnn's format (.param with its .bin), run by ncnn in a process of its own. No torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ownmark.errors import ModelError
from ownmark.protocols import Suspect
from ownmark.suspects.aside import opened_aside
from ownmark.suspects.opener import Opener, Opening, beside, check_beside
from ownmark.suspects.ports import Port

if TYPE_CHECKING:
    import ncnn

ROUGH = ("use_fp16_storage", "use_fp16_packed", "use_fp16_arithmetic", "use_bf16_storage", "use_vulkan_compute")
SIZE = ("2", "1", "0")  # parameters of an Input layer: channels, height, width


@dataclass(frozen=True)
class NcnnSession:
    """ncnn's net as every runtime's session is seen. It takes one image at a time."""

    net: "ncnn.Net"
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    def run(self, batch: npt.NDArray[Any], output: str) -> npt.NDArray[Any]:
        import ncnn

        extractor = self.net.create_extractor()
        extractor.input(self.inputs[0].name, ncnn.Mat(np.ascontiguousarray(batch[0])).clone())
        code, found = extractor.extract(output)
        if code:
            raise RuntimeError(f"ncnn returned {code}")
        return np.array(found)[None]


def session(files: Sequence[Path]) -> NcnnSession:
    """A net with its weights, computed in float32 where the processor could do less."""
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = 1
    for rough in ROUGH:
        setattr(net.opt, rough, False)
    if net.load_param(str(files[0])) or net.load_model(str(files[1])):
        raise ModelError("ncnn does not read it: truncated, or of another kind")
    inputs = tuple(Port(name, _shape(files[0].read_text(), name), "float32") for name in net.input_names())
    return NcnnSession(net, inputs, tuple(Port(name, None, "float32") for name in net.output_names()))


def _shape(text: str, name: str) -> tuple[int, ...]:
    """(1, channels, height, width) as the input's line says it; most files leave the sizes free."""
    for words in map(str.split, text.splitlines()):
        if words[:1] == ["Input"] and words[4:5] == [name]:
            told = dict(word.split("=", 1) for word in words[5:] if "=" in word)
            return (1, *(int(told.get(place, -1)) or -1 for place in SIZE))
    return (1, -1, -1, -1)


def _opened(opening: Opening) -> Suspect:
    return opened_aside("ncnn", opening, beside(opening.name))


OPENS = Opener(
    written="an ncnn .param file", suffixes=(".param",), check=check_beside, files=beside, opened=_opened, extra="ncnn"
)
