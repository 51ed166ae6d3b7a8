"""Saliency-map fingerprint: images whose saliency map covers a chosen background corner (Zhang, Pan, Zhang 2024).

The perturbation is barely visible and the label is kept. Differs from the paper by default, since that measured better
(docs/what-was-tried.md): the objective is what the tests measure, on the model and its surrogates, and the opposite on the
owner's reference models (`Contrast`); the masked view restores the original pixels; in the black-box test only a decrease
counts. `Saliency.as_published()` follows the paper. `Saliency.own()` also detects students of the model: its samples are
images that only the model gets wrong (`Own`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from math import ceil
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ownmark.claims.claim import Claim, Test
from ownmark.data.images import Images
from ownmark.errors import DataError, ProtectError, UsageError
from ownmark.models.memory import bytes_per_image, free_bytes
from ownmark.models.prepared import preprocess_of
from ownmark.models.weights import weights_digest
from ownmark.perturb.pgd import Descent
from ownmark.protocols import Needs, Owner, Progress, Protected, silent
from ownmark.schemes._common.own_answers import own_answers
from ownmark.schemes._common.resume import Made, Resume
from ownmark.schemes._common.sampling import TRIES, Gathering, Rows
from ownmark.schemes.saliency.objectives import Contrast, Objective, Own, Published
from ownmark.schemes.saliency.pattern import Fill, Pattern
from ownmark.schemes.saliency.workbench import CONTRAST, Workbench, frozen_cam
from ownmark.scoring.matches import Change, Drop, OnPattern, OnPatternAgainst, Turn
from ownmark.scoring.readings import Reading
from ownmark.tasks import TASKS, Task, check_served
from ownmark.training import predict

POOL = 10  # images considered per candidate, so that rare classes are included
ASKED = 2  # images that the model is asked about per candidate that is missing
PAPERS_BOUND = 0.1  # xi of the paper, the largest bound that is tried where the default is too small
WIDEST = 0.2  # largest share of the map that a widened corner covers
HOPELESS = 0.125  # share of the first batch below which a search with the default corner and bound ends
SEARCH = 2  # which candidates and steps made a stored batch: another search's samples may be of the same images
SPARE = 0.6  # share of samples beyond those that are kept, where other models tell which are best
TRIAL = 16  # candidates made with each wider corner
ENOUGH = 0.5  # share of them that must hold
PIXELS_AT_ONCE = {"cpu": 2**19, "cuda": 2**23}  # of one view of one batch: larger batches exceed the cache
BOXED = 2  # times as many candidates of a detector: all its boxes must stay
SHARE_OF_MEMORY = 0.5  # of what is free, for the activations of one model

Make = Callable[[torch.Generator, Progress], Made]


@dataclass(frozen=True)
class Saliency:
    """Fingerprint of a classifier, a regressor, an embedder or a detector by its saliency maps.

    `samples`: N. `descent`: the bound xi, its norm and the steps. `cells`: where the pattern P is 1. `layer`: of the map, ""
    for the last feature map. `fill`: covers the region in the masked view. `map_threshold`: t_wb, or None for the paper's
    rule: the mean over the model's maps of original and fingerprint images (of the first batch). `masked`: the black-box
    test with t_bb, as a probability or as a share of the task's unit.
    """

    marks: ClassVar[bool] = False
    serves: ClassVar[tuple[type[Task], ...]] = TASKS
    samples: int = 100
    descent: Descent = Descent(bound=0.06, steps=30, step=0.2)
    cells: tuple[tuple[int, int], ...] = ((0, 0),)
    layer: str = ""
    objective: Objective = Contrast()
    fill: Fill = Fill.CLEAN
    map_threshold: float | None = None
    masked: Drop | Change | Turn = Drop(0.1)

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise UsageError(f"expected at least one sample, got {self.samples}")
        own = isinstance(self.objective, Own)
        if own != self.masked.paired or (own and self.fill is not Fill.CLEAN):
            raise UsageError("objective=Own(), masked=Turn(...) and fill=Fill.CLEAN belong together: see Saliency.own()")

    @property
    def needs(self) -> Needs:
        return Needs(contrast=True, chooses=self.objective.chooses, batched=True)

    @classmethod
    def as_published(cls, samples: int = 100) -> "Saliency":
        """The paper's settings: xi = 0.1, lambda = 1, t_bb = 0.05. The paper does not give: L-infinity, 100 steps, black."""
        return cls(
            samples=samples,
            descent=Descent(bound=0.1, momentum=0.0),
            objective=Published(),
            fill=Fill.BLACK,
            masked=Change(0.05),
        )

    @classmethod
    def own(cls, samples: int = 100) -> "Saliency":
        """Detects students of classifiers and regressors too, by a larger corner on images that only the model gets wrong."""
        return cls(
            samples=samples,
            descent=Descent(bound=0.1, steps=150),
            cells=tuple((row, column) for row in range(3) for column in range(3)),
            objective=Own(),
            map_threshold=0.1,
            masked=Turn(0.05),
        )

    def protect(self, model: nn.Module, owner: Owner, rng: torch.Generator, progress: Progress = silent) -> Protected:
        """A claim with a white-box and a black-box test; `model`, which takes images in [0, 1], is returned unchanged.

        Raises DataError if the owner's images show only one class, ModelError if the model has no feature map, and
        ProtectError if fewer samples than requested hold on the model itself.
        """
        return Protected(model, fitted(self, model, owner, rng, progress)[1])


