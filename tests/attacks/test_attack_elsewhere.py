"""Thieves who bring something of their own: foreign images, an independent model, steps along a substitute's gradient."""

from pathlib import Path

import pytest
import torch
from conftest import pictures, same_weights, seed, tiny
from learnt import greyed
from PIL import Image
from thieves import applied, changed, surer
from torch import Tensor, nn

from ownmark.attacks._common.foreign import Foreign
from ownmark.attacks._common.independent import Independent
from ownmark.attacks._common.sources import sources
from ownmark.attacks.average import Average
from ownmark.attacks.distill_ensemble import DistillEnsemble
from ownmark.attacks.jacobian import Jacobian
from ownmark.attacks.knockoff import Knockoff, Reply
from ownmark.attacks.noise import Noise
from ownmark.attacks.then import Then
from ownmark.attacks.transfer import Transfer
from ownmark.data.images import Images, digits
from ownmark.errors import DataError, ModelError, UsageError
from ownmark.models.layers import Layers
from ownmark.models.weights import save_weights
from ownmark.tasks import Regression, Similarity
from ownmark.training import part

FEW = Foreign("digits", most=30)
STUDENT = "ownmark:ResNet18(width=2, stem='cifar')"


def folder(place: Path, classes: int = 4, size: tuple[int, int] = (20, 20)) -> Path:
    """A folder of flat images, one shade per class."""
    for label in range(classes):
        for number in range(3):
            file = place / f"kind {label}" / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", size, (50 * label, 0, number)).save(file)
    return place


def test_foreign_images_take_the_thiefs_size_and_channels_and_their_labels_mean_nothing(tmp_path: Path) -> None:
    wide = pictures(6)
    thief = Images(wide.pixels[:, :12], wide.labels, wide.names)
    found = Foreign(str(folder(tmp_path)), most=5).unlabelled(thief, seed(0))
    assert found.pixels.shape == (5, 12, 16, 3)
    assert (found.names, found.task) == (thief.names, thief.task)
    grey = Foreign("digits", most=5).unlabelled(thief, seed(0)).pixels
    assert (grey == grey[..., :1]).all()
    assert grey.shape == (5, 12, 16, 3)
    assert len(Foreign(str(tmp_path)).unlabelled(thief, seed(0))) == 12


def test_foreign_labels_are_those_of_the_first_classes_or_numbers_or_people(tmp_path: Path) -> None:
    place, thief = str(folder(tmp_path)), pictures(6)
    found = Foreign(place).labelled(thief, seed(0))
    assert (sorted(set(found.labels.tolist())), len(found)) == ([0, 1, 2], 9)
    assert all(found.pixels[row, 0, 0, 0] == 50 * label for row, label in enumerate(found.labels))
    number = Foreign("digits").labelled(Images(thief.pixels, thief.labels * 1.0, ("age",), Regression()), seed(0))
    assert sorted(set(number.labels.tolist())) == [float(digit) for digit in range(10)]
    assert number.names == ("age",)
    people = Foreign(place).labelled(Images(thief.pixels, thief.labels, thief.names, Similarity()), seed(0))
    assert sorted(set(people.labels.tolist())) == [0, 1, 2, 3]


def test_what_an_attack_reads_besides_is_known_by_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERE", str(tmp_path))
    folder(tmp_path / "images")
    save_weights(tiny(1), tmp_path / "other.safetensors")
    attack = Then(Knockoff(Foreign("${HERE}/images")), Average(Independent("${HERE}/other.safetensors")))
    found = sources(attack)
    assert set(found) == {"${HERE}/images", "${HERE}/other.safetensors"}
    folder(tmp_path / "images", classes=5)
    again = sources(attack)
    assert {name for name in found if found[name] != again[name]} == {"${HERE}/images"}
    assert sources(Then(Knockoff(), Average())) == sources(Noise()) == {}
    monkeypatch.delenv("HERE")
    with pytest.raises(UsageError, match="set HERE"):
        sources(attack)


def test_a_place_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    for attack in (Knockoff(Foreign(str(tmp_path / "none"))), Transfer(Foreign(str(tmp_path / "none")))):
        with pytest.raises(DataError, match="no such folder"):
            applied(attack, tiny())
        with pytest.raises(DataError, match="of the thief"):
            applied(attack, tiny(), thief=pictures().take([]))
    with pytest.raises(UsageError):
        Foreign(most=0)


def heard(stolen: nn.Module) -> list[Tensor]:
    """What the model is asked from now on."""
    asked: list[Tensor] = []
    stolen.register_forward_pre_hook(lambda _, inputs: asked.append(inputs[0].detach().clone()))
    return asked


def test_knockoff_asks_about_foreign_images_only_and_about_each_once() -> None:
    stolen = nn.Sequential(greyed(tiny()))
    asked = heard(stolen)
    attack = Knockoff(epochs=0, student="ownmark:ResNet18(width=2, stem='cifar', channels=1)")
    applied(attack, stolen, thief=pictures(channels=1))
    rows = {tuple(image) for image in (torch.cat(asked).flatten(1) * 255).round().byte().tolist()}
    assert rows == {tuple(image.flatten().tolist()) for image in digits(size=16).pixels}
    assert sum(map(len, asked)) == len(digits())


