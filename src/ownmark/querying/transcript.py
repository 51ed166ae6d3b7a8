"""What a judge asked and what came back, as plain data: a verdict stores it and can be recomputed from it. No torch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from ownmark import canonical, keys
from ownmark.canonical import from_base64, in_base64
from ownmark.claims.claim import Claim, Test
from ownmark.errors import AnswerError, EvidenceError, KindError, MapError, RandomError, UsageError
from ownmark.keys import Pixels
from ownmark.protocols import Question, Suspect
from ownmark.querying.answering import answers_of, more_of
from ownmark.querying.control_twins import controls_of
from ownmark.scoring.matches import Retaken
from ownmark.scoring.readings import Answers, Bools, Labels, Reading, source

PROBES, AGAIN = 10, 2  # images that are asked about repeatedly, and the number of repeats
PROBABILITIES = 2  # dimensions
AS_SEALED = "as sealed"  # the triggers as they stand in the claim
TWINS = "control twins"  # not triggers, but as similar to them as the masked twins
DECOYS = "decoys"  # answers to these, where a test is about residuals; through a front "decoys, FRONT"
TOLD = frozenset({Reading.PROBABILITY, Reading.BEST, Reading.LABEL})  # that can be asked about decoys
FOR_RESIDUALS = 300  # decoys, if there are as many: on fewer images a student's residual hardly tells
KEYS = frozenset({"role", "stratum", "name", "digest", "given", "answered", "decoys", "repeats", "ledger"})
ARRAY_KEYS = frozenset({"dtype", "shape", "data"})
DTYPES = {"f4": "<f4", "f8": "<f8", "i8": "<i8"}
Purify = Callable[[Pixels], Pixels]
NONE: Mapping[str, Purify] = {}


class Role(StrEnum):
    """The role of the model that was asked."""

    SUSPECT = "suspect"
    OWN = "the claimant's own model"
    REFERENCE = "reference"


@dataclass(frozen=True, eq=False)
class Decoys:
    """A judge's ordinary images (d, height, width, channels) uint8 and their classes (d,) in the claim's order, -1 if unknown."""

    images: Pixels
    labels: Labels

    @property
    def digest(self) -> str:
        """SHA-256 of pixels and classes."""
        heads = (
            f"{one.dtype.str} {one.shape} ".encode() + np.ascontiguousarray(one).tobytes() for one in (self.images, self.labels)
        )
        return canonical.sha256(b"".join(heads))


@dataclass(frozen=True)
class Plan:
    """How to query a suspect. `nonce`: 32 bytes that determine the order; `purify`: transformations of the triggers, by name."""

    nonce: bytes
    decoys: Decoys | None = None
    purify: Mapping[str, Purify] = field(default_factory=dict)

    def queries(self, part: Claim) -> int:
        """How many images the suspect is asked about."""
        rows = int(part.images.shape[0] * part.images.shape[1])
        decoys = len(self.ordinary(part))
        return rows * (1 + len(self.purify)) + decoys + len(_twins(part)[0]) + AGAIN * (min(rows, PROBES) + min(decoys, PROBES))

    def ordinary(self, part: Claim) -> Pixels:
        """(d, height, width, channels) uint8: the decoys that are asked about, perhaps none."""
        return part.images[:0, 0] if self.decoys is None else self.decoys.images[: most_decoys(part)]


@dataclass(frozen=True, eq=False)
class Heard:
    """What one model answered. `given`: to the triggers, by form, and to control twins; `answered`: which triggers it answered.

    For a claim on residuals `given` holds what it answered to the decoys, too. `decoys` (d,): labels, -1 where it refused;
    `repeats` (probes, 1 + AGAIN): labels of the same image each time, first of triggers, then of at most as many decoys, split at
    `len(answered)` or PROBES; `ledger`: digest of the ledger that holds every query to an address, "" if none was needed.
    """

    role: Role
    stratum: str
    name: str
    digest: str
    given: Mapping[str, Answers]
    answered: Bools
    decoys: Labels
    repeats: Labels
    ledger: str = ""

    @property
    def record(self) -> dict[str, Any]:
        """JSON data."""
        return {
            "role": self.role.value,
            "stratum": self.stratum,
            "name": self.name,
            "digest": self.digest,
            "given": {
                form: {one.value: array_record(found) for one, found in answers.items()} for form, answers in self.given.items()
            },
            "answered": [bool(one) for one in self.answered],
            "decoys": self.decoys.tolist(),
            "repeats": array_record(self.repeats),
            "ledger": self.ledger,
        }

    @property
    def forms(self) -> list[str]:
        """The forms in which it was asked about the triggers."""
        return [form for form in self.given if form != TWINS and not form.startswith(DECOYS)]

    def replayed(self, form: str = AS_SEALED) -> "Replayed":
        """A suspect that replays these answers."""
        return Replayed(self.name, self.digest, self.to(form))

    def to(self, form: str) -> Answers:
        """The answers to the images in that form. Raises EvidenceError if the record lacks them."""
        if form not in self.given:
            raise EvidenceError(f"the record lacks what {self.name} answered to the images {form!r}")
        return self.given[form]

    def told(self, form: str, reading: Reading) -> npt.NDArray[Any]:
        """One reading of these answers. Raises EvidenceError if the record lacks it."""
        return self.replayed(form).told(reading)


@dataclass(frozen=True, eq=False)
class Replayed:
    """A suspect whose answers were recorded."""

    name: str
    digest: str
    answers: Answers

    @property
    def reveals(self) -> frozenset[Reading]:
        return frozenset(self.answers)

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:  # noqa: ARG002 - it is only asked what was recorded
        """The recorded answers. Raises EvidenceError if the record lacks one."""
        return {reading: self.told(reading) for reading in question.readings}

    def told(self, reading: Reading) -> npt.NDArray[Any]:
        """One reading. Raises EvidenceError if the record lacks it."""
        if reading not in self.answers:
            raise EvidenceError(f"the record of what {self.name} answered lacks the {reading}, which the ruling rests on")
        return self.answers[reading]


def from_record(value: object) -> Heard:
    """What `Heard.record` described. Raises EvidenceError."""
    record = canonical.record_of(value, KEYS, "what a model answered")
    try:
        return Heard(
            Role(record["role"]),
            record["stratum"],
            record["name"],
            record["digest"],
            {form: {Reading(one): array_of(found) for one, found in given.items()} for form, given in record["given"].items()},
            np.array(record["answered"], dtype=np.bool_),
            np.array(record["decoys"], dtype=np.int64),
            array_of(record["repeats"]),
            record["ledger"],
        )
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise EvidenceError(f"cannot read a recorded answer: {error}") from error


def heard(suspect: Suspect, part: Claim, plan: Plan) -> Heard:
    """Ask the suspect itself, in one shuffled order: triggers, decoys, twins, repeats; if it refuses none, purified triggers.

    A suspect without any map is asked for all else, if a test of the claim needs none. Raises KindError for answers whose meaning
    cannot be settled, RandomError for random ones.
    """
    return _shown(suspect, part, lambda readings: _heard(suspect, part, plan, readings))


def _shown(model: Suspect, part: Claim, ask: Callable[[frozenset[Reading]], Heard]) -> Heard:
    """What the model answers; without its maps if it has none. Raises the MapError again where no other test is left."""
    readings = _readings(model, part)
    try:
        return ask(readings)
    except MapError:
        left = readings - {Reading.SALIENCY}
        if not any(source(test.reading, left) in left for test in part.tests):
            raise
    return ask(left)


def _heard(suspect: Suspect, part: Claim, plan: Plan, readings: frozenset[Reading]) -> Heard:
    triggers = part.images.reshape(-1, *part.images.shape[2:])
    decoys = plan.ordinary(part)
    if decoys.shape[1:] != triggers.shape[1:]:
        raise UsageError(f"expected decoys of the triggers' shape {triggers.shape[1:]}, got {decoys.shape[1:]}")
    probes = list(range(min(len(triggers), PROBES)))
    probes += [len(triggers) + row for row in range(min(len(decoys), PROBES))]
    twins, aims = _twins(part)
    images, last = np.concatenate([triggers, decoys, twins]), len(triggers) + len(decoys)
    again = np.array(probes * AGAIN, dtype=np.int64)
    aimed = _target(part)
    target = np.concatenate([aimed, np.zeros((len(decoys), *aimed.shape[1:]), dtype=np.int64), aims])
    rows = np.concatenate([np.arange(len(images)), again])
    order = keys.chosen(keys.derived(plan.nonce, "order", 0), len(rows), len(rows))
    back = np.argsort(order)
    asked = _question(readings, part, target[rows[order]], covered=_reordered(part, rows[order], back))
    answers, answered = _read(suspect, images[rows[order]], asked)
    found, known = {one: given[back] for one, given in answers.items()}, answered[back]
    labels = np.where(known, found[Reading.LABEL], -1).astype(np.int64)
    forms = {AS_SEALED: {one: given[: len(triggers)] for one, given in found.items()}}
    if len(twins):
        forms[TWINS] = {one: given[last : len(images)] for one, given in found.items()}
    if len(decoys) and on_residuals(part):
        forms[DECOYS] = {one: given[len(triggers) : last] for one, given in found.items() if one in TOLD}
    for name, purify in plan.purify.items() if known.all() else ():
        forms[name] = dict(answers_of(suspect, purify(triggers), _question(readings, part, _target(part), part.covered)))
    repeats = np.stack([labels[probes], *np.split(labels[len(images) :], AGAIN)], axis=1)
    told = (Role.SUSPECT, "", suspect.name, suspect.digest)
    return Heard(*told, forms, known[: len(triggers)], labels[len(triggers) : last], repeats)


def heard_plainly(
    model: Suspect,
    part: Claim,
    role: Role,
    stratum: str = "",
    fronts: Mapping[str, Purify] = NONE,
    ordinary: Pixels | None = None,
) -> Heard:
    """Ask one of the judge's or the claimant's models, which has no reason to evade, about the triggers.

    `fronts`: transformations, by name, through which it is asked as well, as a suspect may see every image through one;
    `ordinary`: the suspect's decoys, about which it is asked if the claim is on residuals.
    """
    told, nothing = (role, stratum, model.name, model.digest), np.zeros(0, dtype=np.int64)
    everything = np.ones(part.images.shape[0] * part.images.shape[1], dtype=np.bool_)

    def ask(readings: frozenset[Reading]) -> Heard:
        given = _plain_answers(model, part, readings, fronts)
        if ordinary is not None and len(ordinary) and on_residuals(part):
            given |= _plain_decoys(model, ordinary, readings & TOLD, fronts)
        return Heard(*told, given, everything, nothing, nothing.reshape(0, 1 + AGAIN))

    return _shown(model, part, ask)


def _plain_answers(model: Suspect, part: Claim, readings: frozenset[Reading], fronts: Mapping[str, Purify]) -> dict[str, Answers]:
    """The answers to the triggers as sealed, and through each front."""
    question = _question(readings, part, _target(part), part.covered)
    triggers = part.images.reshape(-1, *part.images.shape[2:])
    forms = {AS_SEALED: triggers} | {name: front(triggers) for name, front in fronts.items()}
    return {name: dict(answers_of(model, images, question)) for name, images in forms.items()}


def _plain_decoys(
    model: Suspect, ordinary: Pixels, readings: frozenset[Reading], fronts: Mapping[str, Purify]
) -> dict[str, Answers]:
    """The answers to the decoys, and to them through each front."""
    question = Question(readings, np.zeros(len(ordinary), dtype=np.int64))
    forms = {DECOYS: ordinary} | {f"{DECOYS}, {name}": front(ordinary) for name, front in fronts.items()}
    return {name: dict(answers_of(model, images, question)) for name, images in forms.items()}


def on_residuals(part: Claim) -> bool:
    """Whether a test of the claim is about residuals, whose weights are the claimant's, so that decoys are judged by, too."""
    return any(isinstance(test.match, Retaken) for test in part.tests)


