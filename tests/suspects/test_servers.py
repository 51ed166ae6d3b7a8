"""Servers that nobody here wrote, each in a venv of its own that `make test-servers` makes: the verdict is the local model's."""

import json
import os
import signal
import socket
import subprocess
import sysconfig
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from asking import NAMES, exported
from loopback import transport
from torch import nn

from ownmark.claims.claim import Claim
from ownmark.errors import AnswerError, SuspectError
from ownmark.protocols import Suspect
from ownmark.scoring.readings import Reading
from ownmark.suspects.answers import Outputs
from ownmark.suspects.http.http_json import HttpJson
from ownmark.suspects.http.mapping import Mapping
from ownmark.suspects.http.oip import Dialect, Layout, Oip
from ownmark.suspects.http.transport import Limits, Transport
from ownmark.suspects.local import Local
from ownmark.verdicts.verdict import Outcome
from ownmark.verdicts.verify import verify

pytestmark = pytest.mark.server
HERE = Path(__file__).parents[1] / "servers"
VENVS = Path(os.environ.get("OWNMARK_SERVERS", HERE.parents[1] / ".ci" / "servers"))
PATIENCE = 120  # seconds until a server is ready
PATIENT = Limits(silence=30, attempts=3)
Start = Callable[[Path, Path, int, int], tuple[list[str], dict[str, str], str]]


def triton(file: Path, _: Path, port: int, other: int) -> tuple[list[str], dict[str, str], str]:
    call = [str(VENVS / "triton/bin/python"), str(HERE / "triton.py"), str(file), str(port), str(other)]
    return call, {"LD_LIBRARY_PATH": str(sysconfig.get_config_var("LIBDIR"))}, "/v2/models/suspect/ready"


def bentoml(file: Path, _: Path, port: int, __: int) -> tuple[list[str], dict[str, str], str]:
    call = [str(VENVS / "bentoml/bin/bentoml"), "serve", "bento:Suspect", "--host", "127.0.0.1", "--port", str(port)]
    given = {"SUSPECT_FILE": str(file), "BENTOML_DO_NOT_TRACK": "True", "PYTHONPATH": str(HERE)}
    return [*call, "--working-dir", str(HERE)], given, "/readyz"


def mlserver(file: Path, folder: Path, port: int, other: int) -> tuple[list[str], dict[str, str], str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        third = free.getsockname()[1]
    where = {"host": "127.0.0.1", "http_port": port, "grpc_port": other, "metrics_port": third, "parallel_workers": 0}
    tensors = {
        "inputs": [{"name": "images", "datatype": "FP32", "shape": [-1, 3, 16, 16]}],
        "outputs": [{"name": "scores", "datatype": "FP32", "shape": [-1, 7]}],
    }
    (folder / "settings.json").write_text(json.dumps(where))
    (folder / "model-settings.json").write_text(json.dumps({"name": "suspect", "implementation": "seldon.Suspect", **tensors}))
    call = [str(VENVS / "mlserver/bin/mlserver"), "start", str(folder)]
    return call, {"SUSPECT_FILE": str(file), "PYTHONPATH": str(HERE)}, "/v2/models/suspect/ready"


def gradio(file: Path, _: Path, port: int, __: int) -> tuple[list[str], dict[str, str], str]:
    call = [str(VENVS / "gradio/bin/python"), str(HERE / "spaces.py"), str(file), str(port)]
    return call, {"GRADIO_ANALYTICS_ENABLED": "False"}, "/"


def own(script: str, name: str, ready: str, *more: str) -> Start:
    """A server that a script of ours starts, by the Python of the venv called `name`, with what it takes beside file and port."""

    def start(file: Path, folder: Path, port: int, other: int) -> tuple[list[str], dict[str, str], str]:
        words = [one.format(other=other, folder=folder) for one in more]
        quiet = {"DO_NOT_TRACK": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "RAY_USAGE_STATS_ENABLED": "0"}
        path = f"{VENVS / name / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return (
            [str(VENVS / name / "bin/python"), str(HERE / script), str(file), str(port), *words],
            {**quiet, "PATH": path},
            ready,
        )

    start.__name__ = name
    return start


fastapi = own("fast.py", "fastapi", "/ready")
litserve = own("lit.py", "litserve", "/health")
kserve = own("kserving.py", "kserve", "/v2/models/suspect/ready", "{other}")
rayserve = own("rays.py", "rayserve", "/predict")
mlflow = own("mlflows.py", "mlflow", "/ping", "whole", "{folder}/saved")
mlflow_onnx = own("mlflows.py", "mlflow", "/ping", "onnx", "{folder}/saved")


