"""The first screen of `docs/results.md`: what the default claim finds, whom it accuses, what a watermark costs."""

from mark_tables import SETS
from shown import Figures, percent
from verdict_tables import ROUTES

IMAGES = (
    "[skin lesions](#skin-lesions-in-small-the-default-claim-and-the-thefts-that-the-field-uses)",
    "[photographs](#cifar-10-in-small-the-default-claim-on-photographs) (CIFAR-10)",
    "[digits](#mnist-in-small-a-set-on-which-nothing-was-chosen) (MNIST)",
    "[ages](#age-a-regression) (FG-NET)",
    "[faces](#faces-the-similarity-of-two-images) (LFW)",
)
RATE = "0.005"  # of the fine-tuning that is shown


def copies(*zoos: Figures) -> str:
    """What the default claim finds on each set of images, in the order of `IMAGES`."""
    lines = [
        "| images | copies found, by weights | by answers | AUC, by answers | the same with further thefts |",
        "|---" * 5 + "|",
    ]
    for title, figures in zip(IMAGES, zoos, strict=True):
        found = [percent(figures[f"traces.{test}.tpr_at_5"]) for test in ("white_box", "black_box")]
        areas = [f"{figures[f'traces.black_box.{area}']:.3f}" for area in ("auc", "auc_further")]
        lines.append(f"| {title} | {' | '.join(found + areas)} |")
    return "\n".join(lines) + "\n"


def accusations(figures: Figures) -> str:
    """The two usual routes to a verdict: the rate of false accusations that they state, and the one that was found."""
    lines = ["| innocents accused by | stated | found |", "|---|---|---|"]
    for key in ("rank", "keyed"):
        stated, found = (percent(figures[f"{key}.{one}"]) for one in ("stated", "found"))
        lines.append(f"| {ROUTES[key]} | {stated} | {found} |")
    return "\n".join(lines) + "\n"


def mark(cost: Figures, left: Figures) -> str:
    """`Partitioned`: accuracy before and after, and the triggers that hold with the mark, fine-tuned, and without it."""
    lines = ["| images | accuracy before | after | triggers that hold | fine-tuned | unmarked |", "|---" * 6 + "|"]
    for key, title in SETS.items():
        start = f"{key}.partitioned"
        cells = [percent(cost[f"{start}.{one}"]) for one in ("accuracy_before", "accuracy_after", "survival")]
        cells += [percent(left[f"{start}.rate_{RATE}.survival"]), percent(cost[f"{start}.unmarked"])]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
