"""What a thief makes of a stolen torch module: the formats and precisions of other runtimes, one function and one line each.

Every function writes into a folder and returns what to ask: a file, or a torch module. `images`: the thief's own, uint8 (n,
height, width, channels), from which a static quantisation takes its ranges.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ownmark.attacks._common.converting import Pixels, quantised_litert, to_litert, to_onnx, unit
from ownmark.suspects.onnx import in_halves, quantised_dynamically, quantised_statically

Made = Path | nn.Module


@dataclass(frozen=True)
class Export:
    """`format` and `precision` as a table names them; `needs`: the packages that make and run it."""

    format: str
    precision: str
    needs: tuple[str, ...]
    make: Callable[[nn.Module, Pixels, Path], Made]

    @property
    def name(self) -> str:
        return f"{self.format} {self.precision}"

    def missing(self) -> str:
        """The first package that is not installed, or ""."""
        return next((package for package in self.needs if find_spec(package) is None), "")


class Bytes(nn.Module):
    """Takes uint8 images (n, height, width, channels), as phones hand them over."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return torch.as_tensor(self.model(images.permute(0, 3, 1, 2).float() / 255))


class Two(nn.Module):
    """Gives probabilities beside its logits."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        scores = torch.as_tensor(self.model(images))
        return scores, scores.softmax(1)


def onnx_float(model: nn.Module, images: Pixels, to: Path) -> Path:
    return to_onnx(model, unit(images[:2]), to / "float.onnx")


def onnx_baked(model: nn.Module, images: Pixels, to: Path) -> Path:
    return to_onnx(model, unit(images[:8]), to / "baked.onnx", free=False)


def onnx_two(model: nn.Module, images: Pixels, to: Path) -> Path:
    return to_onnx(Two(model), unit(images[:2]), to / "two.onnx", outputs=("logits", "shares"))


def onnx_bytes(model: nn.Module, images: Pixels, to: Path) -> Path:
    return to_onnx(Bytes(model), torch.from_numpy(images[:2]), to / "bytes.onnx")


def onnx_half(model: nn.Module, images: Pixels, to: Path) -> Path:
    in_halves(onnx_float(model, images, to), to / "half.onnx", ())
    return to / "half.onnx"


def onnx_dynamic(model: nn.Module, images: Pixels, to: Path) -> Path:
    quantised_dynamically(onnx_float(model, images, to), to / "dynamic.onnx", ())
    return to / "dynamic.onnx"


def onnx_static(model: nn.Module, images: Pixels, to: Path) -> Path:
    given = [unit(images[row : row + 1]).numpy() for row in range(len(images))]
    quantised_statically(onnx_float(model, images, to), to / "static.onnx", given)
    return to / "static.onnx"


def onnx_whole(model: nn.Module, images: Pixels, to: Path) -> Path:
    """Static, with integers at both ends: the file's own first and last node lose their float side."""
    import onnx

    whole = onnx.load(onnx_static(model, images, to))
    graph = whole.graph
    first = next(node for node in graph.node if node.op_type == "QuantizeLinear" and node.input[0] == "images")
    last = next(node for node in graph.node if node.op_type == "DequantizeLinear" and node.output[0] == "scores")
    for node, end, name in ((first, graph.input[0], first.output[0]), (last, graph.output[0], last.input[0])):
        end.name = name
        end.type.tensor_type.elem_type = onnx.TensorProto.UINT8
        graph.node.remove(node)
    onnx.save(whole, to / "whole.onnx")
    return to / "whole.onnx"


def torch_half(model: nn.Module, images: Pixels, to: Path) -> nn.Module:  # noqa: ARG001 - as all exports
    return model.half()


def torch_bfloat16(model: nn.Module, images: Pixels, to: Path) -> nn.Module:  # noqa: ARG001 - as all exports
    return model.bfloat16()


