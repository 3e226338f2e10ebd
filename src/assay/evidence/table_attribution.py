"""What each column of a row added to its answer.

Shapes: B rows, P columns, M sets of columns.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evidence.attribution import shapley_values
from assay.samples.table_places import mask_rows

if TYPE_CHECKING:
    from assay.serving.predictor import Answering

Array = np.ndarray[Any, Any]
#: Random orders of the columns, each with its reverse: as many as this number of columns allows, within bounds.
_COLUMNS, _FEWEST, _MOST = 512, 2, 16
_AT_ONCE = 8


def explain_rows(predictor: Answering, batch: Any) -> Array:
    """(B, P) what each column added to the probability of a row's answer, or to its number.

    Shapley values: the columns of a row sum to its answer's probability (or its number) minus that of a row whose
    columns all say nothing. Columns are numbers first, then categories. Any model that answers can be asked, a
    classical one, too.

    Args:
        predictor: what answers.
        batch: has the fields `numbers` and `categories`.
    """
    spec = predictor.spec
    columns = len(spec.numbers) + len(spec.categories)
    pairs = int(np.clip(_COLUMNS // columns, _FEWEST, _MOST))
    starts = range(0, len(batch.numbers), _AT_ONCE)
    values = [_value(predictor, _rows(batch, slice(start, start + _AT_ONCE))) for start in starts]
    return np.concatenate([shapley_values(value, columns, pairs) for value in values])


def _value(predictor: Answering, batch: Any) -> Any:
    """The strength (M, B) of the answers to a batch, as a function of which columns (M, P) are kept."""
    import torch

    answered = np.asarray(predictor.respond(batch))
    spec, count = predictor.spec, len(batch.numbers)

    def value(kept: Array) -> Array:
        rows = _rows(batch, np.tile(np.arange(count), len(kept)))
        where = torch.from_numpy(np.repeat(kept, count, axis=0))
        outputs = predictor.respond(mask_rows(rows, where, spec))
        again = np.concatenate([answered] * len(kept))
        return np.asarray(spec.target.strength(outputs, again)).reshape(len(kept), count)

    return value


def _rows(batch: Any, rows: Any) -> Any:
    """Some of the rows of a batch, any of them several times."""
    return replace(
        batch, index=batch.index[rows], numbers=batch.numbers[rows], categories=batch.categories[rows], target=None
    )
