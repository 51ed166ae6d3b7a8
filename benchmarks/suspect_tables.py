"""Tables of a bench: its schemes and its suspects, those of other images, and those in other formats."""

from shown import Figures, decibel, percent, shown


def elsewhere(figures: Figures) -> str:
    """The lowest copy compared with the highest independent model of either kind."""
    starts = sorted({key.rsplit(".", 1)[0] for key in figures if key.endswith(".lowest_copy")})
    kinds = ("lowest_copy", "highest_same_images", "highest_elsewhere", "mean_elsewhere")
    lines = [
        "| scheme | test | lowest copy | highest independent model, same images | highest, other images | mean, other images |",
        "|---" * 6 + "|",
    ]
    for start in starts:
        names = start.replace("_", " ").split(".")
        lines.append(f"| {' | '.join([*names, *(percent(figures[f'{start}.{kind}']) for kind in kinds)])} |")
    return "\n".join(lines) + "\n"


def suspects(figures: Figures) -> str:
    """Every suspect of a bench by name, with its quality and its scores per scheme and test."""
    starts = list(dict.fromkeys(key.split(".score.")[0] for key in figures if ".score." in key and "_behind_" not in key))
    names = list(dict.fromkeys(key.split(".score.")[1] for key in figures if ".score." in key and not key.endswith("_std")))
    names.sort(key=lambda name: (name != "target", name.startswith("negative"), name))
    worth = next(kind for kind in ("accuracy", "mae", "tar") if any(key.split(".")[1:2] == [kind] for key in figures))
    titles = ("suspect", worth, *(start.replace(".", ", ") for start in starts))
    lines = [f"| {' | '.join(titles).replace('_', ' ')} |", "|---" * len(titles) + "|"]
    for name in names:
        found = next((figures[key] for start in starts if (key := f"{start.split('.')[0]}.{worth}.{name}") in figures), None)
        cells = [name.replace("_", " "), shown(found, "{:.2f}".format if worth == "mae" else percent)]
        cells += [shown(figures.get(f"{start}.score.{name}"), percent) for start in starts]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


PARTS = {"black_box_crossedresidual": "residuals", "black_box_drop": "masked pairs"}  # of `Traces`, that ask alike


def exported(figures: Figures) -> str:
    """What each format leaves of each scheme's score, beside the target and the highest independent model."""
    starts = sorted({key.rsplit(".", 1)[0] for key in figures if ".accuracy." not in key})
    names = sorted({key.rsplit(".", 1)[1] for key in figures} - {"target", "independent"})
    names = ["target", *names, "independent"]
    titles = ["scheme, test", *(name.replace("_", " ") for name in names)]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for start in starts:
        scheme, test = start.split(".")
        cells = [shown(figures.get(f"{start}.{name}"), percent) for name in names]
        lines.append(f"| {' | '.join([f'{scheme}, {PARTS.get(test, test)}'.replace('_', ' '), *cells])} |")
    return "\n".join(lines) + "\n"


SEEN = {
    "sample_accuracy": "accuracy on the samples",
    "psnr_db": "PSNR",
    "dr.feature_squeezing.samples": "DR, squeezing, samples",
    "dr.feature_squeezing": "all queries",
    "dr.deep_svdd.samples": "DR, SVDD, samples",
    "dr.deep_svdd": "all queries",
}


def areas(figures: Figures) -> str:
    """Every scheme and test of a bench: separation of copies and independent models, also behind alarms, and detectability."""
    alarms = list(dict.fromkeys(key.split("_behind_")[1].split(".")[0] for key in figures if "_behind_" in key))
    seen = [measure for measure in SEEN if any(key.endswith(f".{measure}") for key in figures)]
    titles = (
        "scheme",
        "test",
        "ARUC",
        "best min(R, U)",
        *(f"ARUC behind {name}" for name in alarms),
        *(SEEN[one] for one in seen),
    )
    lines = [f"| {' | '.join(titles).replace('_', ' ')} |", "|---" * len(titles) + "|"]
    for start in (key.removesuffix(".aruc") for key in figures if key.endswith(".aruc") and "_behind_" not in key):
        scheme, test = start.split(".")
        spread = f"{figures[f'{start}.aruc']:.3f} ± {figures[f'{start}.aruc_std']:.3f}"
        cells = [scheme, test, spread, percent(figures[f"{start}.best_r_and_u"])]
        cells += [shown(figures.get(f"{start}_behind_{name}.aruc"), "{:.3f}".format) for name in alarms]
        cells += [shown(figures.get(f"{scheme}.{one}"), decibel if one == "psnr_db" else percent) for one in seen]
        lines.append(f"| {' | '.join(cells).replace('_', ' ')} |")
    return "\n".join(lines) + "\n"


def formats(figures: Figures) -> str:
    """Every format and precision of each stolen model: its score, p, and seconds."""
    cases = sorted({key.split(".")[0] for key in figures})
    names = list(dict.fromkeys(key.split(".", 1)[1].rsplit(".", 1)[0] for key in figures))
    names.sort(key=lambda name: (name != "torch float", name))
    titles = [f"{case}: {title}" for case in cases for title in ("score", "p", "seconds to export", "seconds to ask")]
    lines = [f"| format and precision | {' | '.join(titles)} |", "|---" * (len(titles) + 1) + "|"]
    for name in names:
        cells = [cell for case in cases for cell in _format_cells(figures, f"{case}.{name}")]
        lines.append(f"| {' | '.join([name, *cells])} |")
    return "\n".join(lines) + "\n"


def _format_cells(figures: Figures, row: str) -> list[str]:
    """The four cells of a row, or why it has none."""
    if f"{row}.score" not in figures:
        return ["package missing" if f"{row}.missing" in figures else "failed", "", "", ""]
    score, p, made, asked = (figures[f"{row}.{key}"] for key in ("score", "p", "made_seconds", "asked_seconds"))
    return [percent(score), f"{p:.2g}", f"{made:.1f}", f"{asked:.1f}"]
