"""How many of the things that a picture shows are found, by their size.

Shapes: N things.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.evaluation.intervals import wilson
from assay.evidence.finding import Figure

Array = np.ndarray[Any, Any]
#: Groups of about equally many things, and how few of these say nothing.
_GROUPS, _FEW = 4, 20


def found_by_diameter(size: Array, found: Array, what: str) -> tuple[Figure, ...]:
    """The share that is found in four groups of about equally many; nothing where there are too few.

    Args:
        size: (N,) diameters in pixels.
        found: (N,) bool.
        what: what is counted, by which diameter, and when it counts as found, as sentences.
    """
    if len(size) < _FEW:
        return ()
    edges = np.unique(np.quantile(size, np.linspace(0, 1, _GROUPS + 1)))
    group = np.clip(np.searchsorted(edges, size, side="right") - 1, 0, max(0, len(edges) - 2))
    rows = []
    for place in np.unique(group):
        inside = group == place
        share, count = float(found[inside].mean()), int(inside.sum())
        low, high = wilson(share, count)
        ends = [f"{size[inside].min():.0f}", f"{size[inside].max():.0f}"]
        label = f"{' to '.join(dict.fromkeys(ends))} px ({count:,})"
        rows.append({"label": label, "value": share, "low": low, "high": high})
    data = {"rows": rows, "x": "found", "unit": "%"}
    return (Figure("intervals", "What is found, by size", data, f"{what} {_missed(size, found)}"),)


def _missed(size: Array, found: Array) -> str:
    """A sentence about how large those are that are missed."""
    if found.all():
        return "None is missed."
    missed = f"{int((~found).sum()):,} of {len(found):,} are missed; their median diameter is"
    others = f", that of the others {np.median(size[found]):.0f} px" if found.any() else ""
    return f"{missed} {np.median(size[~found]):.0f} px{others}."