def test_knockoff_hears_labels_where_replies_are_hard_and_more_where_they_are_soft() -> None:
    hard, soft = (Knockoff(FEW, reply, epochs=1) for reply in (Reply.HARD, Reply.SOFT))
    assert same_weights(applied(hard, tiny()), applied(hard, surer(tiny(), 3)))
    assert not same_weights(applied(soft, tiny()), applied(soft, surer(tiny(), 3)))
    other = Images(pictures().pixels[::-1].copy(), pictures().labels, pictures().names)
    assert same_weights(applied(soft, tiny()), applied(soft, tiny(), thief=other)), "the thief's own images have no part in it"


def test_a_substitute_doubles_its_images_each_round_and_asks_about_each() -> None:
    stolen = nn.Sequential(tiny())
    asked = heard(stolen)
    told: list[tuple[int, int]] = []
    attack = Jacobian(first=10, rounds=3, epochs=1, student=STUDENT)
    attack.apply(stolen, pictures(), seed(0), lambda *step: told.append(step))
    assert [len(batch) for batch in asked] == [10, 10, 20, 40]
    assert told[-1] == (5, 5)
    with pytest.raises(UsageError):
        Jacobian(rounds=-1)


def test_a_substitutes_images_move_along_the_sign_of_its_gradient() -> None:
    images, answers = pictures(6), torch.tensor([0, 1, 2, 2, 1, 0])
    student = nn.Sequential(nn.Flatten(), nn.Linear(768, 3))
    signs = student.get_parameter("1.weight").detach().sign()[answers].view(-1, 3, 16, 16).permute(0, 2, 3, 1).numpy()
    wanted = (images.pixels + 51 * signs).clip(0, 255)
    assert (Jacobian(step=0.2).moved(student, images, answers) == wanted).all()


def test_an_averages_weights_lie_between_both_models_and_its_statistics_are_new(tmp_path: Path) -> None:
    one, other = tiny(), tiny(1)
    save_weights(other, tmp_path / "other.safetensors")
    found = applied(Average(Independent(f"{tmp_path}/other.safetensors"), share=0.25, epochs=0), one).state_dict()
    for name, weight in one.named_parameters():
        mean = 0.75 * weight + 0.25 * other.get_parameter(name)
        assert torch.allclose(found[name], mean, atol=1e-6), name
    conv = (found["stem.conv.weight"], (pictures().batch(torch.arange(24), torch.device("cpu")) - 0.5) / 0.25)
    statistics = torch.nn.functional.conv2d(conv[1], conv[0], padding=1).mean((0, 2, 3))
    assert torch.allclose(found["stem.norm.running_mean"], statistics, atol=1e-5)
    save_weights(tiny(classes=4), tmp_path / "wide.safetensors")
    with pytest.raises(ModelError, match="does not fit"):
        applied(Average(Independent(f"{tmp_path}/wide.safetensors")), one)


def test_an_independent_model_has_nothing_of_the_stolen_one() -> None:
    stolen = tiny()
    with torch.no_grad():
        for weight in stolen.parameters():
            weight.fill_(7)
    found = Independent(epochs=1).model(stolen, pictures(), seed(0), lambda *_: None)
    same = Independent(epochs=1).model(tiny(), pictures(), seed(0), lambda *_: None)
    assert same_weights(found, same)


def test_an_ensemble_of_a_model_with_itself_teaches_what_the_model_teaches(tmp_path: Path) -> None:
    for number in (0, 1):
        save_weights(tiny(number), tmp_path / f"{number}.safetensors")

    def taught(number: int, share: float) -> Tensor:
        other = Independent(f"{tmp_path}/{number}.safetensors")
        return applied(DistillEnsemble(other, share, epochs=1), tiny()).get_parameter("head.weight").detach()

    assert torch.allclose(taught(0, 0.2), taught(0, 0.7), atol=1e-5)
    assert not torch.allclose(taught(1, 0.2), taught(1, 0.7), atol=1e-5)


@pytest.mark.parametrize("kind", [Average, DistillEnsemble])
def test_a_share_of_nothing_or_of_everything_is_an_error(kind: type) -> None:
    for share in (0.0, 1.0, float("nan")):
        with pytest.raises(UsageError, match="share"):
            kind(share=share)


def test_a_transferred_model_keeps_its_outputs_and_gets_another_head() -> None:
    found = applied(Transfer(FEW, Layers.LAST, epochs=1), tiny())
    assert changed(found, tiny()) == {"head.weight", "head.bias"}
    assert changed(applied(Transfer(FEW, epochs=1), tiny()), tiny()) == set(tiny().state_dict())


def test_parts_of_some_work_are_told_as_one() -> None:
    told: list[tuple[int, int]] = []
    part(lambda *step: told.append(step), 3, 5)(2, 2)
    assert told == [(5, 5)]
