"""What an owner claims, as plain data: what to ask, what to expect, and how an innocent model does. No torch.

The file is one safetensors container with a single metadata entry `ownmark`: canonical JSON of every non-array field, the SHA-256
of each array, and `digest`, the SHA-256 of all of that. Each claim has exactly one valid file: reading it serialises it again and
compares the bytes, so any modification is detected. `docs/claim-format.md` specifies it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import numpy as container

from ownmark import tasks
from ownmark.canonical import named_once
from ownmark.claims.fitting import Fitting
from ownmark.errors import ClaimError, blamed
from ownmark.files import write_whole
from ownmark.scoring import matches
from ownmark.scoring import null_models as nulls
from ownmark.scoring.matches import Combining, Graded, Match, weighed
from ownmark.scoring.null_models import Null, Uncalibrated
from ownmark.scoring.readings import Expected, Reading, is_number
from ownmark.tasks import Classification, Task

Arrays = dict[str, npt.NDArray[Any]]


def packed(arrays: Arrays, described: Mapping[str, Any]) -> bytes:
    """The file's bytes: the arrays, their description, and its digest."""
    text = _canonical({"claim": described, "digest": digest_of(described)})
    return container.save(arrays, metadata={"ownmark": text})


def opened(data: bytes) -> tuple[dict[str, Any], Arrays]:
    """JSON data and arrays of a structurally sound file. Raises ClaimError."""
    if data[:1] == b"{":  # no claim begins so: its first byte belongs to a length that is a multiple of eight
        raise ClaimError("not a claim file but JSON, as seals, opened seals, verdicts and keys are")
    with blamed(ClaimError, "not a claim file; truncated or corrupt"):
        arrays = container.load(data)
        size = int.from_bytes(data[:8], "little")
        text = json.loads(data[8 : 8 + size]).get("__metadata__", {}).get("ownmark")
        if text is None:
            raise ClaimError("not a claim file but safetensors without a claim, as files of weights are")
        record = json.loads(text, object_pairs_hook=named_once)
        described = record["claim"]
    if not isinstance(described, dict):
        raise ClaimError("not a claim file: its description is not a JSON object")
    return described, arrays


