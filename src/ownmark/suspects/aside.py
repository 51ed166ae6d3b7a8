"""A runtime in a process of its own: a file that crashes it ends that process alone, and no output of it is read. No torch.

The process gets a copy of the files in a folder of its own, writes no large file and has only a handful of environment variables;
it is no sandbox. Both sides speak in messages of one JSON header, which says how many bytes of an array follow.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import weakref
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from ownmark.errors import ModelError, SuspectError
from ownmark.models.kinds import kind_of
from ownmark.suspects.opener import Opening, check_file
from ownmark.suspects.ports import Order, Port, Session
from ownmark.suspects.program import Program

MOST_BYTES = 2 * 2**30  # of one file, as for ONNX
MOST_WRITTEN = 2**20  # bytes of a file that the process may write, into its own folder
PATIENCE = 600  # seconds for one answer, or for opening the file
PREAMBLE = ("Exception from", "Check '")  # where in its own source OpenVINO failed
LONGEST = 2**24  # bytes of a message's header
GOES_ALONG = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "OMP_NUM_THREADS", "SYSTEMROOT", "VIRTUAL_ENV")


Message = tuple[dict[str, Any], npt.NDArray[Any] | None]


@dataclass(frozen=True, eq=False)
class Aside:
    """A session of a process of its own, which ends with this object."""

    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    process: subprocess.Popen[bytes]

    def run(self, batch: npt.NDArray[Any], output: str) -> npt.NDArray[Any]:
        """What the runtime returns. Raises SuspectError for what it raises, or if its process ends."""
        told, answer = _asked(self.process, {"output": output}, batch)
        if answer is None:
            raise SuspectError(f"{self.name} failed on a batch {tuple(batch.shape)}: {told['told'] or told['error']}")
        return answer


def opened_aside(runtime: str, opening: Opening, files: Sequence[Path]) -> Program:
    """A suspect in `files`, opened by the module `runtime` of this package.

    Raises ModelError for a file that its runtime does not open, ModuleNotFoundError if the runtime is not installed.
    """
    with ExitStack() as closing:
        folder = Path(closing.enter_context(TemporaryDirectory(prefix="ownmark-")))
        digests = [_copied(file, folder) for file in files]
        process = _started(runtime, [file.name for file in files], folder)
        closing.callback(_finished, process)
        session = _greeted(process, opening.name)
        digest = digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
        program = Program(opening.name, digest, session, opening.preprocess, outputs=opening.outputs, output=opening.output)
        weakref.finalize(session, closing.pop_all().close)
        return program


def check_code(opening: Opening) -> None:
    """Raises UsageError unless the suspect's name is a file, and ModelError unless its code may run, or for its mere weights."""
    check_file(opening)
    if opening.code and opening.model is None:
        return
    try:
        kind_of(Path(opening.name))
    except ModelError as error:
        raise ModelError(f"{error}. Or let its code run, in a process of its own, with --allow-code") from error


