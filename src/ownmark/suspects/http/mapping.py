"""How to query an API that answers in JSON and read its answers, declared in a small YAML file: no code in it. No torch."""

import re
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ownmark.errors import AnswerError, UsageError
from ownmark.suspects.answers import Outputs
from ownmark.suspects.http.request import check_address, check_headers

PNG, BASE64, TENSOR = "{{png}}", "{{image_b64}}", "{{tensor}}"  # placeholders for the image in a body
MOST_BYTES = 2**20  # of a mapping
STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+|\*)\]")
LAYOUTS, VALUES = ("nchw", "nhwc"), ("normalised", "unit", "pixels")
PRESETS: dict[str, dict[str, Any]] = {
    "torchserve": {"body": PNG, "headers": {"content-type": "image/png"}, "top": ""},
    "huggingface": {
        "headers": {"authorization": "Bearer ${HF_TOKEN}"},
        "body": {"inputs": BASE64},
        "top": "[*].score",
        "names": "[*].label",
    },
    "mlflow": {"body": {"inputs": [TENSOR]}, "scores": "predictions[0]"},
    "bentoml": {"body": {"images": [TENSOR]}, "scores": "[0]"},
    "vertex": {
        "headers": {"authorization": "Bearer ${GOOGLE_TOKEN}"},
        "body": {"instances": [TENSOR]},
        "scores": "predictions[0]",
    },
    "azureml": {
        "headers": {"authorization": "Bearer ${AZUREML_KEY}"},
        "body": {"input_data": {"columns": ["image"], "index": [0], "data": [BASE64]}},
        "scores": "[0].probs",
        "names": "[0].labels",
    },
    "gradio": {
        "body": {"data": [{"url": f"data:image/png;base64,{BASE64}", "meta": {"_type": "gradio.FileData"}}]},
        "top": "data[0].confidences[*].confidence",
        "names": "data[0].confidences[*].label",
    },
    "sagemaker": {"body": {"instances": [TENSOR]}, "scores": "predictions[0]"},
}
DETECTORS: dict[str, dict[str, Any]] = {  # presets of APIs that answer boxes
    "huggingface-boxes": {
        "headers": {"authorization": "Bearer ${HF_TOKEN}"},
        "body": {"inputs": BASE64},
        "boxes": "[*].box",
        "scores": "[*].score",
        "names": "[*].label",
        "unit": "pixels",
    },
    "torchserve-boxes": {
        "body": PNG,
        "headers": {"content-type": "image/png"},
        "boxes": "",
        "scores": "[*].score",
        "box": "corners",
        "unit": "pixels",
    },
    "roboflow": {
        "form": {"file": PNG},
        "boxes": "predictions",
        "scores": "predictions[*].confidence",
        "names": "predictions[*].class",
        "box": "centre",
        "unit": "pixels",
    },
    "azure-boxes": {
        "headers": {"prediction-key": "${AZURE_KEY}", "content-type": "application/octet-stream"},
        "body": PNG,
        "boxes": "predictions[*].boundingBox",
        "scores": "predictions[*].probability",
        "names": "predictions[*].tagName",
        "unit": "shares",
    },
}
KNOWN = PRESETS | DETECTORS
BOXES, UNITS = ("corners", "sides", "centre"), ("pixels", "shares")


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """How an API is asked about one image, and where its answer stands: what a mapping's YAML file says.

    The image is sent in `body`, or in the fields of a `form` (multipart/form-data). Exactly one of `scores`, `top` and `label`
    says where the answer is (see `find`). `scores` leads to one number per class, `top` to the best few only, `label` to a
    class. Either of the first two may be a list, with the classes' names at `names` or in the order of `classes`, or an object
    from name to score. `classes`: the API's names of the claim's classes, in the claim's order; () for the claim's own names.
    `order`: the same names in the API's order; () for that of `classes`. `first`: the API's number of its first class, None for
    0 or, of a detector, for names alone. `outputs`: whether the scores are logits, None infers it from the answers; of `top`
    they count only where they are said to be probabilities.

    `boxes` leads to a detector's boxes, one per score; `names`, None if each box is held under its own name. `box`: what four
    numbers mean, "" if their names tell; `unit`: of the image, "" if the answers tell. See `boxes`.
    """

    url: str
    method: str = "POST"
    headers: tuple[tuple[str, str], ...] = ()
    body: Any = None
    form: tuple[tuple[str, str], ...] = ()
    scores: str | None = None
    top: str | None = None
    label: str | None = None
    names: str | None = None
    classes: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    first: int | None = None
    outputs: Outputs | None = None
    layout: str = "nchw"
    values: str = "normalised"
    boxes: str | None = None
    box: str = ""
    unit: str = ""

    def __post_init__(self) -> None:
        check_address(self.url)
        check_headers(self.headers)
        if self.method not in {"POST", "PUT"}:
            raise UsageError(f"expected the method POST or PUT, got {self.method!r}")
        if self.layout not in LAYOUTS or self.values not in VALUES:
            raise UsageError(f"layout must be one of {LAYOUTS} and values one of {VALUES}, got {self.layout!r}, {self.values!r}")
        if [self.scores, self.top, self.label].count(None) != 2:  # noqa: PLR2004 - all except one
            raise UsageError("give exactly one of scores, top and label, with its place in the answer, e.g. predictions[0]")
        if self.label is not None and self.names is not None:
            raise UsageError("names belong to scores or top; a label needs none")
        self._check_boxes()
        for path in (self.scores, self.top, self.label, self.names, self.boxes):
            steps(path or "")
        if self.form and (self.body is not None or sum(value.count(PNG) + value.count(BASE64) for _, value in self.form) != 1):
            raise UsageError(f"a form must contain the image once, as {PNG} or {BASE64}, and replaces the body")
        if not self.form and _holders(self.body) != 1:
            raise UsageError(f"the body must contain the image once, as {PNG} (alone), {TENSOR}, or {BASE64}, alone or in a text")
        if len(set(self.classes)) != len(self.classes) or len(set(self.order)) != len(self.order):
            raise UsageError("classes and order must name every class exactly once")

    def _check_boxes(self) -> None:
        if self.box not in {"", *BOXES} or self.unit not in {"", *UNITS}:
            raise UsageError(f"box must be one of {BOXES} and unit one of {UNITS}, got {self.box!r}, {self.unit!r}")
        if self.boxes is None and (self.box or self.unit):
            raise UsageError("box and unit say how to read boxes: give their place in the answer, e.g. boxes: predictions")
        if self.boxes is not None and (self.scores is None or self.outputs or self.order):
            raise UsageError("boxes come with scores and perhaps names, and neither with outputs nor with order")

    @classmethod
    def read(cls, text: str, url: str = "") -> "Mapping":
        """The mapping in a YAML text or, for a single word, the preset of that name. `url` overrides the text's own."""
        try:
            told = KNOWN.get(text.strip()) or _loaded(text)
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            raise UsageError(f"the mapping is not YAML: {' '.join(str(error).split())[:200]}") from error
        if not isinstance(told, dict):
            raise UsageError(f"expected a mapping as a YAML object or one of {', '.join(KNOWN)}, got {str(told)[:60]!r}")
        preset = told.get("preset", "")
        if preset and preset not in KNOWN:
            raise UsageError(f"there is no preset {preset!r}; the presets are: {', '.join(KNOWN)}")
        merged = _merged(KNOWN[preset] if preset else {}, {key: value for key, value in told.items() if key != "preset"})
        unknown = sorted(map(str, merged.keys() - {field.name for field in fields(cls)}))
        if unknown:
            raise UsageError(
                f"a mapping has no field {unknown[0]!r}; its fields are: {', '.join(field.name for field in fields(cls))}"
            )
        if url:
            merged["url"] = url
        if "url" not in merged:
            raise UsageError("the mapping lacks the address of the API: add url: https://...")
        return cls(**_typed(merged))

    @classmethod
    def load(cls, path: Path | str, url: str = "") -> "Mapping":
        """The mapping in a file."""
        try:
            with Path(path).open(encoding="utf-8") as stream:
                return cls.read(stream.read(MOST_BYTES), url)
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read the mapping {path}: {error}") from error
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from error


