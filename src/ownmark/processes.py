"""Processes that work for this one: each with its share of the cores, deaf to Ctrl-C, and gone when this one is."""

import os
import signal
import threading
import time
from typing import Any

from joblib.externals.loky import ProcessPoolExecutor

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def cores() -> int:
    """The cores available to this process."""
    return len(os.sched_getaffinity(0)) if "sched_getaffinity" in dir(os) else os.cpu_count() or 1


def pool(workers: int, threads: int) -> Any:  # noqa: ANN401 - joblib is not typed
    """An executor of `workers` processes with `threads` threads each; `shutdown(kill_workers=True)` ends them at once."""
    limits = dict.fromkeys(THREADS, str(threads))
    return ProcessPoolExecutor(workers, initializer=become_worker, initargs=(os.getpid(),), env=limits)


def become_worker(parent: int) -> None:
    """Leaves Ctrl-C to the parent process, and exits when the parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_outlive_nobody, args=(parent,), daemon=True).start()


def _outlive_nobody(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
