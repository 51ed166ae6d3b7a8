"""Four forgeries against the steps that stop each: an arranged pool, ordered classes, planted answers, images with two faces.

Each yields one outcome per attempt: what a judge, `verify` or `scan` says of an honest suspect, "REFUSED" if a file is refused.
"""

import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate
from torch import Tensor, nn

from court import OWNER, SEEN, SIZE, Court, half, images, opened
from ownmark import keys
from ownmark.bench.forger import TwoFaced
from ownmark.claims.claim import Claim, Preprocess, Test
from ownmark.errors import OwnmarkError
from ownmark.evidence import claim_record, seal
from ownmark.evidence.admissibility import Trust
from ownmark.evidence.bundle import Bundle
from ownmark.evidence.choices import Choices
from ownmark.evidence.commitment import Policy
from ownmark.keys import Pixels
from ownmark.protocols import Question, Suspect
from ownmark.querying.ledger_codes import VARIABLE
from ownmark.schemes._common.triggers import Triggers
from ownmark.scoring.matches import Agreement
from ownmark.scoring.null_models import Innocents, KeyedLabels, Null
from ownmark.scoring.readings import Answers, Labels, Reading
from ownmark.suspects.answers import Outputs
from ownmark.suspects.local import Local
from ownmark.suspects.open import Access, Reach
from ownmark.suspects.opener import Wire
from ownmark.suspects.wrappers.wrapped import Blur, Transformed
from ownmark.workflows import judge, scan, verify

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from authority import authority
from loopback import serving
from sealing import resealed
from v2_server import V2

ALPHA, TRIGGERS, SILENT = 0.05, 60, 19
FRONT = Blur(0.7)  # an honest API that shrinks what it gets and enlarges it again; not among the judge's own fronts
REFUSED = "REFUSED"


@dataclass(frozen=True)
class Attempt:
    """`outcome`: what came of it; `matched`: the share of triggers on which the honest suspect answers as the forger wants."""

    outcome: str
    matched: float


# the pool is arranged to the key


def arranged(court: Court, suspect: Suspect, own: Suspect, number: int) -> Iterator[Attempt]:
    """One key, and a pool whose rows that this key picks are moved about until honest models answer them with its labels."""
    data = images(training=True)
    chosen = _choices(keys.pool_digest(data.pixels))
    null = _null(number, chosen)
    rows, wanted = keys.by_digest(data.pixels)[keys.chosen(null.set_keys[0], TRIGGERS, len(data))], null.labels()
    bent, told = data.pixels[_of_classes(wanted, data.labels)], np.array(data.pixels)
    told[rows] = bent
    matched = float(np.mean(_labels(suspect, bent) == wanted))
    claim = _keyed(own, bent, null, chosen)
    yield Attempt(_judged(court, lambda: opened(claim, ALPHA, told), own, suspect, told), matched)
    unsealed = seal.opened(seal.seal(claim, OWNER, Policy(ALPHA, access="labels")), claim, OWNER, 0)
    yield Attempt(_judged(court, lambda: resealed(unsealed, pool=keys.pool_digest(told)), own, suspect, told), matched)
    renamed = replace(chosen, pool=keys.pool_digest(told))
    bent_seal = lambda: resealed(unsealed, pool=renamed.pool, choices=renamed.record)  # noqa: E731
    yield Attempt(_judged(court, bent_seal, own, suspect, told), matched)
    yield Attempt(_judged(court, lambda: opened(_unbound(claim, null), ALPHA), own, suspect), matched)
    again = _null(number, renamed)
    drawn = _keyed(own, keys.picked(again.set_keys[0], TRIGGERS, told), again, renamed)
    matched = float(np.mean(_labels(suspect, drawn.images[:, 0]) == drawn.tests[0].expected))
    yield Attempt(_judged(court, lambda: opened(drawn, ALPHA, told), own, suspect, told), matched)


# the classes are put in order after asking


