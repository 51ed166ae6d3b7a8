#!/usr/bin/env bash
# Expected: an output whose bytes are in `raw_output_contents` has no `contents`, which the Open Inference Protocol says must not
# be specified then.
# Happens: it has empty `contents` as well, so that a client which looks for them first reads a tensor of no numbers.
source "$(dirname "$0")/_venv.sh" mlserver==1.7.1 numpy
"$venv/bin/python" - <<'PYTHON'
import importlib.metadata

import numpy as np
from mlserver.codecs import NumpyCodec
from mlserver.grpc.converters import ModelInferResponseConverter
from mlserver.types import InferenceResponse

print("mlserver", importlib.metadata.version("mlserver"))
scores = NumpyCodec.encode_output("scores", np.array([[1.0, 2.0]], np.float32))
answer = ModelInferResponseConverter.from_types(InferenceResponse(model_name="m", outputs=[scores]), use_raw=True)
(output,) = answer.outputs
there = output.HasField("contents")
print(f"raw bytes: {len(answer.raw_output_contents[0])}; contents are there: {there}, with {len(output.contents.fp32_contents)} numbers "
      f"for the shape {list(output.shape)}")
if not there:
    raise SystemExit("changed")
PYTHON
