#!/usr/bin/env bash
# Expected: torchdistill's KDLoss, alpha times the labels' loss and beta times T squared times the teacher's (Hinton et al. 2015), goes
# over into the teacher's part alone as alpha goes to 0.
# Happens: at alpha = 0, and where no labels are given, beta and T squared are left out: with T = 4 the loss, and each gradient of
# it, is a sixteenth of that at alpha = 0.000001.
source "$(dirname "$0")/_venv.sh" torchdistill==1.1.5 torch==2.14.1 torchvision==0.29.1 numpy==2.4.6
"$venv/bin/python" -W ignore - 2>/dev/null <<'PYTHON'
import importlib.metadata

import torch
from torch.nn import functional
from torchdistill.losses.mid_level import KDLoss

print("torchdistill", importlib.metadata.version("torchdistill"))
torch.manual_seed(0)
student, teacher, labels, heat = torch.randn(8, 5), torch.randn(8, 5), torch.arange(8) % 5, 4.0
apart = functional.kl_div((student / heat).log_softmax(1), (teacher / heat).softmax(1), reduction="batchmean")
found = {}
for name, alpha, given in (("alpha 0.000001", 1e-6, labels), ("alpha 0", 0.0, labels), ("alpha 0.5, no labels", 0.5, None)):
    loss = KDLoss("student", "scores", "teacher", "scores", temperature=heat, alpha=alpha)
    value = loss({"student": {"scores": student}}, {"teacher": {"scores": teacher}}, given)
    found[name] = round(float(value / apart), 2)
    print(f"{name}, beta {loss.beta:.6f}: the loss is {value:.4f}, {found[name]} times the divergence at T = {heat:g}")
if found != {"alpha 0.000001": 16.0, "alpha 0": 1.0, "alpha 0.5, no labels": 1.0}:
    raise SystemExit("changed")
PYTHON