def _copied(file: Path, folder: Path) -> str:
    """SHA-256 of the bytes that were copied: they, and no others, answer."""
    try:
        if file.stat().st_size > MOST_BYTES:
            raise ModelError(f"{file} is larger than {MOST_BYTES // 2**30} GiB, the limit for a model's file")
        data = file.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {file}: {error.strerror or error}") from error
    (folder / file.name).write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def _started(runtime: str, names: Sequence[str], folder: Path) -> subprocess.Popen[bytes]:
    here = str(Path(__file__).parents[2])
    paths = os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])
    kept = {name: os.environ[name] for name in GOES_ALONG if name in os.environ}
    return subprocess.Popen(  # noqa: S603 - this Python, this package
        [sys.executable, "-m", "ownmark.suspects.aside", runtime, *names],
        cwd=folder,
        env={**kept, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def _finished(process: subprocess.Popen[bytes]) -> None:
    """Ends a process that nobody asks any more: it waits for a question, or computes in vain."""
    process.kill()
    process.communicate()


def _greeted(process: subprocess.Popen[bytes], name: str) -> Aside:
    """The session, once the file is open."""
    told, _ = _asked(process, None, None)
    if "error" in told:
        if told["error"] == "ModuleNotFoundError":
            raise ModuleNotFoundError(told["told"], name=told["name"])
        raise ModelError(f"{name} cannot be opened: {told['told'] or told['error']}")
    inputs, outputs = (tuple(_port(one) for one in told[side]) for side in ("inputs", "outputs"))
    return Aside(name, inputs, outputs, process)


def _port(told: dict[str, Any]) -> Port:
    shape = None if told["shape"] is None else tuple(told["shape"])
    return Port(**{**told, "shape": shape, "order": Order(told["order"])})


def _asked(process: subprocess.Popen[bytes], header: dict[str, Any] | None, batch: npt.NDArray[Any] | None) -> Message:
    """What the process answers; an "error" if it does not, within `PATIENCE`."""
    if process.stdin is None or process.stdout is None:
        raise ValueError("expected a process with pipes")
    timer = Timer(PATIENCE, process.kill)
    timer.daemon = True
    timer.start()
    try:
        if header is not None:
            _send(process.stdin, header, batch)
        return _received(process.stdout)
    except (OSError, EOFError, ValueError):
        code = process.wait()
        late = "" if timer.is_alive() else f" after {PATIENCE} s"
        end = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        return {"error": "EOFError", "told": f"its runtime {end}{late}"}, None
    finally:
        timer.cancel()


def _send(stream: IO[bytes], header: dict[str, Any], batch: npt.NDArray[Any] | None = None) -> None:
    """One message: the length of a JSON header, the header, and the bytes of the array that it describes."""
    data = b"" if batch is None else np.ascontiguousarray(batch).tobytes()
    described = {} if batch is None else {"kind": batch.dtype.name, "shape": batch.shape, "bytes": len(data)}
    written = json.dumps({**header, **described}).encode()
    stream.write(len(written).to_bytes(4, "big") + written + data)
    stream.flush()


def _received(stream: IO[bytes]) -> Message:
    """One message. Raises EOFError if there is none."""
    length = int.from_bytes(stream.read(4), "big")
    if not 0 < length <= LONGEST:
        raise EOFError
    header = json.loads(stream.read(length))
    if "kind" not in header:
        return header, None
    return header, np.frombuffer(stream.read(header["bytes"]), dtype=header["kind"]).reshape(header["shape"])


def serve(runtime: str, files: Sequence[Path], given: IO[bytes], told: IO[bytes]) -> None:
    """The other side: opens the files with the runtime, and answers until nobody asks."""
    try:
        session: Session = import_module(f"ownmark.suspects.{runtime}").session(files)
        ports = {side: [_written(one) for one in getattr(session, side)] for side in ("inputs", "outputs")}
    except Exception as error:  # noqa: BLE001 - runtimes' errors have no common base
        _send(told, _failure(error))
        return
    _send(told, ports)
    while True:
        asked, batch = _received(given)
        if batch is None:
            return
        try:
            answer = session.run(batch, asked["output"])
        except Exception as error:  # noqa: BLE001 - the same
            _send(told, _failure(error))
        else:
            _send(told, {}, np.asarray(answer))


def _failure(error: Exception) -> dict[str, Any]:
    lines = [line for line in map(str.strip, str(error).splitlines()) if line and not line.startswith(PREAMBLE)]
    first = next(iter(lines), "")
    return {"error": type(error).__name__, "told": first, "name": getattr(error, "name", "") or ""}


def _written(port: Port) -> dict[str, Any]:
    return {**asdict(port), "order": port.order.value}


def _confine() -> None:
    """No large file may be written, or left behind by a crash, where the system knows such limits."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_WRITTEN, MOST_WRITTEN))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _main(runtime: str, *names: str) -> None:
    """Whatever a runtime prints goes nowhere: the pipe of answers is kept under another number."""
    told = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _confine()
    with suppress(EOFError, BrokenPipeError):
        serve(runtime, [Path(name) for name in names], sys.stdin.buffer, told)


if __name__ == "__main__":
    _main(*sys.argv[1:])
