"""Tables of the skin zoo in small: how well each fingerprint separates, and each copy alone against all independent models."""

from shown import Figures, percent, shown

TESTS = {
    "traces.white_box": "`Traces`, weights",
    "traces.black_box": "`Traces`, probabilities",
    "traces.label": "`Traces`, labels",
    "saliency.white_box": "`Saliency`, maps",
    "saliency.black_box": "`Saliency`, masked pairs",
    "residual.black_box": "`Residual`, probabilities",
    "ipguard.label": "IPGuard",
    "confer_ae.label": "ConferAE",
    "mistakes.label": "`Mistakes`",
    "negatives.label": "`Negatives`",
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
    for start in _there(figures):
        cells = [
            shown(figures.get(f"{start}.{one}"), percent if one in {"tpr_at_5", "best_r_and_u"} else "{:.3f}".format)
            for one in measures
        ]
        lines.append(f"| {TESTS[start]} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def copies(figures: Figures) -> str:
    """Every copy: its accuracy, and its AUC in every test."""
    tests = _there(figures)
    names = dict.fromkeys(key.split(".auc.")[1] for key in figures if ".auc." in key and not key.endswith("_std"))
    lines = [f"| copy | accuracy | {' | '.join(TESTS[one] for one in tests)} |", "|---" * (2 + len(tests)) + "|"]
    for name in names:
        cells = [shown(figures.get(f"{tests[0].split('.')[0]}.accuracy.{name}"), percent)]
        cells += [shown(figures.get(f"{start}.auc.{name}"), "{:.3f}".format) for start in tests]
        lines.append(f"| {name.replace('_', ' ')} | {' | '.join(cells)} |")
    lines.append(f"| *the protected model* | {percent(figures['target_accuracy'])} {'| ' * len(tests)}|")
    return "\n".join(lines) + "\n"


def independents(figures: Figures) -> str:
    """The highest score of each kind of independent model, means over the claims."""
    tests = _there(figures)
    kinds = {
        "negative_": "same images, same network",
        "elsewhere_": "other images",
        "mobilenet_": "MobileNet",
        "vit_": "transformer",
    }
    lines = [f"| highest of | {' | '.join(TESTS[one] for one in tests)} |", "|---" * (1 + len(tests)) + "|"]
    for prefix, title in kinds.items():
        cells, count = [], 0
        for start in tests:
            begin = f"{start}.score.{prefix}"
            found = [value for key, value in figures.items() if key.startswith(begin) and not key.endswith("_std")]
            cells.append(percent(max(found)))
            count = len(found)
        lines.append(f"| {count} of {title} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _there(figures: Figures) -> list[str]:
    return [start for start in TESTS if f"{start}.auc" in figures]
