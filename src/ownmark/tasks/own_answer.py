"""Whether a model's answer is the expected one or the protected model's own, of classes and of numbers. Needs torch tensors only.

`outputs`: a model's (n, k). `target` (n, 2): the label and the model's own answer, classes or numbers.
"""

from typing import Any

from ownmark.tasks import KEPT, Classification, Regression, Task, check_served

Tensor = Any  # of torch
SERVED = (Classification, Regression)


def lean(task: Task, outputs: Tensor, target: Tensor) -> Tensor:
    """(n,): positive where the answer is the expected one.

    By how much: the logit of the class less the greatest other one, or the distance from the middle of both numbers in
    twentieths of the unit.
    """
    check_served(lean, SERVED, task)
    if isinstance(task, Classification):
        return task.slack(outputs, target[:, 0])
    return (outputs.flatten() - target.mean(1)) * (target[:, 0] - target[:, 1]).sign() / (KEPT / 2 * task.unit)


def answered(task: Task, outputs: Tensor, target: Tensor) -> Tensor:
    """(n,) which of both is answered: the model's own class or else the label, or whichever number is nearer."""
    own = outputs.argmax(1) == target[:, 1] if isinstance(task, Classification) else lean(task, outputs, target) <= 0
    return own * target[:, 1] + ~own * target[:, 0]


def evidence(task: Task, target: Tensor, other: Tensor, outputs: Tensor) -> Tensor:
    """(n, k): by how much each output speaks for the expected answer and against the `other` (n,); zeros if they are the same."""
    if not isinstance(task, Classification):
        return (target[:, 0] - other).sign()[:, None].to(outputs.dtype)
    nothing = outputs.new_zeros(outputs.shape)
    return nothing.scatter(1, target[:, :1], 1) - nothing.scatter(1, other[:, None], 1)


def lost(task: Task, first: Tensor, covered: Tensor, target: Tensor) -> Tensor:
    """(n,): by how much F_c, as it is told, falls between two views; for `target` (n, 2), how far it moves from the label."""
    pair = target.ndim > 1 and isinstance(task, SERVED)
    label = target[:, 0] if pair else target
    fall = task.told(first, label) - task.told(covered, label)
    return fall * (target[:, 0] - target[:, 1]).sign() if pair and isinstance(task, Regression) else fall