def ordered(court: Court, suspect: Suspect, own: Suspect, number: int) -> Iterator[Attempt]:
    """The suspect is asked first; then the names of its classes are ordered so that the key's numbers fit its answers."""
    chosen = _choices("", cells=4)
    null = _null(number, chosen)
    pixels = keys.patterns(null.set_keys[0], TRIGGERS, (SIZE, SIZE, 1), 4)
    order = _order(_labels(suspect, pixels), null.labels())
    names = tuple(chosen.classes[place] for place in order)
    asked, mine = Renamed(suspect, order), Renamed(own, order)
    there = replace(court, references=tuple((stratum, Renamed(one, order)) for stratum, one in court.references))
    matched = float(np.mean(_labels(asked, pixels) == null.labels()))
    claim = replace(_keyed(own, pixels, null, chosen), classes=names)
    yield Attempt(_judged(there, lambda: opened(claim, ALPHA), mine, asked), matched)
    plain = opened(_keyed(own, pixels, null, chosen), ALPHA)
    terms = claim_record.terms(claim)
    yield Attempt(_judged(there, lambda: resealed(plain, terms=terms), mine, asked), matched)
    told = replace(chosen, classes=names)
    bent_seal = lambda: resealed(plain, terms=terms, choices=told.record)  # noqa: E731
    yield Attempt(_judged(there, bent_seal, mine, asked), matched)
    yield Attempt(_judged(there, lambda: opened(_unbound(claim, null), ALPHA), mine, asked), matched)
    again = _null(number, told)
    drawn = replace(_keyed(own, keys.patterns(again.set_keys[0], TRIGGERS, (SIZE, SIZE, 1), 4), again, told), classes=names)
    matched = float(np.mean(_labels(asked, drawn.images[:, 0]) == drawn.tests[0].expected))
    yield Attempt(_judged(there, lambda: opened(drawn, ALPHA), mine, asked), matched)


@dataclass(frozen=True)
class Renamed:
    """A suspect whose classes are numbered in another order: class `place` of the claim is its class `order[place]`."""

    suspect: Suspect
    order: tuple[int, ...]

    @property
    def name(self) -> str:
        return self.suspect.name

    @property
    def digest(self) -> str:
        return self.suspect.digest

    @property
    def reveals(self) -> frozenset[Reading]:
        return frozenset({Reading.LABEL})

    def read(self, pixels: Pixels, question: Question) -> Answers:
        back = np.argsort(self.order)
        return {Reading.LABEL: back[np.asarray(self.suspect.read(pixels, question)[Reading.LABEL])]}


def _order(answers: Labels, wanted: Labels) -> tuple[int, ...]:
    """The order under which most answers are what is wanted, label by label."""
    counts = np.zeros((10, 10))
    np.add.at(counts, (answers, wanted), 1)
    order = [0] * 10
    for _ in range(10):
        answer, label = np.unravel_index(counts.argmax(), counts.shape)
        order[int(label)] = int(answer)
        counts[answer, :] = counts[:, label] = -1
    return tuple(order)


# answers are planted


