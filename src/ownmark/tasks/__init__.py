"""What a model does: one file per task and one import line each. Importing this needs no torch."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ownmark.errors import ClaimError, UsageError
from ownmark.tasks.base import TINY, Array, Lesson, Quality, Task, direction
from ownmark.tasks.classification import Classification
from ownmark.tasks.regression import Regression
from ownmark.tasks.similarity import Measure, Similarity

__all__ = [
    "DEFAULT",
    "TASKS",
    "TINY",
    "Array",
    "Classification",
    "Lesson",
    "Measure",
    "Quality",
    "Regression",
    "Similarity",
    "Task",
    "beats",
    "check_served",
    "direction",
    "from_record",
    "to_record",
]

TASKS: tuple[type[Task], ...] = (Classification, Regression, Similarity)
DEFAULT: Task = Classification()


def beats(task: Task, quality: Quality, other: Quality) -> bool:
    """Whether the first is better by the task's headline metric."""
    gain = quality[task.headline] - other[task.headline]
    return gain > 0 if task.rises else gain < 0


def check_served(method: object, tasks: tuple[type[Task], ...], task: Task) -> None:
    """Raises UsageError, before any work is done, if a method does not support a task."""
    if not isinstance(task, tasks):
        served = " and ".join(kind.name for kind in tasks)
        raise UsageError(
            f"{type(method).__name__} supports {served}, but these images are for {task.name}: choose another scheme"
        )


def to_record(task: Task) -> dict[str, Any]:
    """Plain JSON data of a task: its name and parameters."""
    return {"name": type(task).__name__, **asdict(task)}  # type: ignore[call-overload]


def from_record(record: Mapping[str, Any]) -> Task:
    """The task that `to_record` described. Raises ClaimError for a task unknown to this version."""
    kinds: dict[str, type[Any]] = {kind.__name__: kind for kind in TASKS}
    try:
        values: dict[str, Any] = {key: value for key, value in record.items() if key != "name"}
        values |= {key: Measure(value) for key, value in values.items() if key == "measure"}
        task: Task = kinds[record["name"]](**values)
    except (KeyError, TypeError, ValueError, UsageError) as error:
        raise ClaimError(f"unknown task {dict(record)}; this version knows {', '.join(kinds)}") from error
    return task
