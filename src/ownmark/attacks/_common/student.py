"""The network that a thief teaches with the answers of a stolen model."""

from torch import Tensor, nn

from ownmark.data.images import Images
from ownmark.models.layers import untaught


def student_of(stolen: nn.Module, name: str, thief: Images, answers: Tensor) -> nn.Module:
    """An untaught network, of the stolen one's architecture or of that `name`, as wide as `answers` (n, ...).

    A detector's answers are boxes, so that its classes say how wide it is.
    """
    width = thief.task.width(thief.names) if thief.task.located else answers.shape[1:].numel()
    return untaught(stolen, name, width or 0)
