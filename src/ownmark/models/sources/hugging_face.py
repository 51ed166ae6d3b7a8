"""Networks of transformers: `hf:FOLDER`, as `save_pretrained` writes it, or `hf:OWNER/NAME` where there is a network.

Images are taken as `preprocessor_config.json` says. No code of a repository is run.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ownmark.claims.fitting import FILTERS, Fitting
from ownmark.errors import ModelError
from ownmark.models.sources.source import Asked, Intake, Source, where
from ownmark.querying.outputs import MULTI_LABEL

if TYPE_CHECKING:
    from torch import nn

    from ownmark.claims.claim import Preprocess

WRITTEN = "hf:FOLDER"
CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"
RESAMPLE = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")  # by Pillow's numbers
CLASSIFIES = "ForImageClassification"
OTHERS = {  # what else such a network does, by its name, and what would serve
    "SemanticSegmentation": "segmentation, which answers scores for every pixel: protect its encoder with --task similarity",
    "InstanceSegmentation": "segmentation, which answers masks: protect its encoder with --task similarity",
    "UniversalSegmentation": "segmentation, which answers masks: protect its encoder with --task similarity",
    "ObjectDetection": "detection, which answers boxes: build it in a module of yours that answers boxes, labels and scores",
    "DepthEstimation": "a number for every pixel: protect its encoder with --task similarity",
}


def _built(asked: Asked) -> "nn.Module":
    import transformers

    from_folder = _from(asked.rest)
    config = _tried(asked, lambda: transformers.AutoConfig.from_pretrained(asked.rest, **from_folder))
    check(asked.name, config.to_dict())
    named = (config.architectures or [CLASSIFIES])[0]
    kind = transformers.AutoModelForImageClassification if CLASSIFIES in named else transformers.AutoModel
    if not asked.own or (from_folder["local_files_only"] and not _has_weights(Path(asked.rest))):
        if asked.classes is not None and CLASSIFIES in named:
            config.num_labels = asked.classes
        model: nn.Module = _tried(asked, lambda: kind.from_config(config))
        return model
    made: nn.Module
    made, told = _tried(asked, lambda: kind.from_pretrained(asked.rest, output_loading_info=True, **from_folder))
    lacking = sorted(map(str, (*told["missing_keys"], *told["mismatched_keys"])))
    if lacking:
        raise ModelError(
            f"{asked.name} lacks weights of its own for {', '.join(lacking[:3])}: name trained ones with --weights FILE"
        )
    return made


def _from(place: str) -> dict[str, Any]:
    """How to read a folder, which needs no network, or a name of the hub. No code of either is run."""
    folder = Path(place)
    if folder.is_dir() and not (folder / CONFIG).is_file():
        raise ModelError(f"{folder} has no {CONFIG}: expected a folder as save_pretrained writes it")
    if not folder.is_dir() and (place.count("/") != 1 or place.startswith((".", "/", "~"))):
        raise ModelError(
            f"there is no folder {folder}: expected {WRITTEN}, as save_pretrained writes it, or hf:OWNER/NAME of the hub"
        )
    return {"local_files_only": folder.is_dir(), "trust_remote_code": False}


def _has_weights(folder: Path) -> bool:
    return any(file.is_file() for end in ("*.safetensors", "*.bin") for file in folder.glob(end))


def _tried(asked: Asked, work: Any) -> Any:  # noqa: ANN401 - the library's own types say no more
    """What the library gives. Raises ModelError in one line for whatever it raises."""
    from transformers.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        return work()
    except ImportError:
        raise
    except Exception as error:  # files of strangers: each kind of damage raises another type
        raise ModelError(f"{asked.name} cannot be opened: {where(error)}") from error
    finally:
        logging.set_verbosity(level)


def check(name: str, config: Mapping[str, Any]) -> None:
    """Raises ModelError, which says what would serve, for a network that does what no task covers."""
    named = next(iter(config.get("architectures") or ()), "")
    doing = next((told for word, told in OTHERS.items() if word in named), None)
    if doing is not None:
        raise ModelError(f"{name} is {named}: {doing}")
    if CLASSIFIES in named and config.get("problem_type") == "multi_label_classification":
        raise ModelError(f"{name} is {MULTI_LABEL}")


def _intake(name: str) -> Intake:
    place = name.partition(":")[2]
    if _from(place)["local_files_only"]:
        file = Path(place) / PREPROCESSOR
        return intake_of(_read(file), f"{file}") if file.is_file() else Intake()
    from transformers import ImageProcessingMixin

    config, _ = _tried(Asked(name), lambda: ImageProcessingMixin.get_image_processor_dict(place))
    return intake_of(config, f"{PREPROCESSOR} of {place}")


def _read(file: Path) -> Mapping[str, Any]:
    """The JSON object in a file. Raises ModelError."""
    try:
        record = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{file} is not a readable JSON file: {error}") from error
    if not isinstance(record, dict):
        raise ModelError(f"{file} holds no JSON object")
    return record


def intake_of(config: Mapping[str, Any], origin: str) -> Intake:
    """How images come to a network by its `preprocessor_config.json`. Raises ModelError for nonsense."""
    try:
        return Intake(_preprocess(config), _fitting(config), origin)
    except Exception as error:  # a stranger's file
        raise ModelError(f"{origin} cannot be read, say --size, --mean and --std yourself: {error!r}") from error


def _preprocess(config: Mapping[str, Any]) -> "Preprocess":
    """(pixel * factor - mean) / std, as (pixel / 255 - mean) / std."""
    from ownmark.claims.claim import Preprocess

    factor = float(config.get("rescale_factor") or 1 / 255) if config.get("do_rescale", True) else 1.0
    mean: tuple[float, ...] = (1.0,) if config.get("rescale_offset") else (0.0,)
    std: tuple[float, ...] = (1.0,)
    if config.get("do_normalize", True) and config.get("image_mean") and config.get("image_std"):
        less = mean[0]
        mean, std = (tuple(map(float, config[key])) for key in ("image_mean", "image_std"))
        mean = tuple(value + less for value in mean)
    unit = 1.0 if factor == 1 / 255 or abs(factor * 255 - 1) < 1e-9 else factor * 255  # noqa: PLR2004 - rounding
    return Preprocess(tuple(value / unit for value in mean), tuple(value / unit for value in std))


def _fitting(config: Mapping[str, Any]) -> Fitting | None:
    """None where pictures keep their size."""
    size, cut = _sides(config.get("size")), _sides(config.get("crop_size"))
    way = config.get("resample", 2)
    interpolation = RESAMPLE[int(way)] if not isinstance(way, str) else way.lower()
    if interpolation not in FILTERS:
        raise ValueError(f"resample is {way!r}")
    share = config.get("crop_pct")
    if share is not None and len(size) == 1 and config.get("do_resize", True):  # ConvNeXT's own rule
        whole = size * 2
        return Fitting(whole, (int(size[0] / share),) if size[0] < LARGE else whole, interpolation)
    if not config.get("do_resize", True) or not size:
        return None
    if config.get("do_center_crop", False) and cut:
        return Fitting(cut * 2 if len(cut) == 1 else cut, size, interpolation)  # type: ignore[arg-type]
    return Fitting(size * 2 if len(size) == 1 else size, size, interpolation)  # type: ignore[arg-type]


LARGE = 384  # pixels from which ConvNeXT's images are scaled to both sides and not cut


def _sides(size: object) -> tuple[int, ...]:
    """(shorter side,), (height, width) or (), however it is written; one bare number means both sides."""
    if isinstance(size, Mapping):
        if size.get("shortest_edge"):
            return (int(size["shortest_edge"]),)
        return (int(size["height"]), int(size["width"])) if size.get("height") else ()
    if isinstance(size, int):
        return (size, size)
    return tuple(map(int, size)) if isinstance(size, list | tuple) else ()


NETWORKS = Source(place="hf", written=WRITTEN, built=_built, intake=_intake, extra="transformers", library="transformers")
