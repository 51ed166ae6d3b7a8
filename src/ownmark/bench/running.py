"""Runs a bench: makes dependencies first, reuses stored artifacts, and lets an error stop only its dependents."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import count
from math import inf
from statistics import fmean
from time import monotonic

from ownmark.bench.artifacts import Making
from ownmark.bench.cache import Zoo
from ownmark.bench.executors.worker import Done, kind_of, title
from ownmark.bench.trial import Outcome, Trial
from ownmark.executors.open import Executor

Graph = dict[Making, tuple[Making, ...]]  # every artifact -> its dependencies
UNFINISHED = "not finished when the bench had to end"
Pool = Executor[Making, Done]


@dataclass(frozen=True)
class Failure:
    """An artifact that could not be made, and why; its dependents fail with it."""

    making: Making
    message: str

    def told(self, trial: Trial) -> str:
        return self.message if self.making == trial else f"{title(self.making)}: {self.message}"


@dataclass(frozen=True)
class State:
    """Progress of a bench. `latest`: the artifact that just finished.

    `seconds_left` is for one worker, estimated by the mean time per kind; `unknown`: kinds without a finished artifact yet,
    for which the estimate is too low.
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
        """Number of artifacts not yet started."""
        return self.total - self.found - self.made - self.failed - len(self.running)


Report = Callable[[State], None]


def unheard(_: State) -> None:
    """Ignores progress."""


@dataclass(frozen=True)
class Plan:
    """In which order a bench works, and how long: trials of a lower stage, and what they need, come first.

    `ends`: tells when it stops, as `time.monotonic` does; what is not finished by then is `UNFINISHED`.
    """

    stage: Callable[[Trial], int] = lambda _: 0
    ends: Callable[[], float] = lambda: inf

    @property
    def seconds(self) -> float | None:
        """That are left, at least 0; None without an end."""
        ends = self.ends()
        return None if ends == inf else max(ends - monotonic(), 0.0)


AT_ONCE = Plan()


def run(trials: Sequence[Trial], zoo: Zoo, pool: Pool, report: Report = unheard, plan: Plan = AT_ONCE) -> list[Outcome]:
    """The outcomes of all trials in order, with errors for those that could not be made."""
    course = Course(zoo, trials, plan)
    while course.look_around() and plan.seconds != 0:
        while course.waiting and len(course.running) < pool.workers:
            pool.start(course.next())
        report(course.state())
        for done in pool.wait(plan.seconds) if course.running else ():
            course.end(done)
    report(course.state())
    return [course.outcome(trial) for trial in trials]


class Course:
    """State of one running bench: ready, running and finished artifacts."""

    def __init__(self, zoo: Zoo, trials: Sequence[Trial], plan: Plan = AT_ONCE) -> None:
        self.zoo = zoo
        self.weight: Counter[Making] = Counter()  # number of dependent trials
        self.stage: dict[Making, int] = {}  # the lowest of theirs
        graph: Graph = {}
        for trial in sorted(trials, key=plan.stage, reverse=True):
            needed = _closure(trial, graph)
            self.weight.update(needed)
            self.stage |= dict.fromkeys(needed, plan.stage(trial))
        self.total = len(graph)
        self.unfinished = Counter(map(kind_of, graph))
        self.sorter = TopologicalSorter(graph)
        self.sorter.prepare()
        self.waiting: list[tuple[int, int, int, Making]] = []
        self.running: list[Making] = []
        self.failures: dict[Making, Failure] = {}
        self.finished: set[Making] = set()
        self.found, self.made, self.arrivals = 0, 0, count()
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)
        self.latest: Done | None = None

    def look_around(self) -> bool:
        """Queues artifacts whose dependencies are ready; returns whether work remains."""
        while ready := self.sorter.get_ready():
            for making in ready:
                self._arrive(making)
        return bool(self.waiting or self.running)

    def next(self) -> Making:
        """The ready artifact of the lowest stage, and of these the one with the most dependent trials."""
        making = heapq.heappop(self.waiting)[-1]
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
        if trial not in self.finished:
            return Outcome(trial, error=UNFINISHED)
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
            heapq.heappush(self.waiting, (self.stage[making], -self.weight[making], next(self.arrivals), making))

    def _failed(self, making: Making, failure: Failure) -> None:
        self.failures[making] = failure
        self.unfinished[kind_of(making)] -= 1
        self.sorter.done(making)

    def _finished(self, making: Making, seconds: float) -> None:
        self.finished.add(making)
        self.seconds[kind_of(making)].append(seconds)
        self.unfinished[kind_of(making)] -= 1
        self.sorter.done(making)


def _closure(making: Making, graph: Graph) -> set[Making]:
    """Adds an artifact and all its dependencies to the graph."""
    graph.setdefault(making, making.needs)
    return {making}.union(*(_closure(needed, graph) for needed in making.needs))
