"""Networks of timm: `timm:vit_small_patch16_224`, or `'timm:vit_tiny_patch16_224(img_size=32, pretrained=True)'`.

A network takes images as its `pretrained_cfg` says. Names of hubs (`timm:hf-hub:OWNER/NAME`) work where there is a network.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ownmark.claims.fitting import Fitting
from ownmark.errors import ModelError
from ownmark.models.sources.source import Asked, Call, Intake, Source, called, near

if TYPE_CHECKING:
    from torch import nn

WRITTEN = "timm:NAME"
HUBS = ("hf-hub:", "hf_hub:", "local-dir:")
SHARE = 0.875  # of the shorter side that is cut out, where nothing is said


def _built(asked: Asked) -> "nn.Module":
    import timm

    call = _read(asked.name)
    options = dict(call.options)
    if asked.classes is not None:
        options.setdefault("num_classes", asked.classes)
    if not asked.own:
        options["pretrained"] = False

    def create() -> Any:  # noqa: ANN401 - timm's own type says no more
        return timm.create_model(call.name, **options)

    model: nn.Module = called(f"timm:{call.name}", create, (), {})  # type: ignore[assignment]
    return model


def _read(name: str) -> Call:
    """The parts of the name. Raises ModelError for a network that timm does not have."""
    import timm

    call = Call.read(name.partition(":")[2], WRITTEN)
    if call.positional:
        raise ModelError(f"timm:{call.name} takes named arguments only, as in 'timm:{call.name}(img_size=32)'")
    if not call.name.startswith(HUBS) and not timm.is_model(call.name):
        raise ModelError(f"timm has no network {call.name!r}; similar: {near(call.name, timm.list_models())}")
    return call


def _intake(name: str) -> Intake:
    import timm

    call = _read(name)
    if call.name.startswith(HUBS):
        config: Any = _built(Asked(name, own=False)).pretrained_cfg
    else:
        known = timm.get_pretrained_cfg(call.name)
        config = {} if known is None else known.to_dict()
    return intake_of(config, call.options, f"timm's pretrained_cfg of {call.name}")


def intake_of(config: Mapping[str, Any], options: Mapping[str, Any], origin: str) -> Intake:
    """How images come to a network by its `pretrained_cfg` and the arguments that it is built with.

    Raises ModelError for a configuration that frames images, which nobody here does.
    """
    from ownmark.claims.claim import Preprocess

    if not config.get("mean") or not config.get("input_size"):
        return Intake()
    mean, std = (tuple(float(value) for value in config[key]) for key in ("mean", "std"))
    if options.get("in_chans") == 1:
        mean, std = ((sum(values) / len(values),) for values in (mean, std))
    sides = options.get("img_size", config["input_size"][1:])
    height, width = (sides, sides) if isinstance(sides, int) else (int(sides[0]), int(sides[1]))
    share, mode = float(config.get("crop_pct") or SHARE), config.get("crop_mode") or "center"
    if mode == "border":
        raise ModelError(f"{origin} frames images with a border, which ownmark does not: say --size, --mean and --std yourself")
    scaled = tuple(math.floor(side / share) for side in (height, width))
    way = str(config.get("interpolation") or "bilinear")
    fitting = Fitting(
        (height, width), scaled if mode == "squash" or height != width else scaled[:1], "bilinear" if way == "random" else way
    )
    return Intake(Preprocess(mean, std), fitting, origin)


NETWORKS = Source(place="timm", written=WRITTEN, built=_built, intake=_intake, extra="timm", library="timm")