def torchao_weights(model: nn.Module, images: Pixels, to: Path) -> nn.Module:  # noqa: ARG001 - as all exports
    from torchao.quantization import Int8WeightOnlyConfig, quantize_

    quantize_(model, Int8WeightOnlyConfig())
    return model


def torchao_dynamic(model: nn.Module, images: Pixels, to: Path) -> nn.Module:  # noqa: ARG001 - as all exports
    from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

    quantize_(model, Int8DynamicActivationInt8WeightConfig())
    return model


def torch_exported(model: nn.Module, images: Pixels, to: Path) -> Path:
    program = torch.export.export(model, (unit(images[:2]),), dynamic_shapes=({0: torch.export.Dim("n")},))
    torch.export.save(program, to / "model.pt2")
    return to / "model.pt2"


def torchscript(model: nn.Module, images: Pixels, to: Path) -> Path:
    torch.jit.trace(model, unit(images[:2])).save(to / "model.torchscript")  # type: ignore[no-untyped-call]
    return to / "model.torchscript"


def litert_float(model: nn.Module, images: Pixels, to: Path) -> Path:
    return to_litert(model, images, to / "nhwc.tflite")


def litert_first(model: nn.Module, images: Pixels, to: Path) -> Path:
    return to_litert(model, images, to / "nchw.tflite", last=False)


def litert_static(model: nn.Module, images: Pixels, to: Path) -> Path:
    return quantised_litert("static_wi8_ai8", litert_float(model, images, to), images, to / "static.tflite")


def litert_dynamic(model: nn.Module, images: Pixels, to: Path) -> Path:
    return quantised_litert("dynamic_wi8_afp32", litert_float(model, images, to), images, to / "dynamic.tflite")


def litert_four(model: nn.Module, images: Pixels, to: Path) -> Path:
    return quantised_litert("weight_only_wi4_afp32", litert_float(model, images, to), images, to / "four.tflite")


def openvino_float(model: nn.Module, images: Pixels, to: Path) -> Path:
    return _openvino(model, images, to / "float.xml", half=False)


def openvino_half(model: nn.Module, images: Pixels, to: Path) -> Path:
    return _openvino(model, images, to / "half.xml", half=True)


def _openvino(model: nn.Module, images: Pixels, to: Path, *, half: bool) -> Path:
    import openvino

    openvino.save_model(openvino.convert_model(model, example_input=unit(images[:2])), to, compress_to_fp16=half)
    return to


def openvino_static(model: nn.Module, images: Pixels, to: Path) -> Path:
    import nncf
    import openvino

    whole = openvino.convert_model(model, example_input=unit(images[:2]))
    given = nncf.Dataset([unit(images[row : row + 1]).numpy() for row in range(len(images))])
    openvino.save_model(nncf.quantize(whole, given, subset_size=len(images)), to / "static.xml", compress_to_fp16=False)
    return to / "static.xml"


def executorch_float(model: nn.Module, images: Pixels, to: Path) -> Path:
    return _executorch(torch.export.export(model, (unit(images[:1]),)), to / "float.pte")


def executorch_static(model: nn.Module, images: Pixels, to: Path) -> Path:
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    prepared = prepare_pt2e(torch.export.export(model, (unit(images[:1]),)).module(), quantizer)
    for row in range(len(images)):
        prepared(unit(images[row : row + 1]))
    return _executorch(torch.export.export(convert_pt2e(prepared), (unit(images[:1]),)), to / "static.pte")


def _executorch(program: Any, to: Path) -> Path:  # noqa: ANN401 - torch's exported program
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()]).to_executorch()
    to.write_bytes(lowered.buffer)
    return to


def ncnn_float(model: nn.Module, images: Pixels, to: Path) -> Path:
    return _ncnn(model, images, to, half=False)


def ncnn_half(model: nn.Module, images: Pixels, to: Path) -> Path:
    return _ncnn(model, images, to, half=True)


