"""`assay demo`: the whole flow on real data that comes with scikit-learn, in a simulator, or on SIMULATED drives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from assay.errors import SettingError, did_you_mean


def _digits() -> Any:
    from sklearn.datasets import load_digits

    data = load_digits()
    return (data.images * 255 / 16).round().astype("uint8"), data.target.astype(str)


def _table(name: str) -> Callable[[], Any]:
    def load() -> Any:
        import pyarrow as pa
        from sklearn import datasets

        data = getattr(datasets, f"load_{name}")()
        columns = {str(column): data.data[:, place] for place, column in enumerate(data.feature_names)}
        names = getattr(data, "target_names", None)
        target = data.target if names is None else [str(names[number]) for number in data.target]
        return pa.table({**columns, "target": target})

    return load


def _drives() -> Any:
    from assay.sources.route_made import made_drives

    return made_drives()


#: By name: what makes the data, the task, and the budget in seconds.
DEMOS: dict[str, tuple[Callable[[], Any], str, float]] = {
    "digits": (_digits, "image-classification", 20.0),
    "breast-cancer": (_table("breast_cancer"), "table", 15.0),
    "wine": (_table("wine"), "table", 15.0),
    "diabetes": (_table("diabetes"), "table", 15.0),
    "driving": (lambda: "simulator:CarRacing-v3", "driving", 90.0),
    "positioning": (_drives, "positioning", 30.0),
}
#: By name, options of the data.
_OPTIONS = {"driving": {"drives": "8", "tests": "10", "collect": "10"}}


def run_demo(name: str, out: Path | None, json: bool) -> None:
    """Train on a bundled data set, and print the verdicts and where the page is."""
    from assay.flow import TrainOptions
    from assay.shell import train_and_tell
    from assay.sources.source import DataOptions

    if name not in DEMOS:
        raise SettingError(f"there is no demo {name!r}", did_you_mean(name, DEMOS))
    make, task, budget_s = DEMOS[name]
    target = "target" if task == "table" else None
    data = DataOptions(task, target, extra=_OPTIONS.get(name, {}))
    train_and_tell(make(), data, TrainOptions(budget_s), out, json, label=f"demo-{name}")
