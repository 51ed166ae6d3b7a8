"""How detectable a claim is: to people who see its images, and to a thief's detectors."""

from dataclasses import dataclass

import numpy as np
import torch

from ownmark.bench.artifacts import THIEF_SEED, Cache, Claimed, Making
from ownmark.bench.store import Made, Specification
from ownmark.claims.claim import Claim
from ownmark.data.images import Images
from ownmark.protocols import Alarm, Detector, silent
from ownmark.querying.stealth import stealth_of
from ownmark.report.gallery import picture
from ownmark.schemes._common.own_answers import both_ways
from ownmark.scoring.readings import Labels
from ownmark.suspects.local import Local

NORMAL = 500  # maximum number of the thief's images for training a detector
SHOWN = 6  # samples stored as pictures
VERSION = 2  # of the stored record


@dataclass(frozen=True)
class Noticed:
    """Results of the thief's `detectors`, by name, and of plain measures on a claim's samples, for the published model."""

    claimed: Claimed
    detectors: tuple[tuple[str, Detector], ...]
    share: float

    @property
    def needs(self) -> tuple[Making, ...]:
        return (self.claimed,)

    def specification(self, zoo: Cache) -> Specification:
        return {
            "kind": "stealth",
            "version": VERSION,
            "claim": zoo.facts(self.claimed)["claim"],
            "model": zoo.weights(self.claimed),
            "detectors": {name: repr(detector) for name, detector in self.detectors},
            "images": zoo.facts(self.claimed.setting.pictures)["digest"],
            "share": self.share,
            "torch": str(torch.__version__),
        }

    def make(self, zoo: Cache) -> Made:
        """`dr.NAME`: the share of the queries for which a detector rings, at 5 % false alarms.

        `sample_accuracy`: the share of samples that get the label of their original image, if known.
        `unchanged`: 1 if the samples are their originals, otherwise absent, like anything that cannot be measured. `alarms`: by
        name, the `threshold` and the scores of the `queries` (n, views) and the `normal` images; `shown`: the first samples.
        """
        model = zoo.model(self.claimed)
        thief = zoo.thief(self.claimed.setting, self.share)
        normal = thief.take(range(min(NORMAL, len(thief))))
        alarms: dict[str, tuple[Alarm, float]] = {}
        for name, detector in self.detectors:
            alarm = detector.fit(model, normal, torch.Generator().manual_seed(THIEF_SEED), silent)
            alarms[name] = alarm, alarm.threshold()
        claim = zoo.claim(self.claimed)
        found = stealth_of(claim, Local(model), alarms, seen(claim, zoo.images(self.claimed.setting.pictures)))
        plain = {"sample_accuracy": found.accuracy, "psnr_db": found.psnr, "ssim": found.ssim, "l_inf": found.l_inf}
        rates = {f"dr.{name}": detection.rate for name, detection in found.detections.items()}
        same = {"unchanged": 1.0} if found.unchanged else {}
        rung = {
            name: {"threshold": threshold, "queries": found.detections[name].queries, "normal": alarm.normal.tolist()}
            for name, (alarm, threshold) in alarms.items()
        }
        measured = {name: value for name, value in (plain | rates | same).items() if value is not None}
        return Made(measured | {"alarms": rung, "shown": [picture(one) for one in claim.images[:SHOWN, 0]]})


def seen(claim: Claim, images: Images) -> Labels | None:
    """(n,) the label that a person sees in each sample of a classifier: its original's, found in `images` or mirrored.

    None if an original is neither, or there are none.
    """
    if claim.originals is None or not images.task.discrete:
        return None
    wanted, both = {original.tobytes() for original in claim.originals}, both_ways(images)
    labels: dict[bytes, int] = {}
    for row in np.roll(
        np.arange(len(both)), len(images)
    ):  # mirror images first, so that an image's own label overrides its mirror's
        key = both.pixels[row].tobytes()
        if key in wanted:
            labels[key] = int(both.labels[row])
    found = [labels.get(original.tobytes()) for original in claim.originals]
    return None if None in found else np.array(found, dtype=np.int64)
