"""Making a claim: copies of the model to hold on, other models to be silent on, the scheme. What is done is kept on the way."""

import hashlib
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ownmark.attacks.finetune import Finetune
from ownmark.attacks.prune import Prune
from ownmark.attacks.retrain import Retrain
from ownmark.claims.claim import Claim
from ownmark.cli import render
from ownmark.cli.console import emit, facts, show, show_command, tell, warn, working
from ownmark.cli.marking import Mark
from ownmark.cli.network import Network, correct, quality, shown
from ownmark.data.images import Images
from ownmark.data.split import Split
from ownmark.errors import DataError, ModelError, UsageError
from ownmark.evidence import pledge
from ownmark.evidence.allowance import MOST_PLEDGES
from ownmark.evidence.owner import OwnerKey
from ownmark.keys import KEY_BYTES
from ownmark.models.layers import Layers
from ownmark.models.named import draws_weights
from ownmark.models.plain import told
from ownmark.models.weights import load_weights, save_weights, weights_digest
from ownmark.protocols import Attack, Owner, Progress, Protected, Scheme
from ownmark.report.words import counted
from ownmark.schemes._common.triggers import Keyed, chosen_by
from ownmark.statistics.p_values import innocents_needed
from ownmark.suspects.answers import Outputs, surely
from ownmark.tasks import DEFAULT, Quality
from ownmark.training import Training, predict, seeded, train
from ownmark.verdicts import soundness
from ownmark.verdicts.soundness import Doubt

ENOUGH = 64  # images that show whether a model ends in a softmax
KEY_SUFFIX = ".key"  # of a random key in the workspace
SURROGATES: dict[str, Attack] = {
    "fine-tuned": Finetune(epochs=3, rate=0.02),
    "with its last layer retrained": Retrain(Layers.LAST, epochs=3, rate=0.05),
    "pruned": Prune(0.4),
}


@dataclass(frozen=True)
class Order:
    """What the owner asks for: `references` are files of weights, or how many models to train as `training` says.

    A watermark's key comes from the secret of `owner`; without one it is drawn at random. `alpha`: the rate of false accusations
    that a watermark is to be judged by, which its key depends on; `pledge`: of what the key is to depend on, made before a pulse,
    as one of `pledges`.
    """

    network: Network
    scheme: Scheme
    training: Training
    references: tuple[Path, ...] | int
    seed: int
    workspace: Path
    owner: OwnerKey | None = None
    alpha: float = 1e-6
    pledge: Path | None = None
    pledges: int = MOST_PLEDGES

    def generator(self, purpose: str) -> torch.Generator:
        """A stream of random numbers of its own for each purpose, so that no step depends on which steps were skipped."""
        digest = hashlib.sha256(f"{purpose} of seed {self.seed}".encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))

    def kept(self, recipe: str, title: str, make: Callable[[Progress], nn.Module]) -> nn.Module:
        """What `make` gives, from the workspace if the same recipe was finished there before."""
        whole = f"{recipe} {self.network} seed={self.seed} torch={torch.__version__}"
        file = self.workspace / f"model-{hashlib.sha256(whole.encode()).hexdigest()[:16]}.safetensors"
        with suppress(ModelError):
            return load_weights(self.network.blank(), file)
        self.workspace.mkdir(exist_ok=True)
        with working(title) as progress:
            made = make(progress)
        if not all(bool(tensor.isfinite().all()) for tensor in made.state_dict().values()):
            raise ModelError(f"{title}: the training diverged, so that its weights are NaN or infinite; are the images in order?")
        save_weights(made, file)
        return load_weights(self.network.blank(), file)

    def drawn_key(self, digest: str) -> bytes:
        """A random key for the model of that digest, in the workspace until the claim is made, for the owner's eyes only."""
        whole = f"{self.scheme} of {digest} seed={self.seed}"
        file = self.workspace / f"{hashlib.sha256(whole.encode()).hexdigest()[:16]}{KEY_SUFFIX}"
        self.workspace.mkdir(exist_ok=True)
        file.touch(mode=0o600)
        if file.stat().st_size != KEY_BYTES:
            file.write_bytes(os.urandom(KEY_BYTES))
        return file.read_bytes()


def make(order: Order, model: nn.Module, images: Images) -> tuple[Protected, list[dict[str, Any]]]:
    """A claim on `model`, and the warnings about the models that it was made with, for `--json`.

    What is finished lies in the workspace, from where the same order goes on after an interruption.
    """
    warnings: list[dict[str, Any]] = []
    if order.workspace.is_dir() and any(order.workspace.iterdir()):
        tell(f"Going on from what {order.workspace} holds.")
    owner = Owner(images, workspace=order.workspace)
    if order.scheme.contrast:
        owner = _with_others(order, model, owner)
        warnings = warn(_doubted(model, owner))
    if order.scheme.marks:
        owner = _with_key(order, model, owner)
    with working("Embedding the watermark" if order.scheme.marks else "Making the fingerprint") as progress:
        return order.scheme.protect(model, owner, order.generator("the fingerprint"), progress), warnings


