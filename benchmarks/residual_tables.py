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
ATTEMPTS = {
    "genuine.finetuned": "genuine, against a fine-tuned copy",
    "genuine.student": "genuine, against a student",
    "genuine.student_of_other_images": "genuine, against a student of other images",
    "genuine.innocent": "genuine, against an independent model",
    "weights": "forged: weights for a model that is known",
    "grinding": "forged: images on which a known model is like the forger's",
    "references": "forged: invented references",
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
    "student_half_width": "student of half the width",
    "student_mobilenet": "student, a MobileNet",
    "student_vit": "student, a transformer",
    "knockoff_soft": "knock-off, CIFAR-10",
    "wrk": "WRK",
    "innocent_0": "independent, same images",
    "innocent_half_width": "independent, half the width",
    "innocent_mobilenet": "independent, a MobileNet",
    "innocent_vit": "independent, a transformer",
    "elsewhere_0": "independent, held-out images",
}
CLAIMS = {
    "mine.50.black_box": "50 queries",
    "mine.150.black_box": "150 queries",
    "mine.300.black_box": "300 queries",
    "mine.600.black_box": "600 queries",
    "held_out.150.black_box": "150, held-out images",
    "references_half_epochs.black_box": "150, references of half the epochs",
    "mine.300.best": "300, best class and its probability only",
    "mine.300.label": "300, labels only",
    "optimised.black_box": "150, changed so that residuals grow",
}
ROUTES = {
    "white_box_onpattern": "maps",
    "black_box_drop": "masked pairs",
    "black_box_crossedresidual": "residuals",
    "white_box": "`Traces`, weights",
    "black_box": "`Traces`, answers",
}
ASKED = {  # the suspects of the README's table
    "finetune_all": "copy, fine-tuned",
    "retrain_all": "copy, retrained",
    "prune_filters_7": "copy, 7 of 16 filters pruned",
    "student_100": "student, by the model's probabilities",
    "hard_100": "student, by its labels only",
    "student_vit": "student, a transformer",
    "student_0": "student, on images that the owner does not have",
    "student_10": "student, on 10 % of the owner's images",
    "knockoff_soft": "student, on photographs of other things",
}
OTHERS = {  # and the independent models, by how their names begin
    "highest of {} independent, same images": ("innocent_0", "innocent_1", "reference", "innocent_half", "innocent_mobile"),
    "independent, same images, a transformer": ("innocent_vit",),
    "highest of {} independent, other images": ("elsewhere",),
}
STREAMS = {"ordinary": "ordinary images", "saliency": "masked pairs"}
CHOICES = {"any": "chosen among all", "fewer": "among fewer at random", "chosen": "as `Residual` does it"}
ALARMS = {"feature_squeezing": "feature squeezing", "deep_svdd": "Deep SVDD", "neighbours": "near-duplicates (stateful)"}


FIGURES = {
    "auc": "AUC",
    "auc_as_good": "AUC, copies as good as the model",
    "aruc_mapped": "ARUC of scores",
    "aruc_mapped_as_good": "ARUC of scores, copies as good as the model",
    "aruc_mapped_before": "ARUC of scores by the map before",
}


def zero(figures: Figures) -> str:
    """Per kind of innocent model the rate of each way, stated as 5 %."""
    lines = [f"| innocent models | {' | '.join(WAYS.values())} |", "|---" * (1 + len(WAYS)) + "|"]
    for kind, said in KINDS.items():
        lines.append(f"| {said} | {' | '.join(percent(figures[f'{kind}.{way}']) for way in WAYS)} |")
    return "\n".join(lines) + "\n"


def forgeries(figures: Figures) -> str:
    """How many claims are upheld, by their own images and weights and by the judge's own residual as well."""
    lines = ["| claims on residuals | tried | match by their own images | upheld |", "|---|---|---|---|"]
    for name, said in ATTEMPTS.items():
        counts = (f"{figures[f'{name}.{key}']:.0f}" for key in ("tried", "upheld_by_its_own_images", "upheld"))
        lines.append(f"| {said} | {' | '.join(counts)} |")
    return "\n".join(lines) + "\n"


