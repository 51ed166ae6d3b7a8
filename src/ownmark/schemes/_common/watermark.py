"""Shared by watermark schemes: the device check, the share of triggers that hold, and the claim."""

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
    """Share of the triggers to which the model, in eval mode, assigns their label."""
    names = tuple(map(str, range(int(triggers.labels.max()) + 1)))
    answers = predict(model, Images(triggers.images, triggers.labels, names)).argmax(1).numpy()
    return float(np.mean(answers == triggers.labels))


def check_model(model: nn.Module, images: Images) -> torch.device:
    """The model's single device. Raises ModelError if it has none or several, UsageError if its outputs do not fit."""
    if not images.task.discrete:
        raise UsageError(f"label-based schemes support only classification, but these images are for {images.task.name}")
    devices = {tensor.device for tensor in (*model.parameters(), *model.buffers())}
    if len(devices) != 1 or next(iter(devices)).type == "meta":
        places = ", ".join(sorted(map(str, devices))) or "none"
        raise ModelError(f"expected all weights on one device, got {places}; move the model first")
    device = next(iter(devices))
    with torch.no_grad():
        height, width, channels = images.size
        answer = model(torch.zeros(2, channels, height, width, device=device))
    if answer.shape != (2, len(images.names)):
        raise UsageError(
            f"the images have {len(images.names)} classes, but the model outputs {tuple(answer.shape)} for 2 images: "
            "trigger labels would be out of range"
        )
    return device


def marked(scheme: object, model: nn.Module, triggers: Triggers, owner: Owner, least: float) -> Protected:
    """The marked model with its claim. Raises ProtectError if less than the share `least` of the triggers hold."""
    held = survival(model, triggers)
    if held < least:
        raise ProtectError(
            f"only {round(held * len(triggers))} of {len(triggers)} triggers hold on the marked model, less than the share "
            f"{least:g} required: train more layers, use fewer triggers, or train longer"
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
