"""What the watermark schemes share: batch norm that no trigger moves, how many triggers hold, and the claim that asks them."""

import numpy as np
import torch
from torch import nn

from ownmark.claims.claim import Claim, Test
from ownmark.data.images import Images
from ownmark.errors import ModelError, ProtectError, UsageError
from ownmark.models.prepared import preprocess_of
from ownmark.models.weights import weights_digest
from ownmark.protocols import Owner, Protected
from ownmark.schemes._common.triggers import Triggers
from ownmark.scoring.matches import Agreement
from ownmark.scoring.readings import Reading
from ownmark.training import predict


def survival(model: nn.Module, triggers: Triggers) -> float:
    """Share of the triggers that the model, in eval mode, answers with their label."""
    names = tuple(map(str, range(int(triggers.labels.max()) + 1)))
    answers = predict(model, Images(triggers.images, triggers.labels, names)).argmax(1).numpy()
    return float(np.mean(answers == triggers.labels))


def check_model(model: nn.Module, images: Images) -> torch.device:
    """The one device of the model. Raises ModelError where it has none or several, UsageError where its answers do not fit."""
    if not images.task.discrete:
        raise UsageError(f"schemes of labels serve classification, but these images are for {images.task.name}")
    devices = {tensor.device for tensor in (*model.parameters(), *model.buffers())}
    if len(devices) != 1 or next(iter(devices)).type == "meta":
        places = ", ".join(sorted(map(str, devices))) or "none"
        raise ModelError(f"a model to mark lies on one device with its weights, but this one lies on: {places}; move it first")
    device = next(iter(devices))
    with torch.no_grad():
        height, width, channels = images.size
        answer = model(torch.zeros(2, channels, height, width, device=device))
    if answer.shape != (2, len(images.names)):
        raise UsageError(
            f"the images have {len(images.names)} classes, but the model answers {tuple(answer.shape)} for 2 images: "
            "trigger labels would be out of its range"
        )
    return device


def marked(scheme: object, model: nn.Module, triggers: Triggers, owner: Owner, least: float) -> Protected:
    """The marked model with its claim. Raises ProtectError if fewer than the share `least` of the triggers hold on it."""
    held = survival(model, triggers)
    if held < least:
        raise ProtectError(
            f"only {round(held * len(triggers))} of {len(triggers)} triggers hold on the marked model, fewer than the share "
            f"{least:g} that is asked for: open more layers, ask for fewer triggers, or train longer"
        )
    test = Test(Reading.LABEL, Agreement(), triggers.labels, held, null=triggers.null)
    claim = Claim(
        images=np.ascontiguousarray(triggers.images[:, None]),
        tests=(test,),
        classes=owner.images.names,
        scheme=repr(scheme),
        model=weights_digest(model),
        preprocess=preprocess_of(model),
        choices=triggers.choices,
    )
    return Protected(model, claim)
