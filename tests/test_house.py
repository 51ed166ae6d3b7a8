"""The house around the code keeps its word: what the documents show is run, what they name is there."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import pictures, seed, small_claim, tiny
from PIL import Image
from workshop import ownmark

from ownmark.claims.claim import Claim, Preprocess
from ownmark.data.images import digits
from ownmark.errors import ProtectError
from ownmark.models.prepared import prepared
from ownmark.models.resnet import ResNet18
from ownmark.models.weights import save_weights
from ownmark.perturb.pgd import Descent
from ownmark.protocols import Owner
from ownmark.schemes.saliency.objectives import Contrast
from ownmark.schemes.saliency.pattern import Fill
from ownmark.schemes.saliency.scheme import Saliency
from ownmark.scoring import matches, null_models
from ownmark.scoring.readings import Reading
from ownmark.suspects.local import Local
from ownmark.training import Training, train
from ownmark.verdicts.verify import verify

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
SMALL = {
    "size=112": "size=28",
    "Saliency(samples=100)": "Saliency(samples=4, descent=Descent(bound=0.2, steps=40))",
    "epochs=20": "epochs=1",
    "range(100, 119)": "range(100, 103)",
}
MY_MODEL = """
from ownmark import ResNet18


def build():
    return ResNet18(10, width=8, stem="cifar")