def most_decoys(part: Claim) -> int:
    """The largest number of decoys that are asked about: as many as triggers, and more for a claim on residuals."""
    return max(int(part.images.shape[0] * part.images.shape[1]), FOR_RESIDUALS if on_residuals(part) else 0)


def _twins(part: Claim) -> tuple[Pixels, Labels]:
    """Control twins, if a test of the claim needs them and they can be made, and the expected classes of their samples."""
    found = controls_of(part)
    if found is None:
        return part.images[:0, 0], _chief(part).target[:0]
    return found.twins, np.asarray(_chief(part).target[found.rows])


def _readings(suspect: Suspect, part: Claim) -> frozenset[Reading]:
    wanted = {source(test.reading, suspect.reveals) for test in part.tests}
    if Reading.LABEL not in suspect.reveals or not wanted & suspect.reveals:
        shown = ", ".join(sorted(suspect.reveals))
        needed = ", ".join(sorted(wanted))
        raise UsageError(f"a judge needs labels and one of {needed}; {suspect.name} reveals {shown}{more_of(suspect)}")
    return frozenset(wanted & suspect.reveals | {Reading.LABEL})


def _target(part: Claim) -> Labels:
    return np.repeat(part.target_of(_chief(part)), part.images.shape[1], axis=0)


def _question(readings: frozenset[Reading], part: Claim, target: Labels, covered: Labels | None) -> Question:
    """A question about images with `target` classes; `covered` matters only for maps."""
    seen = covered if Reading.SALIENCY in readings else None
    return Question(readings, target, _chief(part).layer, covered=seen, classes=len(part.classes))


