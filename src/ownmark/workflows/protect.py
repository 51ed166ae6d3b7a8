"""Making a claim on a model: a fingerprint leaves the model as it is, a watermark writes marked weights, too.

What is finished is kept beside the claim until it is written: after an interruption the same request goes on from there.

>>> from pathlib import Path
>>> from ownmark import IPGuard, Search
>>> from ownmark.data.images import Place
>>> from ownmark.models.network import Network
>>> from ownmark.workflows.protect import ProtectRequest, protect
>>> request = ProtectRequest(
...     network=Network("mymodel:build"),
...     model=Path("model.safetensors"),
...     data=Place("images"),
...     scheme=IPGuard(samples=2, margin=0.01, search=Search(steps=60, rate=0.05)),
...     out=Path("my.claim"),
... )
>>> made = protect(request)
>>> len(made.claim.images), made.claim.calibrated, made.mark
(2, False, None)
>>> request.out.exists(), request.folder.exists()
(True, False)
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ownmark.attacks.finetune import Finetune
from ownmark.attacks.prune import Prune
from ownmark.attacks.retrain import Retrain
from ownmark.claims.claim import Claim
from ownmark.claims.doubt import Doubt
from ownmark.data.images import Images, Place, Split
from ownmark.errors import DataError, UsageError
from ownmark.evidence import pledge as pledges
from ownmark.evidence.allowance import MOST_PLEDGES
from ownmark.evidence.owner import OwnerKey, opened
from ownmark.files import check_new, check_readable, check_writable
from ownmark.method_strings import differences, read
from ownmark.models.layers import Layers
from ownmark.models.memory import bytes_per_image
from ownmark.models.network import Network, draws_weights
from ownmark.models.prepared import notes_on
from ownmark.models.weights import save_weights, weights_digest
from ownmark.protocols import Attack, Owner, Protected, Scheme
from ownmark.report.words import counted
from ownmark.schemes._common.triggers import Keyed, as_keyed, chosen_by, sized
from ownmark.schemes.saliency.scheme import Saliency, batch_size
from ownmark.suspects.local import Local
from ownmark.tasks import Quality, check_served
from ownmark.training import Training
from ownmark.verdicts import soundness
from ownmark.workflows.contrast import Others, may_grow, wanted_references
from ownmark.workflows.measuring import check_logits, quality, shortened, shown
from ownmark.workflows.usual_scheme import Making, made_by, usual
from ownmark.workflows.watching import NOBODY, Watcher
from ownmark.workflows.workspace import Workspace, check_weights

UNSIGNED = "a pledge is signed by its owner: --key OWNER.key"
SURROGATES: dict[str, Attack] = {
    "fine-tuned": Finetune(epochs=3, rate=0.02),
    "with its last layer retrained": Retrain(Layers.LAST, epochs=3, rate=0.05),
    "pruned": Prune(0.4),
}


@dataclass(frozen=True)
class KeyFile:
    """An owner's key in a file: opened, and its passphrase asked for, once it is clear that the key has a use."""

    file: Path
    passphrase: Callable[[], str]


@dataclass(frozen=True, kw_only=True)
class ProtectRequest:
    """What the owner asks for.

    `network`: how models of the kind are built; `model`: the one to protect, a module that takes images in [0, 1], a file of its
    weights, or None where the network's factory brings them; `data`: where its images lie, or a `Split` of images in memory;
    `out`: the claim to write; `scheme`: None: both traces, where they can be had (`usual_scheme`).

    A watermark's weights go to `marked` (None: beside the claim). Its key comes from the secret of `owner`; without one it is
    drawn at random. `alpha`: the rate of false accusations that it is to be judged by, which its key depends on; `pledge`: the
    file that says what the key is to depend on, made before a pulse, as one of `pledges` (see `make_pledge`).

    A fingerprint is silent on `references`: modules, files of weights, or how many to train as `training` says (None: as many as
    the scheme needs, or two or three); it holds on copies of the model, which the attacks of `surrogates` make, by their kinds.
    It changes `batch` images at once, None: as many as suit the device and its memory. `cache`: keeps the models that it trains.
    """

    network: Network
    model: nn.Module | Path | None = None
    data: Place | Split
    out: Path
    scheme: Scheme | None = None
    marked: Path | None = None
    owner: OwnerKey | KeyFile | None = None
    alpha: float = 1e-6
    pledge: Path | None = None
    pledges: int = MOST_PLEDGES
    references: tuple[nn.Module | Path, ...] | int | None = None
    training: Training = Training(epochs=20, rate=0.05)
    surrogates: Mapping[str, Attack] = field(default_factory=lambda: SURROGATES)
    seed: int = 0
    batch: int | None = None
    cache: Path | None = None

    @property
    def method(self) -> Scheme:
        """The scheme; until one is chosen, what every usual one has in common."""
        return Saliency() if self.scheme is None else self.scheme

    @property
    def folder(self) -> Path:
        """Where what is finished is kept until the claim is written."""
        return self.out.with_name(f"{self.out.name}.work")

    @property
    def weights(self) -> Path:
        """Where a watermark's weights go."""
        return self.marked or self.out.with_suffix(".safetensors")


