"""A miniature court for evidence benchmarks: small networks on the built-in digits, a seal, and all of a judge's steps.

Seals count as timestamped before the suspect appeared; separate tests cover timestamps.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache, partial

import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from torch import nn

from ownmark.claims.claim import Claim
from ownmark.data.images import Images, digits
from ownmark.evidence import claim_record, seal
from ownmark.evidence.admissibility import Standing, Trust, checked
from ownmark.evidence.bundle import Bundle
from ownmark.evidence.commitment import Policy
from ownmark.evidence.owner import OwnerKey
from ownmark.evidence.ruling import Ruling, Session, Stratum, opened_part, ruled
from ownmark.evidence.seal import Beside
from ownmark.keys import Pixels
from ownmark.protocols import Suspect
from ownmark.querying.transcript import Decoys, Plan, Purify, Role, heard, heard_plainly, most_decoys
from ownmark.schemes._common.triggers import Patterns, Source
from ownmark.suspects.local import Local
from ownmark.suspects.wrappers.wrapped import JPEG, BitDepth
from ownmark.training import Training, seeded, train
from zoo import kept

SIZE = 8  # of scikit-learn's digits
OWNER = OwnerKey(Ed25519PrivateKey.from_private_bytes(b"signs" + bytes(27)), b"hides" + bytes(27))
SEEN, SEALED = datetime(2100, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)
TRAINING = Training(epochs=8, batch=32, rate=0.1, flips=False, shift=1)


@cache
def images(*, training: bool) -> Images:
    """The digits at their original size."""
    return digits(train=training, size=SIZE)


def half(part: int) -> Images:
    """Every second training image: two disjoint halves."""
    return images(training=True).take(range(part, len(images(training=True)), 2))


def network(width: int = 8) -> nn.Module:
    """Two convolutions and a linear layer; trains in 0.4 s."""
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(width * SIZE * SIZE // 2, 10),
    )


def trained(data: Images, rng: torch.Generator) -> nn.Module:
    """A new network, trained on `data`."""
    with seeded(rng):
        model = network()
    return train(model, data, TRAINING, rng)


def model(seed: int, part: int | None = None) -> nn.Module:
    """An unmarked network, made once, trained on all training images or on one half."""
    data = images(training=True) if part is None else half(part)
    return kept(f"court {network()} {TRAINING} part {part}", network, partial(trained, data), seed)


@dataclass(frozen=True)
class Stated:
    """The choices of a watermark that its key depends on; the training does not influence labels or images."""

    triggers: int
    source: Source = Patterns()
    sets: int = 1


@dataclass(frozen=True, eq=False)
class Court:
    """A judge with their own references, by stratum, ordinary images, and the fronts through which references are asked, too."""

    references: tuple[tuple[Stratum, Suspect], ...]
    fronts: Mapping[str, Purify] = field(default_factory=dict)

    def ruling(self, bundle: Bundle, own: Suspect, suspect: Suspect, pool: Pixels | None = None) -> Ruling:
        """Steps J1 to J8. Raises EvidenceError for an invalid opened seal."""
        found = replace(checked(bundle, Trust(owner=OWNER.public, pool=pool), SEEN), standing=Standing.IN_TIME, time=SEALED)
        part = opened_part(found)
        decoys = ordinary(most_decoys(part))
        plan = Plan(bytes(range(32)), decoys, {repr(one): one.transform for one in (JPEG(75), BitDepth(5))})
        usual = plan.ordinary(part)
        asked = [heard(suspect, part, plan), heard_plainly(own, part, Role.OWN, ordinary=usual)]
        asked += [heard_plainly(one, part, Role.REFERENCE, stratum.value, self.fronts, usual) for stratum, one in self.references]
        return ruled(found, Session(tuple(asked), plan.nonce, decoys.labels))


def ordinary(count: int) -> Decoys:
    """Held-out digits."""
    held_out = images(training=False)
    return Decoys(held_out.pixels[:count], held_out.labels[:count])


def opened(claim: Claim, alpha: float, pool: Pixels | None = None) -> Bundle:
    """The claim as its owner seals it, and discloses its first set or all of it to a judge."""
    access = "labels" if claim_record.keyed(claim) else ""
    sealed = seal.seal(claim, OWNER, Policy(alpha, access=access), Beside(pool=pool))
    return seal.opened(sealed, claim, OWNER, 0 if sealed.commitment.sets else None)


def suspects(seeds: range, part: int | None = None) -> tuple[Local, ...]:
    """Independent models of these seeds."""
    return tuple(Local(model(seed, part), name=f"independent {seed}") for seed in seeds)
