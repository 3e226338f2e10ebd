"""Every error that Assay raises for a reason the user can mend.

    AssayError                 what was received, what is expected, and a hint
    ├── DataError              something in the user's data; names the file and the row where it can
    ├── SettingError           an unknown or impossible task, network, option or value
    ├── RunError               a run folder that is missing, taken, damaged or cannot be written
    ├── MissingExtraError      an optional dependency is not installed
    └── TrainingError          the training itself cannot go on (a loss that stays NaN)

The command line prints one `error:` line and one `hint:` line and exits with status 1; anything else is a bug.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

_MOST_LISTED = 30


class AssayError(Exception):
    """A problem with the user's data, files or settings.

    Args:
        message: one sentence with what was received and what is expected.
        hint: one sentence with how to mend it; may be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class DataError(AssayError):
    """Something in the user's data cannot be used.

    Args:
        message: what is wrong.
        hint: how to mend it.
        file: the file (or archive member) in which it was found.
        row: the row in that file, counted as an editor counts lines (the header of a table is row 1).
    """

    def __init__(self, message: str, hint: str = "", *, file: str | None = None, row: int | None = None) -> None:
        place = "" if file is None else f"{file}: " if row is None else f"{file}, row {row}: "
        super().__init__(place + message, hint)
        self.file = file
        self.row = row


class SettingError(AssayError):
    """An unknown or impossible task, network, option or value."""


class RunError(AssayError):
    """A run folder is missing, already taken, damaged or cannot be written."""


class TrainingError(AssayError):
    """The training cannot go on."""


class MissingExtraError(AssayError):
    """An optional dependency is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs a package that is not installed.", f'pip install "assay[{extra}]"')


def told(error: AssayError) -> dict[str, str]:
    """An error as plain values, for another process to raise by `raised`: pickling would lose its hint."""
    return {"kind": type(error).__name__, "message": error.message, "hint": error.hint}


def raised(values: Mapping[str, str]) -> AssayError:
    """The error that `told` another process' values are of."""
    kinds = {kind.__name__: kind for kind in (DataError, SettingError, RunError, TrainingError)}
    return kinds.get(values["kind"], AssayError)(values["message"], values["hint"])


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """A hint that names the known word nearest to `word`, or lists what there is, the first thirty of very many."""
    names = sorted(known)
    near = difflib.get_close_matches(str(word), names, n=1, cutoff=0.5)
    if near:
        return f"Did you mean {near[0]!r}?"
    more = f", and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return f"Known: {', '.join(names[:_MOST_LISTED])}{more}." if names else ""
