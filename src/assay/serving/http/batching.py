"""One thread that runs the networks, and the requests that wait for it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

Work = TypeVar("Work")
#: Answers several pieces of work of one kind, each with its result or what it failed with.
Answer = Callable[[Any, Sequence[Any]], Sequence[Any]]


class Expired(Exception):
    """The time of a request was over before its turn came."""


class Stopped(Exception):
    """The server is being shut down."""


@dataclass(eq=False)
class Job(Generic[Work]):
    """Work that waits.

    Attributes:
        kind: work of equal kinds is done together; None is done alone.
        work: what is given to `Answer`.
        size: how many inputs it has.
        deadline: in the seconds of `time.monotonic`; work whose turn comes later is not done.
        future: gets the result.
        since: when it was queued.
        together: how many inputs were answered together with it, its own included.
    """

    kind: Any
    work: Work
    size: int
    deadline: float
    future: Future[Any] = field(default_factory=Future)
    since: float = field(default_factory=time.monotonic)
    together: int = 0

    def fail(self, error: BaseException) -> None:
        """Let whoever waits know, unless they have gone."""
        with suppress(InvalidStateError):
            self.future.set_exception(error)

    def done(self, result: Any) -> None:
        """Give the result; an exception is raised where it is waited for."""
        if isinstance(result, BaseException):
            self.fail(result)
            return
        with suppress(InvalidStateError):
            self.future.set_result(result)


class Batcher:
    """Does queued work in one thread, what is of one kind together.

    Args:
        answer: does several pieces of work.
        most: inputs that are answered together.
        delay_s: the longest that work waits for other work that is announced (see `announced`).
        watch: is told of each batch how many inputs it had and how many seconds it took.
    """

    def __init__(
        self,
        answer: Answer,
        most: int,
        delay_s: float,
        watch: Callable[[int, float], None] = lambda size, seconds: None,
    ) -> None:
        self._answer, self._most, self._delay_s, self._watch = answer, most, delay_s, watch
        self._waiting: deque[Job[Any]] = deque()
        self._ready = threading.Condition()
        self._coming = 0
        self._stopped = False
        self.busy_since: float | None = None
        self._thread = threading.Thread(target=self._run, name="assay-network", daemon=True)
        self._thread.start()

    def submit(self, job: Job[Any], came: Callable[[], None] = lambda: None) -> Future[Any]:
        """Queue work; its future may be cancelled as long as it waits.

        Args:
            job: the work.
            came: what `announced` gave, where it is the work that was announced: nobody waits for that any longer.
        """
        with self._ready:
            if self._stopped:
                job.fail(Stopped())
            else:
                self._waiting.append(job)
            came()
            self._ready.notify()
        return job.future

    @contextmanager
    def announced(self) -> Iterator[Callable[[], None]]:
        """While a request is being read, of which work is going to come; gives what is called when it comes."""
        coming = True

        def came() -> None:
            nonlocal coming
            with self._ready:
                self._coming -= coming
                coming = False
                self._ready.notify()

        with self._ready:
            self._coming += 1
        try:
            yield came
        finally:
            came()

    @property
    def waiting(self) -> int:
        """How many pieces of work wait."""
        return len(self._waiting)

    def stop(self, wait_s: float) -> None:
        """Refuse more work, do what waits within some seconds, and end the thread."""
        with self._ready:
            self._stopped = True
            self._ready.notify()
        self._thread.join(wait_s)
        with self._ready:
            while self._waiting:
                self._waiting.popleft().fail(Stopped())

    def _run(self) -> None:
        while (jobs := self._next()) is not None:
            jobs = [job for job in jobs if self._begins(job)]
            if not jobs:
                continue
            size = sum(job.size for job in jobs)
            for job in jobs:
                job.together = size
            begun = self.busy_since = time.monotonic()
            results = self._results(jobs)
            self.busy_since = None
            self._watch(size, time.monotonic() - begun)
            for job, result in zip(jobs, results, strict=True):
                job.done(result)

    def _results(self, jobs: Sequence[Job[Any]]) -> Sequence[Any]:
        """What came of each; where they fail together, each is tried alone, so that one spoils no other."""
        works = [job.work for job in jobs]
        try:
            return self._answer(jobs[0].kind, works)
        except BaseException as error:  # what extensions in Rust raise is no `Exception`; the thread has to go on
            if len(jobs) == 1:
                return [error if isinstance(error, Exception) else RuntimeError(repr(error))]
        return [result for job in jobs for result in self._results([job])]

    @staticmethod
    def _begins(job: Job[Any]) -> bool:
        if time.monotonic() > job.deadline:
            job.fail(Expired())
            return False
        return job.future.set_running_or_notify_cancel()

    def _next(self) -> list[Job[Any]] | None:
        """The work that has waited longest and what goes with it; None at the end."""
        with self._ready:
            while not self._waiting:
                if self._stopped:
                    return None
                self._ready.wait()
            first = self._waiting[0]
            until = first.since + self._delay_s
            while self._coming and not self._stopped and self._fitting(first) < self._most:
                left = until - time.monotonic()
                if left <= 0 or not self._ready.wait(left):
                    break
            return self._taken()

    def _fitting(self, first: Job[Any]) -> int:
        """How many inputs could be answered with the first."""
        if first.kind is None:
            return self._most
        return sum(job.size for job in self._waiting if job.kind == first.kind)

    def _taken(self) -> list[Job[Any]]:
        first = self._waiting.popleft()
        taken, size = [first], first.size
        if first.kind is None:
            return taken
        for job in list(self._waiting):
            if job.kind == first.kind and size + job.size <= self._most:
                taken.append(job)
                size += job.size
                self._waiting.remove(job)
        return taken