def _reordered(part: Claim, rows: Labels, back: Labels) -> Labels | None:
    """For images in the order `rows`, the row of each trigger's covered view; other images refer to themselves."""
    if part.covered is None:
        return None
    views = np.arange(len(rows))
    triggers = rows < len(part.covered)
    views[triggers] = back[part.covered[rows[triggers]]]
    return views


def _chief(part: Claim) -> Test:
    return next((test for test in part.tests if test.reading is Reading.SALIENCY), part.tests[0])


def _read(suspect: Suspect, images: Pixels, question: Question) -> tuple[Answers, Bools]:
    """Ask about all images at once; if an answer is unusable, one by one to find refusals. Raises AnswerError if all are."""
    try:
        return answers_of(suspect, images, question), np.ones(len(images), dtype=np.bool_)
    except (KindError, RandomError):
        raise  # a single image could seem to settle what all images together do not
    except AnswerError as error:
        single = [_read_one(suspect, images, question, row) for row in range(len(images))]
        given = next((one for one in single if one is not None), None)
        if given is None:
            raise AnswerError(f"{suspect.name} gives no usable answer for any image: {error}") from error
    blank = {reading: _blank(given[reading]) for reading in question.readings}
    full = [blank if one is None else one for one in single]
    answers = {reading: np.concatenate([one[reading] for one in full]) for reading in question.readings}
    return answers, np.array([one is not None for one in single])


