"""Tables of a bench's suspects: each by name, and the independent models with other training images."""

from shown import Figures, percent, shown


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


def exported(figures: Figures) -> str:
    """What each format leaves of each scheme's score, beside the target and the highest independent model."""
    starts = sorted({key.rsplit(".", 1)[0] for key in figures if ".accuracy." not in key})
    names = sorted({key.rsplit(".", 1)[1] for key in figures} - {"target", "independent"})
    names = ["target", *names, "independent"]
    titles = ["scheme, test", *(name.replace("_", " ") for name in names)]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for start in starts:
        cells = [shown(figures.get(f"{start}.{name}"), percent) for name in names]
        lines.append(f"| {' | '.join([start.replace('.', ', ').replace('_', ' '), *cells])} |")
    return "\n".join(lines) + "\n"
