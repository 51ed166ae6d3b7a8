"""The descent that loads no compiler computes what torch's does, to the last bit."""

import sys

import pytest
import torch
from torch import Tensor, nn

from ownmark.models.plain_sgd import PlainSGD


def trained(kind: type[torch.optim.SGD]) -> Tensor:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 4, 2))
    optimiser = kind(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.1, total_steps=6)
    for _ in range(6):
        optimiser.zero_grad(set_to_none=True)
        model(torch.rand(4, 3, 4, 4)).square().mean().backward()
        optimiser.step()
        schedule.step()
    return torch.cat([weights.detach().flatten() for weights in model.parameters()])


def test_it_loads_no_compiler_and_computes_the_same_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = trained(torch.optim.SGD)
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "torch._dynamo", None)  # importing it raises
        assert torch.equal(trained(PlainSGD), whole)