@dataclass(frozen=True)
class Planted:
    """A claim on the forger's own marked model, and the honest model that it accuses, both behind the same address in turn."""

    claim: Claim
    own: Suspect
    honest: Suspect

    def attempts(self) -> Iterator[Attempt]:
        """By `verify`, `scan` and `judge`: a ledger of the forger's, and one of the judge's with the forger's answers in it."""
        answered, lying = [_server(self.honest), _server(self.own)], [True]
        matched = float(np.mean(_labels(self.honest, self.claim.images[:, 0]) == self.claim.tests[0].expected))
        with TemporaryDirectory() as name, serving(lambda asked: answered[lying[0]](asked)) as server:  # noqa: PLW0108 - it changes
            place = Path(name)
            self.claim.save(place / "my.claim")
            trusted = authority(place / "authority")
            stamped = seal.stamped(seal.seal(self.claim, OWNER, Policy(ALPHA, access="labels")), "http://tsa", trusted.reply)
            (place / "authority/a.opened").write_bytes(seal.opened(stamped, self.claim, OWNER, 0).to_bytes())
            (place / "authority/root.pem").write_bytes(trusted.root.public_bytes(Encoding.PEM))
            routes, ways_in = (self._verify, self._scan, self._judge), (self._of_another, self._of_mixed_rows)
            for route, written in product(routes, ways_in):
                file = place / f"{route.__name__}{written.__name__}.ledger"
                written(route, file, f"{server.url}/v2/models/suspect", lying)
                lying[0] = False
                with user(place / "judge"):
                    yield Attempt(_outcome(partial(route, file, f"{server.url}/v2/models/suspect")), matched)

    def _of_another(self, route: "Route", file: Path, url: str, lying: list[bool]) -> None:
        """The forger asks his own model at that address, and hands over the ledger."""
        lying[0] = True
        with user(file.parent / "forger"):
            route(file, url)

    def _of_mixed_rows(self, route: "Route", file: Path, url: str, lying: list[bool]) -> None:
        """The judge has asked; the forger puts his own answers into the judge's rows, with digests that fit."""
        lying[0] = False
        with user(file.parent / "judge"):
            route(file, url)
        other = file.with_suffix(".other")
        self._of_another(route, other, url, lying)
        columns = ("digest", "answer", "status", "headers", "state")
        with closing(sqlite3.connect(file)) as database:
            database.execute("ATTACH ? AS forged", (str(other),))
            swapped = ", ".join(f"{one} = other.{one}" for one in columns)
            rows = f"UPDATE main.requests AS mine SET {swapped} FROM forged.requests AS other"  # noqa: S608 - our own names
            database.execute(f"{rows} WHERE mine.request = other.request")
            database.commit()

    def _verify(self, file: Path, url: str) -> str:
        reach = replace(self._reach(file), ledger=file)
        return verify.verify(verify.VerifyRequest(claim=self.claim, suspect=url, reach=reach)).verdict.outcome

    def _scan(self, file: Path, url: str) -> str:
        request = scan.ScanRequest(claim=self.claim, suspects=(url,), reach=self._reach(file), keep=file, screen=10**6)
        return scan.scan(request).rows[0].outcome

    def _judge(self, file: Path, url: str) -> str:
        given = file.parent / "authority"
        root = load_pem_x509_certificate((given / "root.pem").read_bytes())
        with replace(self._reach(file), ledger=file).suspect(url, self.claim) as (suspect, ledger):
            hearing = judge.JudgeRequest(
                opened=given / "a.opened",
                suspect=suspect,
                trust=Trust((root,)),
                seen=SEEN,
                judge=OWNER,
                out=file.with_suffix(".json"),
                ledger=ledger,
                own=self.own,
            )
            return judge.judge(hearing).outcome

    def _reach(self, file: Path) -> Reach:
        near = replace(Access.to(self.claim), outputs=Outputs.LOGITS)
        return Reach(claim_file=file.parent / "my.claim", near=near, wire=Wire(tensor="image:FP32:nhwc:scores", at_once=1))


Route = Callable[[Path, str], str]


def _server(one: Suspect) -> V2:
    """The model behind an address."""
    return V2(Served(one), shape=(-1, SIZE, SIZE, 1), listed=False)


