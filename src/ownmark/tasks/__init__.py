"""What a model does: one file per task and one import line each; what is imported here is registered. No torch."""

from collections.abc import Mapping
from dataclasses import asdict
from enum import Enum
from typing import Any, get_type_hints

from ownmark.errors import ClaimError, UsageError
from ownmark.registries import kinds
from ownmark.tasks.base import TINY as TINY
from ownmark.tasks.base import Array as Array
from ownmark.tasks.base import Lesson as Lesson
from ownmark.tasks.base import Quality as Quality
from ownmark.tasks.base import Task as Task
from ownmark.tasks.base import check_served as check_served
from ownmark.tasks.base import direction as direction
from ownmark.tasks.classification import Classification as Classification
from ownmark.tasks.detection import Detection as Detection
from ownmark.tasks.regression import Regression as Regression
from ownmark.tasks.similarity import Measure as Measure
from ownmark.tasks.similarity import Similarity as Similarity

TASKS: tuple[type[Task], ...] = kinds(vars(), __name__)
DEFAULT: Task = Classification()


def to_record(task: Task) -> dict[str, Any]:
    """Plain JSON data of a task: its name and parameters."""
    return {"name": type(task).__name__, **asdict(task)}  # type: ignore[call-overload]


def from_record(record: Mapping[str, Any]) -> Task:
    """The task that `to_record` described. Raises ClaimError for a task unknown to this version."""
    known: dict[str, type[Any]] = {kind.__name__: kind for kind in TASKS}
    try:
        kind = known[record["name"]]
        hints = get_type_hints(kind)
        values = {key: _value(hints[key], value) for key, value in record.items() if key != "name"}
        task: Task = kind(**values)
    except (KeyError, TypeError, ValueError, UsageError) as error:
        raise ClaimError(f"unknown task {dict(record)}; this version knows {', '.join(known)}") from error
    return task


def _value(hint: object, value: object) -> object:
    """A parameter as its annotation says: a file keeps the text of an enumeration's member."""
    return hint(value) if isinstance(hint, type) and issubclass(hint, Enum) else value
