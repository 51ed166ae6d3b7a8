"""One image on its way to an API that speaks JSON, as its mapping says. No torch."""

import base64
import hashlib
import json
from typing import Any

import numpy as np
import numpy.typing as npt

from ownmark.claims.claim import Preprocess
from ownmark.suspects.http import web
from ownmark.suspects.http.mapping import BASE64, PNG, TENSOR, Mapping
from ownmark.suspects.http.request import Request

Pixels = npt.NDArray[np.uint8]


def request(mapping: Mapping, manner: web.Manner, image: Pixels) -> Request:
    """The request about one image (height, width, channels)."""
    named = {name.lower() for name, _ in mapping.headers}
    kind, body = _encoded(mapping, manner, manner.shown(image))
    headers = mapping.headers if "content-type" in named else (*mapping.headers, ("content-type", kind))
    return Request(mapping.method, mapping.url, body, headers, queries=1, repeat=manner.turn)


def _encoded(mapping: Mapping, manner: web.Manner, image: Pixels) -> tuple[str, bytes]:
    """The content type and the bytes that are sent about an image."""
    if mapping.form:
        return _multipart(mapping.form, web.png(image))
    if mapping.body == PNG:
        return "image/png", web.png(image)
    return "application/json", json.dumps(_filled(mapping.body, mapping, manner, image)).encode()


def _filled(body: Any, mapping: Mapping, manner: web.Manner, image: Pixels) -> Any:  # noqa: ANN401 - any JSON value
    """The body with the image in its place."""
    if isinstance(body, dict):
        return {key: _filled(value, mapping, manner, image) for key, value in body.items()}
    if isinstance(body, list):
        return [_filled(value, mapping, manner, image) for value in body]
    if isinstance(body, str) and BASE64 in body:
        return body.replace(BASE64, base64.b64encode(web.png(image)).decode())
    return _nested(mapping, manner, image) if body == TENSOR else body


def _nested(mapping: Mapping, manner: web.Manner, image: Pixels) -> list[Any]:
    kind = manner.values or mapping.values
    preprocess = manner.preprocess if kind == "normalised" else Preprocess()
    values = image if kind == "pixels" else web.normalised(image[None], preprocess)[0]
    nested: list[Any] = (values.transpose(2, 0, 1) if mapping.layout == "nchw" else values).tolist()
    return nested


def given(mapping: Mapping, manner: web.Manner) -> Preprocess | None:
    """How images are normalised before they are sent; None if the API gets pixels, or the values that the mapping declares."""
    normalises = TENSOR in json.dumps(mapping.body) and (manner.values or mapping.values) == "normalised"
    return manner.preprocess if normalises else None


def _multipart(form: tuple[tuple[str, str], ...], image: bytes) -> tuple[str, bytes]:
    """A form of text fields and a file image.png. Its boundary follows from the content: the same question is the same bytes."""
    parts = []
    for name, value in form:
        head = f'content-disposition: form-data; name="{name}"'
        if value == PNG:
            parts.append(f'{head}; filename="image.png"\r\ncontent-type: image/png\r\n\r\n'.encode() + image)
        else:
            text = value.replace(BASE64, base64.b64encode(image).decode())
            parts.append(f"{head}\r\n\r\n{text}".encode())
    boundary = hashlib.sha256(b"".join(parts)).hexdigest()
    body = b"".join(f"--{boundary}\r\n".encode() + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", body
