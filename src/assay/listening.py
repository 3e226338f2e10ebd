"""What `assay listen` does: hand sound or pictures to a session, tell its answers, and do what follows from them."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from assay.errors import DataError, SettingError
from assay.run import to_json
from assay.shell import print_json, say

if TYPE_CHECKING:
    from assay.model import Model
    from assay.serving.action_runner import ActionRunner, Followed
    from assay.serving.actions import Actions
    from assay.task import Session

Array = np.ndarray[Any, Any]
#: Seconds of sound that a microphone gives at once, which every answer waits for, and a file.
BLOCK_S, FILE_BLOCK_S = 0.05, 3.2


@dataclass(frozen=True)
class Sound:
    """Where the sound comes from: a file, or a microphone.

    Attributes:
        file: a recording; None for a microphone.
        microphone: a microphone is wanted.
        device: which; None for the system's own choice.
        timing: options of pictures, of which none may be given.
    """

    what: ClassVar[str] = "sound"
    file: Path | None = None
    microphone: bool = False
    device: str | None = None
    timing: Mapping[str, float | None] = field(default_factory=dict)

    @property
    def live(self) -> bool:
        """Whether it arrives now, from a microphone."""
        return self.microphone

    def check(self) -> None:
        """Raise `SettingError` or `DataError` where there is nothing to listen to, or two things."""
        if (self.file is None) != self.microphone:
            what = "two things" if self.microphone else "nothing"
            hint = "Give either --wav FILE or --microphone; to watch, --camera or --video FILE."
            raise SettingError(f"there is {what} to listen to", hint)
        if self.device is not None and not self.microphone:
            raise SettingError("--input chooses a microphone or a camera", "Give it with --microphone or --camera.")
        if given := [name.rpartition("_")[0] for name, value in self.timing.items() if value is not None]:
            raise SettingError(f"--{given[0]} is of pictures", "Give it with --camera or --video.")
        _check_file(self.file, "Give a recording.")

    def session(self, model: Model, options: Mapping[str, Any]) -> Session:
        """What listens; raises `SettingError` where the run does not."""
        session = model.session(options)
        if session.rate_hz is None:
            hint = "Give a run of an application that does, or --camera where this one can watch."
            raise SettingError(f"{model.run.path} does not listen to sound", hint)
        return session

    def seconds(self, before: float, block: Array, session: Session) -> float:
        """How many there were with this block."""
        return before + len(block) / (session.rate_hz or 1)

    def chunks(self, session: Session) -> Iterator[Array]:
        """(T,) float32 each, at the session's rate."""
        rate_hz = session.rate_hz or 1
        if self.file is not None:
            from assay.sources.audio import audio_blocks

            file = self.file

            def tell(kind: str, action: str) -> None:
                _tell(f"{file}: {kind} ({action})")

            return audio_blocks(file, rate_hz, FILE_BLOCK_S, tell=tell)
        from assay.sources.microphone import microphone_blocks

        return microphone_blocks(rate_hz, BLOCK_S, self.device, _tell)


@dataclass(frozen=True)
class Pictures:
    """Where pictures come from: a video, or a camera.

    Attributes:
        file: a video; None for a camera.
        camera: a camera is wanted.
        device: its number; None for the first.
        watching: how they are watched, as the fields of `Watching`; None for its default.
        sounds: how many sources of sound are wanted besides, of which none may be.
    """

    what: ClassVar[str] = "pictures"
    file: Path | None = None
    camera: bool = False
    device: str | None = None
    watching: Mapping[str, float | None] = field(default_factory=dict)
    sounds: int = 0

    @property
    def live(self) -> bool:
        """Whether they arrive now, from a camera."""
        return self.camera

    def check(self) -> None:
        """Raise `SettingError` or `DataError` where there are two things to watch, or what there is cannot be."""
        if self.sounds or (self.file is not None and self.camera):
            hint = "Give one of --wav FILE, --microphone, --video FILE and --camera."
            raise SettingError("there are two things to listen to", hint)
        if self.device is not None and not (self.camera and self.device.isdecimal()):
            raise SettingError(f"--input {self.device} is no camera", "Give its number, such as --camera 1.")
        _check_file(self.file, "Give a video.")

    def session(self, model: Model, options: Mapping[str, Any]) -> Session:
        """What watches; raises `SettingError` where the run does not."""
        from assay._task_options import answering_options
        from assay.serving.watching import Watching, watcher

        how = Watching(**{name: value for name, value in self.watching.items() if value is not None})
        return watcher(model.quickest(answering_options(model.task, options)), how)

    def seconds(self, before: float, chunk: Any, session: Session) -> float:
        """At which the last frame of the chunk was taken."""
        return float(chunk.times[-1])

    def chunks(self, session: Session) -> Iterator[Any]:
        """`VideoFrames` each."""
        if self.camera:
            from assay.sources.camera import camera_frames

            yield from camera_frames(int(self.device or 0))
        elif self.file is not None:
            from assay.sources._video_chunks import VideoChunks
            from assay.sources.records import ProblemLog
            from assay.sources.store import open_store

            log = ProblemLog()
            yield from VideoChunks(open_store(self.file), self.file.name, log)
            for problem in log.problems():
                _tell(f"{self.file}: {problem.kind} ({problem.action})")


