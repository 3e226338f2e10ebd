"""`assay demo`: the whole flow on real data that comes with scikit-learn, in a simulator, or on SIMULATED drives."""

from __future__ import annotations

from pathlib import Path

from assay.errors import SettingError, did_you_mean

#: By name: the task, and the budget in seconds; the data is that of `sources/demo_data.py`.
DEMOS: dict[str, tuple[str, float]] = {
    "digits": ("image-classification", 20.0),
    "breast-cancer": ("table", 15.0),
    "wine": ("table", 15.0),
    "diabetes": ("table", 15.0),
    "driving": ("driving", 90.0),
    "positioning": ("positioning", 30.0),
}
#: By name, options of the data.
_OPTIONS = {"driving": {"drives": "8", "tests": "10", "collect": "10"}}


def run_demo(name: str, out: Path | None, json: bool) -> None:
    """Train on a bundled data set, and print the verdicts and where the page is."""
    from assay.flow import TrainOptions
    from assay.shell import train_and_tell
    from assay.sources.demo_data import PREFIX
    from assay.sources.source import DataOptions

    if name not in DEMOS:
        raise SettingError(f"there is no demo {name!r}", did_you_mean(name, DEMOS))
    task, budget_s = DEMOS[name]
    target = "target" if task == "table" else None
    data = DataOptions(task, target, extra=_OPTIONS.get(name, {}))
    train_and_tell(PREFIX + name, data, TrainOptions(budget_s), out, json, label=f"demo-{name}")
