"""Checks each step towards a verdict; doubts are values with the measured figure. No torch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ownmark.claims.claim import Claim, Test
from ownmark.claims.doubt import Doubt
from ownmark.errors import ProtectError, UsageError
from ownmark.protocols import Suspect
from ownmark.scoring.matches.base import Area, Combining, Deviating, Graded
from ownmark.scoring.null_models import KeyedLabels
from ownmark.statistics.p_values import clopper_pearson, innocents_needed
from ownmark.tasks import Quality, Task
from ownmark.verdicts import ways
from ownmark.verdicts.competence import of_originals
from ownmark.verdicts.uninformative import one_answer, one_class
from ownmark.verdicts.verdict import named
from ownmark.verdicts.verify import findings

ALPHA = 0.05  # the false-accusation rate that hints refer to
LARGE = 0.2  # share of a map above which a marked corner is too large
FAR = 0.5  # share of the model's advantage over a constant prediction below which another model counts as far worse
DEAR = 0.05  # share of the advantage over a constant prediction above which a mark costs the model much
BOTH_TAILS = 0.9  # confidence of an interval whose ends are one-sided 95 % bounds


def beats(task: Task, quality: Quality, other: Quality) -> bool:
    """Whether the first is better by the task's headline metric."""
    gain = quality[task.headline] - other[task.headline]
    return gain > 0 if task.rises else gain < 0


def of_model(task: Task, quality: Quality, trivial: Quality) -> tuple[Doubt, ...]:
    """A doubt if the protected model is no better than a constant prediction, whose quality is `trivial`."""
    figure = quality[task.headline]
    if beats(task, quality, trivial):
        return ()
    said = (
        f"the model's {task.headline} is {figure:.3g}, and a constant prediction has {trivial[task.headline]:.3g}: "
        "are the weights, --size, --mean and --std right?"
    )
    return (Doubt("model-at-chance", figure, said),)


def of_mark(task: Task, before: Quality, after: Quality, trivial: Quality) -> tuple[Doubt, ...]:
    """A doubt if a mark costs the model more than the share `DEAR` of its advantage over a constant prediction."""
    gain, lost = _advantage(task, before, trivial), abs(before[task.headline] - after[task.headline])
    if beats(task, after, before) or lost <= DEAR * gain or gain <= 0:
        return ()
    cost = f"{task.headline} {before[task.headline]:.3g} before, {after[task.headline]:.3g} after"
    said = (
        f"the mark costs the model much ({cost}): if it was not trained on mirrored or shifted images, let the scheme leave "
        "these out with Training(flips=False, shift=0) as its training or view; or mark it more weakly, or for longer"
    )
    return (Doubt("dear-mark", lost, said),)


def of_references(task: Task, own: Quality, trivial: Quality, others: Mapping[str, Quality]) -> tuple[Doubt, ...]:
    """References, by name, that are far worse than the model: they say little about good independent models."""
    advice = "train it longer (--training) or name a better one (--reference)"
    return _worse(task, (own, trivial), others, "reference", advice)


def of_surrogates(task: Task, own: Quality, trivial: Quality, others: Mapping[str, Quality]) -> tuple[Doubt, ...]:
    """The owner's copies, by name, that were ruined in the making. Raises ProtectError if all of them are ruined."""
    if others and beats(task, own, trivial) and not any(beats(task, one, trivial) for one in others.values()):
        best = max(others.values(), key=lambda one: _advantage(task, one, trivial))
        raise ProtectError(
            f"none of the {len(others)} copies made of the model is better than a constant prediction ({task.headline} "
            f"{best[task.headline]:.3g}, the model itself {own[task.headline]:.3g}): a claim that holds on them says nothing "
            "about working copies. Are the images those that the model was trained on, and --size, --mean and --std right?"
        )
    advice = (
        "the claim would be fitted to a ruined copy. Either this theft ruins such a network, which leaves the other copies to go "
        "by, or the images are not those of the model's training"
    )
    return _worse(task, (own, trivial), others, "surrogate", advice)


