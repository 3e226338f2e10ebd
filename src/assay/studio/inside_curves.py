"""Losses of side trainings beside those of their run, as figures of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assay.evidence.finding import Figure
from assay.report import figures

Lines = Sequence[Mapping[str, Any]]
#: By the side of the samples, what the history calls its loss.
_SIDES = {"train": "train_sample_loss", "validation": "validation_loss"}
_TITLES = {"train": "Loss on training samples", "validation": "Loss on validation samples"}
#: From how many times the steps of a side training on a run's curve is drawn by the logarithm of its steps.
_MUCH_LONGER = 3


def compared(run: Lines, unchanged: Lines, changed: Lines) -> dict[str, Any]:
    """Both sides' curves of a run and of two side trainings, drawn on one scale, and the losses at the end of each.

    Args:
        run: the run's history.
        unchanged: that of a side training with the run's own settings.
        changed: that of one with other settings; empty where there is none yet.
    """
    told = [("run", "this run", run, 5), ("unchanged", "unchanged", unchanged, 0), ("changed", "changed", changed, 1)]
    series = {side: [_series(lines, name, label, hue) for _, label, lines, hue in told if _checks(lines)]
              for side, name in _SIDES.items()}  # fmt: skip
    span = [value for of in series.values() for one in of for value in one["y"] if value is not None]
    short = max((line["step"] for lines in (unchanged, changed) for line in _checks(lines)), default=0)
    log = bool(short) and max((line["step"] for line in _checks(run)), default=0) > _MUCH_LONGER * short
    ends = span and [min(span), max(span)]
    return {
        "figures": {side: figures.draw(_figure(_TITLES[side], of, ends, log)) for side, of in series.items()},
        "ends": {name: _end(lines) for name, _, lines, _ in told},
    }


def _checks(lines: Lines) -> list[Mapping[str, Any]]:
    return [line for line in lines if line.get("validation_loss") is not None and line.get("step", 0) > 0]


def _series(lines: Lines, name: str, label: str, hue: int) -> dict[str, Any]:
    checks = _checks(lines)
    values = [line.get(name) for line in checks]
    return {"label": label, "x": [line["step"] for line in checks], "y": values, "series": hue, "dashed": hue == 5}


def _figure(title: str, series: Sequence[Mapping[str, Any]], span: Sequence[float], log: bool) -> Figure:
    data = {"series": list(series), "x": "step", "y": "loss", "log_x": log, "span": list(span)}
    return Figure("lines", title, data)


def _end(lines: Lines) -> dict[str, Any] | None:
    """The losses of the last check, and the step at which it was; None before the first."""
    checks = _checks(lines)
    if not checks:
        return None
    last = checks[-1]
    return {"step": last["step"], **{side: last.get(name) for side, name in _SIDES.items()}}
