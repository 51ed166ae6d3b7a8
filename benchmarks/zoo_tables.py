"""Tables of a zoo: how well each fingerprint separates, and each copy alone against all independent models."""

from shown import Figures, percent, shown

QUALITY = {"accuracy": percent, "mae": "{:.2f} years".format, "tar": percent}
ANSWERS = {"accuracy": "probabilities", "mae": "ages", "tar": "similarities"}
TESTS = {
    "traces.white_box": "`Traces`, weights",
    "traces.black_box": "`Traces`, probabilities",
    "traces.embedding": "`Traces`, embeddings",
    "traces.label": "`Traces`, labels",
    "saliency.white_box": "`Saliency`, maps",
    "saliency.black_box": "`Saliency`, masked pairs",
    "saliency_own.white_box": "`Saliency.own()`, maps",
    "saliency_own.black_box": "`Saliency.own()`, probabilities",
    "residual.embedding": "`Residual`, embeddings",
    "residual.black_box": "`Residual`, probabilities",
    "ipguard.label": "IPGuard",
    "confer_ae.label": "ConferAE",
    "mistakes.label": "`Mistakes`",
    "negatives.label": "`Negatives`",
    "as_published.white_box": "as published, maps",
    "as_published.black_box": "as published, masked pairs",
}


def separation(figures: Figures) -> str:
    """Every test: how far it tells the paper's copies, and further ones, from all independent models."""
    measures = {
        "auc": "AUC",
        "auc_further": "AUC with the further copies",
        "tpr_at_5": "TPR at 5 % FPR",
        "best_r_and_u": "best min(R, U)",
        "aruc": "ARUC",
        "aruc_mapped": "ARUC, mapped",
    }
    lines = [f"| test | {' | '.join(measures.values())} |", "|---" * (1 + len(measures)) + "|"]
    for start, title in _there(figures).items():
        cells = [
            shown(figures.get(f"{start}.{one}"), percent if one in {"tpr_at_5", "best_r_and_u"} else "{:.3f}".format)
            for one in measures
        ]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def copies(figures: Figures) -> str:
    """Every copy: its quality, and its AUC in every test."""
    tests = _there(figures)
    worth = next(kind for kind in QUALITY if f"target_{kind}" in figures)
    names = dict.fromkeys(key.split(".auc.")[1] for key in figures if ".auc." in key and not key.endswith("_std"))
    lines = [f"| copy | {worth} | {' | '.join(tests.values())} |", "|---" * (2 + len(tests)) + "|"]
    for name in names:
        cells = [shown(figures.get(f"{next(iter(tests)).split('.')[0]}.{worth}.{name}"), QUALITY[worth])]
        cells += [shown(figures.get(f"{start}.auc.{name}"), "{:.3f}".format) for start in tests]
        lines.append(f"| {name.replace('_', ' ')} | {' | '.join(cells)} |")
    lines.append(f"| *the protected model* | {QUALITY[worth](figures[f'target_{worth}'])} {'| ' * len(tests)}|")
    return "\n".join(lines) + "\n"


def independents(figures: Figures) -> str:
    """The highest score of each kind of independent model, means over the claims."""
    tests = _there(figures)
    kinds = {
        "negative_": "same images, same network",
        "elsewhere_": "other images",
        "mobilenet_": "MobileNet",
        "vit_": "transformer",
        "vgg_": "VGG11",
    }
    lines = [f"| highest of | {' | '.join(tests.values())} |", "|---" * (1 + len(tests)) + "|"]
    for prefix, title in kinds.items():
        begins = [f"{start}.score.{prefix}" for start in tests]
        found = [[figures[key] for key in figures if key.startswith(begin) and not key.endswith("_std")] for begin in begins]
        if found[0]:
            lines.append(f"| {len(found[0])} of {title} | {' | '.join(percent(max(one)) for one in found)} |")
    return "\n".join(lines) + "\n"


def _there(figures: Figures) -> dict[str, str]:
    """The titles of the tests that there are, by what their figures begin with. Only classifiers answer probabilities."""
    answers = next(told for worth, told in ANSWERS.items() if f"target_{worth}" in figures)
    return {start: title.replace("probabilities", answers) for start, title in TESTS.items() if f"{start}.auc" in figures}
