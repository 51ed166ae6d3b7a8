"""How well a claim's queries are hidden: what a person and what a thief's detectors would notice. No torch."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ownmark import metrics
from ownmark.claims.claim import Claim
from ownmark.protocols import Alarm, Question, Suspect
from ownmark.querying.answering import answers_of
from ownmark.scoring.readings import Labels, Reading


@dataclass(frozen=True)
class Detection:
    """`threshold`: above which the alarm rings; `views`: per view, the share of samples that trigger the alarm, in [0, 1].

    `originals`: the same share for the images that the samples were made from, None if there are none: a sample that triggers the
    alarm as often as its original is not given away by the claim. `false_alarms`: the share of the alarm's own normal images that
    trigger it. `queries`: (n, views) their scores.
    """

    threshold: float
    views: tuple[float, ...]
    originals: float | None
    false_alarms: float
    queries: tuple[tuple[float, ...], ...]

    @property
    def rate(self) -> float:
        """The share of all queries that trigger the alarm."""
        return float(np.mean(self.views))


@dataclass(frozen=True)
class Stealth:
    """How well a claim's samples are hidden: what a person or a detector notices of them.

    `accuracy`: the share of samples (first views) that the model classifies correctly; then their similarity to the originals.
    None where there is nothing to compare with, e.g. for samples made from noise or for other tasks. If `unchanged`, the samples
    are the originals themselves and similarity is meaningless.
    """

    accuracy: float | None
    psnr: float | None
    ssim: float | None
    l_inf: float | None
    detections: Mapping[str, Detection]
    unchanged: bool


def stealth_of(claim: Claim, suspect: Suspect, alarms: Mapping[str, tuple[Alarm, float]], truth: Labels | None = None) -> Stealth:
    """The stealth of `claim` against `suspect`, usually the owner's own model; `alarms`: by name, each with its threshold.

    `truth` (n,): the classes that a person sees in the samples; if None, the suspect's answers to the originals count. All views
    go to an alarm as one stream, in the order in which `verify` asks.
    """
    samples, originals = claim.images[:, 0], claim.changed_from
    unchanged = originals is None and claim.originals is not None
    shown = _accuracy(claim, suspect, originals, truth) if claim.task.discrete else None
    found = {name: detected(claim, alarm, threshold) for name, (alarm, threshold) in alarms.items()}
    if originals is None:
        return Stealth(shown, None, None, None, found, unchanged)
    first, second, third = (measure(originals, samples) for measure in (metrics.psnr, metrics.ssim, metrics.l_inf))
    return Stealth(shown, first, second, third, found, unchanged)


def detected(claim: Claim, alarm: Alarm, threshold: float) -> Detection:
    """How often `alarm` rings for the claim's queries."""
    rows = claim.images.shape[0] * claim.images.shape[1]
    scores = alarm.score(claim.images.reshape(rows, *claim.images.shape[2:])).reshape(claim.images.shape[:2])
    views = tuple(float(share) for share in (scores > threshold).mean(axis=0))
    own = None if claim.originals is None else float((alarm.score(claim.originals) > threshold).mean())
    return Detection(
        threshold,
        views,
        own,
        float((alarm.normal > threshold).mean()),
        tuple(tuple(float(score) for score in row) for row in scores),
    )


def _accuracy(claim: Claim, suspect: Suspect, originals: metrics.Pixels | None, truth: Labels | None) -> float | None:
    if truth is None and originals is not None:
        truth = _labels(claim, suspect, originals)
    return None if truth is None else metrics.accuracy(_labels(claim, suspect, claim.images[:, 0]), truth)


def _labels(claim: Claim, suspect: Suspect, images: metrics.Pixels) -> Labels:
    question = Question(frozenset({Reading.LABEL}), claim.target_of(claim.tests[0]))
    return np.asarray(answers_of(suspect, images, question)[Reading.LABEL], dtype=np.int64)
