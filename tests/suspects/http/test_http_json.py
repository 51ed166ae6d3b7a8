"""APIs that speak JSON: the mapping says how, the verdict is the model's own, and nothing is guessed."""

import base64
import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from asking import COUNT, NAMES, asked, pixels
from loopback import Asked, Said, said, serving, transport
from PIL import Image
from torch import nn

from ownmark.claims.claim import Claim, Preprocess
from ownmark.errors import AnswerError, UsageError
from ownmark.models.prepared import prepared
from ownmark.querying.transcript import Plan, heard
from ownmark.scoring.readings import Reading
from ownmark.suspects.http.http_json import HttpJson
from ownmark.suspects.http.mapping import PRESETS, Mapping
from ownmark.suspects.http.transport import Transport
from ownmark.suspects.local import Local
from ownmark.verdicts.verdict import Outcome
from ownmark.verdicts.verify import verify

Shares = list[float]


def shares_of(model: nn.Module, image: Any) -> Shares:
    """What the model says about an image (height, width, 3), pixels or values in [0, 1]."""
    values = np.asarray(image, np.float32) / (255 if np.asarray(image).dtype.kind == "u" else 1)
    with torch.no_grad():
        answer = model(torch.from_numpy(values).permute(2, 0, 1)[None]).softmax(1)[0]
    return [float(share) for share in answer]


def decoded(data: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(data)))


def listed(shares: Shares, count: int) -> list[dict[str, Any]]:
    order = sorted(range(len(shares)), key=lambda place: -shares[place])[:count]
    return [{"label": NAMES[place], "score": shares[place]} for place in order]


def channels_last(values: Any) -> Any:
    return np.asarray(values, np.float32).transpose(1, 2, 0)


def of_gradio(asked: Asked, tell: Callable[[Any], Shares]) -> list[dict[str, Any]]:
    (image,) = asked.json["data"]
    return listed(tell(decoded(base64.b64decode(image["url"].removeprefix("data:image/png;base64,")))), 5)


# What the servers of the presets answer, each by its own documentation.
SERVERS: dict[str, Callable[[Asked, Callable[[Any], Shares]], Any]] = {
    "torchserve": lambda asked, tell: {one["label"]: one["score"] for one in listed(tell(decoded(asked.body)), 5)},
    "huggingface": lambda asked, tell: listed(tell(decoded(base64.b64decode(asked.json["inputs"]))), 5),
    "mlflow": lambda asked, tell: {"predictions": [tell(channels_last(asked.json["inputs"][0]))]},
    "bentoml": lambda asked, tell: [tell(channels_last(asked.json["images"][0]))],
    "vertex": lambda asked, tell: {"predictions": [tell(channels_last(asked.json["instances"][0]))], "deployedModelId": "1"},
    "azureml": lambda asked, tell: [
        {
            "probs": tell(decoded(base64.b64decode(asked.json["input_data"]["data"][0]))),
            "labels": list(NAMES),
        }
    ],
    "gradio": lambda asked, tell: {
        "data": [{"confidences": [{"label": one["label"], "confidence": one["score"]} for one in of_gradio(asked, tell)]}]
    },
    "sagemaker": lambda asked, tell: {"predictions": [tell(channels_last(asked.json["instances"][0]))]},
}
LABELS_ONLY = {"torchserve", "huggingface", "gradio"}


def suspect_of(text: str, url: str, carrier: Transport, preprocess: Preprocess = Preprocess()) -> HttpJson:
    return HttpJson(Mapping.read(text, f"{url}/predict"), NAMES, carrier, preprocess=preprocess)


