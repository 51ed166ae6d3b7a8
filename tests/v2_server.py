"""A stranger's server of the Open Inference Protocol around a torch model, written from the protocol's text alone."""

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from asking import NAMES
from loopback import Asked, Said, said
from torch import nn

from ownmark.claims.claim import Preprocess
from ownmark.suspects.http.oip import Dialect, Oip
from ownmark.suspects.http.transport import Transport

TYPES = {"FP32": np.float32, "FP64": np.float64, "FP16": np.float16, "UINT8": np.uint8, "INT64": np.int64}
HEADER = "Inference-Header-Content-Length"


@dataclass(frozen=True)
class V2:
    """What the server does; `edit` changes the scores before they are sent. Pixels are divided by 255 in whole-number types."""

    model: nn.Module
    datatype: str = "FP32"
    shape: tuple[int, ...] = (-1, 3, 16, 16)
    extensions: tuple[str, ...] = ("classification", "binary_tensor_data")
    listed: bool = True
    outputs: tuple[str, ...] = ("scores",)
    edit: Callable[[Any], Any] = lambda scores: scores

    def __call__(self, asked: Asked) -> Said:
        if asked.path == "/v2":
            return said({"name": "stranger", "version": "1", "extensions": list(self.extensions)})
        if asked.path == "/v2/models/suspect":
            return said(self._metadata())
        if asked.path != "/v2/models/suspect/infer":
            return said({"error": f"no {asked.path}"}, 404)
        size = asked.headers.get(HEADER.lower())
        head = asked.body if size is None else asked.body[: int(size)]
        told = json.loads(head)
        if size is not None and "binary_tensor_data" not in self.extensions:
            return said({"error": "no binary tensors"}, 422)
        try:
            images = self._images(told["inputs"][0], asked.body[len(head) :])
        except ValueError as error:
            return said({"error": str(error)}, 400)
        with torch.no_grad():
            scores = self.edit(self.model(torch.from_numpy(images)).numpy())
        return self._answer(told, scores)

    def _metadata(self) -> dict[str, Any]:
        about: dict[str, Any] = {"name": "suspect", "versions": ["1"], "platform": "torch", "inputs": [], "outputs": []}
        if self.listed:
            about["inputs"] = [{"name": "image", "datatype": self.datatype, "shape": list(self.shape)}]
            kinds = {"scores": ("FP32", [-1, 7]), "label": ("INT64", [-1])}
            about["outputs"] = [{"name": name, "datatype": kinds[name][0], "shape": kinds[name][1]} for name in self.outputs]
        return about

    def _images(self, tensor: dict[str, Any], rest: bytes) -> Any:
        if tensor["name"] != "image" or tensor["datatype"] != self.datatype:
            raise ValueError(f"needed is image {self.datatype}")
        kind = TYPES[tensor["datatype"]]
        size = tensor.get("parameters", {}).get("binary_data_size")
        flat = np.frombuffer(rest[:size], kind) if size is not None else np.array(tensor["data"], kind)
        given = flat.reshape(tensor["shape"])
        if any(want not in {-1, got} for want, got in zip(self.shape, given.shape, strict=True)):
            raise ValueError(f"needed is {self.shape}, got {given.shape}")
        images = given.reshape(-1, *given.shape[-3:]).astype(np.float32) / (255 if kind is np.uint8 else 1)
        return np.ascontiguousarray(images if self.shape[-3] == 3 else images.transpose(0, 3, 1, 2))

    def _answer(self, told: dict[str, Any], scores: Any) -> Said:
        wanted = told.get("outputs") or [{"name": name} for name in self.outputs]
        every = told.get("parameters", {}).get("binary_data_output", False)
        tensors, tail = [], b""
        for one in wanted:
            values = scores.argmax(1) if one["name"] == "label" else scores
            options = one.get("parameters", {})
            if "classification" in options:
                best = (-values).argsort(1)[:, : options["classification"]]
                entries = [f"{row[place]:.6f}:{place}" for row, order in zip(values, best, strict=True) for place in order]
                tensors.append({"name": one["name"], "datatype": "BYTES", "shape": list(best.shape), "data": entries})
                continue
            kind = "INT64" if one["name"] == "label" else "FP32"
            tensor: dict[str, Any] = {"name": one["name"], "datatype": kind, "shape": list(values.shape)}
            if options.get("binary_data", every):
                data = values.astype(TYPES[kind]).tobytes()
                tensor["parameters"] = {"binary_data_size": len(data)}
                tail += data
            else:
                tensor["data"] = values.ravel().tolist()
            tensors.append(tensor)
        head = json.dumps({"model_name": "suspect", "outputs": tensors}).encode()
        return Said(head + tail, headers={HEADER: str(len(head))}) if tail else Said(head)


def bytes_tensor(words: list[bytes]) -> bytes:
    """Texts as a binary tensor."""
    return b"".join(struct.pack("<I", len(word)) + word for word in words)


def oip(url: str, carrier: Transport, dialect: Dialect = Dialect(), preprocess: Preprocess = Preprocess()) -> Oip:
    return Oip(f"{url}/v2/models/suspect", len(NAMES), carrier, preprocess=preprocess, dialect=dialect)


def softmaxed(scores: Any) -> Any:
    return torch.from_numpy(scores).softmax(1).numpy()


def output(**changes: Any) -> dict[str, Any]:
    return {"outputs": [{"name": "scores", "datatype": "FP32", "shape": [1, 7], "data": [0.0] * 7, **changes}]}
