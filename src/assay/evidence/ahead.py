"""Side trainings that several findings will ask for, made at once where a cluster can do that."""

from __future__ import annotations

from assay.errors import AssayError
from assay.evidence.context import Context
from assay.evidence.data import too_few
from assay.evidence.labels import asks_halves


def train_ahead(context: Context) -> None:
    """Make the side trainings that are going to be asked for, where more than one is made at a time.

    One that fails is left to the finding that asks for it, which tells why.
    """
    side, fitted = context.side, context.baseline
    if side is None or side.width < 2 or not context.thorough:
        return
    curve, halves = not too_few(context), asks_halves(context)
    wanted = fitted is not None and (curve or halves)
    try:
        side.ahead(curve, halves, fitted.fit_seconds if fitted is not None and wanted else None)
    except AssayError:
        return
