"""Servers as people run them: each answers byte for byte as one was seen to, and the verdict is the model's own or says why."""

import base64
import io
import json
from collections.abc import Callable
from dataclasses import replace
from email import message_from_bytes
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asking import NAMES, asked, pixels
from branded import TRIGGERS, Branded, branded_claim, ordinary
from loopback import HASTY, Asked, Said, said, serving, transport
from PIL import Image
from torch import nn
from v2_server import V2, oip
from workshop import refused

from ownmark.claims.claim import Claim
from ownmark.errors import AnswerError, SuspectError, UsageError
from ownmark.scoring.readings import Reading
from ownmark.suspects.http.http_json import HttpJson
from ownmark.suspects.http.mapping import Mapping, find
from ownmark.suspects.http.oip import Dialect
from ownmark.suspects.http.probing import verify_remote
from ownmark.verdicts.verdict import Outcome, Verdict
from ownmark.verdicts.verify import verify

ALPHA = 1e-3
ORDERED = replace(HASTY, at_once=1)
LABEL = frozenset({Reading.LABEL})


@pytest.fixture(scope="module")
def marked() -> Claim:
    return branded_claim()


def shares(model: nn.Module, image: Any) -> list[float]:
    """The model's probabilities for pixels (height, width, 3)."""
    with torch.no_grad():
        values = torch.from_numpy(np.asarray(image, np.float32) / 255).permute(2, 0, 1)[None]
        return [float(share) for share in model(values).softmax(1)[0]]


def picture(data: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(data)))


def judged(text: str, script: Callable[[Asked], Said], claim: Claim, *, decoys: bool = False) -> tuple[Verdict, int]:
    """The verdict on an API by its mapping, and how many queries it took."""
    with serving(script) as server, transport(ORDERED) as carrier:
        suspect = HttpJson(Mapping.read(text, f"{server.url}/predict"), NAMES, carrier)
        return verify_remote(claim, suspect, ordinary() if decoys else None, alpha=ALPHA).verdict, len(server.queries())


def whole(model: nn.Module) -> Callable[[Asked], Said]:
    """`mlflow models serve` of a model whose signature is uint8: it casts what it gets, and answers with status 200."""

    def script(asked: Asked) -> Said:
        image = np.asarray(asked.json["inputs"][0]).astype(np.uint8).transpose(1, 2, 0)
        return said({"predictions": [shares(model, image)]})

    return script


def test_shares_of_one_that_a_server_rounds_to_black_are_inconclusive_and_never_innocence(marked: Claim) -> None:
    verdict, _ = judged("mlflow", whole(Branded(marked)), marked)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert f"{TRIGGERS} different images got nearly the same answer" in verdict.reason
    assert "values: pixels" in verdict.reason
    found, _ = judged("{preset: mlflow, values: pixels}", whole(Branded(marked)), marked)
    assert (found.outcome, found.deciding.score) == (Outcome.MATCH, 1)


def test_decoys_advise_whole_pixels_where_whole_pixels_are_missed(marked: Claim) -> None:
    verdict, _ = judged("mlflow", whole(Branded(marked)), marked, decoys=True)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "whole pixels in [0, 255]: write values: pixels in the mapping" in verdict.reason
    assert "--std" not in verdict.reason
    found, _ = judged("{preset: mlflow, values: pixels}", whole(Branded(marked)), marked, decoys=True)
    assert (found.outcome, found.deciding.score) == (Outcome.MATCH, 1)


def test_a_model_with_named_outputs_is_told_what_to_write(marked: Claim) -> None:
    """`mlflow.onnx` answers an object from output to list."""

    def script(asked: Asked) -> Said:
        image = np.asarray(asked.json["inputs"][0], np.float32).transpose(1, 2, 0) * 255
        return said({"predictions": {"scores.1": 0, "logits": [shares(Branded(marked), image)]}})

    with pytest.raises(AnswerError, match=r"nothing at 'predictions\[0\]'.*; write predictions\.logits\[0\]$"):
        judged("mlflow", script, marked)
    found, _ = judged('{preset: mlflow, scores: "predictions.logits[0]"}', script, marked)
    assert found.outcome is Outcome.MATCH
    with pytest.raises(AnswerError, match=r"expected 0, got a list of 0$"):
        find({"predictions": []}, "predictions[0]")


def fields_of(asked: Asked) -> dict[str, Any]:
    """The parts of a form as a server's own parser reads them."""
    head = f"content-type: {asked.headers['content-type']}\r\n\r\n".encode()
    parts = message_from_bytes(head + asked.body).get_payload()
    assert isinstance(parts, list)
    return {str(part.get_param("name", header="content-disposition")): part for part in parts}  # type: ignore[union-attr]


