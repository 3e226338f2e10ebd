"""Data that comes with the installation, by name: `demo:digits`.

The same name gives the same data wherever the same libraries are installed, so that a run on it can be resumed,
exported and compared as one on files; the run's fingerprint tells where a library has changed it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from assay.errors import DataError, did_you_mean

#: How a source names such data.
PREFIX = "demo:"


def _digits() -> Any:
    from sklearn.datasets import load_digits

    data = load_digits()
    return (data.images * 255 / 16).round().astype("uint8"), data.target.astype(str)


def _table(name: str) -> Callable[[], Any]:
    def load() -> Any:
        from sklearn import datasets

        from assay.arrow import pa

        data = getattr(datasets, f"load_{name}")()
        columns = {str(column): data.data[:, place] for place, column in enumerate(data.feature_names)}
        names = getattr(data, "target_names", None)
        target = data.target if names is None else [str(names[number]) for number in data.target]
        return pa.table({**columns, "target": target})

    return load


def _drives() -> Any:
    from assay.sources.route_made import made_drives

    return made_drives()


#: By name, what gives the data in memory; or the address of other data that needs no file.
DEMO_DATA: dict[str, Callable[[], Any] | str] = {
    "digits": _digits,
    "breast-cancer": _table("breast_cancer"),
    "wine": _table("wine"),
    "diabetes": _table("diabetes"),
    "driving": "simulator:CarRacing-v3",
    "positioning": _drives,
}


def demo_data(address: str) -> tuple[Any, str]:
    """The data behind `demo:NAME`, None where another address has it, and the address by which it is opened again.

    Raises:
        DataError: there is no such data.
    """
    name = address.removeprefix(PREFIX)
    if name not in DEMO_DATA:
        raise DataError("there is no such data in the installation", did_you_mean(name, DEMO_DATA), file=address)
    found = DEMO_DATA[name]
    return (None, found) if isinstance(found, str) else (found(), address)