def _canonical(value: object) -> str:
    """JSON with sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_of(described: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical(described).encode()).hexdigest()


def array_digest(array: npt.NDArray[Any]) -> str:
    found = hashlib.sha256(f"{array.dtype.str} {array.shape} ".encode())
    found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


VERSION = 1
MOST_BYTES = 4 * 2**30
PAIRED = (Reading.SIMILARITY, Reading.SALIENCY)  # readings that depend on the paired image, if the task has one
MAPS, PIXELS = 3, 5  # number of dimensions of a claim's maps and images


@dataclass(frozen=True)
class Preprocess:
    """Maps the claim's 8-bit pixels to the model's input: pixel / 255, then (value - mean) / std per channel."""

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        if not self.mean or len(self.mean) != len(self.std):
            raise ClaimError(f"preprocessing needs one mean and one std per channel, got mean {self.mean}, std {self.std}")
        if not all(map(is_number, self.mean + self.std)) or min(self.std) <= 0:
            raise ClaimError(f"mean and std must be finite and std positive, got mean {self.mean}, std {self.std}")


@dataclass(frozen=True, eq=False)
class Test:
    """One test of a claim: what to ask and how to judge the answers.

    `expected`: (n,) classes, or numbers in the reading's format; `target_score`: the score of the owner's own model, in [0, 1],
    which most matches count as the share of samples that match; `layer`: where a SALIENCY reading takes its map, "" for the
    suspect's own last feature map; `rows`: the samples that it is about, from the first to before the last, None: all.
    """

    __test__ = False  # tells pytest that this is not a test

    reading: Reading
    match: Match
    expected: Expected = field(repr=False)
    target_score: float
    layer: str = ""
    null: Null = field(default_factory=Uncalibrated)
    rows: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.rows is not None and not _is_span(self.rows):
            raise ClaimError(f"expected the first of a test's samples and the one after its last, got {self.rows!r}")
        if self.match.reading is not self.reading:
            raise ClaimError(f"{type(self.match).__name__} needs the reading {self.match.reading}, got {self.reading}")
        if not is_number(self.target_score) or not 0 <= self.target_score <= 1:
            raise ClaimError(f"the score of the protected model must be a number in [0, 1], got {self.target_score!r}")
        if self.expected.dtype not in {np.dtype(np.int64), np.dtype(np.float64)} or not isinstance(self.layer, str):
            got = f"{self.expected.dtype}, {self.layer!r}"
            raise ClaimError(f"expected answers must be int64 classes or float64 numbers and the layer a string, got {got}")

    @property
    def samples(self) -> slice:
        """The samples that it is about."""
        return slice(None) if self.rows is None else slice(*self.rows)

    @property
    def target(self) -> Expected:
        """(n, ...) what a question is about: the expected answers; where they are only weights, which is no answer, class 0."""
        return np.zeros(len(self.expected), dtype=np.int64) if weighed(self.match) else self.expected


@dataclass(frozen=True, eq=False)
class Claim:
    """What an owner claims: the images to ask about, and the tests by which the answers are judged.

    `images`: (n, views, height, width, channels) uint8, exactly the pixels that are sent to a suspect. `tests` are ordered by
    strength: the first calibrated one that a suspect can answer decides. `model` and `built_with` are the digests of the
    protected model and of the models that helped to build the claim: they must not calibrate it. `scheme` (a repr), `originals`
    (n, height, width, channels) and `maps` (n, h, w) are for the record and the report; control twins are made from the
    originals, which decide nothing else. `task`: what the model does; for similarity the last view is the paired image, and there
    are no `classes`; for regression the only class is the name of the number. `choices`: JSON data of what was committed to
    before the key of its labels was drawn (`evidence.choices`); `fitting`: how the model's makers bring pictures to its size, if
    they say it, for the record and for decoys.
    """

    images: npt.NDArray[np.uint8]
    tests: tuple[Test, ...]
    classes: tuple[str, ...]
    scheme: str
    model: str
    preprocess: Preprocess = Preprocess()
    built_with: tuple[str, ...] = ()
    originals: npt.NDArray[np.uint8] | None = None
    maps: npt.NDArray[np.float32] | None = None
    task: Task = Classification()
    choices: Mapping[str, Any] | None = None
    fitting: Fitting | None = None

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8 or self.images.ndim != PIXELS or not self.images.size:
            shape = f"{self.images.dtype} {self.images.shape}"
            raise ClaimError(f"a claim's images must be uint8 (n, views, height, width, channels) with n > 0, got {shape}")
        if not all(isinstance(word, str) for word in (self.scheme, self.model, *self.classes, *self.built_with)):
            raise ClaimError("scheme, model, classes and built_with must consist of strings")
        if len(self.preprocess.mean) not in {1, self.images.shape[-1]}:
            raise ClaimError(f"expected {self.images.shape[-1]} means, one per channel, got {len(self.preprocess.mean)}")
        _check_tests(self)
        _check_records(self)

    def __eq__(self, other: object) -> bool:
        """Two claims are equal if all their fields are."""
        return isinstance(other, Claim) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        """One line for a notebook; `ownmark inspect` shows the rest."""
        asked = ", ".join(dict.fromkeys(self.readings))
        state = "calibrated" if self.calibrated else "not calibrated"
        return f"<Claim {self.digest[:12]} on model {self.model[:12]}: {len(self.images)} samples, asks for {asked}, {state}>"

    @cached_property
    def digest(self) -> str:
        """SHA-256 over every field, including the nulls, as 64 hexadecimal digits."""
        return digest_of(self._described)

    @cached_property
    def _described(self) -> dict[str, Any]:
        return _described(self, _arrays(self))

    @property
    def readings(self) -> tuple[Reading, ...]:
        """The readings that the tests ask for, strongest first."""
        return tuple(test.reading for test in self.tests)

    @property
    def calibrated(self) -> bool:
        """Whether the null of at least one test is calibrated."""
        return any(test.null.calibrated for test in self.tests)

    @property
    def changed_from(self) -> npt.NDArray[np.uint8] | None:
        """The originals that the samples (first views) differ from; None without originals or if no sample was changed."""
        same = self.originals is None or np.array_equal(self.originals, self.images[:, 0])
        return None if same else self.originals

    @property
    def covered(self) -> npt.NDArray[np.int64] | None:
        """For maps of the evidence against another answer: for all views in order, the row of the view that got that answer."""
        if not any(test.match.paired for test in self.tests if test.reading is Reading.SALIENCY):
            return None
        count, views = self.images.shape[:2]
        return np.repeat(np.arange(count) * views + 1, views)

    def target_of(self, test: Test) -> Expected:
        """(n, ...) what a question about all samples is about: the test's targets, and class 0 where it is about no sample."""
        target = test.target
        if test.rows is None:
            return target
        every = np.zeros((len(self.images), *target.shape[1:]), target.dtype)
        every[test.samples] = target
        return every

    def about(self, test: Test) -> "Claim":
        """The claim of one of its tests alone, and of the samples that this is about."""
        kept = test.samples
        originals = None if self.originals is None else self.originals[kept]
        maps = None if self.maps is None else self.maps[kept]
        return replace(self, images=self.images[kept], tests=(replace(test, rows=None),), originals=originals, maps=maps)

    def to_bytes(self) -> bytes:
        """The content of the claim's file."""
        return packed(_arrays(self), self._described)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Claim":
        """The claim in a file's bytes. Raises ClaimError if they are corrupt, modified or of an unknown version."""
        described, arrays = opened(data)
        if described.get("version") != VERSION:
            raise ClaimError(
                f"claim of version {described.get('version')!r}, but this ownmark reads version {VERSION}: update ownmark"
            )
        with blamed(ClaimError, "the claim file has a missing or invalid field"):
            claim = _restored(described, arrays)
            rewritten = claim.to_bytes()
        if rewritten != data:
            raise ClaimError("the claim file was modified after it was written: its digest does not match its content")
        return claim

    def save(self, path: Path | str) -> None:
        """Write the file atomically."""
        write_whole(Path(path), self.to_bytes())

    @classmethod
    def load(cls, path: Path | str) -> "Claim":
        """Read a file. Raises ClaimError that names the path if the file cannot be trusted."""
        path = Path(path)
        try:
            return cls.from_bytes(_read_at_most(path, MOST_BYTES))
        except OSError as error:
            raise ClaimError(f"cannot read the claim {path}: {error.strerror or error}") from error
        except ClaimError as error:
            raise ClaimError(f"{path}: {error}") from error

    def with_nulls(self, found: Mapping[int, Null]) -> "Claim":
        """The same claim with the nulls of the tests in `found`, by number, replaced."""
        tests = tuple(replace(test, null=found.get(place, test.null)) for place, test in enumerate(self.tests))
        return replace(self, tests=tests)

    def part(self, number: int) -> "Claim":
        """The claim of trigger set `number` alone; the other sets stay secret. `target_score` remains that of all sets."""
        null = self.tests[0].null.keyed
        if null is None or not null.sets or any(test.null != null for test in self.tests):
            raise ClaimError("only a claim whose tests all share the same KeyedLabels, of at least one set, has parts")
        alone, rows = null.alone(number), slice(number * null.triggers, (number + 1) * null.triggers)
        tests = tuple(replace(test, expected=test.expected[rows], null=alone) for test in self.tests)
        originals = None if self.originals is None else self.originals[rows]
        maps = None if self.maps is None else self.maps[rows]
        return replace(self, images=self.images[rows], tests=tests, originals=originals, maps=maps)


