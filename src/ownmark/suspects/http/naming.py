"""What an API calls the classes of a claim, found out by ordinary images of known class. No torch."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ownmark.scoring.readings import Labels
from ownmark.suspects.http.web import Told, best

LEAST = 3  # images of each class from which an unheard-of name can be learnt


@dataclass(frozen=True)
class Naming:
    """`classes`: the API's names of the claim's classes, in the claim's order; `right` of `asked` images fit it."""

    classes: tuple[str, ...]
    how: str
    right: int
    asked: int

    @property
    def good(self) -> bool:
        """Whether it is half of the way from chance to perfect, or nearer to that."""
        return self.right >= self.asked * (1 + 1 / len(self.classes)) / 2


def supposed(told: Sequence[Told], labels: Labels, declared: Sequence[tuple[str, ...]], names: Sequence[str]) -> Naming:
    """Of the names that an API may use for the claim's classes (`names`) those that fit best; `labels` (n,): the true classes."""
    answers = [best(one) for one in told]
    heard = sorted({name for one in told for name in one})
    found = [
        Naming(classes, how, sum(one == classes[label] for one, label in zip(answers, labels, strict=True)), len(answers))
        for classes, how in _candidates(declared, names, heard)
    ]
    return max(found, key=lambda one: one.right)  # the first of several


def learnt(told: Sequence[Told], labels: Labels, classes: int) -> Naming | None:
    """The name that most images of each class get, if all classes have one and no two the same; None otherwise."""
    counts = [Counter[str]() for _ in range(classes)]
    for one, label in zip(told, labels, strict=True):
        name = best(one)
        counts[int(label)].update([] if name is None else [name])
    chosen: list[str] = []
    for label, count in enumerate(counts):
        asked = int((labels == label).sum())
        name, often = max(count.items(), key=lambda item: item[1], default=("", 0))
        if asked < LEAST or 2 * often <= asked or name in chosen:
            return None
        chosen.append(name)
    right = sum(count[name] for count, name in zip(counts, chosen, strict=True))
    return Naming(tuple(chosen), f"names learnt from {len(told)} images", right, len(told))


def _candidates(
    declared: Sequence[tuple[str, ...]], names: Sequence[str], heard: Sequence[str]
) -> Iterator[tuple[tuple[str, ...], str]]:
    for one in declared:
        yield one, "as declared"
    spelled = {_plain(name): name for name in heard}
    yield tuple(spelled.get(_plain(name), name) for name in names), "the claim's names, spelled otherwise"
    for one in declared:
        if all(name.isdecimal() for name in one):
            yield (
                tuple(str(int(name) + 1) for name in one),
                "numbers that are one higher: it counts from 1, or has a class in front",
            )


def _plain(name: str) -> str:
    return "".join(sign for sign in name.casefold() if sign.isalnum())
