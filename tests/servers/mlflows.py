"""MLflow's scoring server; started by the tests as `python mlflows.py FILE PORT FLAVOUR FOLDER`.

FLAVOUR `whole`: a Python model whose signature is uint8; `onnx`: MLflow's own flavour.
"""

import os
import sys

import mlflow
import numpy as np
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec


class Whole(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    def load_context(self, context: mlflow.pyfunc.PythonModelContext) -> None:
        import onnxruntime

        self.session = onnxruntime.InferenceSession(context.artifacts["file"])

    def predict(self, context: mlflow.pyfunc.PythonModelContext, model_input: np.ndarray) -> np.ndarray:  # noqa: ARG002 - the framework's signature
        return np.asarray(self.session.run(None, {self.session.get_inputs()[0].name: model_input.astype(np.float32) / 255})[0])


if __name__ == "__main__":
    file, port, flavour, folder = sys.argv[1:]
    if flavour == "whole":
        given, answered = TensorSpec(np.dtype(np.uint8), (-1, 3, 16, 16)), TensorSpec(np.dtype(np.float32), (-1, 7))
        signature = ModelSignature(Schema([given]), Schema([answered]))
        mlflow.pyfunc.save_model(folder, python_model=Whole(), artifacts={"file": file}, signature=signature, pip_requirements=[])
    else:
        import mlflow.onnx
        import onnx

        mlflow.onnx.save_model(onnx.load(file), folder, pip_requirements=[])
    words = ["models", "serve", "--model-uri", folder, "--port", port, "--host", "127.0.0.1", "--env-manager", "local"]
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", *words])  # noqa: S606 - this Python