@contextmanager
def started(start: Start, model: nn.Module, folder: Path) -> Iterator[str]:
    """The address of the server with the model in it, once it is ready."""
    if not (VENVS / start.__name__).is_dir():
        pytest.skip(f"{start.__name__} is not installed: make test-servers")
    with socket.socket() as first, socket.socket() as second:
        for one in (first, second):
            one.bind(("127.0.0.1", 0))
        port, other = first.getsockname()[1], second.getsockname()[1]
    (folder / "other").write_text(str(other))  # where it speaks gRPC
    call, given, ready = start(exported(model, folder / "suspect.onnx"), folder, port, other)
    log = folder / "log"
    with log.open("wb") as stream:
        child = subprocess.Popen(
            call, cwd=folder, env=os.environ | given, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        await_ready(f"http://127.0.0.1:{port}{ready}", child, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(child.pid, signal.SIGTERM)
        try:
            child.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def await_ready(url: str, child: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and child.poll() is None:
        if is_ready(url):
            return
        time.sleep(0.3)
    pytest.fail(f"the server is not ready: {log.read_text(errors='replace')[-2000:]}")


def is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - loopback
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def same_verdict(claim: Claim, suspect: Suspect, model: nn.Module) -> None:
    wanted, found = verify(claim, Local(model)), verify(claim, suspect)
    assert (found.outcome, found.reason) == (wanted.outcome, wanted.reason)
    assert found.outcome is Outcome.MATCH
    for one, other in zip((found.deciding, *found.others), (wanted.deciding, *wanted.others), strict=True):
        assert (one.score, one.p, one.interval) == (other.score, other.p, other.interval)
        assert np.allclose(one.observed, other.observed, atol=1e-5)


def oip(url: str, carrier: Transport, dialect: Dialect = Dialect()) -> Oip:
    return Oip(f"{url}/v2/models/suspect", len(NAMES), carrier, dialect=dialect)


def test_triton_gives_the_local_verdict_in_binary_and_its_best_classes(model: nn.Module, claim: Claim, tmp_path: Path) -> None:
    with started(triton, model, tmp_path) as url:
        with transport(PATIENT) as carrier:
            suspect = oip(url, carrier)
            assert suspect._wire.binary
            same_verdict(claim, suspect, model)
        labels = replace(claim, tests=tuple(test for test in claim.tests if test.reading is Reading.LABEL))
        for best in (1, 3):
            with transport(PATIENT) as carrier:
                same_verdict(labels, oip(url, carrier, Dialect(best=best)), model)
        small = replace(claim, images=claim.images[:, :, :8, :8])
        with transport(PATIENT) as carrier, pytest.raises(SuspectError, match="takes images"):
            verify(small, oip(url, carrier))
        with transport(PATIENT) as carrier, pytest.raises(SuspectError, match="status 4"):
            Oip(f"{url}/v2/models/nobody", 7, carrier).reveals  # noqa: B018 - it is the access that asks


@pytest.mark.parametrize("start", [triton, mlserver])
def test_the_verdict_over_grpc_is_the_local_one(start: Start, model: nn.Module, claim: Claim, tmp_path: Path) -> None:
    pytest.importorskip("grpc", reason="gRPC needs grpcio: pip install 'ownmark[grpc]'")
    with started(start, model, tmp_path):
        url = f"grpc://127.0.0.1:{(tmp_path / 'other').read_text()}/v2/models/suspect"
        with transport(PATIENT) as carrier:
            same_verdict(claim, Oip(url, len(NAMES), carrier), model)
        with transport(PATIENT) as carrier, pytest.raises(SuspectError, match="answered with"):
            Oip(f"{url}-of-nobody", 7, carrier).reveals  # noqa: B018 - it is the access that asks


def test_gradio_gives_the_local_labels_by_its_preset(model: nn.Module, claim: Claim, tmp_path: Path) -> None:
    with started(gradio, model, tmp_path) as url, transport(PATIENT) as carrier:
        same_verdict(labels_of(claim), HttpJson(Mapping.read("gradio", f"{url}/gradio_api/run/predict"), NAMES, carrier), model)


def test_mlserver_gives_the_local_verdict_in_json(model: nn.Module, claim: Claim, tmp_path: Path) -> None:
    with started(mlserver, model, tmp_path) as url, transport(PATIENT) as carrier:
        suspect = oip(url, carrier)
        assert not suspect._wire.binary
        same_verdict(claim, suspect, model)


def test_bentoml_gives_the_local_verdict_by_its_preset(model: nn.Module, claim: Claim, tmp_path: Path) -> None:
    mapping = replace(Mapping.read("bentoml", "http://host/classify"), outputs=Outputs.LOGITS)
    with started(bentoml, model, tmp_path) as url:
        with transport(PATIENT) as carrier:
            same_verdict(claim, HttpJson(replace(mapping, url=f"{url}/classify"), NAMES, carrier), model)
        with transport(PATIENT) as carrier, pytest.raises(AnswerError, match="outputs="):
            verify(claim, HttpJson(replace(mapping, url=f"{url}/classify", outputs=Outputs.PROBABILITIES), NAMES, carrier))
        with transport(PATIENT) as carrier, pytest.raises(SuspectError, match="status 404"):
            verify(claim, HttpJson(replace(mapping, url=f"{url}/nothing"), NAMES, carrier))


UPLOAD = 'form: {image: "{{png}}"}\nscores: scores'
RAW = 'headers: {content-type: application/octet-stream}\nbody: "{{png}}"\nscores: ""'
ADDRESS = 'body: {messages: [{url: "data:image/png;base64,{{image_b64}}"}]}\nscores: scores'
NAMED = 'body: {inputs: "{{image_b64}}"}\ntop: "[*].score"\nnames: "[*].label"'


def labels_of(claim: Claim) -> Claim:
    return replace(claim, tests=tuple(test for test in claim.tests if test.reading is Reading.LABEL))


def test_fastapi_gives_the_local_verdict_for_a_form_for_bytes_and_for_a_data_address(
    model: nn.Module, claim: Claim, tmp_path: Path
) -> None:
    """And its labels, where a model of transformers says LABEL_3."""
    with started(fastapi, model, tmp_path) as url:
        for path, text in (("upload", UPLOAD), ("raw", RAW), ("address", ADDRESS)):
            with transport(PATIENT) as carrier:
                same_verdict(claim, HttpJson(Mapping.read(text, f"{url}/{path}"), NAMES, carrier), model)
        with transport(PATIENT) as carrier:
            same_verdict(labels_of(claim), HttpJson(Mapping.read(NAMED, f"{url}/labels"), NAMES, carrier), model)


def test_bentoml_gives_the_local_verdict_for_an_image_in_a_form(model: nn.Module, claim: Claim, tmp_path: Path) -> None:
    text = 'form: {image: "{{png}}"}\nscores: ""\noutputs: logits'
    with started(bentoml, model, tmp_path) as url, transport(PATIENT) as carrier:
        same_verdict(claim, HttpJson(Mapping.read(text, f"{url}/picture"), NAMES, carrier), model)


@pytest.mark.parametrize("start", [litserve, rayserve], ids=["litserve", "rayserve"])
def test_a_server_of_nested_lists_gives_the_local_verdict(start: Start, model: nn.Module, claim: Claim, tmp_path: Path) -> None:
    text = 'body: {image: "{{tensor}}"}\nscores: scores\noutputs: logits'
    with started(start, model, tmp_path) as url, transport(PATIENT) as carrier:
        same_verdict(claim, HttpJson(Mapping.read(text, f"{url}/predict"), NAMES, carrier), model)


def test_kserve_gives_the_local_verdict_in_json_in_bytes_that_it_does_not_list_and_over_grpc(
    model: nn.Module, claim: Claim, tmp_path: Path
) -> None:
    with started(kserve, model, tmp_path) as url:
        for binary in (None, True):
            with transport(PATIENT) as carrier:
                suspect = oip(url, carrier, Dialect(input="images", datatype="FP32", layout=Layout.NCHW, binary=binary))
                assert suspect._wire.binary is bool(binary)
                same_verdict(claim, suspect, model)
        halves = Dialect(input="images", datatype="FP16", layout=Layout.NCHW, binary=True)
        with transport(PATIENT) as carrier:
            assert verify(claim, oip(url, carrier, halves)).outcome is Outcome.MATCH
        with transport(PATIENT) as carrier, pytest.raises(SuspectError):
            verify(claim, oip(url, carrier, replace(halves, binary=False)))
        pytest.importorskip("grpc", reason="gRPC needs grpcio: pip install 'ownmark[grpc]'")
        far = f"grpc://127.0.0.1:{(tmp_path / 'other').read_text()}/v2/models/suspect"
        with transport(PATIENT) as carrier:
            dialect = Dialect(input="images", datatype="FP32", layout=Layout.NCHW)
            same_verdict(claim, Oip(far, len(NAMES), carrier, dialect=dialect), model)


def test_mlflow_sees_black_where_its_signature_is_whole_and_is_asked_in_pixels(
    model: nn.Module, claim: Claim, tmp_path: Path
) -> None:
    with started(mlflow, model, tmp_path) as url:
        with transport(PATIENT) as carrier:
            black = verify(claim, HttpJson(Mapping.read("mlflow", f"{url}/invocations"), NAMES, carrier))
        assert black.outcome is Outcome.INCONCLUSIVE
        assert "values: pixels" in black.reason
        with transport(PATIENT) as carrier:
            text = "{preset: mlflow, values: pixels, outputs: logits}"
            same_verdict(claim, HttpJson(Mapping.read(text, f"{url}/invocations"), NAMES, carrier), model)


def test_mlflows_own_flavour_of_onnx_names_its_output_and_the_error_says_what_to_write(
    model: nn.Module, claim: Claim, tmp_path: Path
) -> None:
    with started(mlflow_onnx, model, tmp_path) as url:
        with transport(PATIENT) as carrier, pytest.raises(AnswerError, match=r"write predictions\.\w+\[0\]$") as caught:
            verify(claim, HttpJson(Mapping.read("mlflow", f"{url}/invocations"), NAMES, carrier))
        path = str(caught.value).rsplit(" ", 1)[1]
        with transport(PATIENT) as carrier:
            text = f'{{preset: mlflow, scores: "{path}", outputs: logits}}'
            same_verdict(claim, HttpJson(Mapping.read(text, f"{url}/invocations"), NAMES, carrier), model)