@dataclass(frozen=True)
class Draft:
    """State of one claim under construction."""

    scheme: Saliency
    bench: Workbench

    @classmethod
    def of(cls, scheme: Saliency, model: nn.Module, owner: Owner) -> "Draft":
        """The models frozen, and the pattern on the grid of the model's map."""
        images, task = owner.images, owner.images.task
        device = next(model.parameters()).device
        example = images.batch(torch.arange(1), device)
        own, *surrogates = (frozen_cam(one, example, scheme.layer, task) for one in (model, *owner.surrogates))
        references = [frozen_cam(one, example, "", task) for one in owner.references]
        label = torch.from_numpy(images.labels[:1]).to(device)
        grid = own(example, own.anchor(example, example, label))[1].shape[1:]
        pattern, means = Pattern(scheme.cells, (grid[0], grid[1])), (scheme.descent, scheme.objective, scheme.fill)
        return cls(scheme, Workbench(own, tuple(surrogates), tuple(references), pattern, *means))

    def with_scheme(self, scheme: Saliency) -> "Draft":
        """The same models, and the corner and the bound of another scheme."""
        pattern = Pattern(scheme.cells, self.bench.pattern.grid)
        return Draft(scheme, replace(self.bench, pattern=pattern, descent=scheme.descent))

    def aimed(self, model: nn.Module, owner: Owner) -> Owner:
        """The owner, whose images are labelled by what samples with this pattern are about: with boxes, those of the model."""
        images, pattern = owner.images, self.bench.pattern
        if not images.task.located:
            return owner
        outputs = predict(model, images).numpy()
        return replace(owner, images=replace(images, labels=images.task.aimed(outputs, images.labels, pattern.area)))

    def tests(self, made: Made, threshold: float) -> tuple[Test, Test]:
        """The white-box and the black-box test, each with the model's own score."""
        kind = OnPatternAgainst if isinstance(self.scheme.objective, Own) else OnPattern
        on_pattern = kind(threshold, self.bench.pattern.cells, self.bench.pattern.grid)
        target, masked = made["target"], self.bench.own.task.watched(self.scheme.masked)
        white = float(np.mean(on_pattern(made["maps"][:, None], target)))
        black = float(np.mean(masked(made["chances"], target)))
        return (
            Test(Reading.SALIENCY, on_pattern, target, white, self.bench.own.layer),
            Test(masked.reading, masked, target, black),
        )

    def threshold(self, made: Made) -> float:
        """t_wb: the given threshold, or the paper's rule on the first batch."""
        if self.scheme.map_threshold is not None:
            return self.scheme.map_threshold
        maps = torch.from_numpy(np.concatenate([made["maps"], made["maps_before"]]))
        return round(float(self.bench.pattern.share(maps).mean()), 4)

    def passes(self, made: Made, threshold: float) -> npt.NDArray[np.bool_]:
        """(n,): samples that keep their label and match in both tests on the model itself."""
        if not self.scheme.objective.tested:
            return np.ones(len(made["target"]), dtype=bool)
        white, black = self.tests(made, threshold)
        held = white.match(made["maps"][:, None], white.expected) & black.match(made["chances"], black.expected)
        return np.asarray(held & made["kept"])


