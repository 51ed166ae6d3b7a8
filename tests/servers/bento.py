"""BentoML around the ONNX file that SUSPECT_FILE names; started by the tests as `bentoml serve bento:Suspect`."""

import os

import bentoml
import numpy as np
import onnxruntime
from PIL import Image


@bentoml.service
class Suspect:
    def __init__(self) -> None:
        self.session = onnxruntime.InferenceSession(os.environ["SUSPECT_FILE"])

    @bentoml.api  # type: ignore[untyped-decorator]
    def classify(self, images: np.ndarray) -> np.ndarray:
        given = {self.session.get_inputs()[0].name: images.astype(np.float32)}
        return np.asarray(self.session.run(None, given)[0])

    @bentoml.api  # type: ignore[untyped-decorator]
    def picture(self, image: Image.Image) -> list[float]:
        values = (np.asarray(image.convert("RGB"), np.float32) / 255).transpose(2, 0, 1)[None]
        return [float(score) for score in self.session.run(None, {self.session.get_inputs()[0].name: values})[0][0]]