@dataclass(frozen=True)
class Mark:
    """What a watermark is: its `weights`, and the share of held-out images that the model gets right `before` and `after`."""

    weights: Path
    before: float
    after: float
    own_key: bool


@dataclass(frozen=True)
class ProtectResult:
    """The `claim` that lies in the file `out`, and the `model` to publish: another one only if there is a `mark`.

    `quality`: how good the model was before, on the held-out images of `split`; `seconds`: how long the claim took.
    """

    claim: Claim
    out: Path
    model: nn.Module
    mark: Mark | None
    quality: Quality
    split: Split
    doubts: tuple[Doubt, ...]
    seconds: float


@dataclass(frozen=True)
class PledgeResult:
    """The `file` that pledges what the key of a watermark will depend on, as one of `pledges`."""

    file: Path
    pledges: int
    doubts: tuple[Doubt, ...]


@dataclass(frozen=True)
class _Begun:
    """A request whose words make sense, whose files are there and whose model was looked at."""

    request: ProtectRequest
    work: Workspace
    split: Split
    model: nn.Module
    owner: OwnerKey | None
    quality: Quality
    doubts: tuple[Doubt, ...]


def protect(request: ProtectRequest, watcher: Watcher = NOBODY) -> ProtectResult:
    """Make the claim, write it and perhaps marked weights, and clear away what was kept on the way.

    Raises UsageError, before any work, for what the request cannot mean and for files that cannot be written or read.
    """
    begun = _begun(request, watcher)
    if request.pledge is not None and not request.pledge.exists():
        raise UsageError(f"there is no pledge {request.pledge}: make it first, then add a public pulse")
    started = time.monotonic()
    with _kept(begun.work):
        found, doubts = _made(begun, named=request.scheme is not None)
    if (fitting := begun.request.data.fitting) is not None:
        found = replace(found, claim=replace(found.claim, fitting=fitting))
    seconds, mark = time.monotonic() - started, None
    if found.model is not begun.model:
        save_weights(found.model, request.weights)
        task, after = begun.split.task, quality(found.model, begun.split.held_out)
        mark = Mark(request.weights, begun.quality[task.headline], after[task.headline], begun.owner is not None)
        dear = soundness.of_mark(task, begun.quality, after, task.trivial(begun.split.held_out.labels))
        doubts = (*doubts, *soundness.warned(watcher.warn, dear))
    doubts = (*begun.doubts, *doubts)
    doubts = (*doubts, *soundness.warned(watcher.warn, soundness.of_protected(found.claim, Local(found.model)), doubts))
    found.claim.save(request.out)
    begun.work.clear()
    return ProtectResult(found.claim, request.out, found.model, mark, begun.quality, begun.split, doubts, seconds)


def make_pledge(request: ProtectRequest, watcher: Watcher = NOBODY) -> PledgeResult:
    """Write what the key of the request's watermark will depend on, to its `pledge`, a file that must not exist yet.

    Once that has a timestamp and the first pulse after it, `protect` takes the same request. Raises UsageError.
    """
    if request.pledge is None:
        raise UsageError("name the file that the pledge is to be written to")
    check_new(request.pledge, "a pledge is made once")
    check_writable(request.pledge)
    begun = _begun(request, watcher)
    if begun.owner is None:
        raise UsageError(UNSIGNED)
    mine = Owner(begun.split.mine, key=begun.owner.secret, public=begun.owner.public, alpha=request.alpha)
    pledges.made(chosen_by(mine, as_keyed(request.method), begun.model), begun.owner, request.pledges).save(request.pledge)
    return PledgeResult(request.pledge, request.pledges, begun.doubts)


