"""How far the zero of a residual may be leant on with few innocent models: rates of false accusation in simulated worlds.

Every trial draws images, a protected model, its references, innocent models and an innocent suspect, and passes them through the
scheme's own functions. A suspect is accused at a stated rate of 5 % by the claim's own zero and spread alone, by Student's
prediction interval of a few innocents, or by rank among 19. Writes `residual-zero.json`: per kind of innocent model and per way
the share accused (`middle`: whose score is above one half), and the mean residual with and without crosswise choice.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from helped import helped
from ownmark.schemes._common.model_answers import ModelAnswers, halfway
from ownmark.scoring.matches import CrossedResidual
from ownmark.scoring.readings import Reading
from ownmark.statistics.p_values import clopper_pearson, rank_p
from ownmark.tasks import Classification
from record import record

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
TRIALS, IMAGES, CLASSES, SAMPLES, REFERENCES = 1500, 600, 5, 100, 3
RATE, FEW, MANY = 0.05, (2, 3, 5, 9), 19


@dataclass(frozen=True)
class World:
    """What all models see in the images, (n, classes) logits, and how far those of other data lean together."""

    common: Floats
    lean: Floats

    def model(self, rng: np.random.Generator, noise: float = 1.0, lean: float = 0.0) -> Floats:
        """The probabilities of an independent model."""
        logits = self.common + noise * rng.normal(0, 1, self.common.shape) + lean * self.lean
        return np.asarray(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class Kind:
    """A kind of innocent model: its noise, how far it leans with others of its kind, and how far the protected model does so."""

    noise: float = 1.0
    lean: float = 0.0
    own: float = 0.0


KINDS: Mapping[str, Kind] = {
    "like_the_references": Kind(),
    "noisier": Kind(noise=1.5),
    "of_other_data": Kind(lean=0.5),
    "of_the_models_ancestor": Kind(lean=0.5, own=0.5),
}


@dataclass(frozen=True)
class Asked:
    """The weights of the chosen rows, and the standard deviation that the claim expects of an independent model."""

    rows: Rows
    expected: Floats
    spread: float

    @classmethod
    def of(cls, told: ModelAnswers, chosen: list[Rows]) -> "Asked":
        rows = np.concatenate(chosen)
        asked = told.at(rows)
        expected = asked.weights(Reading.PROBABILITY, [len(part) for part in chosen])
        if expected is None:
            raise SystemExit("a world without a residual: change its noise")
        return cls(rows, expected, asked.spread(asked.features(Reading.PROBABILITY)[1:], expected))

    def residual(self, answers: Floats) -> float:
        """Of a suspect with these probabilities for all images."""
        return float(CrossedResidual(0.3, 0.1).values(answers[self.rows][:, None], self.expected).mean())


def trial(number: int, kind: Kind) -> dict[str, bool]:
    """Which ways accuse one innocent suspect of that kind, whose innocents are of its kind, too."""
    rng = np.random.default_rng(number)
    world = World(rng.normal(0, 2, (IMAGES, CLASSES)), rng.normal(0, 1, (IMAGES, CLASSES)))
    made = [world.model(rng, lean=kind.own), *(world.model(rng) for _ in range(REFERENCES))]
    told = ModelAnswers(np.stack(made), REFERENCES, Classification())
    asked = Asked.of(told, told.chosen(SAMPLES))
    found = [asked.residual(world.model(rng, kind.noise, kind.lean)) for _ in range(1 + MANY)]
    suspect, innocents, spread = found[0], found[1:], asked.spread
    ways = {"zero_alone": suspect > stats.norm.isf(RATE) * spread, "middle": suspect > halfway(np.zeros(0), spread)}
    for count in FEW:
        few = innocents[:count]
        reach = stats.t.isf(RATE, count - 1) * np.std(few, ddof=1) * np.sqrt(1 + 1 / count)
        ways[f"interval_of_{count}"] = suspect > np.mean(few) + reach
    return ways | {f"rank_among_{MANY}": rank_p(suspect, innocents) <= RATE}


def leaning(number: int) -> tuple[float, float]:
    """An innocent's residual on images that others weigh than the one that chose them, and where their chooser weighs, too."""
    rng = np.random.default_rng([number, 1])
    world = World(rng.normal(0, 2, (IMAGES, CLASSES)), np.zeros((IMAGES, CLASSES)))
    told = ModelAnswers(np.stack([world.model(rng) for _ in range(1 + REFERENCES)]), REFERENCES, Classification())
    innocent, chosen = world.model(rng), told.chosen(SAMPLES)
    return Asked.of(told, chosen).residual(innocent), Asked.of(told, [*chosen[1:], chosen[0]]).residual(innocent)


def main() -> None:
    """All kinds and ways, and how far innocents lean by the choice of images."""
    leans = np.array([leaning(number) for number in range(TRIALS)])
    figures = {"crosswise.mean": leans[:, 0].mean(), "weighed_by_their_chooser.mean": leans[:, 1].mean()}
    figures |= {"crosswise.std": leans[:, 0].std(), "weighed_by_their_chooser.std": leans[:, 1].std()}
    for name, kind in KINDS.items():
        told = [trial(number, kind) for number in range(TRIALS)]
        for way in told[0]:
            hits = sum(bool(one[way]) for one in told)
            low, high = clopper_pearson(hits, TRIALS)
            figures |= {f"{name}.{way}": hits / TRIALS, f"{name}.{way}.low": low, f"{name}.{way}.high": high}
    setting = (
        f"{TRIALS} simulated claims per kind of innocent model: {IMAGES} images of {CLASSES} classes, {SAMPLES} asked, "
        f"{REFERENCES} references; stated rate {RATE:.0%}; the suspect is of the kind of the innocents that calibrate, if any"
    )
    record("residual-zero", figures, seeds={"trials": f"0-{TRIALS - 1}"}, setting=setting)


if __name__ == "__main__":
    helped(__doc__)
    main()