def _doubted(model: nn.Module, owner: Owner) -> tuple[Doubt, ...]:
    """What speaks against the owner's references and copies, before the long step begins. Raises ProtectError for ruins."""
    images, task = owner.images, owner.images.task
    known = quality(model, images), task.trivial(images.labels)
    named = ((f"reference {place}", one) for place, one in enumerate(owner.references, start=1))
    references = {name: _measured(name, one, images) for name, one in named}
    copied = ((f"the copy {kind}", one) for kind, one in zip(SURROGATES, owner.surrogates, strict=True))
    copies = {name: _measured(name, one, images) for name, one in copied}
    return (*soundness.of_references(task, *known, references), *soundness.of_surrogates(task, *known, copies))


def _measured(name: str, model: nn.Module, images: Images) -> Quality:
    """How good one of the owner's other models is. Raises ModelError with its name where it is broken."""
    try:
        return quality(model, images)
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from error


def _with_key(order: Order, model: nn.Module, owner: Owner) -> Owner:
    """The owner with the secret that the key is derived from, last of all: his own, or one drawn at random."""
    if order.owner is not None:
        mine = replace(owner, key=order.owner.secret, public=order.owner.public, alpha=order.alpha)
        return mine if order.pledge is None else _with_pulse(order, order.pledge, model, mine)
    return replace(owner, key=order.drawn_key(weights_digest(model)), alpha=order.alpha)


def _with_pulse(order: Order, file: Path, model: nn.Module, owner: Owner) -> Owner:
    """The owner with the pulse that followed his pledge. Raises UsageError where another thing was pledged."""
    found = pledge.read(file)
    if found.told["choices"] != chosen_by(owner, _keyed(order.scheme), model).record:
        raise UsageError(f"{file} pledges another scheme, model, order of classes or alpha: give what was pledged, or a new name")
    if found.pulse is None:
        raise UsageError(f"{file} has no pulse yet: ownmark beacon {file} --tsa URL, then --pulse PULSE")
    return replace(owner, pulse=found.pulse.output)


def _keyed(scheme: Scheme) -> Keyed:
    if not isinstance(scheme, Keyed):
        raise UsageError(f"only a watermark whose labels come from a key takes a pledge, and {scheme} is none")
    return scheme


def pledged(order: Order, model: nn.Module, images: Images) -> bool:
    """Whether nothing but a pledge was made, since there was none yet: what comes next is told."""
    if order.pledge is None or order.pledge.exists():
        return False
    if order.owner is None:
        raise UsageError("a pledge is signed by its owner: --key OWNER.key")
    mine = Owner(images, key=order.owner.secret, public=order.owner.public, alpha=order.alpha)
    pledge.made(chosen_by(mine, _keyed(order.scheme), model), order.owner, order.pledges).save(order.pledge)
    show(f"{order.pledge} pledges what the key will depend on, as one of {order.pledges}. Next:", "bold")
    show_command(f"beacon {order.pledge} --tsa URL")
    show_command(f"beacon {order.pledge} --pulse PULSE")
    show("and then the same command again.")
    return True


def _with_others(order: Order, model: nn.Module, owner: Owner) -> Owner:
    """The owner with copies of the model and models that are none."""
    images = owner.images
    digest = hashlib.sha256(images.pixels.tobytes() + images.labels.tobytes()).hexdigest()
    digest += "" if images.task == DEFAULT else f" for {images.task}"
    references = _references(order, images, digest)
    if weights_digest(model) in map(weights_digest, references):
        raise UsageError("a reference is the protected model itself; references are models that were trained independently")
    surrogates = tuple(_surrogate(order, model, images, digest, kind) for kind in SURROGATES)
    return replace(owner, surrogates=surrogates, references=references)


def _surrogate(order: Order, model: nn.Module, images: Images, digest: str, kind: str) -> nn.Module:
    attack = SURROGATES[kind]
    make = partial(attack.apply, model, images, order.generator(kind))
    return order.kept(f"{attack} of {weights_digest(model)} on {digest}", f"Making a copy: {kind}", make)


def _references(order: Order, images: Images, digest: str) -> tuple[nn.Module, ...]:
    """The owner's other models, from their files or trained now; each must take the same images."""
    if not isinstance(order.references, int):
        found = [order.network.loaded(file) for file in order.references]
        names = [str(file) for file in order.references]
    else:
        names = [f"reference {place} of {order.references}" for place in range(1, order.references + 1)]
        found = [_trained(order, images, digest, name) for name in names]
    for name, model in zip(names, found, strict=True):
        tell(f"  {name}: {shown(_measured(name, model, images), images.task.headline)}")
    return tuple(found)