class _NamedOnce(yaml.SafeLoader):
    """YAML without duplicate keys, of which different readers could take different values."""


def _object(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    if not all(isinstance(key, yaml.ScalarNode) for key, _ in node.value):
        raise yaml.YAMLError("the keys of an object must be strings")
    names = [loader.construct_object(key) for key, _ in node.value]
    if len({str(name) for name in names}) != len(names):
        twice = next(name for name in names if sum(str(name) == str(other) for other in names) > 1)
        raise yaml.YAMLError(f"duplicate key {twice!r} in one object")
    return dict(zip(names, (loader.construct_object(value, deep=True) for _, value in node.value), strict=True))


_NamedOnce.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _object)


def _loaded(text: str) -> Any:  # noqa: ANN401 - any YAML value
    return yaml.load(text, _NamedOnce)  # noqa: S506 - a safe loader


@cache
def steps(path: str) -> tuple[str | int, ...]:
    """The steps of a path such as `predictions[0].scores` or `[*].label`; "" is the whole answer, [*] every item."""
    found: list[str | int] = []
    at = 0
    for step in STEP.finditer(path):
        if step.start() != at:
            break
        at = step.end()
        found.append(step[1] or (step[2] if step[2] == "*" else int(step[2])))
    if at != len(path):
        raise UsageError(f"cannot read the path {path!r}; write it like predictions[0].scores or [*].label")
    return tuple(found)


