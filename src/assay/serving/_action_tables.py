"""Values out of the tables of an actions.toml, each checked; what is wrong is told with the file and the key."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from assay.errors import DataError, did_you_mean

_LARGEST = 1_000_000
#: A name that an environment variable can have everywhere.
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def read_toml(file: Path) -> dict[str, Any]:
    """The whole file; raises `DataError` where it is missing, too large, or no TOML."""
    try:
        with open(file, "rb") as stream:
            data = stream.read(_LARGEST + 1)
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", "Give an actions.toml; docs/listen.md shows one.",
                        file=str(file)) from error  # fmt: skip
    if len(data) > _LARGEST:
        raise DataError("has more than a megabyte", "Is this an actions.toml?", file=str(file))
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(f"is not UTF-8 (byte {error.start})", "Save it as UTF-8.", file=str(file)) from error
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"at line (\d+)", str(error))
        row = int(place[1]) if place else None
        hint = "Text stands in quotes, and a table's name in brackets; docs/listen.md shows a whole file."
        raise DataError(f"is not TOML: {error}", hint, file=str(file), row=row) from error
    except ValueError as error:  # a number of thousands of digits
        raise DataError(f"is not TOML: {error}", "Is this an actions.toml?", file=str(file)) from error
    except RecursionError as error:
        raise DataError("is nested too deeply", "Is this an actions.toml?", file=str(file)) from error


class Table:
    """One table of the file.

    Args:
        file: the file, for what is told.
        path: the table's name, such as `actions.light`; "" for the whole file.
        values: what stands in it.
        secrets: takes the names of environment variables that hold secrets; shared with the tables in it.
    """

    def __init__(self, file: Path, path: str, values: Any, secrets: set[str] | None = None) -> None:
        self.file, self.path = file, path
        self.secrets: set[str] = set() if secrets is None else secrets
        if not isinstance(values, dict):
            raise self.error("", f"is {_shown(values)}, not a table", f"Write it as [{path}].")
        self.values: Mapping[str, Any] = values

    def error(self, key: str, message: str, hint: str = "") -> DataError:
        """An error that names the file and the key; "" for the table itself."""
        place = ".".join(part for part in (self.path, key) if part)
        return DataError(f"{place}: {message}" if place else message, hint, file=str(self.file))

    def only(self, known: Collection[str]) -> None:
        """Raise where a key is none of the known ones."""
        for key in self.values:
            if key not in known:
                raise self.error(key, "is no key that is known here", did_you_mean(key, known))

    def table(self, key: str) -> Table | None:
        """A table in this one; None where it is not there."""
        if key not in self.values:
            return None
        path = ".".join(part for part in (self.path, key) if part)
        return Table(self.file, path, self.values[key], self.secrets)

    def text(self, key: str, default: str | None = None, *, empty: bool = False) -> str:
        """Text without NUL; raises where it is missing and has no default, or is empty and may not be."""
        value = self._given(key, default, "text, in quotes")
        if not isinstance(value, str) or "\0" in value:
            raise self.error(key, f"is {_shown(value)}, not text", 'Write it in quotes: "…".')
        if not value and not empty:
            raise self.error(key, "is empty", "Give some text, or leave it out where it has a default.")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of text with at least one element."""
        value = self._given(key, None, "a list of text")
        if not isinstance(value, list) or not all(isinstance(item, str) and "\0" not in item for item in value):
            hint = f'Write each argument by itself: {key} = ["program", "argument"].'
            raise self.error(key, f"is {_shown(value)}, not a list of text", hint)
        if not value or not value[0]:
            raise self.error(key, "names no program", f'Write it as {key} = ["program", "argument"].')
        return tuple(value)

    def named_texts(self, key: str) -> dict[str, str]:
        """A table of text by name; empty where it is not there."""
        table = self.table(key)
        return {} if table is None else {name: table.text(name, empty=True) for name in table.values}

    def truth(self, key: str, default: bool) -> bool:
        """`true` or `false`."""
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            raise self.error(key, f"is {_shown(value)}", "Write true or false, without quotes.")
        return value

    def number(self, key: str, default: float, low: float, high: float) -> float:
        """A number within bounds."""
        value = self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise self.error(key, f"is {_shown(value)}", f"Give a number from {low:g} to {high:g}.")
        return float(value)

    def whole(self, key: str, default: int, low: int, high: int) -> int:
        """A whole number within bounds."""
        value = self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.error(key, f"is {_shown(value)}", f"Give a whole number from {low} to {high}.")
        return value

    def content(self, key: str, other: str) -> bytes:
        """What is sent: the text under one key, or what stands under another as JSON; empty where there is neither."""
        if key in self.values and other in self.values:
            raise self.error(other, f"stands beside {key}", "Give only one of the two.")
        if other not in self.values:
            return self.text(key, "", empty=True).encode()
        try:
            return json.dumps(self.values[other], ensure_ascii=False, allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            raise self.error(other, f"cannot be written as JSON ({error})", "Write dates as text.") from error

    def secret(self, key: str) -> str | None:
        """The value of the environment variable that a key names; None where the key is not there."""
        if key not in self.values:
            return None
        name = self.text(key)
        if not _VARIABLE.fullmatch(name):
            hint = "Give the name of an environment variable, never the secret itself."
            raise self.error(key, "is not the name of an environment variable", hint)
        self.secrets.add(name.upper() if os.name == "nt" else name)  # where the names in `os.environ` are in capitals
        value = os.environ.get(name)
        if not value:
            raise self.error(key, f"the environment variable {name} is not set", f"Set it before: export {name}=…")
        if not _is_utf8(value):
            raise self.error(key, f"the environment variable {name} is not UTF-8", "Set it to other text.")
        return value

    def _given(self, key: str, default: Any, kind: str) -> Any:
        value = self.values.get(key, default)
        if value is None:
            raise self.error(key, "is missing", f"Give {kind}.")
        return value


def _shown(value: Any) -> str:
    """A value as the file might have written it, cut short."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except ValueError:
        return "a number of thousands of digits"
    return text if len(text) <= 60 else text[:57] + "…"


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
