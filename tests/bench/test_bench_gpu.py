"""The benchmark of a GPU ends in time, with whoever is there, and says so where there is no GPU."""

from pathlib import Path

import pytest
import torch

import gpu
from ownmark.bench.store import Store
from ownmark.bench.trial import Outcome, Role


def test_without_a_gpu_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="no CUDA device available"):
        gpu.main([])


def test_whenever_it_ends_there_are_copies_and_independent_models(tmp_path: Path) -> None:
    trials = gpu.Asked(gpu.paper(epochs=10, negatives=20), Store(tmp_path), "cpu", 1, 1.0).trials
    assert [one.role for one in trials[:2]] == [Role.TARGET] * 2  # one of each scheme
    early = [one.role for one in trials[2:16]]
    assert {early.count(role) >= 2 for role in (Role.POSITIVE, Role.NEGATIVE)} == {True}
    assert len(trials) == 2 * (1 + len(gpu.COPIES) + len(gpu.FURTHER) + 20)


def test_a_copy_counts_if_it_scores_above_every_independent_model(tmp_path: Path) -> None:
    trials = gpu.Asked(gpu.paper(epochs=1, negatives=2), Store(tmp_path), "cpu", 1, 1.0).trials
    score = {"finetune_all": 0.9, "prune_0.3": 0.4, "negative_100": 0.5, "negative_101": 0.1}

    def told(name: str) -> dict[str, object]:
        return {"readings": {"white_box": {"score": score[name], "values": [], "match": {}}}}

    mine = [one for one in trials if one.scheme == "traces" and one.suspect in score]
    found = gpu.above([Outcome(one, {"facts": told(one.suspect)}) for one in mine])
    assert found == {"traces.copies": 2, "traces.independent": 2, "traces.white_box.above_all": 0.5}


@pytest.mark.slow
def test_a_smoke_test_makes_and_asks_everything(capsys: pytest.CaptureFixture[str]) -> None:
    gpu.main(["--scale", "tiny", "--device", "cpu", "--workers", "1", "--seconds", "400"])
    assert "5 of 5 trials" in capsys.readouterr().out