def _check_file(file: Path | None, hint: str) -> None:
    if file is not None and not file.is_file():
        raise DataError("is no file" if file.exists() else "is not there", hint, file=str(file))


def listen_and_tell(
    path: Path, given: Sound | Pictures, actions: Path | None, dry_run: bool, as_json: bool, options: Mapping[str, Any]
) -> None:
    """Listen or watch until the input ends or somebody stops it, and tell each answer in a line.

    Args:
        path: the run.
        given: sound or pictures, and where they come from.
        actions: the file that says what follows from commands; None for nothing.
        dry_run: only say what would be done.
        as_json: an object a line.
        options: of answers, by name.
    """
    from assay.loading import load_to_answer
    from assay.stopping import stopping_on_signals

    given.check()
    if dry_run and actions is None:
        raise SettingError("--dry-run has nothing to try", "Give a file with --actions.")
    wanted = _read(actions)
    session = given.session(load_to_answer(path), options)
    runner = _runner(wanted, session, dry_run, patient=not given.live)
    chunks = given.chunks(session)
    first = next(chunks, None)  # what is wrong with the input is told before anything is connected to
    if first is None:
        raise DataError(f"there is no {given.what} in it", "Give another recording.", file=str(given.file))
    with stopping_on_signals():
        try:
            if runner is not None:
                runner.start()
            if given.live:
                _tell("listening; Ctrl-C ends it")
            _listen(session, given, itertools.chain([first], chunks), runner, as_json)
            if runner is not None:
                runner.close()
        except BaseException as error:
            if runner is not None:
                _end(runner, error)
            raise


def _end(runner: ActionRunner, error: BaseException) -> None:
    """What was heard before a recording's damage is done; anything else stops it."""
    try:
        runner.close(drain=isinstance(error, DataError))
    except BaseException:
        runner.close(drain=False)
        raise


def _read(file: Path | None) -> Actions | None:
    if file is None:
        return None
    from assay.serving.actions import read_actions

    return read_actions(file)


def _runner(actions: Actions | None, session: Session, dry_run: bool, patient: bool) -> ActionRunner | None:
    if actions is None:
        return None
    from assay.serving.action_runner import ActionRunner

    return ActionRunner(actions, session.commands, _tell, dry_run=dry_run, patient=patient)


def _listen(
    session: Session, given: Sound | Pictures, chunks: Iterator[Any], runner: ActionRunner | None, as_json: bool
) -> None:
    seconds, answers, begun, busy_s = 0.0, 0, time.monotonic(), 0.0
    stopped: BaseException | None = None
    try:
        for chunk in chunks:
            before = time.monotonic()
            found = session.push(chunk)
            busy_s += time.monotonic() - before
            seconds = given.seconds(seconds, chunk, session)
            answers += len(found)
            _answer(found, runner, as_json)
    except (KeyboardInterrupt, DataError) as error:  # what was said until then is told all the same
        stopped = error
    found = session.close()
    _answer(found, None if isinstance(stopped, KeyboardInterrupt) else runner, as_json)
    _tell(f"{answers + len(found)} answers in {seconds:.1f} s of {given.what}, which took {busy_s:.1f} s of computing "
          f"and {time.monotonic() - begun:.1f} s in all")  # fmt: skip
    if stopped is not None:
        raise stopped


def _answer(found: Sequence[Any], runner: ActionRunner | None, as_json: bool) -> None:
    for answer in found:
        followed = [] if runner is None else runner.follow(answer)
        row = {**to_json(answer), "actions": to_json(followed)}
        if as_json:
            print_json({"format": 1, **row}, one_line=True)
        else:
            say("\t".join([*_cells(to_json(answer)), *_statuses(followed)]))
        sys.stdout.flush()


def _cells(row: Mapping[str, Any]) -> Iterator[str]:
    for value in (value for value in row.values() if not isinstance(value, list)):  # words with times: JSON alone
        yield f"{value:.4g}" if isinstance(value, float) else _plain(str(value))


def _statuses(followed: Sequence[Followed]) -> Iterator[str]:
    for one in followed:
        yield f"{_plain(one.action)}: {one.status}"


def _plain(text: str) -> str:
    """Text without signs that steer a terminal: a name may come from a stranger's run."""
    return "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in text)


def _tell(text: str) -> None:
    sys.stderr.write(_plain(text) + "\n")
