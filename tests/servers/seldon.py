"""MLServer's runtime around the ONNX file that SUSPECT_FILE names; the tests write its model-settings.json."""

import os

import numpy as np
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Suspect(MLModel):  # type: ignore[misc]
    async def load(self) -> bool:
        self.session = onnxruntime.InferenceSession(os.environ["SUSPECT_FILE"])
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        images = NumpyCodec.decode_input(payload.inputs[0]).astype(np.float32)
        scores = self.session.run(None, {self.session.get_inputs()[0].name: images})[0]
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("scores", scores)])
