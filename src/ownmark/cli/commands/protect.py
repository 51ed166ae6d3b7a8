"""`ownmark protect`: a claim on a model."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ownmark.cli import options
from ownmark.cli import owner_options as owners
from ownmark.cli.answer import Answer
from ownmark.errors import UsageError

if TYPE_CHECKING:
    from ownmark.workflows.protect import ProtectRequest


@dataclass(frozen=True, kw_only=True)
class Protect:
    """Make a claim on a model; a watermark writes marked weights, too. After Ctrl-C it resumes from what is finished."""

    example: ClassVar[str] = "ownmark protect mymodel:build --weights model.safetensors --data images/ --size 112 --out my.claim"
    model: options.Model
    weights: options.Weights = None
    data: options.Data
    task: options.TaskName = "classification"
    out: owners.ClaimOut
    size: options.Size = None
    channels: options.Channels = 3
    mean: options.Mean = None
    std: options.Std = None
    scheme: owners.SchemeText = None
    marked: owners.Marked = None
    key: owners.OwnersKey = None
    alpha: owners.MarksAlpha = 1e-6
    pledge: owners.PledgeFile = None
    pledges: owners.Pledges = 2**16
    references: owners.References = None
    reference: owners.ReferenceFiles = None
    training: owners.TrainingText = "Training(epochs=20, rate=0.05)"
    batch: owners.Batch = None
    references_cache: owners.ReferencesCache = None
    seed: options.Seed = 0
    device: options.Device = "auto"
    output: options.Output = ""

    def run(self) -> Answer:
        from ownmark.cli import render
        from ownmark.cli.console import Terminal
        from ownmark.workflows.protect import make_pledge, protect

        if self.pledge is not None and not self.pledge.exists():
            return render.of_pledge(make_pledge(self._request(), Terminal()))
        return render.of_protect(protect(self._request(), Terminal()), self.model)

    def _request(self) -> "ProtectRequest":
        from ownmark.cli.sealing import passphrase
        from ownmark.data.images import Place
        from ownmark.method_strings import read
        from ownmark.models.network import Network, device
        from ownmark.schemes import SCHEMES
        from ownmark.tasks import TASKS
        from ownmark.training import Training
        from ownmark.workflows.protect import KeyFile, ProtectRequest

        if self.reference and self.references is not None:
            raise UsageError("give either --references N, to train them, or --reference FILE, to name them")
        alpha, preprocess = options.rate(self.alpha), options.normalisation(self.mean, self.std, None, self.channels)
        return ProtectRequest(
            network=Network(self.model, None, preprocess, device(self.device), self.output),
            model=self.weights,
            data=Place(self.data, self.size, self.channels, read(self.task, TASKS)),
            out=self.out,
            scheme=None if self.scheme is None else read(self.scheme, SCHEMES),
            marked=self.marked,
            owner=None if self.key is None else KeyFile(self.key, passphrase),
            alpha=alpha,
            pledge=self.pledge,
            pledges=self.pledges,
            references=tuple(self.reference) if self.reference else self.references,
            training=read(self.training, (Training,)),
            seed=self.seed,
            batch=self.batch,
            cache=self.references_cache,
        )
