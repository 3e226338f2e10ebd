"""The run folder: what a training leaves behind. Its layout is frozen in the design; nothing in it is executable."""

from __future__ import annotations

import dataclasses
import errno
import json
import math
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from assay._strange_run import MOST_JSON_BYTES, check_plain
from assay.errors import RunError

#: What reading values out of a file that somebody damaged or made up can raise.
DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, RuntimeError, MemoryError)
#: Of all JSON files of a run.
FORMAT = 1
_RESTORE = "Restore it from a copy, or train again."


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns what the system says of a full, read-only or impossible place into a `RunError` that names the path."""
    try:
        yield
    except Exception as error:
        if is_full(error):
            hint = "Free some space; a run then goes on with assay resume."
            raise RunError(f"no space is left to write {path}", hint) from error
        if isinstance(error, OSError):
            reason = f" ({error.strerror})" if error.strerror else ""
            raise RunError(f"{path} cannot be written{reason}", "Choose another place with --out.") from error
        raise


@contextmanager
def reading(file: Path) -> Iterator[None]:
    """Turns what a damaged or made-up file leads to into a `RunError` that names it; errors of Assay pass through.

    Where another version of Assay wrote the run, that is the likelier reason, and is told.
    """
    try:
        yield
    except DAMAGE as error:
        raise unfit(file, str(file), error) from error


def unfit(file: Path, what: str, error: BaseException) -> RunError:
    """That a file of a run does not hold what this Assay expects: since another version wrote it, or it is damaged.

    Args:
        file: in the run's folder or its `model/`.
        what: how it is called.
        error: what it led to.
    """
    from importlib.metadata import PackageNotFoundError, version

    written = next((found for folder in file.parents[:2] if (found := _version_of(folder / "plan.json"))), None)
    with suppress(PackageNotFoundError):
        if written is not None and written != (here := version("assay")):
            told = f"{what} was written by Assay {written} and does not fit {here} ({error})"
            return RunError(told, f"Use that version (pip install assay=={written}), or train again.")
    return RunError(f"{what} is damaged ({error})", _RESTORE)


def _version_of(plan: Path) -> str | None:
    """The version of Assay that wrote a plan; None where it does not say so."""
    with suppress(*DAMAGE):
        if plan.stat().st_size <= MOST_JSON_BYTES:
            found = json.loads(plan.read_text(encoding="utf-8"))["versions"]["assay"]
            return found if isinstance(found, str) and re.fullmatch(r"[\w.+!-]{1,40}", found) else None
    return None


@contextmanager
def owned(folder: Path, make: bool = False) -> Iterator[None]:
    """A folder for this process alone; raises `RunError` where another one is writing it.

    The system gives it back when the process is done or dies, so that no run stays locked.

    Args:
        folder: the folder.
        make: make it where it is not there, and remove it in the end where nothing was written into it.
    """
    file = folder / ".lock"
    with writing(file):
        if make:
            folder.mkdir(parents=True, exist_ok=True)
        opened = open(file, "a+b")  # noqa: SIM115
    with opened:
        try:
            lock(opened.fileno())
        except OSError as error:
            hint = "Wait until it is done, or choose another folder with --out."
            raise RunError(f"another process is writing {folder}", hint) from error
        try:
            yield
        finally:
            with suppress(OSError):
                if make and os.listdir(folder) == [file.name]:
                    file.unlink()
                    folder.rmdir()


def lock(number: int) -> None:
    """Lock an open file, or raise `OSError` at once where another process has locked it."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(number, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_full(error: BaseException) -> bool:
    """Whether an error says that a disk or quota is full; libraries that are not Python's say so in words alone."""
    known = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
    return getattr(error, "errno", None) in known or "No space left on device" in str(error)


def write_text(path: Path, text: str) -> None:
    r"""Write a file as UTF-8 so that it is there as a whole or not at all; raises `RunError`.

    A byte of a file name that is no text becomes an escape, `\udcff`, as JSON writes it.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that it is there as a whole or not at all; raises `RunError`."""
    write_pieces(path, (content,))


def write_pieces(path: Path, pieces: Iterable[bytes]) -> None:
    """As `write_bytes`, of content that comes in pieces."""
    work = path.with_name(path.name + ".partial")
    with writing(path):
        try:
            with open(work, "wb") as file:
                file.writelines(pieces)
                file.flush()
                os.fsync(file.fileno())
            os.replace(work, path)
        except BaseException:
            with suppress(OSError):
                work.unlink(missing_ok=True)
            raise


