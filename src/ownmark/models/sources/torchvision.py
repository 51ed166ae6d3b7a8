"""Classifiers and detectors of torchvision: `torchvision:resnet18`, `torchvision:ssdlite320_mobilenet_v3_large`.

With weights of theirs, images are taken as those weights say; detectors bring images to their own size and range.
`torchvision:resnet18(weights='IMAGENET1K_V1')` with a file of weights fetches none, but takes images as those weights do.
"""

from typing import TYPE_CHECKING, Any

from ownmark.claims.fitting import Fitting
from ownmark.errors import ModelError
from ownmark.models.sources.source import Asked, Call, Intake, Source, called, near

if TYPE_CHECKING:
    from torch import nn

WRITTEN = "torchvision:resnet18"
OTHERS = ("maskrcnn", "keypointrcnn")  # which answer masks and points besides boxes


def _built(asked: Asked) -> "nn.Module":
    from torchvision import models

    call = _read(asked.name)
    options = dict(call.options)
    if asked.classes is not None and not call.positional:
        options.setdefault("num_classes", asked.classes)
    if not asked.own:
        options.pop("weights", None)
    if call.name in _detectors():
        options.setdefault("weights_backbone", None)  # which would be downloaded
    model: nn.Module = called(f"torchvision:{call.name}", models.get_model_builder(call.name), call.positional, options)  # type: ignore[assignment]
    return model


def _read(name: str) -> Call:
    """The parts of the name. Raises ModelError for a network that torchvision does not have."""
    from torchvision import models

    call = Call.read(name.partition(":")[2], WRITTEN)
    known = [*models.list_models(module=models), *_detectors()]
    if call.name not in known:
        raise ModelError(f"torchvision has no classifier or detector {call.name!r}; similar: {near(call.name, known)}")
    return call


def _detectors() -> list[str]:
    from torchvision import models

    found: list[str] = models.list_models(module=models.detection)
    return [name for name in found if not name.startswith(OTHERS)]


def _intake(name: str) -> Intake:
    """As the weights that are named say it; nothing if none are named."""
    from torchvision import models

    call = _read(name)
    wanted = call.options.get("weights")
    if wanted is None or call.name in _detectors():  # which bring images to their own size and range
        return Intake()
    kinds = models.get_model_weights(call.name)
    found = {one.name: one for one in kinds} | {"DEFAULT": kinds.DEFAULT}
    word = str(wanted).rpartition(".")[2]
    if word not in found:
        raise ModelError(f"torchvision:{call.name} has no weights {wanted!r}; there are: {', '.join(found)}")
    return intake_of(found[word].transforms(), str(found[word]))


def intake_of(transforms: Any, origin: str) -> Intake:  # noqa: ANN401 - torchvision is not typed
    """How a preset of torchvision's, `ImageClassification`, brings images to a network."""
    from ownmark.claims.claim import Preprocess

    cut, scaled = transforms.crop_size[0], tuple(transforms.resize_size)
    fitting = Fitting((cut, cut), scaled, transforms.interpolation.value)
    return Intake(Preprocess(tuple(transforms.mean), tuple(transforms.std)), fitting, f"torchvision's {origin}")


NETWORKS = Source(place="torchvision", written=WRITTEN, built=_built, intake=_intake, library="torchvision")
