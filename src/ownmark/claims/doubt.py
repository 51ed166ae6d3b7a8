"""A reason to doubt a claim, as data. No torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Doubt:
    """`kind` for programs, the measured `figure`, and a sentence for people."""

    kind: str
    figure: float
    message: str
