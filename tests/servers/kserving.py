"""KServe's Python server around an ONNX file; started by the tests as `python kserving.py FILE HTTP_PORT GRPC_PORT`."""

import sys

import kserve
import numpy as np
import onnxruntime


class Suspect(kserve.Model):  # type: ignore[misc]
    def __init__(self, file: str) -> None:
        super().__init__("suspect")
        self.session, self.ready = onnxruntime.InferenceSession(file), True

    def predict(self, payload: kserve.InferRequest, headers: dict[str, str] | None = None) -> kserve.InferResponse:  # noqa: ARG002 - the framework's signature
        images = payload.inputs[0].as_numpy().astype(np.float32)
        scores = np.asarray(self.session.run(None, {self.session.get_inputs()[0].name: images})[0])
        output = kserve.InferOutput("scores", list(scores.shape), "FP32")
        output.set_data_from_numpy(scores, binary_data=False)
        return kserve.InferResponse(payload.id or "0", self.name, [output])


if __name__ == "__main__":
    file, port, other = sys.argv[1:]
    kserve.ModelServer(http_port=int(port), grpc_port=int(other), workers=1, enable_docs_url=False).start([Suspect(file)])
