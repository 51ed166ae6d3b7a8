"""What an API calls the classes of a claim, learnt from ordinary images of known class. No torch."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from ownmark.scoring.readings import Labels
from ownmark.suspects.http.web import Told, best

NUMBERED = re.compile(r"(?:LABEL_)?(\d+)", re.ASCII)  # a class by its number, also as transformers writes it
LEAST = 3  # images per class needed to learn an undeclared name


@dataclass(frozen=True)
class Naming:
    """`classes`: the API's names of the claim's classes, in the claim's order; they fit `right` of `asked` images."""

    classes: tuple[str, ...]
    how: str
    right: int
    asked: int

    @property
    def good(self) -> bool:
        """Whether it is at least halfway from chance to perfect."""
        return self.right >= self.needed

    @property
    def needed(self) -> int:
        """The least number of right ones that is."""
        return ceil(self.asked * (1 + 1 / len(self.classes)) / 2)


def supposed(told: Sequence[Told], labels: Labels, declared: Sequence[tuple[str, ...]], names: Sequence[str]) -> Naming:
    """The best-fitting of the names that an API may use for the claim's classes (`names`); `labels` (n,): the true classes."""
    answers = [best(one) for one in told]
    heard = sorted({name for one in told for name in one})
    found = [
        Naming(classes, how, sum(one == classes[label] for one, label in zip(answers, labels, strict=True)), len(answers))
        for classes, how in _candidates(declared, names, heard)
    ]
    return max(found, key=lambda one: one.right)  # the first of equals


def are_strange(told: Sequence[Told], declared: Sequence[tuple[str, ...]], names: Sequence[str]) -> bool:
    """Whether none of the names that were heard is one that an API may use for the claim's classes."""
    heard = sorted({name for one in told for name in one})
    return not {name for classes, _ in _candidates(declared, names, heard) for name in classes} & set(heard)


def are_learnable(told: Sequence[Told], labels: Labels) -> bool:
    """Whether so many names were heard that every class may have one of its own: half as many as classes at first, all later."""
    heard = {best(one) for one in told} - {None}
    classes, counts = np.unique(labels[: len(told)], return_counts=True)
    return len(heard) >= (len(classes) if counts.min(initial=LEAST) >= LEAST else len(classes) / 2)


def learnt(told: Sequence[Told], labels: Labels, classes: int) -> Naming | None:
    """The name that most images of each class get, if every class has one and all differ; otherwise None."""
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
    yield tuple(spelled.get(_plain(name), name) for name in names), "the claim's names, spelled differently"
    for one in declared:
        if all(name.isdecimal() for name in one):
            for prefix in _prefixes(heard):
                yield tuple(f"{prefix}{name}" for name in one), f"numbers behind {prefix!r}"
                yield tuple(f"{prefix}{int(name) + 1}" for name in one), f"numbers behind {prefix!r}, from 1"
            yield (
                tuple(str(int(name) + 1) for name in one),
                "numbers shifted by one: it counts from 1 or has an extra first class",
            )


def _prefixes(heard: Sequence[str]) -> list[str]:
    """What stands before the numbers in names such as LABEL_0."""
    found = (re.fullmatch(r"(.*\D)\d+", name, re.ASCII) for name in heard)
    return sorted({one[1] for one in found if one})


def _plain(name: str) -> str:
    return "".join(sign for sign in name.casefold() if sign.isalnum())
