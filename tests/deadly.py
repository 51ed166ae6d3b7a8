"""Work that ends its process, in a file that a worker loads at once."""

import os
import time
from dataclasses import dataclass

from ownmark.bench.artifacts import Cache, Making
from ownmark.bench.store import Made, Specification


@dataclass(frozen=True)
class Deadly:
    """A making that kills its process after so many seconds, or one that takes no time where they are 0."""

    seconds: float

    @property
    def needs(self) -> tuple[Making, ...]:
        return ()

    def specification(self, zoo: Cache) -> Specification:  # noqa: ARG002 - the protocol's signature
        return {"kind": "deadly", "seconds": self.seconds}

    def make(self, zoo: Cache) -> Made:  # noqa: ARG002 - the protocol's signature
        if self.seconds:
            time.sleep(self.seconds)
            os._exit(9)
        return Made({})