def to_json(value: Any) -> Any:
    """A value with dataclasses as mappings, numpy numbers as numbers, and what is not finite as null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: to_json(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str | bytes):
        return [to_json(item) for item in value]
    if hasattr(value, "tolist"):
        return to_json(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


class RunFolder:
    """One run's folder and its files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.plan = path / "plan.json"
        self.samples = path / "samples.parquet"
        self.metrics = path / "metrics.jsonl"
        self.checkpoint = path / "checkpoint"
        self.model = path / "model"
        self.summary = path / "summary.json"
        self.evidence = path / "evidence.json"
        self.report = path / "report.html"
        self._made: list[Path] = []  # the folders that `create` made, the innermost first

    @staticmethod
    def create(path: Path) -> RunFolder:
        """A new folder for a run; raises `RunError` where one is there or the place cannot be written."""
        run = RunFolder(path)
        with writing(path):
            # What was killed before it had a plan leaves a lock behind, and what has none yet holds it.
            taken = path.is_dir() and any(one.name != "checkpoint" for one in path.iterdir())
        if taken:
            begun = run.plan.exists() or (path / "tuning" / "tuning.json").exists()
            if begun and not run.summary.exists():
                raise RunError(f"{path} holds a run that is not finished", f"assay resume {path}")
            raise RunError(f"{path} is not empty", "Choose another folder with --out.")
        if path.exists() and not path.is_dir():
            raise RunError(f"{path} is a file, not a folder", "Choose another folder with --out.")
        with writing(path):
            run._made = [folder for folder in (path, *path.parents) if not folder.exists()]
            path.mkdir(parents=True, exist_ok=True)
            if not os.access(path, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return run

    def drop_if_empty(self) -> None:
        """Remove the folders that `create` made, this one and those above it, as far as nothing lies in them."""
        with suppress(OSError):
            for folder in self._made:
                folder.rmdir()

    @staticmethod
    def open(path: Path) -> RunFolder:
        """An existing run; raises `RunError` where there is none."""
        run = RunFolder(path)
        if not run.plan.exists():
            raise RunError(f"{path} is not a run: it has no plan.json", "Give the folder that assay train wrote.")
        check_plain(path)
        return run

    @staticmethod
    def next_name(root: Path, name: str) -> Path:
        """The first free folder of `root/NAME-1`, `root/NAME-2` and so on."""
        number = 1
        while (root / f"{name}-{number}").exists():
            number += 1
        return root / f"{name}-{number}"

    def write(self, file: Path, value: Any) -> None:
        """Write JSON, atomically."""
        with writing(file):
            file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, json.dumps(to_json(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n")

    def read(self, file: Path, *needed: str) -> dict[str, Any]:
        """Read a JSON object that holds the `needed` keys; raises `RunError` where it is missing or damaged."""
        try:
            if file.stat().st_size > MOST_JSON_BYTES:
                raise ValueError("it is too large")
            value = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RunError(f"{file} is missing: the run is not complete", f"assay resume {self.path}") from None
        except OSError as error:
            raise RunError(f"{file} cannot be read ({error.strerror or error})", "Check its permissions.") from error
        except (ValueError, RecursionError) as error:
            raise RunError(f"{file} is damaged ({error})", _RESTORE) from error
        if not isinstance(value, dict):
            raise RunError(f"{file} is damaged (it holds no JSON object)", _RESTORE)
        lacking = [name for name in needed if name not in value]
        if lacking:
            raise RunError(f"{file} is damaged (it lacks {lacking[0]!r})", _RESTORE)
        found = value.get("format")
        if isinstance(found, int) and found > FORMAT:
            raise RunError(f"{file} was written by a newer Assay", "Upgrade: pip install --upgrade assay.")
        return value

    def record(self, line: Mapping[str, Any]) -> None:
        """Append a line to the history."""
        with writing(self.metrics), open(self.metrics, "a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(to_json(line)) + "\n")

    def history(self) -> list[dict[str, Any]]:
        """The lines of the history; one that was cut off by a kill, or damaged, is left out."""
        if not self.metrics.exists():
            return []
        lines: list[dict[str, Any]] = []
        for text in self.metrics.read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(ValueError):
                line = json.loads(text)
                if isinstance(line, dict):
                    lines.append(line)
        return lines

    def forget_after(self, step: int) -> None:
        """Drop the history's lines of later steps, which a resumed training will write again."""
        kept = [line for line in self.history() if line.get("step", 0) <= step]
        if self.metrics.exists():
            write_text(self.metrics, "".join(json.dumps(line) + "\n" for line in kept))

    def finish(self) -> None:
        """Delete the checkpoint of a complete run."""
        shutil.rmtree(self.checkpoint, ignore_errors=True)
