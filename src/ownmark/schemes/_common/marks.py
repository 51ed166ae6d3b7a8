"""Triggers on a marked model: which of them hold, and the claim on them."""

from dataclasses import fields, is_dataclass

import numpy as np
import numpy.typing as npt
from torch import nn

from ownmark.claims.claim import Claim, Test
from ownmark.data.images import Images
from ownmark.errors import ProtectError
from ownmark.models.prepared import preprocess_of
from ownmark.models.weights import weights_digest
from ownmark.protocols import Owner, Protected
from ownmark.schemes._common.triggers import Triggers
from ownmark.scoring.matches import Agreement, Match, Score, scored
from ownmark.scoring.readings import Reading
from ownmark.training import predict

CONFIDENCE = 0.95  # of the interval around a score


def survival(model: nn.Module, triggers: Triggers, rule: Match = Agreement()) -> float:
    """Share of the triggers whose answer by the model, in eval mode, counts by the rule: by default it is their label."""
    return float(np.mean(held(model, triggers, rule)[0]))


def held(model: nn.Module, triggers: Triggers, rule: Match) -> tuple[npt.NDArray[np.bool_], Score]:
    """Which triggers hold on the model, in eval mode, (n,), and the score."""
    names = tuple(map(str, range(int(triggers.labels.max()) + 1)))
    count, views = triggers.views.shape[:2]
    outputs = predict(model, Images(triggers.views.reshape(-1, *triggers.views.shape[2:]), triggers.labels.repeat(views), names))
    if not outputs.isfinite().all():
        raise ProtectError(
            "the marked model answers NaN or infinity: its training diverged (choose a smaller rate), unless it did so before"
        )
    answers = outputs.argmax(1) if rule.reading is Reading.LABEL else outputs.softmax(1)
    return scored(rule, answers.reshape(count, views, *answers.shape[1:]).numpy(), triggers.labels, CONFIDENCE)


def marked(
    scheme: object, model: nn.Module, triggers: Triggers, owner: Owner, least: float, rule: Match = Agreement()
) -> Protected:
    """The marked model with its claim. Raises ProtectError if less than the share `least` of the triggers hold."""
    holding, score = held(model, triggers, rule)
    if holding.mean() < least:
        raise ProtectError(
            f"only {int(holding.sum())} of {len(triggers)} triggers hold on the marked model, less than the share "
            f"{least:g} required: {_stronger(scheme)}"
        )
    test = Test(rule.reading, rule, triggers.labels, score.value, null=triggers.null)
    claim = Claim(
        images=np.ascontiguousarray(triggers.views),
        tests=(test,),
        classes=owner.images.names,
        scheme=repr(scheme),
        model=weights_digest(model),
        preprocess=preprocess_of(model),
        choices=triggers.choices,
    )
    return Protected(model, claim)


def _stronger(scheme: object) -> str:
    """What makes the mark of a scheme hold better, by those parameters that it has."""
    known = {one.name for one in fields(scheme)} if is_dataclass(scheme) else set()
    ways = {
        "layers": "train more layers (layers)",
        "steps": "train longer (steps)",
        "training": "train longer (training=Training(epochs=...))",
        "emphasis": "give the mark more weight (emphasis)",
    }
    found = [said for name, said in ways.items() if name in known]
    return ", ".join([*found, "or use fewer triggers"]) if found else "use fewer triggers"
