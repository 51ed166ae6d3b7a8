"""Thieves who train: what fine-tuning and retraining open, what a student starts from and learns, one attack after another."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from conftest import pictures, same_weights, seed, small_claim, tiny
from learnt import learnt
from thieves import Bump, applied, changed, surer
from torch import Tensor, nn

from ownmark.attacks.distill import Distill, Likeness
from ownmark.attacks.extract import Extract
from ownmark.attacks.finetune import Finetune
from ownmark.attacks.noise import Noise
from ownmark.attacks.overwrite import Overwrite
from ownmark.attacks.retrain import Retrain
from ownmark.attacks.then import Then
from ownmark.claims.claim import Preprocess
from ownmark.data.images import Images
from ownmark.errors import DataError, ModelError, UsageError
from ownmark.metrics import accuracy
from ownmark.models.layers import Layers
from ownmark.models.prepared import prepared, preprocess_of
from ownmark.models.resnet import ResNet18
from ownmark.protocols import Attack, Needs, Owner, Progress, Protected, silent
from ownmark.tasks import Classification, Task
from ownmark.training import predict

STUDENT = "ownmark:ResNet18(width=2, stem='cifar')"
STUDENTS = pytest.mark.parametrize("attack", [Distill(40), Distill(40, likeness=Likeness.MSE), Extract(None, 40)], ids=repr)


def test_finetuning_and_retraining_the_last_layer_change_the_last_layer_only() -> None:
    for attack in (Finetune(Layers.LAST, epochs=1), Retrain(Layers.LAST, epochs=1)):
        assert changed(applied(attack, tiny()), tiny()) == {"head.weight", "head.bias"}


def test_finetuning_and_retraining_all_layers_change_every_weight() -> None:
    for attack in (Finetune(epochs=1), Retrain(epochs=1)):
        assert changed(applied(attack, tiny()), tiny()) == set(tiny().state_dict())


def test_retraining_starts_from_a_last_layer_drawn_anew() -> None:
    for layers in Layers:
        found, other = applied(Retrain(layers, epochs=0), tiny()), applied(Retrain(layers, epochs=0), tiny(), number=1)
        assert changed(found, tiny()) == {"head.weight", "head.bias"}
        assert changed(found, other) == {"head.weight", "head.bias"}
        assert found.state_dict()["head.weight"].abs().max() <= 1 / 32**0.5


@pytest.mark.parametrize("attack", [Distill(epochs=0), Extract(epochs=0)], ids=repr)
def test_a_student_starts_from_nothing_of_the_stolen_models(attack: Attack) -> None:
    stolen = tiny()
    with torch.no_grad():
        for weight in stolen.parameters():
            weight.fill_(7)
    found = applied(attack, stolen)
    assert not any((weight == 7).any() for weight in found.parameters())
    assert found.state_dict()["stem.norm.running_mean"].abs().max() == 0


@STUDENTS
def test_a_student_learns_the_stolen_models_answers_without_a_label(attack: Attack) -> None:
    images = pictures(60)
    stolen = learnt("bright")
    unlabelled = Images(images.pixels, images.labels * 0, images.names)
    answers = predict(stolen, images).argmax(1).numpy()
    student = applied(attack, stolen, thief=unlabelled)
    assert len(set(answers.tolist())) == 3
    assert accuracy(predict(student, images).argmax(1).numpy(), answers) > 0.9


@pytest.mark.parametrize("attack", [Distill(1, student=STUDENT), Extract(epochs=1, student=STUDENT)], ids=repr)
def test_a_student_of_another_architecture_takes_the_images_as_the_stolen_model_does(attack: Attack) -> None:
    preprocess = Preprocess((0.5,), (0.25,))
    found = applied(attack, prepared(tiny(classes=5), preprocess))
    assert isinstance(found, ResNet18)
    assert found.head.weight.shape == (5, 16)
    assert preprocess_of(found) == preprocess
    assert same_weights(found, applied(attack, prepared(tiny(classes=5), preprocess)))
    assert not same_weights(found, applied(attack, prepared(tiny(classes=5), preprocess), number=1))


def test_extraction_sees_labels_only_and_distillation_sees_more() -> None:
    assert same_weights(applied(Extract(epochs=1), tiny()), applied(Extract(epochs=1), surer(tiny(), 3)))
    for likeness in Likeness:
        distill = Distill(1, likeness=likeness)
        assert not same_weights(applied(distill, tiny()), applied(distill, surer(tiny(), 3)))


def test_a_likeness_is_what_its_name_says() -> None:
    undecided, answer = torch.zeros(4, 2), torch.tensor([[1.0, 0.0]] * 4)
    task = Classification()
    assert float(task.distance(undecided, answer)) == pytest.approx(0.5)
    assert float(task.divergence(undecided, answer)) == pytest.approx(np.log(2))
    assert [float(loss(undecided, undecided.softmax(1))) for loss in (task.distance, task.divergence)] == [0, 0]


def test_extraction_asks_as_often_as_it_may_and_no_image_twice() -> None:
    asked: list[Tensor] = []
    stolen = nn.Sequential(tiny())
    stolen.register_forward_pre_hook(lambda _, inputs: asked.append(inputs[0]))
    applied(Extract(queries=7, epochs=0, student=STUDENT), stolen)
    assert len({tuple(image.flatten().tolist()) for image in torch.cat(asked)}) == 7
    with pytest.raises(DataError, match="expected 25 images to query, but the thief has 24"):
        applied(Extract(queries=25), tiny())
    with pytest.raises(UsageError):
        Extract(queries=0)


def test_a_student_of_a_model_that_cannot_be_drawn_anew_is_an_error_and_not_a_copy() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale, self.head = nn.Parameter(torch.ones(3)), nn.Linear(3, 3)

        def forward(self, inputs: Tensor) -> Tensor:
            found: Tensor = self.head(inputs.mean((2, 3)) * self.scale)
            return found

    with pytest.raises(ModelError, match="scale"):
        applied(Distill(epochs=1), Own())


def test_a_model_without_a_layer_to_open_is_an_error() -> None:
    with pytest.raises(ModelError):
        applied(Finetune(Layers.LAST, epochs=1), nn.Sequential(nn.Flatten(), nn.BatchNorm1d(768)))


def test_overwriting_embeds_the_thiefs_mark_by_the_schemes_own_verb() -> None:
    found, stolen = applied(Overwrite(Bump(0.5)), tiny()), tiny()
    assert changed(found, stolen) == {"head.bias"}
    assert (found.get_parameter("head.bias") - stolen.head.bias).tolist() == pytest.approx([0.5, 0, 0])


def test_overwriting_by_a_fingerprint_is_an_error_and_not_a_copy() -> None:
    @dataclass(frozen=True)
    class Print:
        needs: ClassVar[Needs] = Needs(contrast=True)
        marks: ClassVar[bool] = False
        serves: ClassVar[tuple[type[Task], ...]] = (Classification,)

        def protect(self, model: nn.Module, owner: Owner, rng: torch.Generator, progress: Progress = silent) -> Protected:  # noqa: ARG002
            return Protected(model, small_claim())

    with pytest.raises(UsageError, match="does not change the model"):
        applied(Overwrite(Print()), tiny())


def test_one_attack_after_another_is_the_second_of_what_the_first_made() -> None:
    first, second, rng = Noise(0.2), Finetune(epochs=1), seed(0)
    wanted = second.apply(first.apply(tiny(), pictures(), rng), pictures(), rng)
    assert same_weights(applied(Then(first, second), tiny()), wanted)
    told: list[tuple[int, int]] = []
    twice = Then(Finetune(epochs=1), Finetune(epochs=2))
    twice.apply(tiny(), pictures(130), seed(0), lambda done, total: told.append((done, total)))
    assert told == [*((step, 6) for step in range(1, 4)), *((step, 12) for step in range(7, 13))]
