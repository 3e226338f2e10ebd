"""An endless stream of training batches that can be entered at any step.

Shapes: B windows in a batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import DataError
from assay.samples.draws import order

if TYPE_CHECKING:
    from assay.samples.samples import View

Array = np.ndarray[Any, Any]


class TrainStream:
    """An endless, reproducible stream of training batches, addressed by step.

    Each epoch is a new order of the windows, keyed by (seed, epoch); what does not fill a last batch waits for the next
    epoch's order.

    Args:
        view: the training side.
        batch_size: windows in a batch; all of them where there are fewer.
        seed: the run's seed.

    Raises:
        DataError: the view is empty.
    """

    def __init__(self, view: View, batch_size: int, seed: int) -> None:
        if not len(view.windows):
            raise DataError("no training sample is left", "See the problems that assay inspect lists.")
        self.view, self.seed = view, seed
        self.batch_size = min(batch_size, len(view.windows))
        self.steps_per_epoch = max(1, len(view.windows) // self.batch_size)
        self._epoch, self._order = -1, view.windows

    def windows(self, step: int) -> tuple[int, Array]:
        """The epoch of a step and the windows (B,) of its batch."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, order(self.view.windows, "order", self.seed, epoch)
        return epoch, self._order[place * self.batch_size : (place + 1) * self.batch_size]