def fitted(
    scheme: Saliency, model: nn.Module, owner: Owner, rng: torch.Generator, progress: Progress = silent
) -> tuple[Saliency, Claim]:
    """The claim, and the scheme that it was made with: wider than `scheme` where too few samples hold with its defaults.

    Only the default corner and bound are widened; the choice depends on the owner's models and images alone.
    """
    _check(scheme, owner.images)
    draft, seed = Draft.of(scheme, model, owner), int(torch.randint(2**62, (), generator=rng))
    wider = [draft.with_scheme(one) for one in widenings(scheme, draft.bench.pattern.grid)]
    try:
        made, threshold = _collect(draft, model, owner, seed, HOPELESS if wider else 0.0, progress)
    except ProtectError:
        if not wider:
            raise
        draft = _widened(wider, model, owner, seed, progress)
        made, threshold = _collect(draft, model, owner, seed, 0.0, progress)
    return draft.scheme, _claim(draft, model, owner, made, threshold)


def _check(scheme: Saliency, images: Images) -> None:
    if isinstance(scheme.objective, Own):
        check_served(scheme.objective, tuple(kind for kind in TASKS if kind.own_answers), images.task)
    if len(np.unique(images.labels)) < images.task.least_kinds:
        raise DataError("the owner's images show only one class; a fingerprint of a classifier needs at least two")


def widenings(scheme: Saliency, grid: tuple[int, int]) -> list[Saliency]:
    """What is tried where too few samples hold, least visible first: larger square corners, each also with the paper's bound.

    None for a scheme whose corner, bound or objective somebody chose.
    """
    default = (Saliency.cells, Saliency.descent.bound, Saliency.objective)
    if (scheme.cells, scheme.descent.bound, scheme.objective) != default:
        return []
    sides = [side for side in (1, 2, 3) if side == 1 or side**2 <= WIDEST * grid[0] * grid[1]]
    bounds = (scheme.descent.bound, PAPERS_BOUND)
    tried = [
        replace(scheme, cells=tuple(product(range(side), range(side))), descent=replace(scheme.descent, bound=bound))
        for side in sides
        for bound in bounds
    ]
    return tried[1:]


def _widened(drafts: list[Draft], model: nn.Module, owner: Owner, seed: int, progress: Progress) -> Draft:
    """The first of `drafts` with which at least half of `TRIAL` candidates hold, or that with which most do."""
    shares: list[float] = []
    for draft in drafts:
        candidates, make = _work(draft, model, draft.aimed(model, owner), torch.Generator().manual_seed(seed), TRIAL)
        if not len(candidates):
            shares.append(0.0)
            continue
        made = make(candidates)(torch.Generator().manual_seed(seed), progress)
        shares.append(float(draft.passes(made, draft.threshold(made)).mean()))
        if shares[-1] >= ENOUGH:
            break
    return drafts[int(np.argmax(shares))]


