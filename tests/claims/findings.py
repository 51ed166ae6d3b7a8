"""What the first steps of judging find in a bundle, with nothing loaded that judging does not need."""

from typing import Any

from ownmark.evidence.admissibility import Trust, checked
from ownmark.evidence.bundle import Bundle


def told(one: Bundle, trust: Trust) -> dict[str, Any]:
    """What the first three steps find, as JSON data."""
    found = checked(one, trust, trust.now)
    return {
        "digest": found.digest,
        "claim": found.commitment.claim,
        "root": found.commitment.root,
        "time": found.time and found.time.isoformat(),
        "standing": found.standing.name,
        "part": found.part and found.part.digest,
        "number": found.number,
        "remade": found.remade,
    }
