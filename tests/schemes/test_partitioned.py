"""The partitioned watermark on a small network: it holds, in the layers that were chosen, and its claim says whose it is."""

from copy import deepcopy
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from ownmark import Images, verify
from ownmark.errors import ModelError, ProtectError, UsageError
from ownmark.models.batchnorm import clean_statistics, settle
from ownmark.models.resnet import ResNet18
from ownmark.models.weights import weights_digest
from ownmark.protocols import Owner, Protected
from ownmark.schemes.partitioned import Partitioned, Shown, stages
from ownmark.scoring.null_models import KeyedLabels
from ownmark.suspects.local import Local
from ownmark.verdicts.verdict import Outcome

KEY = bytes(range(32))
SCHEME = Partitioned(triggers=15, sets=2, runs=2, stages=2, steps=40, clean=16)
SHORT = replace(SCHEME, steps=3, least=0.0)  # where it counts that all of it happens, and not whether the mark holds
NAMES = tuple("0123456789")


def images(count: int = 64) -> Images:
    pixels = np.random.default_rng(0).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)
    return Images(pixels, np.arange(count) % 10, NAMES)


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return ResNet18(10, width=8, stem="cifar").eval()


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(1)


@pytest.fixture(scope="module")
def protected() -> tuple[nn.Module, Owner, Protected]:
    model, owner = network(), Owner(images(), key=KEY)
    return model, owner, SCHEME.protect(model, owner, rng())


def test_every_trigger_holds_and_the_verdict_is_exact(protected: tuple[nn.Module, Owner, Protected]) -> None:
    model, _, made = protected
    assert made.claim.tests[0].target_score == 1
    verdict = verify(made.claim, Local(made.model))
    assert verdict.outcome is Outcome.MATCH
    null = made.claim.tests[0].null
    assert isinstance(null, KeyedLabels)
    assert null.log10_p(verdict.deciding.score) == pytest.approx(-30)
    assert verify(made.claim, Local(model)).outcome is Outcome.NO_MATCH


def test_only_the_chosen_layers_learn(protected: tuple[nn.Module, Owner, Protected]) -> None:
    model, _, made = protected
    after = dict(made.model.named_parameters())
    changed = {name.rpartition(".")[0] for name, tensor in model.named_parameters() if not torch.equal(tensor, after[name])}
    assert changed
    assert changed <= {name for group in stages(model, SCHEME.layers, SCHEME.stages) for name in group}
    assert weights_digest(model) == weights_digest(network())


def test_running_statistics_are_those_of_the_owners_images_and_never_of_a_trigger(
    protected: tuple[nn.Module, Owner, Protected],
) -> None:
    _, owner, made = protected
    settled = deepcopy(made.model)
    settle(settled, [owner.images.batch(torch.arange(len(owner.images)), torch.device("cpu"))])
    before = dict(made.model.named_buffers())
    for name, tensor in settled.named_buffers():
        assert torch.allclose(tensor.float(), before[name].float(), rtol=0.5, atol=0.3) or "num_batches" in name


def test_the_same_key_and_seed_make_the_same_mark_and_another_key_another() -> None:
    model, owner = network(), Owner(images(), key=KEY)
    made, again = (SHORT.protect(model, owner, rng()) for _ in range(2))
    assert again.claim == made.claim
    assert weights_digest(again.model) == weights_digest(made.model)
    other = SHORT.protect(model, replace(owner, key=KEY[::-1]), rng()).claim
    assert not np.array_equal(other.images, made.claim.images)


def test_a_run_that_was_killed_goes_on_at_its_last_stage(tmp_path: Path) -> None:
    model, owner = network(), Owner(images(), workspace=tmp_path, key=KEY)
    whole = SHORT.protect(model, owner, rng())
    files = sorted(tmp_path.iterdir())
    assert len(files) == SHORT.runs * SHORT.stages
    files[-1].unlink()
    seen: list[int] = []
    again = SHORT.protect(model, owner, rng(), lambda done, _: seen.append(done))
    assert again.claim == whole.claim
    assert weights_digest(again.model) == weights_digest(whole.model)
    assert seen == list(range(3 * SHORT.steps + 1, 4 * SHORT.steps + 1))