def _is_span(rows: object) -> bool:
    """Whether these are two whole numbers, of which the second is larger."""
    whole = isinstance(rows, tuple) and len(rows) == 2 and all(type(one) is int for one in rows)  # noqa: PLR2004 - first and last
    return whole and 0 <= rows[0] < rows[1]  # type: ignore[index]


def _read_at_most(path: Path, limit: int) -> bytes:
    if path.stat().st_size > limit:
        raise ClaimError(f"larger than {limit // 2**30} GiB, the limit for claims")
    return path.read_bytes()


def _check_tests(claim: Claim) -> None:
    if not claim.tests:
        raise ClaimError("a claim needs at least one test")
    asked = [test for test in claim.tests if not isinstance(test.match, Combining)]
    if sum(test.reading is Reading.SALIENCY for test in asked) > 1:
        raise ClaimError("a claim can ask for at most one saliency map")
    for test in claim.tests:
        if test.reading not in claim.task.readings:
            raise ClaimError(f"a claim on {claim.task.name} cannot ask for a {test.reading}")
        count = len(claim.images[test.samples])
        if test.expected.shape[:1] != (count,) or not count or (test.rows and test.rows[1] > len(claim.images)):
            raise ClaimError(f"expected one answer per image, got {count} images and answers {test.expected.shape}")
        _check_expected(claim, test)
        views = claim.task.views if test.reading in PAIRED and claim.task.compares else test.match.views
        if claim.images.shape[1] < views:
            raise ClaimError(f"{type(test.match).__name__} needs {views} views, got {claim.images.shape[1]}")
        test.null.check(test.match, test.expected, len(claim.classes))