def _trained(order: Order, images: Images, digest: str, name: str) -> nn.Module:
    def make(progress: Progress) -> nn.Module:
        rng = order.generator(name)
        with seeded(rng):
            model = order.network.blank()
        return train(model, images, order.training, rng, progress)

    return order.kept(f"{name.partition(' of ')[0]} {order.training} on {digest}", f"Training {name}", make)


def check(order: Order, images: Images) -> None:
    """Raises an error for what would fail only after hours: images of one class, or references that would be no strangers."""
    if order.workspace.exists() and not order.workspace.is_dir():
        raise UsageError(f"{order.workspace} is a file, but a folder of that name keeps what is finished: move the file away")
    if len(np.unique(images.labels)) < images.task.least_kinds:
        raise DataError("the images show one class only; a claim on a classifier needs two or more")
    if (
        order.scheme.contrast
        and isinstance(order.references, int)
        and order.references > 0
        and not draws_weights(order.network.name, order.network.classes)
    ):
        raise UsageError(
            f"{order.network.name} always gives the same weights, so that models trained from it would be copies of one another: "
            "name references that were trained independently (--reference FILE), or give --references 0"
        )


def protected(order: Order, model: nn.Module, split: Split, places: tuple[Path, Path], *, as_json: bool) -> None:
    """Make the claim, write it and perhaps marked weights to `places`, clear the workspace away and say what there is."""
    task, before = split.held_out.task, quality(model, split.held_out)
    tell(f"The model on {counted(len(split.held_out), 'image')}: {shown(before, task.headline)}.")
    for note in told(model):
        tell(f"Of the model, {note}.")
    _check_logits(model, split.held_out)
    warnings = warn(soundness.of_model(task, before, task.trivial(split.held_out.labels)))
    if pledged(order, model, split.mine):
        return
    started = time.monotonic()
    try:
        found, more_warnings = make(order, model, split.mine)
    except KeyboardInterrupt:
        _tell_kept(order.workspace, "the same command goes on from there")
        raise
    except UsageError:
        _tell_kept(order.workspace, "another try begins with it")
        raise
    seconds, (out, weights) = time.monotonic() - started, places
    mark = None
    if found.model is not model:
        save_weights(found.model, weights)
        mark = Mark(weights, before[task.headline], correct(found.model, split.held_out), split, own_key=order.owner is not None)
    found.claim.save(out)
    clear(order.workspace)
    warnings += more_warnings + warn(soundness.of_claim(found.claim))
    if as_json:
        more = before if mark is None else mark.record(found.claim)
        emit(render.of_claim(found.claim, out) | {"seconds": seconds, "warnings": warnings} | more)
        return
    _tell(found.claim, out, order.network.name, (seconds, mark))


def _check_logits(model: nn.Module, images: Images) -> None:
    """Raises ModelError for a classifier that ends in a softmax: what is learnt and explained here is logits."""
    if not images.task.discrete:
        return
    few = images.take(np.arange(min(len(images), ENOUGH)))
    if surely(predict(model, few).double().numpy()) is Outputs.PROBABILITIES:
        raise ModelError(
            "the model answers probabilities, but a claim is made on logits: let it end before its softmax, "
            "and put the softmax behind it where you publish it; suspects may end in one"
        )


def _tell_kept(workspace: Path, what_for: str) -> None:
    if workspace.is_dir():
        tell(f"Stopped. What is finished lies in {workspace}: {what_for}.", "yellow")


def clear(workspace: Path) -> None:
    """Remove what this package put into the folder, and the folder if nothing else is in it."""
    for file in (*workspace.glob("*.safetensors"), *workspace.glob(".*.safetensors.*"), *workspace.glob(f"*{KEY_SUFFIX}")):
        file.unlink(missing_ok=True)
    with suppress(OSError):
        workspace.rmdir()


def _tell(claim: Claim, out: Path, name: str, made: tuple[float, Mark | None]) -> None:
    """The claim and, of a watermark, what it cost; then what to do next."""
    (seconds, mark), record = made, render.of_claim(claim, out)
    show(f"{out} claims the model {claim.model[:12]}.", "bold")
    rows = {"digest": claim.digest, "samples held": str(record["samples"]), "seconds": f"{seconds:.1f}"}
    if record["psnr_db"] is not None:
        rows["PSNR"] = f"{record['psnr_db']:.1f} dB"
    facts(rows | ({} if mark is None else mark.rows(claim)) | render.test_rows(claim))
    if claim.calibrated:
        show("The claim needs no innocent models: its labels come from a key. Publish the marked weights only. Next:")
        show_command(f"verify {out} {name} --weights SUSPECT.safetensors")
        return
    show(f"The claim is uncalibrated: no verdict can uphold it before it knows {innocents_needed(0.05)} innocent models. Next:")
    show_command(f"calibrate {out} INNOCENT.safetensors... --model {name}")
