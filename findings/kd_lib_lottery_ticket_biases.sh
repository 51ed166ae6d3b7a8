#!/usr/bin/env bash
# Expected: lottery ticket pruning sets what it leaves of the network back to its values before training, in each of its rounds.
# Happens: KD-Lib does so with the weights; the biases are set back in the first round only, since from then on its "initial" biases are
# those of the network itself, which training changes: they are off by 0.05 to 0.15 in the rounds after, and are kept so at the end.
source "$(dirname "$0")/_venv.sh" torch==2.14.1 torchvision==0.29.1 numpy==2.4.6
"$venv/bin/pip" install --quiet --no-deps KD-Lib==0.0.32 # it asks for the torch of 2021
"$venv/bin/python" -W ignore - <<'PYTHON'
import contextlib
import importlib.metadata
import io

import torch
from KD_Lib.Pruning.lottery_tickets import LotteryTicketsPruner

print("KD-Lib", importlib.metadata.version("KD-Lib"))
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
before = {name: value.clone() for name, value in model.state_dict().items()}
images, labels = torch.randn(200, 16), torch.randint(0, 3, (200,))
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images, labels), 20)
rounds = []


class Watched(LotteryTicketsPruner):
    """Notes after each round how far weights and biases are from where they were before training."""

    def prune_model(self, **settings):
        super().prune_model(**settings)
        off = {"weight": 0.0, "bias": 0.0}
        for name, value in model.state_dict().items():
            kind = name.split(".")[1]
            left = value[value != 0] - before[name][value != 0]
            off[kind] = max(off[kind], round(float(left.abs().max()), 3))
        rounds.append(off)


with contextlib.redirect_stdout(io.StringIO()):
    Watched(model, loader, loader).prune(num_iterations=5, train_epochs=10, save_models=False, prune_percent=20)
for number, off in enumerate(rounds, 1):
    print(f"after round {number}: the weights that are left are off by {off['weight']}, the biases by {off['bias']}")
if [off["weight"] for off in rounds] != [0] * 4 or rounds[0]["bias"] or not min(off["bias"] for off in rounds[1:]) > 0.01:
    raise SystemExit("changed")
PYTHON
