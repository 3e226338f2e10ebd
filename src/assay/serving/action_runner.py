"""Does what follows from commands on a thread of its own, so that a slow action does not hold the ear."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from assay.serving.action import Action, ActionFailed, Means
from assay.serving.action_mqtt import Publication
from assay.serving.actions import Actions
from assay.serving.mqtt_broker import Broker

_MINUTE_S = 60.0
_LATE_S = 10.0
_POLL_S = 0.1
HOME_ASSISTANT = "home_assistant"


@dataclass(frozen=True)
class Followed:
    """What became of an action when its command was heard.

    Attributes:
        action: its name in the file.
        status: "queued", or why not: "dry run", "unsure" (the confidence is too low), "limited" (too often within a
            minute), "full" (too many wait already).
    """

    action: str
    status: str


class RateLimit:
    """Lets at most so many pass within any 60 s; times ascend."""

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, threading.Lock()
        self._passed: deque[float] = deque()

    def __call__(self, at_s: float) -> bool:
        """Whether one more may pass at this time; it counts where it may."""
        with self._lock:
            while self._passed and at_s - self._passed[0] >= _MINUTE_S:
                self._passed.popleft()
            if len(self._passed) >= self._most:
                return False
            self._passed.append(at_s)
            return True

    def give_back(self, at_s: float) -> None:
        """What passed at that time was not done, and does not count."""
        with self._lock, suppress(ValueError):
            self._passed.remove(at_s)


@dataclass(frozen=True)
class _Limits:
    """Of one action: by the time of the stream, and by the clock."""

    heard: RateLimit
    done: RateLimit

    @staticmethod
    def of(most: int) -> _Limits:
        return _Limits(RateLimit(most), RateLimit(most))


@dataclass(frozen=True)
class _Job:
    """An action that waits, with its limits, and when it was asked for: by the stream, and by the clock."""

    action: Action
    limits: _Limits
    at_s: float
    queued: float


class ActionRunner:
    """Follows commands with the actions of a file, one after another.

    Args:
        actions: what the file says.
        commands: all that can be heard.
        tell: is given what came of each action, in a line; called on the worker's thread.
        dry_run: only say what would be done; not even the broker is connected to.
        patient: wait where too much is waiting, and do nothing too late to be done; for sound that is read from a file.
        waiting: actions that may wait.

    Raises:
        DataError: an action follows a command that is never heard.
    """

    def __init__(
        self,
        actions: Actions,
        commands: Sequence[str],
        tell: Callable[[str], None],
        *,
        dry_run: bool = False,
        patient: bool = False,
        waiting: int = 16,
    ) -> None:
        actions.check_commands(commands)
        self._actions, self._commands, self._tell = actions, tuple(commands), tell
        self._dry_run, self._patient = dry_run, patient
        self._means = Means(secrets=actions.secrets)
        self._limits = {action.name: _Limits.of(action.most_per_minute) for action in actions.actions}
        home = actions.home_assistant
        self._home_limits = _Limits.of(home.most_per_minute if home is not None else 1)
        self._jobs: queue.Queue[_Job | None] = queue.Queue(waiting)
        self._worker: threading.Thread | None = None
        self._bug: BaseException | None = None

    def start(self) -> None:
        """Connect to the broker, where one is named, and begin to work.

        Raises:
            SettingError: the broker cannot be used.
            MissingExtraError: a package is not installed.
        """
        if self._dry_run:
            return
        home = self._actions.home_assistant
        if self._actions.broker is not None:
            birth = () if home is None else home.birth(self._commands)
            self._means.broker = Broker(self._actions.broker, birth, None if home is None else home.will)
            self._means.broker.connect()
        self._worker = threading.Thread(target=self._work, name="actions", daemon=True)
        self._worker.start()

    def follow(self, answer: Any) -> list[Followed]:
        """What follows from an answer that names a command; nothing from any other.

        Args:
            answer: has `command`, and where it has them `confidence` and `at_s` (seconds of the stream).
        """
        if self._bug is not None:
            raise self._bug
        command = getattr(answer, "command", None)
        if command not in self._commands:
            return []
        confidence = float(getattr(answer, "confidence", 1.0))
        at_s = float(getattr(answer, "at_s", time.monotonic()))
        chosen = [action for action in self._actions.actions if action.command == command]
        found = [self._take(action, self._limits[action.name], confidence, at_s) for action in chosen]
        home = self._actions.home_assistant
        if home is not None:
            message = home.event(command, confidence)
            telling = Publication(name=HOME_ASSISTANT, command=command, at_least=home.at_least, message=message)
            found.append(self._take(telling, self._home_limits, confidence, at_s))
        return found

    def close(self, *, drain: bool = True) -> None:
        """End: after what still waits (`drain`), or at once, with what is running stopped."""
        if self._worker is not None:
            if not drain:
                self._means.stop.set()
            elif self._patient and (waiting := self._jobs.qsize()):
                self._tell(f"actions that still wait: {waiting}")
            while self._worker.is_alive():
                try:
                    self._jobs.put(None, timeout=_POLL_S)
                    break
                except queue.Full:
                    continue
            self._worker.join(None if drain else 5.0)
        if self._means.broker is not None:
            self._means.broker.close()
        if drain and self._bug is not None:
            raise self._bug

    def _take(self, action: Action, limits: _Limits, confidence: float, at_s: float) -> Followed:
        if confidence < action.at_least:
            return Followed(action.name, "unsure")
        if not limits.heard(at_s):
            return Followed(action.name, "limited")
        if self._dry_run:
            self._tell(f"{action.name}: would {action.describe()}")
            return Followed(action.name, "dry run")
        job = _Job(action, limits, at_s, time.monotonic())
        while True:
            try:
                self._jobs.put(job, timeout=_POLL_S if self._patient else None, block=self._patient)
                return Followed(action.name, "queued")
            except queue.Full:
                if not self._patient or self._bug is not None:
                    limits.heard.give_back(at_s)
                    return Followed(action.name, "full")

    def _work(self) -> None:
        try:
            while (job := self._jobs.get()) is not None:
                if not self._means.stop.is_set():
                    self._do(job)
        except BaseException as error:
            self._bug = error

    def _do(self, job: _Job) -> None:
        name, begun = job.action.name, time.monotonic()
        if not self._patient and begun - job.queued > _LATE_S:
            job.limits.heard.give_back(job.at_s)
            self._tell(f"{name}: not done, it waited {begun - job.queued:.0f} s")
            return
        waits = False
        while not job.limits.done(time.monotonic()):
            if not self._patient:
                job.limits.heard.give_back(job.at_s)
                self._tell(f"{name}: not done, most_per_minute is reached")
                return
            if not waits:
                waits = True
                self._tell(f"{name}: waits, most_per_minute is reached")
            if self._means.stop.wait(_POLL_S):
                return
        begun = time.monotonic()
        try:
            job.action.execute(self._means)
        except ActionFailed as error:
            self._tell(f"{name}: failed: {error}")
            return
        self._tell(f"{name}: done in {time.monotonic() - begun:.2f} s")
