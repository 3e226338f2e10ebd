"""Apache Arrow, in which tables travel through Assay; where it is not installed, a stand-in for its simplest parts.

All of Assay imports Arrow from here, when it is first needed:

    from assay.arrow import pa, pc

PyArrow takes 176 MB, which is most of what answers on a small machine, and answers ask little of it: a few rows of
names, texts and numbers. `assay[run]` leaves it out, and the stand-in (`plain`, `plain_compute`, `plain_csv`) does that
little on lists of Python. What it cannot do is a `MissingExtraError` that says what to install. Both give the same
values: `tests/sources/test_plain_arrow.py`.
"""

from __future__ import annotations

import importlib
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from assay.errors import MissingExtraError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv as arrow_csv
    import pyarrow.parquet as pq

__all__ = ["arrow_csv", "need_arrow", "pa", "pc", "pq", "without_pandas"]

_OF_ARROW = {"pa": "pyarrow", "pc": "pyarrow.compute", "arrow_csv": "pyarrow.csv", "pq": "pyarrow.parquet"}
_PLAIN = {"pa": "plain", "pc": "plain_compute", "arrow_csv": "plain_csv"}


def need_arrow(what: str) -> None:
    """Raise `MissingExtraError` where Arrow is not installed, for what a stand-in will not do."""
    try:
        importlib.import_module("pyarrow")
    except ImportError:
        raise MissingExtraError(what, "arrow") from None


class _NoPandas:
    """A finder of modules that finds no pandas."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> None:
        """See `importlib.abc.MetaPathFinder`."""
        if name == "pandas":
            raise ModuleNotFoundError(name, name=name)


def without_pandas() -> None:
    """Keep Arrow from importing pandas, for a process into which nobody brings a data frame.

    PyArrow does so where it makes its first array of a list, to tell series from other values, which takes time.
    Where pandas comes later all the same, its tables are converted as ever.
    """
    if "pandas" in sys.modules:
        return
    sys.meta_path.insert(0, _NoPandas)
    try:
        with suppress(ImportError):
            importlib.import_module("pyarrow").array([None])
    finally:
        sys.meta_path.remove(_NoPandas)


def __getattr__(name: str) -> Any:
    """A part of Arrow, imported when it is first asked for; or what stands in for it."""
    if name not in _OF_ARROW:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name not in _PLAIN:
        need_arrow("reading and writing Parquet")
    try:
        part = importlib.import_module(_OF_ARROW[name])
    except ImportError:
        part = importlib.import_module(f"{__name__}.{_PLAIN[name]}")
    globals()[name] = part
    return part