class Served(nn.Module):
    """A suspect's answers as logits, for a server that speaks of tensors."""

    def __init__(self, suspect: Suspect) -> None:
        nn.Module.__init__(self)
        self.suspect = suspect

    def forward(self, seen: Tensor) -> Tensor:
        pixels = (seen.permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy()
        question = Question(frozenset({Reading.PROBABILITY}), np.zeros(len(pixels), dtype=np.int64), "")
        return torch.from_numpy(np.asarray(self.suspect.read(pixels, question)[Reading.PROBABILITY])).clamp_min(1e-30).log()


@contextmanager
def user(folder: Path) -> Iterator[None]:
    """Acts as the user whose own key is in that folder."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = str(folder)
    try:
        yield
    finally:
        os.environ.pop(VARIABLE)
        if before is not None:
            os.environ[VARIABLE] = before


# images with two faces


def two_faced(forger: int, own: nn.Module, others: tuple[nn.Module, ...]) -> Claim:
    """A fingerprint of images that show their wrong class only to a suspect which sees them through a front."""
    rng = torch.Generator().manual_seed(forger)
    bent: Triggers = TwoFaced(FRONT.transform, samples=TRIGGERS, candidates=3 * TRIGGERS).bent((own, *others), half(0), rng)
    silent = Innocents((0.0,) * SILENT, tuple(f"{place:064}" for place in range(SILENT)))  # the claimant's own choice
    return _stated(Local(own), bent.images, bent.labels, silent)


def behind(suspect: Suspect) -> Suspect:
    """An honest suspect that sees every image through the front."""
    return Transformed(suspect, (FRONT,))


def faced(court: Court, claim: Claim, suspect: Suspect, own: Suspect) -> Attempt:
    """What a judge says of such a claim on an honest suspect."""
    matched = float(np.mean(_labels(suspect, claim.images[:, 0]) == claim.tests[0].expected))
    return Attempt(_judged(court, lambda: opened(claim, ALPHA), own, suspect), matched)


# what they share


def _choices(pool: str, cells: int = 0) -> Choices:
    """The forger's commitment; the scrypt, which a judge of one disclosed set cannot check, is left out."""
    names, size = images(training=True).names, images(training=True).size
    return Choices(OWNER.public, "Stated()", names, cells, pool, 1, TRIGGERS, size, "0" * 64, Preprocess(), ALPHA)


def _null(number: int, chosen: Choices) -> KeyedLabels:
    master = keys.derived(bytes(32), "forged", number)
    return KeyedLabels(master.hex(), TRIGGERS, len(chosen.classes), 1, context=chosen.digest)


def _stated(own: Suspect, pixels: Pixels, labels: Labels, null: Null) -> Claim:
    """A label claim on the forger's model, which the forger does not say to match."""
    test = Test(Reading.LABEL, Agreement(), labels, 0.0, null=null)
    return Claim(pixels[:, None], (test,), images(training=True).names, "Stated()", own.digest)


def _keyed(own: Suspect, pixels: Pixels, null: KeyedLabels, chosen: Choices) -> Claim:
    """The same with the labels of a key that is bound to those choices."""
    return replace(_stated(own, pixels, null.labels(), null), choices=chosen.record)


def _unbound(claim: Claim, null: KeyedLabels) -> Claim:
    """The same claim, its key said to be bound to nothing."""
    free = replace(null, key=null.set_keys[0].hex(), sets=0, context="")
    return replace(claim, tests=(replace(claim.tests[0], null=free),), choices=None)


def _of_classes(wanted: Labels, labels: Labels) -> Labels:
    """For each wanted class, another image of it."""
    left = {one: list(np.flatnonzero(labels == one)) for one in range(10)}
    return np.array([left[int(one)].pop() for one in wanted])


def _labels(suspect: Suspect, pixels: Pixels) -> Labels:
    question = Question(frozenset({Reading.LABEL}), np.zeros(len(pixels), dtype=np.int64), "")
    return np.asarray(suspect.read(pixels, question)[Reading.LABEL])


def _judged(court: Court, made: Callable[[], Bundle], own: Suspect, suspect: Suspect, pool: Pixels | None = None) -> str:
    return _outcome(lambda: court.ruling(made(), own, suspect, pool).outcome)


def _outcome(asked: Callable[[], str]) -> str:
    """The outcome, or that the file was refused."""
    try:
        return str(asked())
    except OwnmarkError:
        return REFUSED
