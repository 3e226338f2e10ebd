"""What `assay listen` does: hand sound to a session, tell its answers as they come, and do what follows from them."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import DataError, SettingError
from assay.run import to_json
from assay.shell import print_json, say

if TYPE_CHECKING:
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
    """

    file: Path | None = None
    microphone: bool = False
    device: str | None = None

    def check(self) -> None:
        """Raise `SettingError` or `DataError` where there is nothing to listen to, or two things."""
        if (self.file is None) != self.microphone:
            what = "two things" if self.microphone else "nothing"
            raise SettingError(f"there is {what} to listen to", "Give either --wav FILE or --microphone.")
        if self.device is not None and not self.microphone:
            raise SettingError("--input chooses a microphone", "Give it with --microphone.")
        if self.file is not None and not self.file.is_file():
            raise DataError("is no file" if self.file.exists() else "is not there", "Give a recording.",
                            file=str(self.file))  # fmt: skip

    def blocks(self, rate_hz: int) -> Iterator[Array]:
        """(T,) float32 each, at this rate."""
        if self.file is not None:
            from assay.sources.audio import audio_blocks

            file = self.file

            def tell(kind: str, action: str) -> None:
                _tell(f"{file}: {kind} ({action})")

            return audio_blocks(file, rate_hz, FILE_BLOCK_S, tell=tell)
        from assay.sources.microphone import microphone_blocks

        return microphone_blocks(rate_hz, BLOCK_S, self.device, _tell)


def listen_and_tell(
    path: Path, sound: Sound, actions: Path | None, dry_run: bool, as_json: bool, options: Mapping[str, Any]
) -> None:
    """Listen until the sound ends or somebody stops it, and tell each answer in a line.

    Args:
        path: the run.
        sound: where it comes from.
        actions: the file that says what follows from commands; None for nothing.
        dry_run: only say what would be done.
        as_json: an object a line.
        options: of answers, by name.
    """
    from assay.api import load
    from assay.stopping import stopping_on_signals

    sound.check()
    if dry_run and actions is None:
        raise SettingError("--dry-run has nothing to try", "Give a file with --actions.")
    wanted = _read(actions)
    session = load(path).session(options)
    if session.rate_hz is None:
        raise SettingError(f"{path} does not listen to sound", "Give a run of an application that does.")
    runner = _runner(wanted, session, dry_run, patient=sound.file is not None)
    blocks = sound.blocks(session.rate_hz)
    first = next(blocks, None)  # what is wrong with the sound is told before anything is connected to
    if first is None:
        raise DataError("there is no sound in it", "Give another recording.", file=str(sound.file))
    with stopping_on_signals():
        try:
            if runner is not None:
                runner.start()
            if sound.microphone:
                _tell("listening; Ctrl-C ends it")
            _listen(session, itertools.chain([first], blocks), runner, as_json)
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


def _listen(session: Session, blocks: Iterator[Array], runner: ActionRunner | None, as_json: bool) -> None:
    rate = session.rate_hz or 1
    samples, answers, begun, busy_s = 0, 0, time.monotonic(), 0.0
    stopped: BaseException | None = None
    try:
        for block in blocks:
            before = time.monotonic()
            found = session.push(block)
            busy_s += time.monotonic() - before
            samples += len(block)
            answers += len(found)
            _answer(found, runner, as_json)
    except (KeyboardInterrupt, DataError) as error:  # what was said until then is told all the same
        stopped = error
    found = session.close()
    _answer(found, None if isinstance(stopped, KeyboardInterrupt) else runner, as_json)
    _tell(f"{answers + len(found)} answers in {samples / rate:.1f} s of sound, which took {busy_s:.1f} s of computing "
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
