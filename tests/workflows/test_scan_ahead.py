"""Suspects at hand that other processes are asked about are found wherever these start."""

from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

import pytest
from judging import keyed

from ownmark.evidence.scan import Scan
from ownmark.protocols import silent
from ownmark.suspects.http.ledger import Ledger
from ownmark.suspects.open import Access, Reach
from ownmark.workflows.scan_ahead import Heard, Helpers
from ownmark.workflows.scan_candidates import Candidate


class Afar:
    """A process of a cluster, which starts in another folder, and reads what it is asked about there."""

    workers = 1

    def __init__(self) -> None:
        self.read = list[Heard]()

    def start(self, job: Any) -> None:
        with chdir("/"):
            self.read.append(Heard(job.key, why=Path(job.suspect.name).read_text()))

    def wait(self) -> list[Heard]:
        return [self.read.pop(0)]


def test_a_cluster_whose_processes_start_elsewhere_finds_a_file_that_was_named_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def cluster(*_: object, **__: object) -> Iterator[Afar]:
        yield Afar()

    monkeypatch.setattr("ownmark.workflows.scan_ahead.executor", cluster)
    monkeypatch.chdir(tmp_path)
    Path("near.onnx").write_text("found")
    claim, ledger = keyed(sets=1), Ledger(tmp_path / "my.scan")
    everybody = [(Scan(claim, 1, 0.05, 20), "key", Candidate("near.onnx", "near.onnx"))]
    reach = Reach(claim_file=tmp_path / "my.claim", near=Access.to(claim))
    assert [one.why for one in Helpers(ray="local").ask(claim, everybody, reach, ledger, silent)] == ["found"]
    ledger.close()