def test_a_form_brings_the_image_as_a_file_and_asks_the_same_in_the_same_bytes(model: nn.Module) -> None:
    """FastAPI's `UploadFile`, BentoML's `image: Image`."""
    sent: list[bytes] = []

    def script(asked: Asked) -> Said:
        sent.append(asked.body)
        found = fields_of(asked)
        assert found["image"].get_filename() == "image.png"
        assert found["image"].get_content_type() == "image/png"
        assert found["top_k"].get_payload(decode=True) == b"7"
        return said(shares(model, picture(found["image"].get_payload(decode=True))))

    text = 'form: {image: "{{png}}", top_k: "7"}\nscores: ""'
    with serving(script) as server, transport() as carrier:
        suspect = HttpJson(Mapping.read(text, server.url), NAMES, carrier, repeats=0)
        found = suspect.read(pixels()[:2, 0], asked(LABEL, count=2))
        again = suspect.asked(replace(suspect.manner, turn=1)).read(pixels()[:2, 0], asked(LABEL, count=2))
    assert found[Reading.LABEL].tolist() == again[Reading.LABEL].tolist()
    assert found[Reading.LABEL].tolist() == [int(np.argmax(shares(model, image))) for image in pixels()[:2, 0]]
    assert len(set(sent)) == 2
    for wrong in ('form: {image: "none"}', 'form: {image: "{{png}}"}\nbody: "{{png}}"', "form: {image: 3}"):
        with pytest.raises(UsageError, match="form"):
            Mapping.read(f'{wrong}\nscores: ""', "http://host")


def test_raw_bytes_and_data_addresses_bring_every_pixel(model: nn.Module) -> None:
    seen: list[Any] = []

    def script(asked: Asked) -> Said:
        if asked.headers["content-type"] == "application/octet-stream":
            seen.append(picture(asked.body))
        else:
            before, after = "data:image/png;base64,", ";end"
            told = asked.json["messages"][0]["url"]
            assert told.startswith(before)
            assert told.endswith(after)
            seen.append(picture(base64.b64decode(told.removeprefix(before).removesuffix(after))))
        return said(shares(model, seen[-1]))

    raw = 'headers: {content-type: application/octet-stream}\nbody: "{{png}}"'
    address = 'body: {messages: [{url: "data:image/png;base64,{{image_b64}};end"}]}'
    for text in (raw, address):
        with serving(script) as server, transport() as carrier:
            suspect = HttpJson(Mapping.read(f'{text}\nscores: ""', server.url), NAMES, carrier, repeats=0)
            suspect.read(pixels()[:1, 0], asked(LABEL, count=1))
        assert np.array_equal(seen[-1], pixels()[0, 0])


def test_a_server_that_reads_bytes_without_saying_so_is_asked_in_bytes(model: nn.Module, claim: Claim) -> None:
    """KServe reads binary tensors that it does not list, which is the only way for FP16."""

    def script(asked: Asked) -> Said:
        if asked.path == "/v2":
            return said({"name": "kserve", "version": "0.21.0", "extensions": ["model_repository_extension"]})
        if asked.path.endswith("/infer") and "inference-header-content-length" not in asked.headers:
            return said({"error": "FP16 data must be sent as raw_input_contents"}, 400)
        return V2(model, datatype="FP16")(asked)

    with serving(script) as server, transport() as carrier:
        with pytest.raises(SuspectError, match="FP16 data must"):
            verify(claim, oip(server.url, carrier))
        verdict = verify(claim, oip(server.url, carrier, Dialect(binary=True)))
    assert verdict.deciding.score > 0.8
    with serving(V2(model)) as server, transport() as carrier:
        oip(server.url, carrier, Dialect(binary=False)).read(pixels()[:1, 0], asked(LABEL, count=1))
        assert all(json.loads(one.body) for one in server.queries())