def _ncnn(model: nn.Module, images: Pixels, to: Path, *, half: bool) -> Path:
    """pnnx also writes Python, which it then runs and which is no Python for a Sequential; the ncnn files are whole before."""
    import pnnx

    torch.jit.trace(model, unit(images[:1])).save(to / "traced.pt")  # type: ignore[no-untyped-call]
    with suppress(SyntaxError):
        pnnx.convert(str(to / "traced.pt"), inputs=(unit(images[:1]),), fp16=half)
    return to / "traced.ncnn.param"


def mnn_float(model: nn.Module, images: Pixels, to: Path) -> Path:
    return _mnn(model, images, to / "float.mnn")


def mnn_half(model: nn.Module, images: Pixels, to: Path) -> Path:
    return _mnn(model, images, to / "half.mnn", "--fp16")


def mnn_eight(model: nn.Module, images: Pixels, to: Path) -> Path:
    return _mnn(model, images, to / "eight.mnn", "--weightQuantBits", "8")


def _mnn(model: nn.Module, images: Pixels, to: Path, *more: str) -> Path:
    """By the extension itself: its Python wrapper, MNN.tools, installs packages with pip and reports its use."""
    import _tools

    onnx = to_onnx(model, unit(images[:1]), to.with_suffix(".onnx"), free=False)
    _tools.mnnconvert(["mnnconvert", "-f", "ONNX", "--modelFile", str(onnx), "--MNNModel", str(to), "--bizCode", "x", *more])
    return to


EXPORTS = (
    Export("ONNX", "float", (), onnx_float),
    Export("ONNX", "float, batch of 8", (), onnx_baked),
    Export("ONNX", "float, two outputs", (), onnx_two),
    Export("ONNX", "float, uint8 NHWC input", (), onnx_bytes),
    Export("ONNX", "float16", (), onnx_half),
    Export("ONNX", "int8 dynamic", (), onnx_dynamic),
    Export("ONNX", "int8 static (QDQ)", (), onnx_static),
    Export("ONNX", "int8 static, integer ends", (), onnx_whole),
    Export("torch", "float16", (), torch_half),
    Export("torch", "bfloat16", (), torch_bfloat16),
    Export("torch", "torchao int8 weights", ("torchao",), torchao_weights),
    Export("torch", "torchao int8 dynamic", ("torchao",), torchao_dynamic),
    Export("torch.export", "float", (), torch_exported),
    Export("TorchScript", "float", (), torchscript),
    Export("LiteRT", "float", ("ai_edge_litert", "litert_torch"), litert_float),
    Export("LiteRT", "float, NCHW input", ("ai_edge_litert", "litert_torch"), litert_first),
    Export("LiteRT", "int8 static", ("ai_edge_litert", "litert_torch", "ai_edge_quantizer"), litert_static),
    Export("LiteRT", "int8 dynamic", ("ai_edge_litert", "litert_torch", "ai_edge_quantizer"), litert_dynamic),
    Export("LiteRT", "int4 weights", ("ai_edge_litert", "litert_torch", "ai_edge_quantizer"), litert_four),
    Export("OpenVINO", "float", ("openvino",), openvino_float),
    Export("OpenVINO", "float16", ("openvino",), openvino_half),
    Export("OpenVINO", "int8 static", ("openvino", "nncf"), openvino_static),
    Export("ExecuTorch", "float", ("executorch",), executorch_float),
    Export("ExecuTorch", "int8 static", ("executorch", "torchao"), executorch_static),
    Export("ncnn", "float", ("ncnn", "pnnx"), ncnn_float),
    Export("ncnn", "float16", ("ncnn", "pnnx"), ncnn_half),
    Export("MNN", "float", ("MNN", "_tools"), mnn_float),
    Export("MNN", "float16", ("MNN", "_tools"), mnn_half),
    Export("MNN", "int8 weights", ("MNN", "_tools"), mnn_eight),
)