def _worse(
    task: Task, known: tuple[Quality, Quality], others: Mapping[str, Quality], kind: str, advice: str
) -> tuple[Doubt, ...]:
    """Doubts about models with less than `FAR` of the model's advantage over a constant prediction; `known`: both qualities."""
    (own, trivial), found = known, []
    gain = _advantage(task, own, trivial)
    for name, quality in others.items():
        left, figure = _advantage(task, quality, trivial), quality[task.headline]
        if gain <= 0 or left >= FAR * gain:
            continue
        where = f"{task.headline} {figure:.3g}; the model itself {own[task.headline]:.3g}"
        says = "is no better than a constant prediction" if left <= 0 else "is far worse than the model"
        found.append(Doubt(f"{kind}-{'at-chance' if left <= 0 else 'far-below'}", figure, f"{name} {says} ({where}): {advice}"))
    return tuple(found)


def _advantage(task: Task, quality: Quality, trivial: Quality) -> float:
    """The model's advantage over a constant prediction in the task's headline metric; negative if it is worse."""
    gain = abs(quality[task.headline] - trivial[task.headline])
    return gain if beats(task, quality, trivial) else -gain


def of_claim(claim: Claim) -> tuple[Doubt, ...]:
    """Doubts from the claim alone: the corner's share of a map, what a key can show, and independent models beside the own."""
    found: list[Doubt] = []
    for test in claim.tests:
        if test.match.area is not None:
            found += _of_area(test.match.area)
        if test.null.scores:
            found += _of_innocents(test, _alone(claim, test))
        if test.null.keyed is not None:
            found += _of_key(test, test.null.keyed)
    return tuple(dict.fromkeys(found))


def of_protected(claim: Claim, model: Suspect) -> tuple[Doubt, ...]:
    """Doubts from the claim, and about residuals that count as nothing of the protected `model` itself, so of no suspect."""
    residuals = tuple(test for test in claim.tests if isinstance(test.match, Deviating))
    found = findings(replace(claim, tests=residuals), model) if residuals else ()
    nothing = [one for one in found if one_answer(one, ALPHA) or one_class(one)]
    return (
        *of_claim(claim),
        *(
            Doubt(
                "residual-of-one-answer",
                one.residual or 0.0,
                f"the {named(one.test)} counts as nothing even of the model itself, since one answer to all of the images would "
                f"have much of its residual: asked by {ways.way(one.test)} alone, hardly any suspect can match",
            )
            for one in nothing
        ),
    )


def _of_area(area: Area) -> list[Doubt]:
    (rows, columns), cells = area.grid, len(set(area.cells))
    if area.share < LARGE:
        return []
    said = (
        f"the map is {rows}x{columns}, so the marked corner ({cells} of {rows * columns} cells) covers {area.share:.0%} of the "
        "image, which independent models attend to as well. Use larger images, or an earlier layer: Saliency(layer=...)"
    )
    return [Doubt("large-corner", area.share, said)]


def of_key(null: KeyedLabels, alpha: float = ALPHA) -> tuple[Doubt, ...]:
    """A doubt about keyed labels that are too few for any verdict, or for one at the `alpha` that their key depends on."""
    if null.smallest > ALPHA:
        return (Doubt("few-triggers", null.count, f"no score could give a verdict at alpha = {ALPHA}. {null.advice(ALPHA)}"),)
    if null.smallest <= alpha:
        return ()
    said = f"a judge decides at alpha = {alpha:g} (--alpha), but the smallest possible p is {null.smallest:.3g}"
    said = f"{said}. {null.advice(alpha)}"
    return (Doubt("few-triggers-for-alpha", null.count, said),)


def _of_key(test: Test, null: KeyedLabels) -> list[Doubt]:
    """Doubts about keyed labels: too few for any verdict, or a mark that the marked model itself hardly bears."""
    if few := of_key(null):
        return [*few]
    own = null.p_value(test.target_score)
    if own <= ALPHA:
        return []
    said = (
        f"the {named(test)} finds no mark in the marked model itself: it scores {test.target_score:.0%}, which gives "
        f"p = {own:.2g}: train longer, or use more triggers"
    )
    return [Doubt("mark-too-weak", test.target_score, said)]


def _of_innocents(test: Test, alone: str) -> list[Doubt]:
    """Doubts about independent models: too few, all equal, or so close to the protected model that it would not match."""
    null, own, name = test.null, test.target_score, named(test)
    found, count, most = [], len(null.scores), max(null.scores)
    if null.smallest > ALPHA:
        least = innocents_needed(ALPHA)
        found.append(Doubt("few-innocents", count, f"A verdict at alpha = {ALPHA} needs at least {least} innocent models."))
    elif null.p_value(own) > ALPHA:
        said = (
            f"the {name} cannot tell the model from innocent ones: it scores {own:.0%}, they score up to {most:.0%}, "
            f"so the model itself would get p = {null.p_value(own):.2g}{alone}"
        )
        found.append(Doubt("innocents-like-model", most, said))
    if count > 1 and most == min(null.scores) > 0:
        said = f"all {count} innocent models score {most:.0%} in the {name}: are they different models of the same task?"
        found.append(Doubt("innocents-alike", most, said))
    return found