def _check_expected(claim: Claim, test: Test) -> None:
    if isinstance(test.match, Combining):
        test.match.check_parts([one.match for one in claim.tests])
    if isinstance(test.match, Graded):
        test.match.check(test.expected, len(claim.classes))
        return
    count = len(claim.images[test.samples])
    if test.match.paired and test.expected.shape != (count, 2):
        kind = type(test.match).__name__
        raise ClaimError(f"{kind} expects two answers per sample, its label and the model's own, got {test.expected.shape}")
    if not claim.task.discrete:
        if test.expected.dtype != np.float64 or not np.all(np.isfinite(test.expected)):
            raise ClaimError(f"expected answers of {claim.task.name} must be finite numbers, got {test.expected.dtype}")
    elif not test.match.paired and test.expected.shape != (count,):
        raise ClaimError(f"expected one answer per image, got {count} images and answers {test.expected.shape}")
    elif test.expected.dtype != np.int64 or not 0 <= test.expected.min() <= test.expected.max() < len(claim.classes):
        raise ClaimError(f"expected answers must be classes in [0, {len(claim.classes)})")


def _check_records(claim: Claim) -> None:
    """Whether the data kept for the report fits the images."""
    count, _, *shape = claim.images.shape
    if claim.originals is not None and (claim.originals.dtype != np.uint8 or claim.originals.shape != (count, *shape)):
        raise ClaimError(f"the originals must be uint8 {(count, *shape)}, got {claim.originals.dtype} {claim.originals.shape}")
    if claim.maps is not None and (claim.maps.dtype != np.float32 or claim.maps.ndim != MAPS or len(claim.maps) != count):
        raise ClaimError(f"the maps must be float32 ({count}, h, w), got {claim.maps.dtype} {claim.maps.shape}")


def _arrays(claim: Claim) -> Arrays:
    arrays: Arrays = {"images": claim.images}
    arrays |= {f"expected.{place}": test.expected for place, test in enumerate(claim.tests)}
    arrays |= {} if claim.originals is None else {"originals": claim.originals}
    arrays |= {} if claim.maps is None else {"maps": claim.maps}
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


def _described(claim: Claim, arrays: Arrays) -> dict[str, Any]:
    """Everything except the arrays, as JSON data."""
    told = {} if claim.task == tasks.DEFAULT else {"task": tasks.to_record(claim.task)}
    told |= {} if claim.choices is None else {"choices": dict(claim.choices)}
    told |= {} if claim.fitting is None else {"fitting": claim.fitting.record()}
    return told | {
        "version": VERSION,
        "scheme": claim.scheme,
        "model": claim.model,
        "built_with": list(claim.built_with),
        "classes": list(claim.classes),
        "preprocess": asdict(claim.preprocess),
        "tests": [
            {
                "reading": test.reading.value,
                "match": matches.to_record(test.match),
                "null": nulls.to_record(test.null),
                "layer": test.layer,
                "target_score": test.target_score,
                **({} if test.rows is None else {"rows": list(test.rows)}),
            }
            for test in claim.tests
        ],
        "arrays": {name: array_digest(array) for name, array in arrays.items()},
    }


def _restored(described: Mapping[str, Any], arrays: Arrays) -> Claim:
    tests = tuple(
        Test(
            Reading(one["reading"]),
            matches.from_record(one["match"]),
            arrays[f"expected.{place}"],
            one["target_score"],
            one["layer"],
            nulls.from_record(one["null"]),
            tuple(one["rows"]) if "rows" in one else None,
        )
        for place, one in enumerate(described["tests"])
    )
    preprocess = Preprocess(**{key: tuple(value) for key, value in described["preprocess"].items()})
    kept: dict[str, Any] = {name: arrays[name] for name in ("originals", "maps") if name in arrays}
    kept |= {"task": tasks.from_record(described["task"])} if "task" in described else {}
    kept |= {"choices": dict(described["choices"])} if "choices" in described else {}
    kept |= {"fitting": Fitting.from_record(described["fitting"])} if "fitting" in described else {}
    names, built_with = tuple(described["classes"]), tuple(described["built_with"])
    return Claim(arrays["images"], tests, names, described["scheme"], described["model"], preprocess, built_with, **kept)
