"""Ray Serve around an ONNX file; started by the tests as `python rays.py FILE PORT`."""

import signal
import sys
from typing import Any

import numpy as np
import onnxruntime
from ray import serve


class Suspect:
    def __init__(self, file: str) -> None:
        self.session = onnxruntime.InferenceSession(file)

    async def __call__(self, request: Any) -> Any:
        if request.method == "GET":
            return "ready"
        image = np.asarray((await request.json())["image"], np.float32)[None]
        return {"scores": self.session.run(None, {self.session.get_inputs()[0].name: image})[0][0].tolist()}


if __name__ == "__main__":
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[2])})
    deployed: Any = serve.deployment(Suspect)
    serve.run(deployed.bind(sys.argv[1]), route_prefix="/predict")
    signal.pause()