def _begun(request: ProtectRequest, watcher: Watcher) -> _Begun:
    """Check all that would fail only after hours, and say how good the model is."""
    _check(request)
    request = replace(request, data=request.network.placed(request.data, watcher.note))
    key = request.owner
    owner = opened(key.file, key.passphrase()) if isinstance(key, KeyFile) else key
    split = _split(request)
    request = request if request.scheme else replace(request, scheme=usual(split.mine, request.references, watcher))
    network = request.network.answering(split.mine)
    _check_images(request, network, split.mine)
    model = network.filled(request.model, watcher.note)
    task, found = split.mine.task, quality(model, split.held_out)
    watcher.note(f"The model on {counted(len(split.held_out), 'image')}: {shown(found, task.headline)}.")
    for note in notes_on(model):
        watcher.note(f"Of the model, {note}.")
    check_logits(model, split.held_out)
    doubts = soundness.warned(watcher.warn, soundness.of_model(task, found, task.trivial(split.held_out.labels)))
    work = Workspace(request.folder, network, request.seed, watcher, request.cache)
    return _Begun(request, work, split, model, owner, found, doubts)


def _split(request: ProtectRequest) -> Split:
    """A fingerprint changes no model, so that it may use all images; the cost of a watermark is measured on others."""
    if isinstance(request.data, Split):
        return request.data
    return request.data.split() if request.method.marks else shortened(request.data.whole())


def _made(begun: _Begun, *, named: bool) -> tuple[Protected, tuple[Doubt, ...]]:
    """The claim, by a scheme that was `named` or the usual one, and the model to publish, and what speaks against its models."""
    request, work = begun.request, begun.work
    doubts: tuple[Doubt, ...] = ()
    if work.used:
        work.watcher.note(f"Resuming from {work.folder}.")
    owner = Owner(begun.split.mine, workspace=work.folder, batch=_batch(begun))
    if request.method.needs.contrast:
        wanted = wanted_references(request.method, begun.model, owner.images, request.references)
        growing = may_grow(request.method, request.references)
        others = Others(wanted, request.training, request.surrogates, growing=growing)
        joined = others.joined(work, begun.model, owner)
        owner, doubts = joined.owner, soundness.warned(work.watcher.warn, others.doubted(begun.model, joined))
    if request.method.marks:
        owner = _with_key(begun, owner)
    if isinstance(request.method, Keyed):
        null, alpha = sized(request.method, len(owner.images.names)), 1 if request.pledge else request.alpha
        doubts = (*doubts, *soundness.warned(work.watcher.warn, soundness.of_key(null, alpha)))
    with work.watcher.step("Embedding the watermark" if request.method.marks else "Making the fingerprint") as progress:
        make: Making = lambda scheme: scheme.protect(begun.model, owner, work.generator("the fingerprint"), progress)  # noqa: E731
        scheme, found = (request.method, make(request.method)) if named else made_by(request.method, make, work.watcher)
    doubts = (*doubts, *soundness.warned(work.watcher.warn, found.doubts))
    if found.claim.scheme != repr(scheme):
        changed = differences(scheme, read(found.claim.scheme, (type(scheme),)))
        work.watcher.note(f"Too few samples held with the default corner and change, so the claim has {', '.join(changed)}.")
    return found, doubts


def _batch(begun: _Begun) -> int | None:
    """How many images are changed at once, which is shown; None for a scheme that does not go by batches."""
    request, images = begun.request, begun.split.mine
    if not request.method.needs.batched:
        return None
    found = request.batch or batch_size(images, begun.model)
    needs = found * bytes_per_image(begun.model, images.batch(torch.arange(1), next(begun.model.parameters()).device)) / 2**30
    begun.work.watcher.note(f"Images are changed {found} at a time, in about {needs:.1g} GiB (--batch).")
    return found


@contextmanager
def _kept(work: Workspace) -> Iterator[None]:
    """Whoever stops, or is stopped, hears what was kept."""
    try:
        yield
    except KeyboardInterrupt:
        work.tell_kept("the same command resumes there")
        raise
    except UsageError:
        work.tell_kept("the next run starts from it")
        raise