def find(answer: Any, path: str) -> Any:  # noqa: ANN401 - any JSON value
    """The value at `path`. Raises AnswerError if there is none."""
    return _walk(answer, steps(path), path)


def _walk(value: Any, left: tuple[str | int, ...], path: str) -> Any:  # noqa: ANN401 - any JSON value
    if not left:
        return value
    step, rest = left[0], left[1:]
    if step == "*" and isinstance(value, list):
        return [_walk(item, rest, path) for item in value]
    inside = isinstance(value, list) and isinstance(step, int) and step < len(value)
    if inside or (isinstance(value, dict) and step in value):
        return _walk(value[step], rest, path)
    raise AnswerError(f"the answer has nothing at {path!r}: expected {step!r}, got {_outline(value)}{_advice(value, left, path)}")


def _advice(value: object, left: tuple[str | int, ...], path: str) -> str:
    """What to write where a list is one name further in, as in the answers of models with named outputs."""
    if not isinstance(value, dict) or not isinstance(left[0], int):
        return ""
    rest = "".join(f"[{step}]" if isinstance(step, int) or step == "*" else f".{step}" for step in left)
    inner = [name for name, held in value.items() if isinstance(held, list) and STEP.fullmatch(name)]
    before = path.removesuffix(rest)
    return "".join(f"; write {f'{before}.' if before else ''}{name}{rest}" for name in inner[:1])


def _outline(value: object) -> str:
    """A JSON value in a few words."""
    if isinstance(value, dict):
        return f"an object of {', '.join(map(str, list(value)[:6]))}"[:120]
    return f"a list of {len(value)}" if isinstance(value, list) else str(value)[:60]


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """A preset overridden by the user's own fields; the location of the answer is overridden as a whole."""
    answers = ("scores", "top", "label", "names", "boxes")
    kept = {key: value for key, value in below.items() if key not in answers or not set(answers) & above.keys()}
    kept.pop("body" if "form" in above else "form" if "body" in above else "", None)
    both = kept | above
    if isinstance(below.get("headers"), dict) and isinstance(above.get("headers"), dict):
        both["headers"] = below["headers"] | {name.lower(): value for name, value in above["headers"].items()}
    return both


def _typed(told: dict[str, Any]) -> dict[str, Any]:
    """YAML data as the fields of a mapping. Raises UsageError for a wrong type."""
    typed = dict(told)
    kinds: dict[str, type] = {"headers": dict, "classes": list, "order": list, "first": int}
    kinds["form"] = dict
    kinds |= dict.fromkeys(
        ("url", "method", "scores", "top", "label", "names", "outputs", "layout", "values", "boxes", "box", "unit"), str
    )
    for name, kind in kinds.items():
        if name in told and (not isinstance(told[name], kind) or isinstance(told[name], bool)):
            raise UsageError(f"expected {name} to be {kind.__name__}, got {told[name]!r}")
    for name in ("classes", "order"):
        if not all(isinstance(one, str) for one in told.get(name, [])):
            raise UsageError(f"{name} must be strings; put numbers in quotes")
        typed[name] = tuple(told.get(name, ()))
    headers = told.get("headers", {})
    if not all(isinstance(part, str) for pair in headers.items() for part in pair):
        raise UsageError("headers must be strings; put numbers in quotes")
    typed["headers"] = tuple(sorted(headers.items()))
    typed["form"] = tuple(told.get("form", {}).items())
    if not all(isinstance(part, str) for pair in typed["form"] for part in pair):
        raise UsageError("the names and values of a form must be strings; put numbers in quotes")
    outputs = told.get("outputs")
    if outputs is not None and outputs not in list(Outputs):
        raise UsageError(f"outputs must be one of {', '.join(Outputs)}, got {outputs!r}")
    return typed | {"outputs": None if outputs is None else Outputs(outputs)}


def _holders(body: object) -> int:
    """How often a body contains the image."""
    if body == PNG:
        return 1
    if isinstance(body, dict | list):
        return sum(map(_holders_inside, body.values() if isinstance(body, dict) else body))
    return 0


def _holders_inside(value: object) -> int:
    if isinstance(value, str):
        return value.count(BASE64) + (value == TENSOR)
    return _holders(value)
