"""Tables of the saliency fingerprint: the first look, and one change of its settings at a time."""

from shown import Figures, decibel, percent


def skin_first(figures: Figures) -> str:
    """Both schemes on the same suspects."""
    rows = [
        ("least of the fine-tuned and pruned copies", "min_copy"),
        ("most of the independent models", "max_innocent"),
        ("least of the retrained copies", "retrained"),
        ("the distilled copy", "distilled"),
    ]
    lines = [
        "| share of samples that match | white-box | black-box | white-box, as published | black-box, as published |",
        "|---|---|---|---|---|",
    ]
    for title, key in rows:
        cells = [
            percent(figures[f"{scheme}{test}.{key}"]) for scheme in ("", "as_published.") for test in ("white_box", "black_box")
        ]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    for title, key, show in (("label kept on the model itself", "label_kept", percent), ("PSNR", "psnr_db", decibel)):
        ours, published = show(figures[key]), show(figures[f"as_published.{key}"])
        lines.append(f"| {title} | {ours} | {ours} | {published} | {published} |")
    return "\n".join(lines) + "\n"


def skin_suspects(figures: Figures) -> str:
    """Every suspect by name, with its quality and scores."""
    names = [key.removeprefix("white_box.score.") for key in figures if key.startswith("white_box.score.")]
    order = sorted(names, key=lambda name: (name != "target", name.startswith("innocent"), name))
    lines = ["| suspect | accuracy | balanced accuracy | white-box | black-box |", "|---|---|---|---|---|"]
    for name in order:
        prefix = "target" if name == "target" else f"suspect.{name}"
        worth = [percent(figures[f"{prefix}_{kind}"]) for kind in ("accuracy", "balanced_accuracy")]
        scores = [percent(figures[f"{test}.score.{name}"]) for test in ("white_box", "black_box")]
        lines.append(f"| {name.replace('_', ' ')} | {' | '.join(worth + scores)} |")
    lines.append(f"| always the commonest class | {percent(figures['majority_accuracy'])} | {percent(1 / 7)} | | |")
    return "\n".join(lines) + "\n"


def variants(figures: Figures) -> str:
    """One change at a time."""
    names = list(dict.fromkeys(key.split(".white_box")[0] for key in figures if ".white_box" in key))
    names.sort(key=lambda name: (name != "default", name))
    columns = [f"{test}.{key}" for test in ("white_box", "black_box") for key in ("min_copy", "retrained", "max_innocent")]
    head = "| variant | PSNR | white-box: copies | retrained | innocents | black-box: copies | retrained | innocents |"
    lines = [head, "|---" * 8 + "|"]
    for name in names:
        cells = [decibel(figures[f"{name}.psnr_db"]), *(percent(figures[f"{name}.{column}"]) for column in columns)]
        lines.append(f"| {name.replace('_', ' ')} | {' | '.join(cells)} |")
    failed = [
        key.removesuffix(".holds").replace("_", " ") for key, value in figures.items() if key.endswith(".holds") and not value
    ]
    return "\n".join(lines) + "\n" + (f"\nToo few samples held on the model itself: {', '.join(failed)}.\n" if failed else "")
