"""Models in the formats of other runtimes answer as the torch module that they were made from, or say why they do not."""

import shutil
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from exported_models import CLASSES, FILES, FOLDER, SIZE, network, pictures
from torch import nn

from ownmark.attacks._common.converting import quiet
from ownmark.claims.claim import Claim, Preprocess, Test
from ownmark.errors import ModelError, OwnmarkError, SuspectError, UsageError
from ownmark.models.weights import weights_digest
from ownmark.protocols import Question, Suspect
from ownmark.scoring.matches import Agreement
from ownmark.scoring.readings import Reading
from ownmark.suspects import torchscript
from ownmark.suspects.answers import Outputs
from ownmark.suspects.local import Local
from ownmark.suspects.open import Access, opener_of
from ownmark.suspects.ports import Port, chosen
from ownmark.verdicts.verify import verify

PACKAGES = {".tflite": "ai_edge_litert", ".xml": "openvino", ".pte": "executorch", ".param": "ncnn", ".mnn": "MNN"}
FLOATS = sorted(name for name in FILES if name.split()[1] in {"float", "float,", "float16"})
NARROW = sorted(set(FILES) - set(FLOATS))
ACCESS = Access(Preprocess(), CLASSES, outputs=Outputs.LOGITS)


def opened(file: Path, access: Access = ACCESS) -> Suspect:
    """The suspect; skips where this machine lacks its runtime."""
    package = PACKAGES.get(file.suffix)
    if package is not None and find_spec(package) is None:
        pytest.skip(f"{package}, which runs {file.suffix} files, is not installed")
    return access.suspect(str(file))


@cache
def kept(name: str) -> Suspect:
    """One of the files, opened once for all tests."""
    return opened(FOLDER / FILES[name])


def asking(count: int) -> Question:
    return Question(frozenset({Reading.LABEL, Reading.PROBABILITY}), np.zeros(count, dtype=np.int64))