def _collect(draft: Draft, model: nn.Module, owner: Owner, seed: int, least: float, progress: Progress) -> tuple[Made, float]:
    """The requested number of passing samples, and t_wb; `least`: the share of the first batch that must pass."""
    owner = draft.aimed(model, owner)
    tries = TRIES * (BOXED if owner.images.task.located else 1)
    most = tries * draft.scheme.samples
    candidates, make = _work(draft, model, owner, torch.Generator().manual_seed(seed), most)

    def batch(rows: Rows, number: int, tell: Progress) -> Made:
        return make(rows)(torch.Generator().manual_seed(seed + number), tell)

    def passing(made: Made, first: Made) -> npt.NDArray[np.bool_]:
        return draft.passes(made, draft.threshold(first))

    together = owner.batch or batch_size(owner.images, model)
    wanted = draft.scheme.samples
    more = ceil(SPARE * wanted) if draft.bench.compares else 0
    search = Gathering(candidates, wanted, batch, passing, together, least, more, tries)
    resume = Resume.seeded(f"{draft.scheme}, search {SEARCH}", model, owner, seed, together)
    found, first = search.run(resume, progress)
    return best(found, wanted), draft.threshold(first)


def best(made: Made, count: int) -> Made:
    """So many of the samples, in order: those that set copies and references apart most, if that is known."""
    worth = made.get(CONTRAST, np.zeros(len(made["target"])))
    rows = np.sort(np.argsort(-worth, kind="stable")[:count])
    return {name: array[rows] for name, array in made.items()}


def _work(draft: Draft, model: nn.Module, owner: Owner, rng: torch.Generator, most: int) -> tuple[Rows, Callable[[Rows], Make]]:
    """At most `most` candidates, best first, and a function that turns some of them into samples."""
    images, objective = owner.images, draft.scheme.objective
    if isinstance(objective, Own):
        asked, outside = own_answers(model, owner, most), objective.outside
        return np.arange(len(asked)), lambda rows: partial(draft.bench.make_own, asked.take(rows), outside)
    return (
        _candidates(model, images, most, rng),
        lambda rows: partial(draft.bench.make, images.take(rows), images.pixels[images.partners(rows)]),
    )


def _candidates(model: nn.Module, images: Images, most: int, rng: torch.Generator) -> npt.NDArray[np.int64]:
    """Rows of at most `most` suitable images in random order, alternating between the task's groups.

    The model is asked about no more images than it takes to find them, those that would come first before others.
    """
    order = torch.randperm(len(images), generator=rng).numpy()[: POOL * most]
    if images.task.compares:
        order = order[images.partners(order) != order]
    left, suited = _in_turn(images, order), order[:0]
    while len(suited) < most and len(left):
        asked, left = np.split(left, [ASKED * (most - len(suited))])
        answered = images.task.suited(predict(model, images.take(asked)), images.labels[asked])
        suited = np.concatenate([suited, asked[answered]])
    return _in_turn(images, order[np.isin(order, suited)])[:most]


def _in_turn(images: Images, rows: Rows) -> Rows:
    """The rows, one of each of the task's groups after the other."""
    turn, group = np.zeros(len(rows), dtype=np.int64), images.task.turns(images.labels[rows])
    for label in range(len(images.names)):
        mine = group == label
        turn[mine] = np.arange(mine.sum())
    return np.asarray(rows[np.argsort(turn, kind="stable")])


def batch_size(images: Images, model: nn.Module) -> int:
    """The batch size that suits the device: as many as its cache holds, both views of each image counted, and its memory."""
    height, width, _ = images.size
    device = next(model.parameters()).device
    most = PIXELS_AT_ONCE.get(device.type, PIXELS_AT_ONCE["cuda"])
    fits = free_bytes(device) * SHARE_OF_MEMORY / bytes_per_image(model, images.batch(torch.arange(1), device))
    return int(np.clip(min(most // (height * width), fits), 1, 256))


def _claim(draft: Draft, model: nn.Module, owner: Owner, made: Made, threshold: float) -> Claim:
    return Claim(
        images=made["views"],
        tests=draft.tests(made, threshold),
        classes=owner.images.task.told_names(owner.images.names),
        scheme=repr(draft.scheme),
        model=weights_digest(model),
        preprocess=preprocess_of(model),
        built_with=tuple(weights_digest(one) for one in (*owner.surrogates, *owner.references)),
        originals=made["clean"],
        maps=made["maps"].astype(np.float32),
        task=owner.images.task,
    )
