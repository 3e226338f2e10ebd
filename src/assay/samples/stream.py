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
#: So many batches are drawn before they are divided by length.
_POOL = 64


class TrainStream:
    """An endless, reproducible stream of training batches, addressed by step.

    Each epoch is a new order of the windows, keyed by (seed, epoch); what does not fill a last batch waits for the next
    epoch's order. Where windows differ in length, each stretch of `_POOL` batches is divided anew, so that a batch
    holds windows of about one length and hardly any padding, and the batches come in random order.

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
            self._epoch, self._order = epoch, self._arranged(epoch)
        return epoch, self._order[place * self.batch_size : (place + 1) * self.batch_size]

    def _arranged(self, epoch: int) -> Array:
        """(W',) the windows in an epoch's order."""
        shuffled = order(self.view.windows, "order", self.seed, epoch)
        lengths = self.view.lengths(shuffled)
        if lengths is None or (lengths == lengths[0]).all():
            return shuffled
        whole = self.steps_per_epoch * self.batch_size
        pool = np.arange(whole) // (_POOL * self.batch_size)
        alike = shuffled[np.lexsort((lengths[:whole], pool))]
        batches = order(np.arange(self.steps_per_epoch), "batches", self.seed, epoch)
        return np.asarray(alike.reshape(self.steps_per_epoch, self.batch_size)[batches].ravel())
