"""NVIDIA Triton around an ONNX file; started by the tests as `python triton.py FILE HTTP_PORT GRPC_PORT`."""

import sys

import numpy as np
import onnxruntime
from pytriton.decorators import batch
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig


def main() -> None:
    file, port, other = sys.argv[1:]
    session = onnxruntime.InferenceSession(file)

    @batch  # type: ignore[untyped-decorator]
    def infer(images: np.ndarray) -> dict[str, np.ndarray]:
        return {"scores": session.run(None, {session.get_inputs()[0].name: images})[0]}

    where = {"http_address": "127.0.0.1", "http_port": int(port), "grpc_address": "127.0.0.1", "grpc_port": int(other)}
    with Triton(config=TritonConfig(**where, allow_metrics=False)) as triton:
        triton.bind(
            "suspect",
            infer,
            inputs=[Tensor(name="images", dtype=np.float32, shape=(3, 16, 16))],
            outputs=[Tensor(name="scores", dtype=np.float32, shape=(7,))],
            config=ModelConfig(max_batch_size=8),
        )
        triton.serve()


if __name__ == "__main__":
    main()
