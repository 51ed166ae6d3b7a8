"""The registry of suspects: a suffix or a scheme says what opens a name, and a new kind is one file and one line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import small_claim
from newcomer import copied

from ownmark.errors import UsageError
from ownmark.suspects import open as registry
from ownmark.suspects.open import Access, is_web, opener_of
from ownmark.suspects.opener import Opener, Opening

CONSTANT = '''
"""A suspect that answers every image with the class that its file names."""
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ownmark.scoring.readings import Reading
from ownmark.suspects.opener import Opener, Opening


@dataclass
class Constant:
    name: str
    label: int
    digest: str = ""
    reveals: frozenset = frozenset({Reading.LABEL})

    def read(self, images, question):
        return {Reading.LABEL: np.full(len(images), self.label)}


def _opened(opening: Opening) -> Constant:
    return Constant(opening.name, int(Path(opening.name).read_text()))


OPENS = Opener(written="a .constant file", suffixes=(".constant",), opened=_opened)
'''
ENDED = "-- this is all --"
ONE_BY_ONE = f"""
import json, sys
from ownmark.cli import main
for words in json.loads(sys.argv[1]):
    main(words)
    print({ENDED!r}, flush=True)
"""


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("a.onnx", "onnx"),
        ("a.tflite", "litert"),
        ("a.xml", "openvino"),
        ("a.pte", "executorch"),
        ("a.param", "ncnn"),
        ("a.mnn", "mnn"),
        ("a.pt2", "torch_export"),
        ("a.torchscript", "torchscript"),
        ("a.mlpackage", "coreml"),
        ("a.safetensors", "network"),
        ("mymodel:build", "network"),
        ("torchvision:resnet18", "network"),
        ("http://127.0.0.1:8000/v2/models/a", "http.address"),
        ("https://host/a.onnx", "http.address"),
        ("api.yaml", "http.address"),
    ],
)
def test_a_suffix_or_a_scheme_says_what_opens_a_name(name: str, module: str) -> None:
    kind = opener_of(name)
    assert kind.opened.__module__ == f"ownmark.suspects.{module}"
    assert is_web(name) == kind.remote


def test_no_two_kinds_share_a_suffix_or_a_scheme() -> None:
    claimed = [part for kind in registry.KINDS for part in (*kind.suffixes, *kind.schemes)]
    assert len(claimed) == len(set(claimed))


def test_a_name_that_nobody_opens_is_answered_by_what_there_is() -> None:
    with pytest.raises(UsageError, match=r"cannot tell what 'suspect' is: a suspect is .* an .onnx file, .* module:factory,"):
        opener_of("suspect")


def test_a_folder_of_transformers_that_lacks_its_prefix_is_known(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match=f"a folder of transformers is named hf:{tmp_path}"):
        opener_of(str(tmp_path))


def test_a_missing_library_names_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def opened(opening: Opening) -> None:
        raise ModuleNotFoundError(f"no runtime for {opening.name}", name="runtime")

    kind = Opener(written="a .made file", suffixes=(".made",), opened=opened, extra="made")  # type: ignore[arg-type]
    monkeypatch.setattr(registry, "KINDS", (*registry.KINDS, kind))
    file = tmp_path / "suspect.made"
    file.touch()
    with pytest.raises(UsageError, match=r"this needs runtime, which is not installed: pip install 'ownmark\[made\]'"):
        Access.to(small_claim()).suspect(str(file))


def test_a_new_kind_of_suspect_is_one_file_and_one_line_to_verify_calibrate_report_and_scan(tmp_path: Path) -> None:
    copied(tmp_path / "house")
    house = tmp_path / "house" / "ownmark"
    (house / "suspects" / "constant.py").write_text(CONSTANT.lstrip())
    table = (house / "suspects" / "open.py").read_text()
    line = "from ownmark.suspects.network import OPENS as NETWORK\n"
    (house / "suspects" / "open.py").write_text(
        table.replace(line, f"from ownmark.suspects.constant import OPENS as CONSTANT\n{line}")
    )
    claim = small_claim()
    claim.save(tmp_path / "my.claim")
    (tmp_path / "suspect.constant").write_text(str(int(claim.tests[0].expected[0])))
    commands = {
        "verify": [],
        "report": ["--out", "page.html"],
        "calibrate": ["--out", "new.claim"],
        "scan": ["--rate", "0.9", "--last"],
    }
    words = [
        [command, "new.claim" if command == "scan" else "my.claim", "suspect.constant", *more, "--json"]
        for command, more in commands.items()
    ]
    paths = {"PYTHONPATH": str(house.parent), "OMP_NUM_THREADS": "1"}
    call = [sys.executable, "-c", ONE_BY_ONE, json.dumps(words)]
    ran = subprocess.run(call, cwd=tmp_path, env=paths, capture_output=True, text=True, check=True)
    said = dict(zip(commands, ran.stdout.split(ENDED), strict=False))
    for command, told in said.items():
        assert "suspect.constant" in told or command == "calibrate", ran.stderr
        assert "error" not in json.loads(told), ran.stderr
