"""Which attacks do not know what to do with boxes."""

from ownmark.data.images import Images
from ownmark.errors import UsageError
from ownmark.tasks import TASKS


def check_unlocated(attack: object, thief: Images) -> None:
    """Raises UsageError, before any work, for an attack on a model whose answers are boxes."""
    if thief.task.located:
        served = ", ".join(kind.name for kind in TASKS if not kind.located)
        raise UsageError(
            f"{type(attack).__name__} supports {served}, but these images are for {thief.task.name}: choose another attack, "
            "such as Finetune, Retrain, Prune, PruneFilters, Quantize or Distill"
        )
