"""Differentiable Grad-CAM of any layer of any network, at the cost of a plain pass (Selvaraju et al. 2017, arXiv:1610.02391).

`F_c` is the logit of class c, or another task's counterpart (`tasks`). With the layer's output `A` (n, channels, h, w),
eq. 1 and 2 of Zhang, Pan, Zhang 2024: `w_k = mean over positions of dF_c / dA^k` and `S = ReLU(sum over k of w_k A^k)`.

Only the part above the layer is differentiated twice. Where that head is linear in `A` (global pooling and one linear
layer, as in most networks), `w` is the same for every image: it is computed once, without any double backward. A layer
may also output tokens or have its channels last, as in transformers (`token_grids`).
"""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

from ownmark.errors import MapError, ModelError, first_line
from ownmark.models.layers import namesake
from ownmark.models.map_layers import SPATIAL, TOKENS, backbone_map, last_map
from ownmark.models.token_grids import Grid
from ownmark.tasks import Classification, Task

LINEAR_NODES = {
    "AddmmBackward0",
    "AsStridedBackward1",
    "TBackward0",
    "TransposeBackward0",
    "PermuteBackward0",
    "ViewBackward0",
    "UnsafeViewBackward0",
    "ReshapeAliasBackward0",
    "CloneBackward0",
    "AliasBackward0",
    "SqueezeBackward0",
    "SqueezeBackward1",
    "SqueezeBackward2",
    "UnsqueezeBackward0",
    "MeanBackward0",
    "MeanBackward1",
    "SumBackward0",
    "SumBackward1",
    "AvgPool2DBackward0",
    "AdaptiveAvgPool2DBackward0",
}

TOGETHER = 64  # outputs whose gradients are taken at once
LEAK = 0.1  # a detection's map is mostly empty: while it is changed, places below 0 must have a slope to rise along

Evidence = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class GradCam:
    """Grad-CAM of one model at one layer. Build it with `GradCam.of`.

    `weights`: (k, channels), the `w` of every output where the head is linear and F is one of them, else None. Where it is known
    which outputs will be asked about, those of the others are NaN.
    """

    model: nn.Module
    layer: str
    weights: Tensor | None
    task: Task = Classification()
    grid: Grid = Grid()

    @classmethod
    def of(
        cls,
        model: nn.Module,
        example: Tensor,
        layer: str | None = None,
        task: Task = Classification(),
        asked: Tensor | None = None,
    ) -> "GradCam":
        """Traces `model` on `example` (1 or more, channels, height, width); the default layer is `last_map(model, example)`.

        Of a detector it is `backbone_map(model, example)`. `asked`: (n,) the outputs that will be asked about, None: any.

        Raises ModelError if the layer does not exist, does not output a feature map, or does not affect the outputs.
        """
        default = backbone_map if task.located else last_map
        name = default(model, example) if layer is None else layer
        weights, grid = _linear_head(model, name, example, task, asked)
        return cls(model, name, weights, task, grid)

    def __call__(self, images: Tensor, target: Tensor, evidence: Evidence | None = None) -> tuple[Tensor, Tensor]:
        """Outputs (n, k) and unnormalised maps S (n, h, w) >= 0 of F for `target`, both differentiable in `images`.

        `target`: the classes (n,) or another task's target of F, from the task's `anchor`. With `evidence`, which maps
        outputs (n, k) to their contributions, F is the sum of these instead.
        """
        if self.weights is not None:
            with _watched(self.model, self.layer, _copied) as seen:
                logits = self.model(images)
            if evidence is not None:
                weights = evidence(logits.detach()) @ self.weights
            else:
                weights = self.weights[self.task.output_of(target)]
        else:
            tap = _copied if images.requires_grad else _cut
            with torch.enable_grad(), _twice(images.requires_grad, tap) as ready, _watched(self.model, self.layer, ready) as seen:
                logits = self.model(images)
                counted = None if evidence is None else evidence(logits.detach())
                scalar = (self.task.scalar(logits, target) if counted is None else logits * counted).sum()
            (slope,) = torch.autograd.grad(scalar, seen[-1], create_graph=images.requires_grad)
            weights = self.grid.maps(slope).mean(dim=(2, 3))
        sums = torch.einsum("nchw,nc->nhw", self.grid.maps(seen[-1]), weights)
        maps = functional.leaky_relu(sums, LEAK) if self.task.located and images.requires_grad else functional.relu(sums)
        return (logits, maps) if images.requires_grad else (logits.detach(), maps.detach())

    @torch.no_grad()
    def anchor(self, clean: Tensor, paired: Tensor, labels: Tensor) -> Tensor:
        """The target of F on images `clean` with `labels` (n,), `paired` with others, for this model."""
        target: Tensor = self.task.anchor(self.model, clean, paired, labels)
        return target


@dataclass(frozen=True)
class Located:
    """Grad-CAM at the layer found for a claim; `note` names the layer, "" if it is the claim's own."""

    cam: GradCam
    note: str = ""

    @classmethod
    def near(
        cls, model: nn.Module, example: Tensor, layer: str, task: Task = Classification(), asked: Tensor | None = None
    ) -> "Located":
        """At the layer of that name, else one whose name has the same ending, else the last map; "" is the last map.

        `asked` as `GradCam.of` takes it. Raises MapError that says why none of them yields a map.
        """
        why = ""
        for name in filter(None, (layer, namesake(model, layer) if layer else "")):
            try:
                cam = GradCam.of(model, example, name, task, asked)
            except Exception as error:  # noqa: BLE001 - a stranger's model may raise anything
                why = why or f"{first_line(error)}; "
                continue
            return cls(
                cam,
                ""
                if name == layer
                else f"its map was taken at {name!r}, whose name has the same ending as the claim's {layer!r}",
            )
        try:
            cam = GradCam.of(model, example, None, task, asked)
        except Exception as error:  # a foreign model may raise any error
            raise MapError(f"{why}{first_line(error)}") from error
        return cls(cam, f"its map was taken at {cam.layer!r}, its last feature map: {why.removesuffix('; ')}" if why else "")