def students(figures: Figures) -> str:
    """Residuals by suspect and claim, and the areas under the ROC curves."""
    claims = {claim: said for claim, said in CLAIMS.items() if f"{claim}.auc" in figures}
    lines = [f"| | accuracy | {' | '.join(claims.values())} | judge's images |", "|---" * (3 + len(claims)) + "|"]
    for name, said in _asked(figures).items():
        found = [figures.get(f"{claim}.residual.{name}") for claim in claims]
        found.append(figures.get(f"judge.black_box.residual.{name}"))
        cells = [percent(figures[f"accuracy.{name}"]), *(shown(one, "{:.2f}".format) for one in found)]
        lines.append(f"| {said} | {' | '.join(cells)} |")
    for figure, said in {
        "auc": "AUC",
        "auc_as_good": "AUC, copies as good as the model",
        "best_r_and_u": "best min(R, U)",
        "aruc_mapped": "ARUC, mapped",
    }.items():
        areas = [figures.get(f"{claim}.{figure}") for claim in claims]
        if any(one is not None for one in areas):
            lines.append(f"| {said} | | {' | '.join(shown(one, '{:.3f}'.format) for one in areas)} | |")
    return "\n".join(lines) + "\n"


def inconspicuous(figures: Figures) -> str:
    """Alarms and areas of claims on residuals, by the images that they were chosen from."""
    lines = [f"| | ordinary images | {' | '.join(CHOICES.values())} |", "|---" * (2 + len(CHOICES)) + "|"]
    for alarm, said in list(ALARMS.items())[:2]:
        cells = [
            f"{percent(figures[f'{one}.rings.{alarm}'])} ± {percent(figures[f'{one}.rings.{alarm}_reach'])}" for one in CHOICES
        ]
        lines.append(f"| {said} rings for | {percent(figures[f'ordinary.rings.{alarm}'])} | {' | '.join(cells)} |")
    for test, way in {"black_box": "probabilities", "best": "best class", "label": "labels"}.items():
        for figure, said in FIGURES.items():
            cells = [shown(figures.get(f"{one}.{test}.{figure}"), "{:.3f}".format) for one in CHOICES]
            lines.append(f"| {said}, {way} | | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def traces(figures: Figures) -> str:
    """Scores by suspect and test, of the tests alone and of the best of them."""
    lines = [f"| score | {' | '.join(ROUTES.values())} |", "|---" * (1 + len(ROUTES)) + "|"]
    for name, said in _asked(figures).items():
        lines.append(f"| {said} | {' | '.join(percent(figures[f'traces.{test}.score.{name}']) for test in ROUTES)} |")
    for figure, said in {
        "auc": "AUC",
        "auc_as_good": "AUC, copies as good as the model",
        "aruc_mapped": "ARUC",
        "aruc_mapped_as_good": "ARUC, copies as good as the model",
        "lowest_positive": "lowest copy",
        "highest_negative": "highest independent model",
    }.items():
        lines.append(f"| {said} | {' | '.join('{:.3f}'.format(figures[f'traces.{test}.{figure}']) for test in ROUTES)} |")
    return "\n".join(lines) + "\n"


def traces_in_short(figures: Figures) -> str:
    """Scores of the default claim, by suspect."""
    starts = [f"traces.{test}.score." for test in ("white_box", "black_box")]
    lines = ["| suspect | accuracy | score with its weights | score by its answers |", "|---|---|---|---|"]
    for name, said in ASKED.items():
        cells = percent(figures[f"accuracy.{name}"]), *(percent(figures[start + name]) for start in starts)
        lines.append(f"| {said} | {' | '.join(cells)} |")
    for said, names in OTHERS.items():
        named = [tuple(start + name for name in names) for start in starts]
        found = [[figures[key] for key in figures if key.startswith(some) and not key.endswith("_std")] for some in named]
        lines.append(f"| {said.format(len(found[0]))} | | {' | '.join(percent(max(some)) for some in found)} |")
    return "\n".join(lines) + "\n"


def alarms(figures: Figures) -> str:
    """The share of images for which a detector rings, per kind of images."""
    lines = [f"| rings for | {' | '.join(ALARMS.values())} |", "|---" * (1 + len(ALARMS)) + "|"]
    for stream, said in STREAMS.items():
        lines.append(f"| {said} | {' | '.join(percent(figures[f'detect.{one}.{stream}']) for one in ALARMS)} |")
    return "\n".join(lines) + "\n"


def _asked(figures: Figures) -> dict[str, str]:
    """The suspects of whom there are figures."""
    return {name: said for name, said in SUSPECTS.items() if f"accuracy.{name}" in figures}
