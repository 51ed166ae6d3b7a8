"""The tables of residuals: rates of false accusation by their zero, and the students that they find."""

from shown import Figures, percent, shown

KINDS = {
    "like_the_references": "like the references",
    "noisier": "that differ from each other half as much again",
    "of_other_data": "of other data, which they share",
    "of_the_models_ancestor": "of an ancestor that they share with the model, not with the references",
}
WAYS = {
    "zero_alone": "zero alone",
    "interval_of_3": "interval of 3",
    "interval_of_9": "interval of 9",
    "rank_among_19": "rank among 19",
}
SUSPECTS = {
    "finetune_all": "fine-tuned",
    "retrain_all": "retrained",
    "prune_filters_7": "7 of 16 filters pruned",
    "student_100": "student, all images",
    "student_30": "student, 30 %",
    "student_10": "student, 10 %",
    "student_3": "student, 3 %",
    "student_0": "student, held-out images",
    "hard_100": "student, labels only",
    "innocent_0": "independent, same images",
    "elsewhere_0": "independent, held-out images",
}
CLAIMS = {
    "mine.50": "50 queries",
    "mine.150": "150 queries",
    "mine.600": "600 queries",
    "held_out.150": "150, held-out images",
    "references_half_epochs": "150, references of half the epochs",
}


def zero(figures: Figures) -> str:
    """Per kind of innocent model the rate of each way, stated as 5 %."""
    lines = [f"| innocent models | {' | '.join(WAYS.values())} |", "|---" * (1 + len(WAYS)) + "|"]
    for kind, said in KINDS.items():
        lines.append(f"| {said} | {' | '.join(percent(figures[f'{kind}.{way}']) for way in WAYS)} |")
    return "\n".join(lines) + "\n"


def students(figures: Figures) -> str:
    """Residuals by suspect and claim, and the areas under the ROC curves."""
    lines = [f"| | accuracy | {' | '.join(CLAIMS.values())} |", "|---" * (2 + len(CLAIMS)) + "|"]
    for name, said in SUSPECTS.items():
        found = [figures.get(f"{claim}.black_box.residual.{name}") for claim in CLAIMS]
        cells = [percent(figures[f"accuracy.{name}"]), *(shown(one, "{:.2f}".format) for one in found)]
        lines.append(f"| {said} | {' | '.join(cells)} |")
    for test, said in (("black_box", "AUC, probabilities"), ("label", "AUC, labels")):
        areas = (figures.get(f"{claim}.{test}.auc") for claim in CLAIMS)
        lines.append(f"| {said} | | {' | '.join(shown(one, '{:.3f}'.format) for one in areas)} |")
    return "\n".join(lines) + "\n"
