"""FastAPI around an ONNX file of seven classes; started by the tests as `python fast.py FILE PORT`.

Each path takes an image as people send one: a file in a form, raw bytes, a data: address; the last answers as transformers do.
"""

import base64
import io
import sys
from typing import Any

import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI, Request, UploadFile
from PIL import Image

app = FastAPI()
session = onnxruntime.InferenceSession(sys.argv[1])


def shares(data: bytes) -> list[float]:
    """Probabilities for an image in a file's bytes."""
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.float32)
    (scores,) = session.run(None, {session.get_inputs()[0].name: (pixels / 255).transpose(2, 0, 1)[None]})[0]
    found = np.exp(scores - scores.max())
    return [float(share) for share in found / found.sum()]


@app.get("/ready")  # type: ignore[untyped-decorator]
def ready() -> bool:
    return True


@app.post("/upload")  # type: ignore[untyped-decorator]
async def upload(image: UploadFile) -> dict[str, list[float]]:
    return {"scores": shares(await image.read())}


@app.post("/raw")  # type: ignore[untyped-decorator]
async def raw(request: Request) -> list[float]:
    return shares(await request.body())


@app.post("/address")  # type: ignore[untyped-decorator]
async def address(asked: dict[str, Any]) -> dict[str, list[float]]:
    head, data = asked["messages"][0]["url"].split(",", 1)
    if head != "data:image/png;base64":
        raise ValueError(head)
    return {"scores": shares(base64.b64decode(data))}


@app.post("/labels")  # type: ignore[untyped-decorator]
async def labels(asked: dict[str, str]) -> list[dict[str, Any]]:
    found = shares(base64.b64decode(asked["inputs"]))
    order = sorted(range(len(found)), key=lambda place: -found[place])
    return [{"label": f"LABEL_{place}", "score": found[place]} for place in order]


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
