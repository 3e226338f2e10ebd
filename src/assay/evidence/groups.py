"""How good it is for each group of units: a speaker, a patient, whatever `--group` names.

Shapes: U units, G groups.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from assay.evaluation.evaluation import Evaluation
from assay.evaluation.intervals import estimate
from assay.evidence.context import Context
from assay.evidence.finding import Figure
from assay.evidence.words import title, unit_of
from assay.report.kinds.intervals import MOST_ROWS
from assay.samples.samples import Samples

Array = np.ndarray[Any, Any]
#: Units that a group needs, at least, to have a value of its own.
_FEW = 5


def by_group(context: Context) -> tuple[Figure, ...]:
    """The primary metric on the test units of each group, the worst first; nothing where not two groups are known.

    The interval of a group holds the chance among its own units, which are taken as independent within it.
    """
    metric, test = context.metric, context.test
    parts = named_groups(test, context.samples)
    sizes = {name: len(rows) for name, rows in parts.items()}
    found: dict[str, tuple[float, Evaluation]] = {}
    for name, rows in parts.items():
        part = test.only(rows)
        value = metric.value(part.outputs, part.truths) if len(rows) >= _FEW else math.nan
        if math.isfinite(value):
            found[name] = (value, part)
    if len(found) < 2:
        return ()
    order = sorted(found, key=lambda name: found[name][0], reverse=not metric.higher_is_better)
    drawn = []
    for name in order[:MOST_ROWS]:
        part = found[name][1]
        told = estimate(metric, part.outputs, part.truths, np.arange(len(part)))
        drawn.append({"label": f"{name} ({sizes[name]:,})", **vars(told)})
    whole = test.measure(metric).value
    data = {"rows": drawn, "x": title(metric), "unit": unit_of(metric), "reference": {"label": "all", "value": whole}}
    name = f"{title(metric)[:1].upper()}{title(metric)[1:]} by group"
    return (Figure("intervals", name, data, _caption(sizes, found)),)


def named_groups(test: Evaluation, samples: Samples) -> dict[str, Array]:
    """The positions (U',) of the test units of each group by its name; empty where no groups are known.

    Where the split goes by no group, or nobody is in one, speakers are groups.
    """
    index = samples.index
    columns = [name for name in ("group", "speaker") if name in index.column_names]
    known = [name for name in columns if index.column(name).null_count < len(index)]
    if not known:
        return {}
    names = index.column(known[0]).take(np.asarray(test.units, np.int64)).to_pylist()
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        if name is not None:
            places.setdefault(str(name), []).append(place)
    return {name: np.asarray(rows, np.int64) for name, rows in places.items()}


def _caption(sizes: dict[str, int], found: dict[str, Any]) -> str:
    shown = min(len(found), MOST_ROWS)
    which = f"the {shown} worst of {len(found):,} groups" if shown < len(found) else f"{len(found):,} groups"
    small = sum(size < _FEW for size in sizes.values())
    left = f" {small:,} with fewer than {_FEW} are left out." if small else ""
    return (
        f"Each dot is one of {which} of test samples, with their number and the 95 % interval among them; of that many "
        f"groups one in twenty lies beyond its interval by chance.{left}"
    )