def shares(suspect: Suspect, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    return suspect.read(images, asking(len(images)))[Reading.PROBABILITY]


@pytest.fixture(scope="module")
def own() -> npt.NDArray[np.float64]:
    """What the torch module answers."""
    return shares(Local(network()), pictures())


@pytest.mark.parametrize("name", FLOATS)
def test_a_float_file_gives_the_torch_modules_answers(name: str, own: npt.NDArray[np.float64]) -> None:
    near = 0.02 if "float16" in name else 1e-4
    assert np.allclose(shares(kept(name), pictures()), own, atol=near)


@pytest.mark.parametrize("name", NARROW)
def test_a_quantised_file_gives_answers_near_the_torch_modules(name: str, own: npt.NDArray[np.float64]) -> None:
    found = shares(kept(name), pictures())
    assert np.mean(found.argmax(axis=1) == own.argmax(axis=1)) >= 0.75
    assert np.abs(found - own).mean() < 0.1


def test_one_verdict_comes_of_one_model_in_every_float_format() -> None:
    model = network()
    expected = Local(model).read(pictures(), asking(24))[Reading.LABEL].astype(np.int64)
    test = Test(Reading.LABEL, Agreement(), expected, 1.0)
    claim = Claim(pictures()[:, None], (test,), tuple("abcdefg"), "labels", weights_digest(model))
    here = [name for name in FLOATS if find_spec(PACKAGES[Path(FILES[name]).suffix]) is not None]
    if not here:
        pytest.skip("no runtime of another format is installed")
    assert {verify(claim, kept(name)).deciding.score for name in here} == {1.0}


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_is_known_by_what_it_holds_or_how_it_ends(name: str, tmp_path: Path) -> None:
    file = FOLDER / FILES[name]
    kind = opener_of(str(file))
    assert kind.extra
    if file.suffix in {".tflite", ".pte"}:
        other = tmp_path / "weights.bin"
        shutil.copy(file, other)
        assert opener_of(str(other)) is kind


@pytest.mark.parametrize("name", ["LiteRT float", "LiteRT float, NCHW input"])
def test_images_of_another_size_are_refused_with_both_sizes(name: str) -> None:
    suspect = kept(name)
    images = np.zeros((2, SIZE, SIZE + 1, 3), dtype=np.uint8)
    with pytest.raises(SuspectError, match=rf"takes images .*{SIZE}.*, the claim has .*{SIZE + 1}"):
        suspect.read(images, asking(2))


def test_what_an_integer_input_cuts_is_told() -> None:
    suspect = opened(FOLDER / FILES["LiteRT int8 static"], Access(Preprocess((0.5,), (0.1,)), CLASSES, outputs=Outputs.LOGITS))
    shares(suspect, pictures())
    assert any("lie outside and are cut" in note for note in getattr(suspect, "notes", ()))


@pytest.mark.parametrize("name", ["LiteRT float", "OpenVINO float", "ncnn float", "MNN float", "ExecuTorch float"])
def test_a_truncated_file_is_an_error_that_names_it(name: str, tmp_path: Path) -> None:
    file = FOLDER / FILES[name]
    data = file.read_bytes()
    (tmp_path / file.name).write_bytes(data[: len(data) // 2])
    if file.suffix in {".xml", ".param"}:
        shutil.copy(file.with_suffix(".bin"), tmp_path)
    with pytest.raises(OwnmarkError, match=file.name):
        shares(opened(tmp_path / file.name), pictures())


@pytest.mark.parametrize("name", ["OpenVINO float", "ncnn float"])
def test_weights_that_are_not_beside_their_file_are_asked_for(name: str, tmp_path: Path) -> None:
    file = shutil.copy(FOLDER / FILES[name], tmp_path)
    with pytest.raises(UsageError, match=r"keeps its weights in .*bin, which is not beside it"):
        ACCESS.check(str(file))


def test_a_core_ml_model_is_recognised_and_the_way_out_is_told(tmp_path: Path) -> None:
    (tmp_path / "Model.mlpackage").mkdir()
    with pytest.raises(ModelError, match=r"is a Core ML model\. Core ML models run on Apple's systems only"):
        ACCESS.check(str(tmp_path / "Model.mlpackage"))
    with pytest.raises(UsageError, match="there is no file"):
        ACCESS.check(str(tmp_path / "Other.mlmodel"))


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the network as a TorchScript and as a torch.export file."""
    folder = tmp_path_factory.mktemp("programs")
    model, example = network(), torch.rand(2, 3, SIZE, SIZE)
    with quiet():
        torch.jit.trace(model, example).save(folder / "scripted.pt")  # type: ignore[no-untyped-call]
    program = torch.export.export(model, (example,), dynamic_shapes=({0: torch.export.Dim("n")},))
    torch.export.save(program, folder / "exported.pt2")
    return folder


@pytest.mark.parametrize("name", ["scripted.pt", "exported.pt2"])
def test_a_file_that_can_run_code_is_asked_in_a_process_of_its_own_and_only_if_that_is_allowed(
    name: str, programs: Path, own: npt.NDArray[np.float64]
) -> None:
    with pytest.raises(ModelError, match="--allow-code"):
        ACCESS.suspect(str(programs / name))
    allowed = Access(Preprocess(), CLASSES, outputs=Outputs.LOGITS, code=True)
    assert np.allclose(shares(allowed.suspect(str(programs / name)), pictures()), own, atol=1e-4)


class Finder(nn.Module):
    """Answers what a scripted detector answers."""

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, list[dict[str, torch.Tensor]]]:
        return images, [{"boxes": images[0, 0, :, :4], "labels": images[0, 0, 0], "scores": images[0, 0, 0]}]


def test_a_detector_in_a_file_other_than_onnx_says_what_would_serve(tmp_path: Path) -> None:
    ports = [Port(name, None, "float32") for name in ("detection_boxes", "labels", "scores")]
    with pytest.raises(ModelError, match=r"a\.tflite is a detector: detection_boxes, labels, scores.* export it to ONNX"):
        chosen("a.tflite", ports, "")
    with quiet():
        torch.jit.script(Finder()).save(tmp_path / "found.torchscript")  # type: ignore[no-untyped-call]
    with quiet(), pytest.raises(ModelError, match=r"List\[Dict\[str, Tensor\]\].*export it to ONNX"):
        torchscript.session([tmp_path / "found.torchscript"])


def test_a_program_that_fails_is_an_error_that_says_on_what(tmp_path: Path) -> None:
    with quiet():
        flat = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE * SIZE, CLASSES))
        torch.jit.trace(flat, torch.rand(2, 3, SIZE, SIZE)).save(tmp_path / "flat.torchscript")  # type: ignore[no-untyped-call]
    suspect = Access(Preprocess(), CLASSES, outputs=Outputs.LOGITS, code=True).suspect(str(tmp_path / "flat.torchscript"))
    with pytest.raises(SuspectError, match=r"flat\.torchscript failed on a batch \(1, 3, 16, 17\)"):
        suspect.read(np.zeros((1, SIZE, SIZE + 1, 3), dtype=np.uint8), asking(1))


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_a_module_in_half_precision_answers_nearly_as_in_full(kind: torch.dtype, own: npt.NDArray[np.float64]) -> None:
    assert np.allclose(shares(Local(network().to(kind)), pictures()), own, atol=0.1)


def test_a_module_quantised_by_torchao_has_a_digest_of_its_own_and_answers(own: npt.NDArray[np.float64]) -> None:
    quantization = pytest.importorskip("torchao.quantization", reason="torchao, which quantises modules, is not installed")
    model = network()
    quantization.quantize_(model, quantization.Int8WeightOnlyConfig())
    suspect = Local(model)
    assert suspect.digest != Local(network()).digest
    assert np.mean(shares(suspect, pictures()).argmax(axis=1) == own.argmax(axis=1)) >= 0.9
