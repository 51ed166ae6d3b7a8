#!/usr/bin/env bash
# Expected: with `standalone_mode=False` an application raises its own exceptions to the caller, so a reader that
# closes the pipe is a BrokenPipeError that the caller may handle.
# Happens: it is turned into SystemExit(1) all the same, which `except Exception` does not catch: `command | head -1`
# ends with 1.
source "$(dirname "$0")/_venv.sh" typer==0.29.2
"$venv/bin/python" - <<'PYTHON'
import os

import typer

print("typer", typer.__version__, flush=True)
application = typer.Typer()


@application.command()
def write() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    os.write(writer, b"to nobody")


try:
    application([], standalone_mode=False)
except BaseException as error:
    print(f"the caller catches {type(error).__name__}({error})")
    if not isinstance(error, SystemExit) or error.code != 1:
        raise SystemExit("changed: it is no SystemExit(1)") from error
else:
    raise SystemExit("changed: nothing is raised")
PYTHON
