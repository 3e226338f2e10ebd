"""A command runs a program: a list of arguments out of the file, and never a shell."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.serving._action_tables import Table
from assay.serving.action import COMMON, Action, ActionFailed, Means, common_keys

_POLL_S = 0.05
#: On Windows these are run by a shell, whatever one asks for.
_SHELL_FILES = (".bat", ".cmd")


@dataclass(frozen=True, kw_only=True)
class Program(Action):
    """Runs a program and waits for its end; what it prints is thrown away, what it complains of is shown.

    Attributes:
        arguments: the program's full path, and its arguments as they are.
        folder: the folder in which it runs.
    """

    arguments: tuple[str, ...]
    folder: Path

    def describe(self) -> str:
        """See `Action.describe`."""
        return f"run {json.dumps(list(self.arguments), ensure_ascii=False)}"

    def execute(self, means: Means) -> None:
        """See `Action.execute`; a program that takes too long is ended, and but on Windows all that it started, too."""
        apart: dict[str, Any] = {"start_new_session": True} if os.name == "posix" else {}
        apart["env"] = {name: value for name, value in os.environ.items() if name not in means.secrets}
        try:
            process = subprocess.Popen(self.arguments, shell=False, cwd=self.folder, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, **apart)  # fmt: skip
        except (OSError, ValueError) as error:
            raise ActionFailed(f"{self.arguments[0]} cannot be started ({error})") from error
        until = time.monotonic() + self.timeout_s
        while True:
            try:
                status = process.wait(_POLL_S)
                break
            except subprocess.TimeoutExpired:
                if means.stop.is_set() or time.monotonic() > until:
                    _end(process)
                    reason = "stopped" if means.stop.is_set() else f"ended after {self.timeout_s:g} s"
                    raise ActionFailed(reason) from None
        if status:
            raise ActionFailed(f"exit status {status}")


def _end(process: subprocess.Popen[Any]) -> None:
    with suppress(OSError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    with suppress(subprocess.TimeoutExpired):
        process.wait(2)


def read_program(name: str, table: Table) -> Program:
    """An action that has the key `run`; raises `DataError` where there is no such program."""
    table.only((*COMMON, "run", "folder"))
    arguments = table.texts("run")
    beside = table.file.resolve().parent
    folder = beside / table.text("folder", ".")
    if not folder.is_dir():
        raise table.error("folder", f"{folder} is not a folder", "Make it, or leave it out.")
    has_folder = "/" in arguments[0] or os.sep in arguments[0]
    try:
        program = shutil.which(beside / Path(arguments[0]).expanduser() if has_folder else arguments[0])
    except RuntimeError as error:  # nobody has a home of that name
        raise table.error("run", f"{arguments[0]!r} is in nobody's home", "Give the full path.") from error
    if program is None:
        hint = "Give the full path of a file that may be executed."
        if any(space in arguments[0] for space in " \t"):
            hint = 'Write each argument by itself: run = ["program", "argument"]; no shell takes a line apart.'
        raise table.error("run", f"there is no program {arguments[0]!r}", hint)
    if Path(program).suffix.lower() in _SHELL_FILES:
        raise table.error("run", f"{program} is run by a shell", "Name a program that needs none.")
    full = os.path.abspath(program)  # the PATH may be relative; a link stays one, as some programs go by their name
    return Program(name=name, arguments=(full, *arguments[1:]), folder=folder, **vars(common_keys(table)))
