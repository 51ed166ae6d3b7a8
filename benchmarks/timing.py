"""What a call costs in processor time, which other processes do not change."""

from collections.abc import Callable
from time import process_time


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of one call, of this process."""
    started = process_time()
    work()
    return process_time() - started
