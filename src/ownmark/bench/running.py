"""Running a bench: what others need is made first, what is there is not made again, and an error stops only what hangs on it."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import count
from statistics import fmean
from typing import Protocol

from ownmark.bench.artifacts import Making
from ownmark.bench.cache import Zoo
from ownmark.bench.executors.worker import Done, kind_of, title
from ownmark.bench.trial import Outcome, Trial

Graph = dict[Making, tuple[Making, ...]]  # everything that is to be made -> what it needs


class Pool(Protocol):
    """Where makings are worked on."""

    @property
    def workers(self) -> int:
        """How many at a time."""

    def start(self, making: Making) -> None:
        """Begin with it."""

    def wait(self) -> Sequence[Done]:
        """What has ended meanwhile, one at least."""


@dataclass(frozen=True)
class Failure:
    """What could not be made, and why; all that needs it fails with it."""

    making: Making
    message: str

    def told(self, trial: Trial) -> str:
        return self.message if self.making == trial else f"{title(self.making)}: {self.message}"


@dataclass(frozen=True)
class State:
    """How far a bench is. `latest` is what has just ended.

    `seconds_left` is for one worker, by the mean of what was made before of the same kind; `unknown` are the kinds of which
    nothing was made yet, so that the truth lies above.
    """

    total: int
    found: int
    made: int
    failed: int
    running: tuple[str, ...]
    seconds_left: float
    unknown: tuple[str, ...]
    latest: Done | None = None

    @property
    def left(self) -> int:
        """How many have not begun."""
        return self.total - self.found - self.made - self.failed - len(self.running)


Report = Callable[[State], None]


def unheard(_: State) -> None:
    """The report that says nothing."""


def run(trials: Sequence[Trial], zoo: Zoo, pool: Pool, report: Report = unheard) -> list[Outcome]:
    """The outcomes of all trials in their order, with errors in the place of what could not be made."""
    course = Course(zoo, trials)
    while course.look_around():
        while course.waiting and len(course.running) < pool.workers:
            pool.start(course.next())
        report(course.state())
        for done in pool.wait() if course.running else ():
            course.end(done)
    report(course.state())
    return [course.outcome(trial) for trial in trials]


class Course:
    """The course of one bench: what is ready, what is being made, and what has ended how."""

    def __init__(self, zoo: Zoo, trials: Sequence[Trial]) -> None:
        self.zoo = zoo
        self.weight: Counter[Making] = Counter()  # how many trials hang on it
        graph: Graph = {}
        for trial in trials:
            self.weight.update(_closure(trial, graph))
        self.total = len(graph)
        self.unfinished = Counter(map(kind_of, graph))
        self.sorter = TopologicalSorter(graph)
        self.sorter.prepare()
        self.waiting: list[tuple[int, int, Making]] = []
        self.running: list[Making] = []
        self.failures: dict[Making, Failure] = {}
        self.found, self.made, self.arrivals = 0, 0, count()
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)
        self.latest: Done | None = None

    def look_around(self) -> bool:
        """Put in line what can be made now; whether anything is left to do."""
        while ready := self.sorter.get_ready():
            for making in ready:
                self._arrive(making)
        return bool(self.waiting or self.running)

    def next(self) -> Making:
        """What most trials hang on."""
        making = heapq.heappop(self.waiting)[2]
        self.running.append(making)
        return making

    def end(self, done: Done) -> None:
        self.running.remove(done.making)
        self.latest = done
        if done.error is not None:
            self._failed(done.making, Failure(done.making, done.error))
            return
        self.made += 1
        self._finished(done.making, done.seconds)

    def outcome(self, trial: Trial) -> Outcome:
        if trial in self.failures:
            return Outcome(trial, error=self.failures[trial].told(trial))
        return Outcome(trial, self.zoo.entry(trial).record)

    def state(self) -> State:
        known = {kind: fmean(values) * self.unfinished[kind] for kind, values in self.seconds.items()}
        unknown = tuple(sorted(kind for kind, left in self.unfinished.items() if left and kind not in known))
        running = tuple(map(title, self.running))
        return State(self.total, self.found, self.made, len(self.failures), running, sum(known.values()), unknown, self.latest)

    def _arrive(self, making: Making) -> None:
        broken = next((needed for needed in making.needs if needed in self.failures), None)
        if broken is not None:
            self._failed(making, self.failures[broken])
        elif self.zoo.found(making):
            self.found += 1
            self._finished(making, float(self.zoo.entry(making).record["seconds"]))
        else:
            heapq.heappush(self.waiting, (-self.weight[making], next(self.arrivals), making))

    def _failed(self, making: Making, failure: Failure) -> None:
        self.failures[making] = failure
        self.unfinished[kind_of(making)] -= 1
        self.sorter.done(making)

    def _finished(self, making: Making, seconds: float) -> None:
        self.seconds[kind_of(making)].append(seconds)
        self.unfinished[kind_of(making)] -= 1
        self.sorter.done(making)


def _closure(making: Making, graph: Graph) -> set[Making]:
    """A making and all that it needs, which are also put into the graph."""
    graph.setdefault(making, making.needs)
    return {making}.union(*(_closure(needed, graph) for needed in making.needs))