def test_no_image_of_the_owners_is_needed() -> None:
    made = Partitioned(triggers=10, sets=1, steps=50).protect(network(), Owner(images().take([]), key=KEY), rng())
    assert made.claim.tests[0].target_score >= 0.9


def test_layers_open_from_the_last_one_backwards() -> None:
    groups = stages(network(), 0.7, 3)
    assert groups[0][0] == "head"
    order = [name for name, _ in network().named_modules()]
    places = [order.index(name) for group in groups for name in group]
    assert all(after < before for before, after in pairwise(places))
    assert [name for group in stages(network(), ("head",), 3) for name in group] == ["head"]


def test_batch_norm_takes_the_statistics_of_the_clean_images_alone() -> None:
    norm = nn.BatchNorm2d(3).eval()
    norm.weight.data.uniform_()
    values = torch.randn(6, 3, 4, 4)
    before = norm.state_dict()["running_mean"].clone()
    with clean_statistics(norm, 4):
        found = norm(values)
    expected = nn.functional.batch_norm(values[:4], None, None, norm.weight, norm.bias, training=True)
    assert torch.allclose(found[:4], expected, atol=1e-6)
    assert torch.equal(norm.state_dict()["running_mean"], before)
    assert torch.equal(norm(values), nn.BatchNorm2d.forward(norm, values))


def test_a_layer_that_is_not_there_is_named_with_those_near_it() -> None:
    with pytest.raises(ModelError, match=r"no layer 'stages\.9'; similar: stages"):
        Partitioned(layers=("stages.9",)).protect(network(), Owner(images()), rng())


def test_a_frozen_model_is_an_error() -> None:
    with pytest.raises(UsageError, match="frozen"):
        SCHEME.protect(network().requires_grad_(False), Owner(images()), rng())


def test_more_triggers_than_the_layers_can_hold_are_an_error_that_says_how_many_held() -> None:
    scheme = Partitioned(layers=("head",), triggers=200, sets=1, steps=3)
    with pytest.raises(ProtectError, match=r"only \d+ of 200 triggers hold"):
        scheme.protect(network(), Owner(images(), key=KEY), rng())


def test_labels_that_the_model_cannot_answer_are_an_error() -> None:
    wide = replace(images(), names=tuple(map(str, range(11))))
    with pytest.raises(UsageError, match="out of range"):
        SCHEME.protect(network(), Owner(wide), rng())


def test_a_model_that_lies_on_no_one_device_is_an_error() -> None:
    model = network()
    model.get_submodule("head").to("meta")
    with pytest.raises(ModelError, match="cpu, meta"):
        SCHEME.protect(model, Owner(images()), rng())


def test_the_original_model_is_asked_once_about_each_batch_that_differs() -> None:
    model, asked, draw = network(), list[int](), rng()
    model.register_forward_hook(lambda _, given, __: asked.append(len(given[0])))
    few = Shown.of(replace(SHORT, batches=3), model, images(), torch.device("cpu"), rng())
    batches = [few.drawn(draw) for _ in range(20)]
    assert asked == [SHORT.clean] * 3
    assert len({batch.numpy().tobytes() for batch, _ in batches}) == 3
    for batch, known in batches:
        torch.testing.assert_close(model(batch), known)


def test_without_a_number_of_batches_every_step_shows_another_one() -> None:
    each = Shown.of(replace(SHORT, batches=0), network(), images(), torch.device("cpu"), rng())
    draw = rng()
    assert len({each.drawn(draw)[0].numpy().tobytes() for _ in range(10)}) == 10


def test_a_negative_number_of_batches_is_an_error() -> None:
    with pytest.raises(UsageError, match="batches of at least 0"):
        replace(SHORT, batches=-1)