def test_every_preset_is_tried() -> None:
    assert SERVERS.keys() == PRESETS.keys()


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_gives_the_models_own_verdict(
    preset: str, model: nn.Module, claim: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_TOKEN", "GOOGLE_TOKEN", "AZUREML_KEY"):
        monkeypatch.setenv(name, "a-key-of-mine")

    def script(asked: Asked) -> Said:
        return said(SERVERS[preset](asked, lambda image: shares_of(model, image)))

    wanted = verify(claim, Local(model))
    with serving(script) as server, transport() as carrier:
        suspect = suspect_of(preset, server.url, carrier)
        found = verify(claim, suspect)
        assert len(server.asked) == 2 * COUNT + 3, "three are asked twice"
        keyed = "headers" in PRESETS[preset] and "authorization" in PRESETS[preset]["headers"]
        assert all((one.headers.get("authorization") == "Bearer a-key-of-mine") == keyed for one in server.asked)
    assert suspect.reveals == ({Reading.LABEL} if preset in LABELS_ONLY else {Reading.LABEL, Reading.PROBABILITY})
    assert found.outcome is wanted.outcome is Outcome.MATCH
    pairs = {finding.test.reading: finding for finding in (wanted.deciding, *wanted.others)}
    for finding in (found.deciding, *found.others):
        other = pairs[finding.test.reading]
        assert (finding.score, finding.p, finding.interval) == (other.score, other.p, other.interval)


@pytest.mark.parametrize(("preset", "noted"), [("mlflow", 1), ("mlflow\nvalues: unit", 0), ("azureml", 0)])
def test_a_verdict_notes_that_an_api_got_other_numbers_than_the_protected_model(
    preset: str, noted: int, model: nn.Module, claim: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZUREML_KEY", "a-key-of-mine")
    other, kind = replace(claim, preprocess=Preprocess((0.5,), (0.25,))), preset.splitlines()[0]

    def script(asked: Asked) -> Said:
        return said(SERVERS[kind](asked, lambda image: shares_of(model, image)))

    with serving(script) as server, transport() as carrier:
        notes = verify(other, suspect_of(f"preset: {preset}", server.url, carrier)).notes
        told = verify(other, suspect_of(f"preset: {preset}", server.url, carrier, other.preprocess)).notes
    assert sum("asked with mean 0 and std 1" in one for one in notes) == noted, "a PNG, or declared values, are no normalisation"
    assert not any("asked with" in one for one in told)


def test_a_png_brings_every_pixel_and_a_list_every_value_to_the_other_side(model: nn.Module) -> None:
    seen: list[Any] = []
    for text, read in (
        ('body: "{{png}}"\nscores: ""', lambda asked: decoded(asked.body)),
        ('body: {deep: [{image: "{{image_b64}}"}]}\nscores: ""', lambda a: decoded(base64.b64decode(a.json["deep"][0]["image"]))),
        ('body: {x: "{{tensor}}"}\nvalues: pixels\nlayout: nhwc\nscores: ""', lambda asked: asked.json["x"]),
        ('body: {x: "{{tensor}}"}\nvalues: unit\nscores: ""', lambda asked: channels_last(asked.json["x"]) * 255),
    ):

        def script(asked: Asked, read: Callable[[Asked], Any] = read) -> Said:
            seen.append(read(asked))
            return said(shares_of(model, pixels()[0, 0]))

        with serving(script) as server, transport() as carrier:
            suspect_of(text, server.url, carrier).read(pixels()[:1, 0], asked(count=1))
    assert all(np.allclose(one, pixels()[0, 0], atol=1e-3) for one in seen)
    assert len(seen) == 2 * 4, "each is asked twice"


def test_grey_images_are_sent_as_grey_pngs() -> None:
    seen: list[Any] = []

    def script(asked: Asked) -> Said:
        seen.append(decoded(asked.body))
        return said({"label": "b"})

    grey = pixels()[:1, 0, :, :, :1]
    with serving(script) as server, transport() as carrier:
        answers = suspect_of('body: "{{png}}"\nlabel: label', server.url, carrier).read(
            grey, asked(frozenset({Reading.LABEL}), count=1)
        )
    assert np.array_equal(seen[0], grey[0, :, :, 0])
    assert answers[Reading.LABEL].tolist() == [1]


def test_normalised_lists_are_normalised_as_the_claim_says(model: nn.Module) -> None:
    preprocess = Preprocess((0.5, 0.4, 0.3), (0.25, 0.2, 0.3))
    wanted = Local(prepared(model, preprocess)).read(pixels()[:, 0], asked())
    with serving(lambda asked: said([shares_of(model, channels_last(asked.json["x"]))])) as server, transport() as carrier:
        text = 'body: {x: "{{tensor}}"}\nscores: "[0]"'
        found = suspect_of(text, server.url, carrier, preprocess).read(pixels()[:, 0], asked())
    assert np.allclose(found[Reading.PROBABILITY], wanted[Reading.PROBABILITY], atol=1e-5)


def answers_of(
    text: str,
    answer: Any,
    names: tuple[str, ...] = ("a", "b", "c"),
    *,
    labels: bool = False,
    reading: Reading = Reading.PROBABILITY,
) -> Any:
    """What the suspect reads from one answer: the probabilities, or the label."""
    reading = Reading.LABEL if labels else reading
    with serving(lambda _: answer if isinstance(answer, Said) else said(answer)) as server, transport() as carrier:
        suspect = HttpJson(Mapping.read(f'body: "{{{{png}}}}"\n{text}', f"{server.url}/predict"), names, carrier)
        found = suspect.read(pixels()[:1, 0], asked(frozenset({reading}), count=1))
    return found[reading][0].tolist()


def test_classes_that_are_reordered_renamed_or_counted_from_one_are_mapped() -> None:
    wanted = [0.7, 0.2, 0.1]
    assert answers_of('scores: ""', wanted) == wanted
    assert answers_of('scores: ""\norder: [c, a, b]', [0.1, 0.7, 0.2]) == wanted
    assert answers_of('scores: ""\nclasses: [cat, dog, hen]', {"dog": 0.2, "hen": 0.1, "cat": 0.7}) == wanted
    assert answers_of('scores: ""\nclasses: [cat, dog, hen]\norder: [hen, cat, dog]', [0.1, 0.7, 0.2]) == wanted
    assert (
        answers_of('scores: "[*].p"\nnames: "[*].n"', [{"n": "b", "p": 0.2}, {"n": "a", "p": 0.7}, {"n": "c", "p": 0.1}])
        == wanted
    )
    assert answers_of("scores: p\nnames: n\nfirst: 1", {"p": [0.1, 0.2, 0.7], "n": [3, "2", 1]}) == wanted
    assert answers_of("label: label", {"label": "b"}, labels=True) == 1
    assert answers_of("label: label", {"label": 1.0}, labels=True) == 1
    assert answers_of("label: label\nfirst: 1", {"label": 1}, labels=True) == 0
    assert answers_of("label: label\norder: [c, a, b]", {"label": 0}, labels=True) == 2
    assert answers_of('scores: ""\noutputs: logits', [0.0, 0.0, 0.0]) == [1 / 3] * 3


def test_the_best_few_tell_the_label_and_a_tie_among_them_is_no_match() -> None:
    assert answers_of('top: ""', {"c": 0.51, "a": 0.3}, labels=True) == 2
    assert answers_of('top: "[*].s"\nnames: "[*].n"', [{"n": "c", "s": 0.9}], labels=True) == 2
    assert answers_of('top: ""', {"a": 0.5, "b": 0.5}, labels=True) == 1, "the target is class 0"
    assert answers_of('scores: ""', [0.4, 0.4, 0.2], labels=True) == 1, "the target is class 0"


def test_the_best_few_tell_the_probability_of_the_best_only_where_they_are_said_to_be_probabilities() -> None:
    sure = 'top: ""\noutputs: probabilities'
    assert answers_of(sure, {"c": 0.5, "a": 0.4}, reading=Reading.BEST) == [0.25, 0.25, 0.5]
    assert answers_of(sure, {"a": 0.5, "b": 0.5}, reading=Reading.BEST) == pytest.approx([1 / 3] * 3)
    assert answers_of(sure, {"c": 0.5}, labels=True) == 2
    with pytest.raises(AnswerError, match="contain only label"):
        answers_of('top: ""', {"c": 0.5, "a": 0.4}, reading=Reading.BEST)
    for wrong in (4.2, 0.2):
        with pytest.raises(AnswerError, match="best of 3 classes with a probability of 1/3 to 1, got"):
            answers_of(sure, {"c": wrong}, reading=Reading.BEST)


def test_rounded_probabilities_are_scaled_and_logits_are_not_mistaken_for_them() -> None:
    assert answers_of('scores: ""', [0.33, 0.33, 0.33]) == pytest.approx([1 / 3] * 3)
    for text, answer in (('scores: ""', [0.5, 0.2, 0.1]), ('scores: ""\noutputs: logits', [0.33, 0.33, 0.33])):
        with pytest.raises(AnswerError, match="outputs="):
            answers_of(text, answer)


UNREADABLE: dict[str, tuple[str, Any]] = {
    "an error": ('scores: ""', {"error": "the model is loading"}),
    "a login page": ('scores: ""', Said(b"<html>log in</html>")),
    "nothing": ('scores: ""', Said(b"")),
    "half of it": ('scores: ""', Said(b"[0.7, 0.2, 0")),
    "not text": ('scores: ""', Said(b"\xff\xfe")),
    "another form": ("scores: predictions[0]", {"outputs": [[0.7, 0.2, 0.1]]}),
    "too short a list": ("scores: predictions[1]", {"predictions": [[0.7, 0.2, 0.1]]}),
    "an extra class": ('scores: ""', [0.1, 0.6, 0.2, 0.1]),
    "fewer classes": ('scores: ""', [0.8, 0.2]),
    "the best ones only": ('scores: ""', {"a": 0.9, "b": 0.1}),
    "words": ('scores: ""', ["0.7", "0.2", "0.1"]),
    "truth values": ('scores: ""', [True, False, False]),
    "NaN": ('scores: ""', [float("nan"), 0.5, 0.5]),
    "null": ('scores: ""', None),
    "an unknown name": ('scores: ""', {"a": 0.7, "b": 0.2, "background": 0.1}),
    "a name twice": ("scores: p\nnames: n", {"p": [0.7, 0.2, 0.1], "n": ["a", "a", "b"]}),
    "fewer names": ("scores: p\nnames: n", {"p": [0.7, 0.2, 0.1], "n": ["a", "b"]}),
    "unnamed best ones": ('top: ""', [0.9, 0.1]),
    "an unknown label": ("label: label", {"label": "background"}),
    "a label beyond": ("label: label", {"label": 3}),
    "a label below": ("label: label\nfirst: 1", {"label": 0}),
    "half a label": ("label: label", {"label": 0.5}),
    "no label": ("label: label", {"label": None}),
    "a label that is a list": ("label: label", {"label": ["a"]}),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_an_answer_that_cannot_be_read_is_an_error_and_never_a_non_match(kind: str) -> None:
    text, answer = UNREADABLE[kind]
    with pytest.raises(AnswerError) as caught:
        answers_of(text, answer, labels="scores" not in text)
    assert caught.value.exit_code == 5


def test_a_claim_that_needs_probabilities_is_refused_before_a_label_is_paid_for(claim: Claim) -> None:
    drops = replace(claim, tests=tuple(test for test in claim.tests if test.reading is Reading.PROBABILITY))
    with serving(lambda _: said({"label": "a"})) as server, transport() as carrier:
        with pytest.raises(UsageError, match=r"needs one of: probability; .* reveals: label"):
            verify(drops, suspect_of('body: "{{png}}"\nlabel: label', server.url, carrier))
        declared = r'scores: "r\[\*\]\.score" and names: "r\[\*\]\.label"'
        best = suspect_of('body: "{{png}}"\ntop: "r[*].score"\nnames: "r[*].label"', server.url, carrier)
        with pytest.raises(UsageError, match=f"reveals: label; if its answers hold the score of every class, .*{declared}"):
            verify(drops, best)
        assert declared.replace("\\", "") in verify(drops, best, access="probabilities").reason
        with pytest.raises(UsageError, match=f"a judge needs labels and one of probability; .*{declared}"):
            heard(best, drops, Plan(bytes(32)))
        assert server.asked == []
