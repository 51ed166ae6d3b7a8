"""Gradio around an ONNX file of seven classes; started by the tests as `python spaces.py FILE PORT`."""

import sys
from typing import Any

import gradio
import numpy as np
import onnxruntime


def main() -> None:
    file, port = sys.argv[1:]
    session = onnxruntime.InferenceSession(file)

    def predict(image: np.ndarray) -> dict[str, float]:
        values = (image.astype(np.float32) / 255).transpose(2, 0, 1)[None]
        (scores,) = session.run(None, {session.get_inputs()[0].name: values})[0]
        shares = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
        return dict(zip("abcdefg", map(float, shares), strict=True))

    page: Any = gradio.Interface(predict, gradio.Image(), gradio.Label(), api_name="predict")
    page.launch(server_name="127.0.0.1", server_port=int(port), quiet=True)


if __name__ == "__main__":
    main()