def _alone(claim: Claim, test: Test) -> str:
    """Which scheme makes a claim of those parts of the best of several that tell the model from innocents, as a clause, or ""."""
    parts = [claim.tests[place] for place in test.match.tests] if isinstance(test.match, Combining) else []
    good = [part for part in parts if part.null.calibrated and part.null.p_value(part.target_score) <= ALPHA]
    if not good:
        return ""
    names = " and ".join(f"the {named(part)}" for part in good)
    scheme = "Residual()" if isinstance(good[0].match, Graded) else "Saliency()"
    return f'; {names} can, of which --scheme "{scheme}" makes a claim'


def of_innocents(claim: Claim, right: Mapping[str, float]) -> tuple[Doubt, ...]:
    """Innocents, by name, that cannot solve the task: `right` is their `right_on_originals`, which is 1 for the model.

    Raises UsageError if all of them are no better than chance: every model that can solve the task would be accused. Chance is
    what the best constant answer has, since a claim may hold more samples of one class than of another.
    """
    test = of_originals(claim)
    count, chance = len(claim.images if test is None else test.expected), 1 / max(len(claim.classes), 1)
    if test is not None and test.expected.ndim == 1:
        chance = max(chance, float(np.unique(test.expected, return_counts=True)[1].max()) / count)
    bounds = {name: clopper_pearson(round(share * count), count, BOTH_TAILS) for name, share in right.items()}
    weak = [name for name, (_, most) in bounds.items() if most < chance + FAR * (1 - chance)]
    if right and len(weak) == len(right) and all(bounds[name][0] <= chance for name in weak):
        raise UsageError(
            f"no innocent model knows the task: they agree with the protected model on at most "
            f"{max(right.values()):.0%} of the claim's original images, and chance is {chance:.0%}. A suspect that knows "
            "the task would be compared with models that do not: calibrate with models trained like it; check --mean and --std"
        )
    return tuple(
        Doubt(
            "innocent-far-below",
            right[name],
            f"{name} agrees with the protected model on only {right[name]:.0%} of the claim's original images "
            f"(chance is {chance:.0%}): such a model makes p too small",
        )
        for name in weak
    )


def of_unable(unable: Mapping[str, str], count: int) -> tuple[Doubt, ...]:
    """Innocents that do not do the task, by name with the reason, of `count` that answer numbers, embeddings or boxes."""
    whys = {name: why.removeprefix("the suspect ") for name, why in unable.items()}
    if whys and len(whys) == count:
        said = (
            f"no innocent model seems to do the task; the first of {count} {next(iter(whys.values()))}. A suspect that does "
            "would be compared with models that do not, and p be too small: calibrate with models trained like it; check their "
            "weights, --mean, --std and the unit of their answers"
        )
        return (Doubt("innocents-unable", count, said),)
    return tuple(
        Doubt("innocent-unable", 0.0, f"the innocent model {name} {why}; such a model makes p too small")
        for name, why in whys.items()
    )


def sentence(doubt: Doubt) -> Doubt:
    """The same as a sentence: with a capital letter, but in front of a file's name, and a full stop."""
    first, text = doubt.message.partition(" ")[0], doubt.message
    text = text[:1].upper() + text[1:] if first.strip(",:;").isalpha() else text
    return replace(doubt, message=text if text.endswith((".", "?", "!", ")")) else f"{text}.")


def sentences(doubts: Sequence[Doubt]) -> tuple[Doubt, ...]:
    """All doubts as sentences, without duplicates."""
    return tuple(dict.fromkeys(map(sentence, doubts)))


def warned(warn: Callable[[str], None], doubts: Sequence[Doubt], known: Sequence[Doubt] = ()) -> tuple[Doubt, ...]:
    """`sentences` of the doubts that are not `known` yet, after `warn` was called with each of them."""
    found = tuple(one for one in sentences(doubts) if one not in known)
    for doubt in found:
        warn(f"Warning: {doubt.message}")
    return found
