"""Doubts about a claim or a model, told to whoever watches. No torch."""

from collections.abc import Sequence

from ownmark.verdicts.soundness import Doubt, sentences
from ownmark.workflows.watching import Watcher


def warned(watcher: Watcher, doubts: Sequence[Doubt]) -> tuple[Doubt, ...]:
    """The doubts as sentences, each once, after the watcher was warned of them."""
    found = sentences(doubts)
    for doubt in found:
        watcher.warn(f"Warning: {doubt.message}")
    return found
