"""Suspects at hand that are asked by several processes, or a Ray cluster, before a scan reads their answers from its ledger.

Those behind an address are asked by the scan itself, which alone keeps to the limits of their servers. No torch by itself.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cache

from ownmark.claims.claim import Claim
from ownmark.errors import OwnmarkError
from ownmark.evidence.scan import Scan
from ownmark.executors.open import anywhere, done, executor
from ownmark.protocols import Progress, Suspect
from ownmark.suspects.http.ledger import Ledger, Reply
from ownmark.suspects.http.remembered import SERVED, Remembered, asked_before
from ownmark.suspects.open import Reach, is_web
from ownmark.suspects.opener import Wire, unheard
from ownmark.workflows.scan_candidates import Candidate


@dataclass(frozen=True)
class Entry:
    """What a suspect was asked: as a ledger enters it. `why`: the failure, "" with an answer."""

    request: str
    queries: int
    body: bytes = b""
    why: str = ""


@dataclass(frozen=True)
class Heard:
    """All that one suspect was asked, what is to be known about it, and why it could not be asked further, "" if it could.

    `died`: the process that asked, perhaps of another suspect.
    """

    key: str
    entries: tuple[Entry, ...] = ()
    notes: tuple[str, ...] = ()
    why: str = ""
    died: bool = False

    def enter(self, ledger: Ledger) -> None:
        """Into the ledger of the scan."""
        for one in self.entries:
            number = ledger.send(one.request, one.queries)
            if one.why:
                ledger.fail(number, one.why, queries=one.queries)
            else:
                ledger.complete(number, Reply(SERVED, {}, one.body), one.queries)


@dataclass
class Recorder:
    """The ledger of one suspect while it is asked in another process."""

    entries: list[Entry] = field(default_factory=list)

    def answer(self, request: str) -> Reply | None:
        return next((Reply(SERVED, {}, one.body) for one in self.entries if one.request == request and not one.why), None)

    def send(self, request: str, queries: int) -> int:
        self.entries.append(Entry(request, queries))
        return len(self.entries) - 1

    def complete(self, number: int, reply: Reply, queries: int) -> None:
        self.entries[number] = replace(self.entries[number], queries=queries, body=reply.body)

    def fail(self, number: int, why: str, *, queries: int) -> None:
        self.entries[number] = replace(self.entries[number], queries=queries, why=why)


@dataclass(frozen=True)
class Terms:
    """A scan without its claim, as `Scan` takes it."""

    suspects: int
    rate: float
    screen: int
    share: float
    access: str

    @classmethod
    def of(cls, plan: Scan) -> "Terms":
        return cls(plan.suspects, plan.rate, plan.screen, plan.share, plan.access)


@dataclass(frozen=True)
class Question:
    """One suspect of a scan on its `terms`, by its key."""

    key: str
    suspect: Candidate
    terms: Terms


@dataclass(frozen=True)
class Asking:
    """The work of a process, here or on another machine: `claim` is the content of the claim's file, `reach` opens suspects."""

    claim: bytes
    reach: Reach

    def __call__(self, question: Question) -> Heard:
        """Asks one suspect all that its scan asks."""
        plan, recorder, notes, why = _plan(self.claim, question.terms), Recorder(), list[str](), ""
        reach, one = self.reach.heard_by(notes.append), question.suspect
        with ExitStack() as stack:

            def opened() -> Suspect:
                return one.sized(stack.enter_context(reach.suspect(one.name, plan.claim))[0])

            try:
                plan.found(Remembered(question.key, recorder, opened))
            except OwnmarkError as error:
                why = str(error)
        return Heard(question.key, tuple(recorder.entries), tuple(notes), why)


@cache
def _plan(claim: bytes, terms: Terms) -> Scan:
    """Read once by each process."""
    return Scan(Claim.from_bytes(claim), terms.suspects, terms.rate, terms.screen, terms.share, terms.access)


@dataclass(frozen=True)
class Helpers:
    """Who asks: so many processes, or with `ray` workers of the cluster at that address."""

    workers: int | None = None
    ray: str | None = None

    def ask(
        self, claim: Claim, everybody: Sequence[tuple[Scan, str, Candidate]], reach: Reach, ledger: Ledger, progress: Progress
    ) -> Iterator[Heard]:
        """Enters into the ledger what everybody answers who is at hand and was not asked before.

        Those whose process died are asked again, one at a time: one suspect may end the processes of all that are asked with it.
        """
        questions = [
            Question(key, one if self.ray is None else replace(one, name=anywhere(one.name)), Terms.of(plan))
            for plan, key, one in everybody
            if not is_web(one.name) and not asked_before(key, ledger)
        ]
        if not questions:
            return
        work = Asking(claim.to_bytes(), replace(reach.heard_by(unheard), wire=Wire(), ledger=None))
        heard = self._together(work, questions)
        for number, one in enumerate(heard, start=1):
            one.enter(ledger)
            progress(number, len(questions))
            yield one

    def _together(self, work: Asking, questions: Sequence[Question]) -> Iterator[Heard]:
        died = set[str]()
        with executor(work, _lost, workers=self.workers, ray=self.ray) as workers:
            for heard in done(questions, workers):
                if heard.died:
                    died.add(heard.key)
                else:
                    yield heard
        if not died:
            return
        with executor(work, _lost, workers=1, ray=self.ray) as one_at_a_time:
            for question in questions:
                if question.key in died:
                    one_at_a_time.start(question)
                    yield from one_at_a_time.wait()


def _lost(question: Question, why: str) -> Heard:
    return Heard(question.key, why=why, died=True)
