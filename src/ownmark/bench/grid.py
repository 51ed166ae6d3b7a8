"""Expands a recipe's scale into trials: every scheme and repeat against the target, its copies and the negatives."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ownmark.bench.artifacts import Calibrated, Claimed, Copied, Fresh, Model, Pictures, Setting
from ownmark.bench.recipe import Recipe, Repeat, Scale, Theft, spelled_theft
from ownmark.bench.stealth import Noticed
from ownmark.bench.trial import Role, Trial
from ownmark.errors import UsageError
from ownmark.method_strings import nearest
from ownmark.protocols import Scheme


@dataclass(frozen=True)
class Grid:
    """A recipe at one scale, with the selected schemes and attacks."""

    recipe: Recipe
    scale: Scale

    @property
    def setting(self) -> Setting:
        return Setting(self.pictures(training=True), self.scale.network, self.scale.training)

    @property
    def skipped(self) -> dict[str, str]:
        """Thefts that are left out, each with the reason: what an attack lacks here (its property `lacking`)."""
        thefts = (self.scale.attacks | self.scale.further).items()
        found = {name: theft.attack.lacking for name, theft in thefts if "lacking" in dir(theft.attack)}  # type: ignore[union-attr]
        return {name: reason for name, reason in found.items() if reason}

    def trials(self) -> list[Trial]:
        """All trials; earlier ones are made first if nothing else decides."""
        schemes = (*self.scale.fingerprints.items(), *self.scale.watermarks.items())
        return [trial for repeat in self.scale.repeats for name, scheme in schemes for trial in self._of(name, scheme, repeat)]

    def target(self, repeat: Repeat) -> Fresh:
        return Fresh(self.setting, repeat.target)

    def copy(self, stolen: Fresh | Claimed, theft: Theft) -> Model:
        """The model of a theft, without the thief's transforms and defences."""
        if theft.attack is None:
            return stolen
        share = self.scale.thief_share if theft.share is None else theft.share
        return Copied(stolen, theft.attack, share, self.scale.attack_seed if theft.seed is None else theft.seed)

    def claimed(self, scheme: Scheme, repeat: Repeat) -> Claimed:
        """The claim of a repeat; only a scheme that uses other models receives them."""
        target, scale = self.target(repeat), self.scale
        others: tuple[Fresh, ...] = ()
        own: tuple[Copied, ...] = ()
        if scheme.needs.contrast:
            missing = max(scheme.needs.references - len(scale.references), 0)
            others = tuple(Fresh(self.setting, seed) for seed in (*scale.references, *scale.more_references[:missing]))
            own = tuple(Copied(target, attack, scale.thief_share, scale.surrogate_seed) for attack in scale.surrogates)
        return Claimed(target, scheme, repeat.claim, self.recipe.name, others, own)

    def _of(self, name: str, scheme: Scheme, repeat: Repeat) -> Iterator[Trial]:
        """The model that thefts copy; a fingerprint's copies are of the target itself, so all fingerprints share them."""
        claimed, target, test = self.claimed(scheme, repeat), self.target(repeat), self.pictures(training=False)
        innocents = tuple(Fresh(self.setting, seed) for seed in self.scale.innocents)
        claim = Calibrated(claimed, innocents) if innocents else claimed
        published: Fresh | Claimed = claimed if name in self.scale.watermarks else target
        noticed = Noticed(claimed, tuple(self.scale.detectors.items()), self.scale.thief_share)
        guard, skipped = noticed if self.scale.detectors else None, self.skipped
        yield Trial(name, "target", repeat.claim, Role.TARGET, claim, published, test, target, (), noticed)
        for role, thefts in ((Role.POSITIVE, self.scale.attacks), (Role.FURTHER, self.scale.further)):
            for called, theft in ((called, theft) for called, theft in thefts.items() if called not in skipped):
                copy = self.copy(published, theft)
                yield Trial(name, called, repeat.claim, role, claim, copy, test, published, theft.behind, guard)
        for called, other in self.independent(repeat):
            yield Trial(name, called, repeat.claim, Role.NEGATIVE, claim, other, test, noticed=guard)

    def independent(self, repeat: Repeat) -> Iterator[tuple[str, Fresh]]:
        """The names and models of the negatives, those of the target's images and network first."""
        yield from ((f"negative_{seed}", Fresh(self.setting, seed)) for seed in self.scale.negatives if seed != repeat.target)
        for called, kind in self.scale.strangers.items():
            setting = Setting(
                self.pictures(training=not kind.held_out),
                kind.network or self.scale.network,
                kind.training or self.scale.training,
            )
            yield from ((f"{called}_{seed}", Fresh(setting, seed)) for seed in kind.seeds)

    def pictures(self, *, training: bool) -> Pictures:
        """The training images, or the evaluation images."""
        return Pictures(self.recipe.place, self.scale.size, self.recipe.channels, training, self.recipe.task)

    def picked(self, schemes: tuple[str, ...], attacks: tuple[str, ...]) -> "Grid":
        """Selects schemes and attacks by their names in the recipe or as code; all, if none is named."""
        scale = self.scale
        if schemes:
            known = {**scale.fingerprints, **scale.watermarks}
            wanted = set(_checked(schemes, known))
            parts = {"fingerprints": scale.fingerprints, "watermarks": scale.watermarks}
            chosen = {part: {name: one for name, one in all_.items() if name in wanted} for part, all_ in parts.items()}
            scale = scale.model_copy(update=chosen)
        if attacks:
            further = {word: theft for word, theft in scale.further.items() if word in attacks}
            added = {word: spelled_theft(word) for word in attacks if word not in scale.attacks | further}
            counted = {word: (scale.attacks | added)[word] for word in attacks if word not in further}
            scale = scale.model_copy(update={"attacks": counted, "further": further})
        return Grid(self.recipe, scale)


def _checked(words: tuple[str, ...], known: Mapping[str, object]) -> tuple[str, ...]:
    for word in words:
        if word not in known:
            raise UsageError(f"the recipe has no {word!r} at this scale; similar: {nearest(word, known)}")
    return words