def _with_key(begun: _Begun, owner: Owner) -> Owner:
    """The owner with the secret that the key is derived from, last of all: his own, or one drawn at random."""
    request = begun.request
    if begun.owner is None:
        key = begun.work.drawn_key(f"{request.method} of {weights_digest(begun.model)}")
        return replace(owner, key=key, alpha=request.alpha)
    mine = replace(owner, key=begun.owner.secret, public=begun.owner.public, alpha=request.alpha)
    return mine if request.pledge is None else _with_pulse(begun, request.pledge, mine)


def _with_pulse(begun: _Begun, file: Path, owner: Owner) -> Owner:
    """The owner with the pulse that followed his pledge. Raises UsageError where another thing was pledged."""
    found = pledges.read(file)
    if found.told["choices"] != chosen_by(owner, as_keyed(begun.request.method), begun.model).record:
        raise UsageError(f"{file} pledges another scheme, model, order of classes or alpha: give what was pledged, or a new name")
    if found.pulse is None:
        raise UsageError(f"{file} has no pulse yet: ownmark beacon {file} --tsa URL, then --pulse PULSE")
    return replace(owner, pulse=found.pulse.output)


def _check(request: ProtectRequest) -> None:
    """Raises UsageError for what the scheme has no use for, and for files that cannot be read, written, or must not be lost."""
    scheme = request.method
    check_served(scheme, scheme.serves, request.data.task)
    if request.batch is not None and not scheme.needs.batched:
        raise UsageError(f"{scheme} does not change images in batches: leave --batch out")
    _check_files(request)
    least = scheme.needs.references
    given_count = len(request.references) if isinstance(request.references, tuple) else request.references
    if given_count is not None and given_count < least:
        raise UsageError(f"{type(scheme).__name__} needs at least {least} references, got {given_count}: name or train more")
    if not scheme.needs.contrast and request.references:
        raise UsageError(f"{scheme} uses no other models: leave --reference and --references out")
    if scheme.marks:
        _check_marked(request)
    elif request.marked is not None or request.owner is not None:
        raise UsageError(f"{scheme} does not change the model and uses no key: leave --marked and --key out")
    if request.pledge is not None:
        as_keyed(scheme)
        if request.owner is None:
            raise UsageError(UNSIGNED)


def _check_files(request: ProtectRequest) -> None:
    """Raises UsageError unless the claim can be written, over no other file, and what the request names can be read."""
    check_writable(request.out)
    check_new(request.out, "a claim that is overwritten is lost: name another file with --out")
    given = request.references if isinstance(request.references, tuple) else ()
    for file in (request.model, *given):
        if isinstance(file, Path):
            check_readable(file, "weights file")
    if isinstance(request.data, Place):
        request.data.check()


def _check_marked(request: ProtectRequest) -> None:
    """Raises UsageError unless the marked weights can be written, over nothing that must not be lost."""
    weights = request.weights
    taken = isinstance(request.model, Path) and request.model.resolve() == weights.resolve()
    if taken or weights.resolve() == request.out.resolve():
        by = "the weights to mark lie there" if taken else "the claim goes there"
        raise UsageError(f"cannot write the marked weights to {weights}: {by}; name another file with --marked")
    if request.marked is None:
        check_new(weights, "the marked weights would take its place: name a file with --marked")
    check_weights(weights)


def _check_images(request: ProtectRequest, network: Network, images: Images) -> None:
    """Raises an error for what would fail only after hours: images of one class, or references that would be no strangers."""
    if request.folder.exists() and not request.folder.is_dir():
        raise UsageError(f"{request.folder} is a file, but finished work is kept in a folder of that name: move the file")
    if len(np.unique(images.labels)) < images.task.least_kinds:
        raise DataError("the images have only one class; a claim on a classifier needs two or more")
    trained = request.references is None or (isinstance(request.references, int) and request.references > 0)
    if request.method.needs.contrast and trained and not draws_weights(network.name, network.classes):
        raise UsageError(
            f"{network.name} always gives the same weights, so that models trained from it would be copies of one another: "
            "name references that were trained independently (--reference FILE), or give --references 0"
        )
