"""An endless stream of training batches that can be entered at any step.

Shapes: B windows in a batch.
"""

from __future__ import annotations

from collections.abc import Callable
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

    Samples of shards are mixed within pools: the blocks of the shards come in a random order, and so many of them as
    the reader holds are shuffled together. Which windows come next is told beforehand, so that they can be made ready.

    Args:
        view: the training side.
        batch_size: windows in a batch; all of them where there are fewer.
        seed: the run's seed.
        own: which windows of a batch (B,) this process will ask for; all of them by default.

    Raises:
        DataError: the view is empty.
    """

    def __init__(
        self, view: View, batch_size: int, seed: int, own: Callable[[Array], Array] = lambda windows: windows
    ) -> None:
        if not len(view.windows):
            raise DataError("no training sample is left", "See the problems that assay inspect lists.")
        self.view, self.seed, self._own = view, seed, own
        self.batch_size = min(batch_size, len(view.windows))
        self.steps_per_epoch = max(1, len(view.windows) // self.batch_size)
        self._orders: dict[int, Array] = {}
        self._on_demand = view.samples.on_demand
        self._ahead = 0 if self._on_demand is None else self._on_demand.ahead(self.batch_size)
        self._reach = min(self.steps_per_epoch, max(self._ahead, self._pool_steps() // 2))

    def windows(self, step: int) -> tuple[int, Array]:
        """The epoch of a step and the windows (B,) of its batch."""
        if self._on_demand is not None:
            next_ones = [self._own(self._windows(step + number)[1]) for number in range(self._ahead + 1)]
            self._on_demand.expect(next_ones, self._own(self._windows(step + self._reach)[1]))
        return self._windows(step)

    def _windows(self, step: int) -> tuple[int, Array]:
        epoch, place = divmod(step, self.steps_per_epoch)
        if epoch not in self._orders:
            near = {known: order for known, order in self._orders.items() if abs(known - epoch) == 1 and self._ahead}
            self._orders = {**near, epoch: self._arranged(epoch)}
        return epoch, self._orders[epoch][place * self.batch_size : (place + 1) * self.batch_size]

    def _arranged(self, epoch: int) -> Array:
        """(W',) the windows in an epoch's order."""
        shuffled = self._pooled(order(self.view.windows, "order", self.seed, epoch), epoch)
        lengths = self.view.lengths(shuffled)
        if lengths is None or (lengths == lengths[0]).all():
            return shuffled
        whole = self.steps_per_epoch * self.batch_size
        pool = np.arange(whole) // (_POOL * self.batch_size)
        alike = shuffled[np.lexsort((lengths[:whole], pool))]
        batches = order(np.arange(self.steps_per_epoch), "batches", self.seed, epoch)
        return np.asarray(alike.reshape(self.steps_per_epoch, self.batch_size)[batches].ravel())

    def _pool_steps(self) -> int:
        """About how many steps a pool lasts."""
        blocks = self.view.samples.blocks(self.view.windows)
        if blocks is None:
            return 0
        share = min(1.0, blocks[1] / len(np.unique(blocks[0])))
        return int(share * len(self.view.windows) / self.batch_size)

    def _pooled(self, shuffled: Array, epoch: int) -> Array:
        """Shuffled windows (W',) pool by pool, each of as many blocks as the reader holds."""
        blocks = self.view.samples.blocks(shuffled)
        if blocks is None:
            return shuffled
        names, block = np.unique(blocks[0], return_inverse=True)
        turn = np.argsort(order(np.arange(len(names)), "blocks", self.seed, epoch))  # when each block's turn is
        return np.asarray(shuffled[np.argsort(turn[block] // blocks[1], kind="stable")])
