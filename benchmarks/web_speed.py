"""Cost of a web suspect beyond the network, and compared with an earlier commit: throughput at 50 ms latency, CPU per image.

A server in its own process simulates the latency: it waits 50 ms per request. Writes `web-speed.json`.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import sys
import time
import zlib
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from builds import BEFORE, compared
from helped import helped
from ownmark.protocols import Question
from ownmark.scoring.readings import Reading
from ownmark.suspects.http.http_json import HttpJson
from ownmark.suspects.http.ledger import Ledger
from ownmark.suspects.http.mapping import Mapping
from ownmark.suspects.http.transport import Limits, Transport
from ownmark.suspects.http.web import Pixels, png
from record import record

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

COUNT, SIDE, AT_ONCE, LATENCY, ROUNDS = 800, 112, 8, 0.05, 2
PAIRS = 3  # of processes, one with either build
CLASSES = tuple("abcdefg")
ANSWER = b'{"scores": [0.%03d, 0.%03d, 0.05, 0.05, 0.05, 0.05, 0.05]}'
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"


async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers every request on a connection after the latency, with a score that differs by the image."""
    while head := await reader.readuntil(b"\r\n\r\n"):
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        told = await reader.readexactly(int(length.split(b":")[1]))
        await asyncio.sleep(LATENCY)
        share = zlib.crc32(told) % 150
        answer = ANSWER % (500 + share, 250 - share)
        writer.write(HEAD % len(answer) + answer)
        await writer.drain()


async def served(pipe: Connection[int, int]) -> None:
    server = await asyncio.start_server(quietly, "127.0.0.1", 0)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


async def quietly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Ignores clients that disconnect."""
    try:
        await answered(reader, writer)
    except asyncio.IncompleteReadError:
        writer.close()


def serve(pipe: Connection[int, int]) -> None:
    asyncio.run(served(pipe))


def timed(port: int, images: Pixels, file: Path) -> tuple[float, float]:
    """Wall and CPU seconds of this process for one reading of all images, with the ledger on disk."""
    mapping = Mapping.read('body: "{{png}}"\nscores: scores', f"http://127.0.0.1:{port}/predict")
    question = Question(frozenset({Reading.PROBABILITY}), np.zeros(len(images), dtype=np.int64))
    with closing(Transport(Limits(at_once=AT_ONCE), Ledger(file))) as carrier:
        suspect = HttpJson(mapping, CLASSES, carrier, repeats=0)
        started, used = time.perf_counter(), time.process_time()
        suspect.read(images, question)
        return time.perf_counter() - started, time.process_time() - used


def encoded(images: Pixels) -> float:
    """CPU seconds for PNG encoding alone."""
    used = time.process_time()
    for image in images:
        png(image)
    return time.process_time() - used


def measured() -> dict[str, float]:
    """The best of several rounds with the build that is there, since other load only slows it down."""
    images = np.random.default_rng(0).integers(0, 256, (COUNT, SIDE, SIDE, 3), dtype=np.uint8)
    pipe, other = multiprocessing.Pipe()
    child = multiprocessing.get_context("spawn").Process(target=serve, args=(other,), daemon=True)
    child.start()
    port = pipe.recv()
    with TemporaryDirectory() as folder:
        rounds = [timed(port, images, Path(folder) / f"{number}.ledger") for number in range(ROUNDS)]
    own = min(encoded(images) for _ in range(ROUNDS))
    child.terminate()
    seconds, used = (min(values) for values in zip(*rounds, strict=True))
    return {
        "seconds": seconds,
        "images_per_second": COUNT / seconds,
        "throughput_over_ideal": COUNT / seconds * LATENCY / AT_ONCE,
        "cpu_ms": 1000 * used / COUNT,
        "png_ms": 1000 * own / COUNT,
        "cpu_beyond_png_ms": 1000 * (used - own) / COUNT,
    }


def main() -> None:
    """Measures with both builds and records the ratios."""
    figures = compared(__file__, PAIRS, ("seconds", "cpu_ms"))
    setting = (
        f"{COUNT} images of {SIDE}x{SIDE}, {AT_ONCE} at once, {1000 * LATENCY:.0f} ms of latency, ledger on disk; before: "
        f"{BEFORE[:7]}, {PAIRS} turns"
    )
    record("web-speed", figures, seeds={"images": 0}, setting=setting)


if __name__ == "__main__":
    helped(__doc__, "--measure: this process alone")
    if sys.argv[1:] == ["--measure"]:
        print(json.dumps(measured()))
    else:
        main()