@pytest.mark.parametrize("first", [0, 1])
def test_numbers_behind_a_word_are_numbers_of_classes(first: int, marked: Claim) -> None:
    """A model of transformers without names answers LABEL_0, LABEL_1 ..."""

    def script(asked: Asked) -> Said:
        told = shares(Branded(marked), picture(base64.b64decode(asked.json["inputs"])))
        order = sorted(range(len(told)), key=lambda place: -told[place])
        return said([{"label": f"LABEL_{place + first}", "score": told[place]} for place in order[:5]])

    text = f'{{preset: huggingface, headers: {{authorization: "none"}}, first: {first}}}'.replace(
        ', headers: {authorization: "none"}', ""
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_TOKEN", "0123456789")
        plain, _ = judged(text, script, marked)
        mapped, queries = judged("huggingface", script, marked, decoys=True)
    assert (plain.outcome, plain.deciding.score) == (Outcome.MATCH, 1)
    assert (mapped.outcome, mapped.deciding.score) == (Outcome.MATCH, 1)
    assert queries == 10 * 4 + TRIGGERS + 3, "the names were clear from the first probes"


@pytest.mark.parametrize(("names", "queries"), [(("left", "right"), 10), (("cat0", "cat1"), 10 * 3 + 10 * 3)])
def test_names_that_fit_nothing_are_told_and_little_is_spent_on_them(names: tuple[str, str], queries: int, marked: Claim) -> None:
    """Names may be learnt from ordinary images, but not two for seven classes; numbers may be wrong since the images are."""
    verdict, spent = judged(
        'body: "{{png}}"\nlabel: c', lambda asked: said({"c": names[len(asked.body) % 2]}), marked, decoys=True
    )
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert f"It answers {names[0]}, {names[1]} where the claim has {', '.join(NAMES[:6])}" in verdict.reason
    assert ("declare in the mapping's classes" in verdict.reason) == (names[0] == "left")
    assert spent == queries


ASKING: dict[str, tuple[dict[str, Any], str]] = {
    "two inputs": (
        {"inputs": [{"name": "image", "datatype": "FP32", "shape": [-1, 3, 16, 16]}, {"name": "size"}]},
        "name the input of .*, e.g. --tensor image; it lists: image, size",
    ),
    "no layout": ({"inputs": [{"name": "a", "datatype": "FP32", "shape": [-1] * 4}]}, "pass --tensor ::nchw or --tensor ::nhwc"),
    "INT8": ({"inputs": [{"name": "a", "datatype": "INT8", "shape": [-1, 3, 16, 16]}]}, "one of FP16, FP32, .*, got INT8"),
    "BYTES": ({"inputs": [{"name": "a", "datatype": "BYTES", "shape": [-1]}]}, "one of FP16, .*UINT8, got BYTES"),
    "none": ({"inputs": [{"name": "a", "shape": [-1, 3, 16, 16]}]}, "got no data type: .*--tensor :FP32"),
}


@pytest.mark.parametrize("kind", ASKING)
def test_what_a_server_does_not_tell_is_asked_for_with_the_text_to_type(kind: str, claim: Claim) -> None:
    told, message = ASKING[kind]
    with serving(lambda _: said(told)) as server, transport() as carrier:
        with pytest.raises((UsageError, SuspectError), match=message) as caught:
            verify(claim, oip(server.url, carrier))
        assert server.queries() == []
    assert "INT8," not in str(caught.value).replace("UINT8,", ""), "what cannot hold a pixel is not offered"


def halves(values: list[float]) -> bytes:
    """As bfloat16: the upper half of each float32."""
    return (np.array(values, "<f4").view("<u4") >> 16).astype("<u2").tobytes()


def tensors(datatype: str, held: bytes) -> Said:
    head = {"outputs": [{"name": "scores", "datatype": datatype, "shape": [1, 7], "parameters": {"binary_data_size": len(held)}}]}
    text = json.dumps(head).encode()
    return Said(text + held, headers={"Inference-Header-Content-Length": str(len(text))})


def listed(text: str) -> Said:
    """An answer in JSON, or in what its server takes for JSON."""
    return Said(f'{{"outputs": [{{"name": "scores", "datatype": "FP32", "shape": [1, 7], "data": [{text}]}}]}}'.encode())


NAN = float("nan")
BROKEN: dict[str, Said] = {
    "NaN as bytes": tensors("FP32", np.full(7, NAN, "<f4").tobytes()),
    "NaN in bfloat16": tensors("BF16", halves([NAN] + [0.0] * 6)),
    "infinity in half precision": tensors("FP16", np.array([np.inf] + [0] * 6, "<f2").tobytes()),
    "bare NaN": listed("NaN, 0, 0, 0, 0, 0, 0"),
    "bare infinity": listed("-Infinity, 0, 0, 0, 0, 0, 0"),
    "null": listed("null, 0, 0, 0, 0, 0, 0"),
}


@pytest.mark.parametrize("decoys", [False, True])
@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_number_is_unusable_by_one_rule_with_decoys_and_without(kind: str, marked: Claim, *, decoys: bool) -> None:
    """Fault 28: an error with exit code 5, never a non-match."""

    def script(asked: Asked) -> Said:
        return BROKEN[kind] if asked.path.endswith("/infer") else V2(Branded(marked))(asked)

    with serving(script) as server, transport(ORDERED) as carrier:
        with pytest.raises(AnswerError, match=r"the answer contains .*broken") as caught:
            verify_remote(marked, oip(server.url, carrier), ordinary() if decoys else None, alpha=ALPHA)
        assert len(server.queries()) < 10
    assert caught.value.exit_code == 5


def test_bfloat16_that_is_fine_is_read(marked: Claim) -> None:
    def script(asked: Asked) -> Said:
        if not asked.path.endswith("/infer"):
            return V2(Branded(marked))(asked)
        at = int(asked.headers["inference-header-content-length"])
        image = np.frombuffer(asked.body[at:], "<f4").reshape(3, 16, 16).transpose(1, 2, 0) * 255
        return tensors("BF16", halves(shares(Branded(marked), image.round())))

    with serving(script) as server, transport() as carrier:
        verdict = verify_remote(marked, oip(server.url, carrier), alpha=ALPHA).verdict
    assert (verdict.outcome, verdict.deciding.score) == (Outcome.MATCH, 1)


def test_options_of_one_way_are_refused_for_another(
    tmp_path: Path, marked: Claim, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    marked.save("my.claim")
    words = ["verify", "my.claim", "http://127.0.0.1:1/v2/models/suspect", "--binary"]
    refused(capsys, [*words, "perhaps"], 2, "--binary is yes or no")
    refused(capsys, [*words, "yes", "--api", "mlflow"], 2, "--binary belongs to the Open Inference Protocol")
