"""Control twins: images as similar to their samples as the masked twins, to which a true copy answers alike. No torch.

A test that compares two views mistakes a suspect that answers masked twins at random for a copy. A control twin also shows the
original's pixels, but at a place other than the marked one: a copy hardly reacts, whereas a detector of near-duplicates or of
modified images cannot tell a control twin from a masked one.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ownmark import keys
from ownmark.claims.claim import Claim, Test
from ownmark.scoring.matches import Graded
from ownmark.scoring.null_models import Uncalibrated
from ownmark.scoring.readings import Bools, Expected, Floats, Labels, Reading
from ownmark.statistics import p_values

MOST = 20  # the largest number of control twins
LEVEL = 0.01  # significance level of the test that more probes than control twins match
NONE = "no control twins could be asked about, so that a suspect which answers changed images at random is not excluded"

COARSE = (
    "its answers may be too coarse for this claim, as those of a copy in few bits are (ask the model that it was made from), "
    "or it treats near-duplicates in a special way"
)


@dataclass(frozen=True, eq=False)
class Controls:
    """`rows` (m,): samples of a claim; `twins` (m, height, width, channels) uint8: a control twin per row."""

    rows: Labels
    twins: npt.NDArray[np.uint8]

    def asking(self, claim: Claim, test: Test) -> Claim:
        """The claim to ask: these samples again, each with its control twin in place of its masked twin."""
        images = claim.images[self.rows]
        images[:, 1] = self.twins
        plain = replace(test, expected=test.expected[self.rows], null=Uncalibrated(), rows=None)
        return replace(claim, images=images, tests=(plain,), originals=None, maps=None)

    def matches(self, test: Test, samples: Floats, twins: Floats) -> Bools:
        """(m,) from the answers to all samples (n, ...) and those to the control twins (m, ...)."""
        expected: Expected = test.expected[self.rows]
        return test.match(np.stack([samples[self.rows], twins], axis=1), expected)


@dataclass(frozen=True)
class Compared:
    """How many probes and control twins matched, of how many; `p`: Fisher's exact test, one-sided."""

    probes: tuple[int, int]
    controls: tuple[int, int]
    p: float

    @property
    def apart(self) -> bool:
        """Whether the probes match more often."""
        return self.p <= LEVEL

    @property
    def told(self) -> str:
        """As it stands in signed verdicts, whose words stay as they are."""
        return self._told("the suspect may answer at random when it sees near-duplicates")

    @property
    def reason(self) -> str:
        """As it is told otherwise: a copy in few bits does this too, without meaning to."""
        return self._told(COARSE)

    def _told(self, cause: str) -> str:
        counts = f"{self.probes[0]} of {self.probes[1]} samples and {self.controls[0]} of {self.controls[1]} control twins match"
        if self.apart:
            return f"{counts}, p = {self.p:.3g}"
        changed = f"answers to slightly changed images change as much without a fingerprint ({counts}, p = {self.p:.3g})"
        return f"{changed}: {cause}"


def needed(test: Test) -> bool:
    """Whether random answers to one of its views could pass for a copy's; a suspect that yields maps cannot answer at random."""
    return test.match.views > 1 and test.reading is not Reading.SALIENCY and not isinstance(test.match, Graded)


def paired(claim: Claim) -> Claim:
    """The part of the claim that control twins are made of: the claim, or the samples of its first test that needs them."""
    found = next((test for test in claim.tests if needed(test) and test.rows is not None), None)
    return claim if found is None else claim.about(found)


def controls_of(claim: Claim) -> Controls | None:
    """Up to 20, seeded by the claim's digest, so that a second run asks the same; None if the claim's samples allow none.

    Needs the originals, and a marked region that leaves room for another of its shape.
    """
    claim = paired(claim)
    if claim.originals is None or not any(map(needed, claim.tests)):
        return None
    key = keys.derived(bytes.fromhex(claim.digest), "controls", 0)
    samples, region = claim.images[:, 0], (claim.images[:, 0] != claim.images[:, 1]).any(axis=(0, 3))
    free, rows = _free(region), keys.chosen(key, min(MOST, len(samples)), len(samples))
    if not len(free):
        return None
    moves = free[keys.labels(key, len(rows), len(free))]
    places = np.stack([np.roll(region, move, axis=(0, 1)) for move in moves])
    twins = np.where(places[..., None], claim.originals[rows], samples[rows])
    changed = (twins != samples[rows]).any(axis=(1, 2, 3))
    return Controls(rows[changed], twins[changed]) if changed.any() else None


def compared(probes: Bools, controls: Bools) -> Compared:
    """Whether (n,) probes match more often than (m,) control twins."""
    first, second = ((int(one.sum()), len(one)) for one in (probes, controls))
    return Compared(first, second, p_values.fisher(first, second))


def _free(region: Bools) -> Labels:
    """(k, 2): offsets (down, across) by which the region (height, width) can be rolled without overlapping itself."""
    overlaps = np.fft.irfft2(np.abs(np.fft.rfft2(region)) ** 2, region.shape)
    return np.argwhere(overlaps < 0.5)  # noqa: PLR2004 - integers up to rounding
