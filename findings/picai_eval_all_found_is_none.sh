#!/usr/bin/env bash
# Expected: a detector that finds every lesion, without a false alarm, has a sensitivity of 1 at one false alarm per case (FROC).
# Happens: picai_eval moves the last point of the curve to infinity, as if it were the one of the missed lesions. Where none is missed the
# least certain lesion is lost: 0.75 of four, 0.5 of two; where all have one certainty it is 0. A single false alarm mends it; AP and AUROC are 1.
source "$(dirname "$0")/_venv.sh" picai-eval==1.4.13 SimpleITK==2.5.7 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import contextlib
import importlib.metadata
import io

import numpy as np

with contextlib.redirect_stdout(io.StringIO()):
    from picai_eval import evaluate

print("picai_eval", importlib.metadata.version("picai_eval"))


def sensitivity(certainties, false_alarm=0.0):
    truth = np.zeros((len(certainties) + 1, 8, 32, 32), "int32")
    truth[:-1, 2:6, 4:12, 4:12] = 1
    found = truth * np.array([*certainties, 0]).reshape(-1, 1, 1, 1)
    found[-1, 2:6, 20:26, 20:26] = false_alarm
    metrics = evaluate(y_det=list(found.astype("float32")), y_true=list(truth), num_parallel_calls=1)
    told = float(metrics.lesion_TPR_at_FPR(1))
    print(f"certainties {certainties}, false alarm {false_alarm}: AP {metrics.AP:.2f}, AUROC {metrics.auroc:.2f}, sensitivity {told:.2f}")
    return told


told = [sensitivity([0.9, 0.8, 0.7, 0.6]), sensitivity([0.9, 0.8]), sensitivity([1, 1]), sensitivity([0.9, 0.8], false_alarm=0.3)]
if told != [0.75, 0.5, 0, 1]:
    raise SystemExit("changed")
PYTHON