"""

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```", text(name), re.DOTALL | re.MULTILINE)
    assert found, f"{name} shows no {language}"
    return found


def run(name: str) -> dict[str, Any]:
    """The names that a page's Python leaves behind, run from top to bottom, with smaller settings."""
    names: dict[str, Any] = {"__name__": "page", "Descent": Descent}
    for block in blocks(name, "python"):
        for large, little in SMALL.items():
            block = block.replace(large, little)  # noqa: PLW2901 - what is run is the page's text
        exec(compile(block, name, "exec"), names)  # noqa: S102 - the project's own page
    return names


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "MFLAGS"}
    return subprocess.run(["make", *arguments], cwd=ROOT, env=plain, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def trained() -> list[torch.nn.Module]:
    """A target and two references on digits, and a barely trained innocent, for a build() of MY_MODEL's shape."""
    images, preprocess = digits().take(range(300)), Preprocess((0.5,) * 3, (0.25,) * 3)
    colour = type(images)(np.repeat(images.pixels, 3, axis=3), images.labels, images.names)
    models = []
    for number in range(3):
        torch.manual_seed(number)
        model = prepared(ResNet18(10, width=8, stem="cifar"), preprocess)
        training = Training(epochs=2, rate=0.1, flips=False, shift=0)
        models.append(train(model, colour, training, seed(number)))
    return models


@pytest.fixture
def workshop(tmp_path: Path, trained: list[torch.nn.Module], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what a user has: mymodel.py, images in class folders, and weights."""
    (tmp_path / "mymodel.py").write_text(MY_MODEL, encoding="utf-8")
    images = digits().take(range(120))
    for row, (pixels, label) in enumerate(zip(images.pixels, images.labels, strict=True)):
        file = tmp_path / "images" / str(label) / f"{row}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[..., 0]).save(file)
    (tmp_path / "innocents").mkdir()
    names = ("model", "other-1", "other-2")
    for name, model in zip(names, trained, strict=True):
        save_weights(model, tmp_path / f"{name}.safetensors")
    shutil.copy(tmp_path / "model.safetensors", tmp_path / "suspect.safetensors")
    for number in range(2):
        torch.manual_seed(50 + number)
        save_weights(ResNet18(10, width=8, stem="cifar"), tmp_path / "innocents" / f"{number}.safetensors")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mymodel", raising=False)
    return tmp_path


def test_the_python_of_the_readme_runs_as_it_stands_and_says_what_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = blocks("README.md", "python")
    exec(compile(block, "README.md", "exec"), {"__name__": "page"})  # noqa: S102 - the project's own page
    assert f"It prints `{capsys.readouterr().out.strip()}`" in " ".join(text("README.md").split())


def test_the_python_of_the_quick_start_runs_on_a_users_own_files(workshop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quick = run("docs/quick-start.md")
    assert len(quick["claim"].images) == 4
    assert Claim.load(workshop / "my.claim").calibrated
    assert len(list((workshop / "innocents").glob("1*.safetensors"))) >= 3
    assert quick["verdict"].deciding.smallest == 1 / (1 + len(quick["innocents"])), "p pays for one way of asking"
    assert quick["verdict"].suspect == "Finetune(layers=Layers.ALL, epochs=5, rate=0.01, flips=True)"
    printed = capsys.readouterr().out.splitlines()
    assert [line.split("(")[0] for line in printed[-2:]] == ["Prune", "Finetune"]


def test_the_small_settings_of_this_test_stand_in_the_pages() -> None:
    shown = "".join(blocks("docs/quick-start.md", "python"))
    assert [large for large in SMALL if large not in shown] == []


def test_the_python_of_the_page_on_statistics_runs() -> None:
    assert "clopper_pearson" in run("docs/statistics.md")


def test_the_table_of_what_innocents_bound_is_right() -> None:
    rows = re.findall(r"^\| (\d+) \| ([\d.]+) \| ([\d.]+) % \|$", text("docs/statistics.md"), re.MULTILINE)
    assert len(rows) >= 5
    for count, smallest, bound in rows:
        innocents = int(count)
        assert float(smallest) == pytest.approx(1 / (innocents + 1), rel=0.005)
        assert float(bound) == pytest.approx(100 * (1 - 0.05 ** (1 / innocents)), abs=0.06)


def test_the_reader_of_fifteen_lines_accepts_what_ownmark_wrote(tmp_path: Path) -> None:
    claim = small_claim(count=3)
    claim.save(tmp_path / "a.claim")
    read = run("docs/claim-format.md")["read_claim"](tmp_path / "a.claim")
    assert read["scheme"] == claim.scheme
    assert read["classes"] == list(claim.classes)
    body = blocks("docs/claim-format.md", "python")[0].split("def read_claim(path):\n")[1]
    assert len(body.strip().splitlines()) == 15


def test_the_reader_of_fifteen_lines_notices_every_changed_byte_that_a_digest_covers(tmp_path: Path) -> None:
    read_claim = run("docs/claim-format.md")["read_claim"]
    data = small_claim(count=2, size=1).to_bytes()
    first, file = 8 + int.from_bytes(data[:8], "little"), tmp_path / "changed.claim"
    described = data.index(b'"scheme')
    for at in [*range(first, len(data)), *range(described, described + 120)]:
        file.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises((ValueError, KeyError)):
            read_claim(file)


def test_the_page_of_the_file_names_every_key_match_null_and_reading() -> None:
    page = text("docs/claim-format.md")
    kinds = [kind.__name__ for kind in (*matches.MATCHES, *null_models.NULLS)]
    parameters = [field.name for kind in (*matches.MATCHES, *null_models.NULLS) for field in fields(kind)]
    keys = ["version", "scheme", "model", "built_with", "classes", "preprocess", "tests", "arrays", "layer", "target_score"]
    readings = [reading.value for reading in Reading]
    assert [name for name in (*kinds, *parameters, *keys, *readings) if f"`{name}`" not in page] == []


def test_the_scheme_of_the_guide_makes_a_claim_that_holds_on_its_own_model() -> None:
    names = run("docs/add-a-scheme.md")
    scheme, model = names["Blunders"](samples=8), tiny(0)
    assert eval(repr(scheme), names) == scheme  # noqa: S307 - its own repr
    claim = scheme.protect(model, Owner(pictures()), seed(0)).claim
    assert Claim.from_bytes(claim.to_bytes()).digest == claim.digest
    assert verify(claim, Local(model)).deciding.score == 1
    with pytest.raises(ProtectError, match="more images"):
        names["Blunders"](samples=1000).protect(model, Owner(pictures()), seed(0))


def test_the_page_of_the_saliency_scheme_shows_every_setting_with_its_default() -> None:
    names = {"Descent": Descent, "Contrast": Contrast, "Fill": Fill, "Drop": matches.Drop}
    rows = re.findall(r"^\| `(\w+)` \| `([^|]+)` \|", text("docs/schemes/saliency.md"), re.MULTILINE)
    shown = {name: eval(default, names) for name, default in rows}  # noqa: S307 - the project's own page
    assert shown == {field.name: getattr(Saliency(), field.name) for field in fields(Saliency)}


def shown_commands() -> list[tuple[str, str]]:
    """Every `ownmark ...` line of a console block, as (page, line)."""
    found = []
    for page in PAGES:
        for block in re.findall(r"^```console\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
            joined = block.replace("\\\n", "")
            found += [(page.name, line) for line in joined.splitlines() if line.startswith("ownmark ")]
    return found


def test_every_command_that_a_page_shows_exists_with_its_options(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"COLUMNS": "300", "NO_COLOR": "1", "TERM": "dumb"}.items():
        monkeypatch.setenv(name, value)
    lines = shown_commands()
    assert len(lines) > 10
    commands = sorted({shlex.split(line)[1] for _, line in lines})
    asked = {command: ownmark(capsys, command, "--help") for command in commands}
    assert [f"{command}: {ran.err}" for command, ran in asked.items() if ran.code] == []
    helps = {command: ran.out for command, ran in asked.items()}
    missing = [
        (page, line, word)
        for page, line in lines
        for word in shlex.split(line, comments=True)[2:]
        if word.startswith("--") and not re.search(rf"{word}\b", helps[shlex.split(line)[1]])
    ]
    assert missing == []


def test_every_link_and_picture_of_the_front_pages_leads_somewhere() -> None:
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        targets = re.findall(r"\]\(([^)#]+)[^)]*\)", text(name))
        local = [target for target in targets if not target.startswith("http")]
        assert [target for target in local if not (ROOT / target).exists()] == [], name


def test_every_path_of_the_map_of_the_house_exists() -> None:
    paths = re.findall(r"^\| `([^`]+)` \|", text("CONTRIBUTING.md"), re.MULTILINE)
    assert len(paths) > 12
    assert [path for path in paths if not (ROOT / path).exists()] == []
    shown = "\n".join(paths)
    parts = [path.relative_to(ROOT) for path in (ROOT / "src/ownmark").iterdir() if not path.name.startswith(("_", "py"))]
    assert [str(part) for part in parts if str(part) not in shown] == []


def test_every_error_code_of_the_quick_start_is_the_codes_own() -> None:
    from ownmark.errors import ClaimError, SuspectError, UsageError

    codes = {kind.exit_code for kind in (UsageError, ClaimError, SuspectError)}
    shown = {int(code) for code in re.findall(r"^\| (\d) \|", text("docs/quick-start.md"), re.MULTILINE)}
    assert shown == codes | {0, 1, 3}


def test_the_newest_entry_of_the_changes_is_the_packages_version() -> None:
    version = tomllib.loads(text("pyproject.toml"))["project"]["version"]
    newest = re.search(r"^## ([\d.]+)", text("CHANGELOG.md"), re.MULTILINE)
    assert newest is not None
    assert newest.group(1) == version


@needs_make
def test_every_make_target_that_a_page_names_is_in_the_help() -> None:
    shown = make().stdout
    named = {name for page in PAGES for name in re.findall(r"make ([a-z][a-z-]*[a-z])\b", code_of(page))}
    assert {"demo", "test", "check", "docs"} <= named
    benches = {name.removeprefix("bench-").replace("-", "_") for name in named if name.startswith("bench-")}
    assert [name for name in named - {"bench"} if not name.startswith("bench-") and f"make {name} " not in shown] == []
    assert [name for name in benches if not (ROOT / "benchmarks" / f"{name}.py").exists()] == []


def code_of(page: Path) -> str:
    """Only what a page sets as code, inline or as a block."""
    return "\n".join(re.findall(r"`+(?:console\n)?([^`]+)`+", page.read_text(encoding="utf-8")))


@needs_make
def test_a_python_that_is_too_old_is_named_before_anything_is_made(tmp_path: Path) -> None:
    old = tmp_path / "python3.9"
    old.write_text('#!/bin/sh\nif [ "$1" = -V ]; then echo "Python 3.9.2"; else exit 1; fi\n', encoding="utf-8")
    old.chmod(0o755)
    done = make("test", f"PYTHON={old}", f"VENV={tmp_path / 'venv'}")
    assert done.returncode != 0
    assert "needs Python 3.11 or newer" in done.stdout
    assert "Python 3.9.2" in done.stdout
    assert not (tmp_path / "venv").exists()


@needs_make
def test_a_benchmark_is_named_with_dashes_and_its_file_with_underscores(tmp_path: Path) -> None:
    planned = make("-n", "bench-skin-first", f"VENV={tmp_path / 'venv'}").stdout
    assert "benchmarks/skin_first.py" in planned


def test_the_script_of_continuous_integration_can_be_run() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    assert subprocess.run([bash, "-n", script], check=False).returncode == 0