def _blank(given: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A placeholder for a missing answer: class 0, or uniform probabilities."""
    return np.full_like(given, 1 / given.shape[1]) if given.ndim == PROBABILITIES else np.zeros_like(given)


def _read_one(suspect: Suspect, images: Pixels, question: Question, row: int) -> Answers | None:
    """The answer to one image, accompanied by its covered view if that matters; None if it is refused."""
    rows = [row] if question.covered is None else [row, question.covered[row]]
    covered = None if question.covered is None else np.ones(len(rows), dtype=np.int64)
    try:
        given = answers_of(suspect, images[rows], replace(question, target=question.target[rows], covered=covered))
    except AnswerError:
        return None
    return {reading: found[:1] for reading, found in given.items()}


def array_record(found: npt.NDArray[Any]) -> dict[str, Any]:
    """Integers as 8 bytes each; fractions keep their precision."""
    kind = found.dtype.kind + str(found.dtype.itemsize)
    plain = np.ascontiguousarray(found, dtype=DTYPES.get(kind, "<f8" if found.dtype.kind == "f" else "<i8"))
    return {"dtype": plain.dtype.str, "shape": list(plain.shape), "data": in_base64(plain.tobytes())}


def array_of(value: object) -> npt.NDArray[Any]:
    """What `array_record` described. Raises EvidenceError."""
    record = canonical.record_of(value, ARRAY_KEYS, "an array")
    if record["dtype"] not in DTYPES.values():
        raise EvidenceError(f"expected an array of {', '.join(DTYPES.values())}, got {record['dtype']!r}")
    return np.frombuffer(from_base64(record["data"]), dtype=record["dtype"]).reshape(record["shape"])


def of_role(all_heard: Sequence[Heard], role: Role) -> tuple[Heard, ...]:
    """The models that were asked in that role."""
    return tuple(one for one in all_heard if one.role is role)
