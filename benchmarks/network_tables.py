"""The tables of `docs/networks.md`: what works on which network, what `protect` costs there, and how well claims hold."""

from collections.abc import Mapping

from shown import Figures, percent

CELLS = ("protect", "attack", "weights", "onnx")
TITLES = {"vit": "ViT", "swin": "Swin", "convnext": "ConvNeXt", "mobilenet": "MobileNetV3"}
TESTS = {"white_box": "white-box", "black_box": "black-box"}
NETWORKS = {"resnet50": "ResNet-50", "vit_s_16": "ViT-S/16"}


def networks(figures: Figures, notes: Mapping[str, str]) -> str:
    """A row per network; what does not work has a number, and its message stands below."""
    names = dict.fromkeys(key.rpartition("|")[0] for key in figures if key.endswith("|layer"))
    said: dict[str, int] = {}
    lines = [
        "| network | layer of the map | protect | attack | verify by weights | verify by ONNX |",
        "|---|---|---|---|---|---|",
    ]
    for name in names:
        why = {cell: notes.get(f"{name}|{cell}", "") for cell in ("layer", *CELLS)}
        numbers = {cell: said.setdefault(_escaped(told), len(said) + 1) for cell, told in why.items() if told}
        shown = [f"({numbers[cell]})" if cell in numbers else "works" for cell in CELLS]
        layer = f"({numbers['layer']})" if "layer" in numbers else f"`{notes[f'{name}|named']}`"
        lines.append(f"| `{name}` | {layer} | {' | '.join(shown)} |")
    return "\n".join([*lines, *(["", *(f"({number}) {told}  " for told, number in said.items())] if said else [])]) + "\n"


def _escaped(told: str) -> str:
    """Readable in a page."""
    return told.replace("|", "\\|").replace("<", "&lt;")


def speed(figures: Figures) -> str:
    """Ours over the plain passes, and how far the estimate of a batch's memory lies off."""
    lines = [
        "| network | time per sample and step, over plain passes | peak memory, over plain passes | peak memory | estimated |"
    ]
    lines.append("|---|---|---|---|---|")
    for key, title in NETWORKS.items():
        ratios = [f"{figures[f'{key}.{what}_over_plain']:.2f}" for what in ("seconds_per_step", "peak_mib")]
        sizes = [f"{figures[f'{key}.{what}']:.0f} MiB" for what in ("ours.peak_mib", "estimated_mib")]
        lines.append(f"| {title} | {' | '.join(ratios + sizes)} |")
    return "\n".join(lines) + "\n"


def transformers(figures: Figures) -> str:
    """The lowest copy and the highest independent model, per kind of network and test."""
    head = "| network | accuracy of the target | test | lowest copy | highest independent model | lowest student | apart |"
    lines = [head, "|---|---|---|---|---|---|---|"]
    for key, title in TITLES.items():
        for test, word in TESTS.items():
            if f"{key}.{test}.separated" not in figures:
                continue
            start = f"{key}.{test}"
            copy, other = (
                f"{percent(figures[f'{start}.{which}'])} of {figures[f'{start}.{count}']:.0f}"
                for which, count in (("lowest_copy", "copies"), ("highest_independent", "independents"))
            )
            student = figures.get(f"{start}.lowest_student")
            cells = [percent(figures[f"{key}.accuracy.target"]), word, copy, other, "" if student is None else percent(student)]
            lines.append(f"| {title} | {' | '.join(cells)} | {'yes' if figures[f'{start}.separated'] else 'no'} |")
    return "\n".join(lines) + "\n"


DETECTORS = {
    "target": "the protected model",
    "finetune_all": "fine-tuned",
    "finetune_last": "fine-tuned, last layer",
    "retrain_last": "retrained head",
    "quantize_8": "8-bit weights and activations",
    "onnx": "ONNX file",
    "prune_0.3": "weights pruned by 30 %",
    "prune_0.5": "weights pruned by 50 %",
    "prune_filters_0.25": "a quarter of the filters pruned",
    "distill": "distilled",
}


def detectors(figures: Figures) -> str:
    """A row per copy of the detector, and one for the highest independent detector."""
    lines = ["| suspect | mAP@50 | white-box | black-box |", "|---|---|---|---|"]
    for key, title in DETECTORS.items():
        cells = [figures.get(f"suspect.{key}_map_50"), *(figures.get(f"{test}.score.{key}") for test in TESTS)]
        precision, *scores = cells
        shown = ["" if precision is None else f"{precision:.2f}", *("" if one is None else percent(one) for one in scores)]
        lines.append(f"| {title} | {' | '.join(shown)} |")
    others = [figures[f"suspect.innocent_{number}_map_50"] for number in range(int(figures.get("innocents", 0)))]
    if not others:
        return "\n".join(lines) + "\n"  # of a benchmark that still runs
    most = " | ".join(percent(figures[f"{test}.max_innocent"]) for test in TESTS)
    lines.append(f"| the highest of {len(others)} independent detectors | {min(others):.2f} to {max(others):.2f} | {most} |")
    return "\n".join(lines) + "\n"
