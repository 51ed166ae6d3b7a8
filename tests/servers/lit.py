"""LitServe around an ONNX file; started by the tests as `python lit.py FILE PORT`."""

import sys
from typing import Any

import litserve
import numpy as np
import onnxruntime


class Suspect(litserve.LitAPI):  # type: ignore[misc]
    def setup(self, device: str) -> None:  # noqa: ARG002 - the framework's signature
        self.session = onnxruntime.InferenceSession(sys.argv[1])

    def decode_request(self, request: dict[str, Any]) -> np.ndarray:
        return np.asarray(request["image"], np.float32)[None]

    def predict(self, images: np.ndarray) -> np.ndarray:
        return np.asarray(self.session.run(None, {self.session.get_inputs()[0].name: images})[0])

    def encode_response(self, output: np.ndarray) -> dict[str, Any]:
        return {"scores": output[0].tolist()}


if __name__ == "__main__":
    litserve.LitServer(Suspect(), accelerator="cpu").run(host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False)