def normalised(maps: Tensor) -> Tensor:
    """S / ||S|| with the L2 norm over positions: (n, h, w) in [0, 1]; 1 where one cell holds everything, 0 for an empty map."""
    lengths: Tensor = maps.flatten(1).norm(dim=1).clamp_min(1e-12)
    return maps / lengths.view(-1, 1, 1)


def _copied(output: Tensor) -> Tensor:
    """A copy in the same graph: later layers may change their input in place."""
    return output.clone()


def _cut(output: Tensor) -> Tensor:
    """A new leaf: the graph below the layer is not kept for a backward pass."""
    return output.detach().clone().requires_grad_()


class _Steps(TorchFunctionMode):
    """Computes a hard sigmoid, whose second derivative torch lacks, by functions that have one."""

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> object:
        if getattr(func, "__name__", "") in {"hardsigmoid", "hardsigmoid_"}:
            return functional.relu6(args[0] + 3) / 6
        return func(*args, **(kwargs or {}))


@contextmanager
def _twice(needed: bool, tap: Callable[[Tensor], Tensor]) -> Iterator[Callable[[Tensor], Tensor]]:  # noqa: FBT001 - as it is asked
    """The tap; from where it is used on, attention and hard sigmoids are computed by functions with two derivatives."""
    with ExitStack() as kernels:

        def plainly(output: Tensor) -> Tensor:
            kernels.enter_context(sdpa_kernel(SDPBackend.MATH))
            kernels.enter_context(_Steps())
            return tap(output)

        yield plainly if needed else tap


@contextmanager
def _watched(model: nn.Module, layer: str, tap: Callable[[Tensor], Tensor]) -> Iterator[list[Tensor]]:
    """Collects the outputs of `layer`; later layers receive another copy of `tap(output)`."""
    seen: list[Tensor] = []

    def hook(_: nn.Module, __: object, output: object) -> Tensor:
        if not isinstance(output, Tensor) or output.ndim not in {SPATIAL, TOKENS}:
            got = f"a tensor of shape {tuple(output.shape)}" if isinstance(output, Tensor) else type(output).__name__
            raise ModelError(f"layer {layer!r} outputs {got}; a saliency map needs (n, channels, h, w) or (n, tokens, channels)")
        seen.append(tap(output))
        return seen[-1].clone()

    modules = dict(model.named_modules())
    if layer not in modules:
        near = ", ".join(get_close_matches(layer, modules, n=3, cutoff=0.3)) or "none"
        raise ModelError(f"the model has no layer {layer!r}; similar: {near}")
    handle = modules[layer].register_forward_hook(hook)
    try:
        yield seen
    finally:
        handle.remove()
    if not seen:
        raise ModelError(f"layer {layer!r} was not run; name one that every image passes through")


@torch.enable_grad()
def _linear_head(model: nn.Module, layer: str, example: Tensor, task: Task, asked: Tensor | None) -> tuple[Tensor | None, Grid]:
    """`w` of every class (classes, channels) that is `asked` about, and how the map is read.

    None instead of `w` if F is no logit, or the logits are not linear in the output of `layer`.
    """
    with _watched(model, layer, _cut) as seen:
        logits = model(example[:1])
    if not isinstance(logits, Tensor) or logits.ndim != (3 if task.located else 2):
        got = f"a tensor of shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else type(logits).__name__
        needed = "boxes, labels and scores" if task.located else "outputs (n, k): one per class, one number or an embedding"
        raise ModelError(f"the model outputs {got}; Grad-CAM needs {needed}")
    features = seen[-1]
    if not logits.requires_grad or torch.autograd.grad(logits.sum(), features, retain_graph=True, allow_unused=True)[0] is None:
        raise ModelError(f"the logits do not depend on layer {layer!r}; name one that every image passes through")
    grid = Grid.of(model, example[:1], layer, features)
    if task.output_of(torch.zeros(1)) is None or _degree(logits.grad_fn, features) != 1:
        return None, grid
    every = torch.eye(logits.shape[1], dtype=logits.dtype, device=logits.device)
    wanted = torch.arange(len(every)) if asked is None else torch.unique(asked).cpu()
    wanted = wanted[wanted < len(every)].to(logits.device)
    chosen = every[wanted].split(TOGETHER)  # type: ignore[no-untyped-call]
    found = [grid.maps(_slopes(logits[0], features, rows)).mean(dim=(2, 3)) for rows in chosen]
    weights = torch.full((len(every), found[0].shape[1]), torch.nan, dtype=found[0].dtype, device=logits.device)
    weights[wanted] = torch.cat(found)
    return weights, grid


def _slopes(logits: Tensor, features: Tensor, rows: Tensor) -> Tensor:
    """(n, ...) the gradient of each logit that a row (n, k) chooses, all in one backward pass."""
    (found,) = torch.autograd.grad(logits, features, rows, retain_graph=True, is_grads_batched=True)
    return found.flatten(0, 1)


def _degree(node: Node | None, features: Tensor) -> float:
    """Degree in `features` of the polynomial that the autograd graph below `node` computes; infinite for unknown operations."""
    if node is None:
        return 0
    name = node.name().split("::")[-1]
    if name == "AccumulateGrad":
        return float(getattr(node, "variable", None) is features)
    if name not in LINEAR_NODES:
        return math.inf
    degrees = [_degree(parent, features) for parent, _ in node.next_functions]
    return sum(degrees) if name == "AddmmBackward0" else max(degrees, default=0)
