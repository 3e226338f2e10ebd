"""A support vector machine with a Gaussian kernel and squared loss, exact on small data and approximate on large.

With squared loss the machine (Suykens & Vandewalle 1999) is one linear system for all classes, which keeps
two cores busy; on large data its kernel is spanned by a sample of the training rows, the Nyström method (Williams &
Seeger 2001; Rahimi & Recht 2007 do the same with random waves).

Shapes: N rows, P features, M centres, O outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.baselines._fitting import Clock

if TYPE_CHECKING:
    from torch import Tensor

Array = np.ndarray[Any, Any]
Judge = Callable[[Array], tuple[float, float]]  # validation scores (V, O) to what is best when largest

EXACT = 5000  # rows up to which every training row is a centre
_LEAST = 1000  # rows that are affordable in any time
_WIDTHS = (1.0, 2.0, 0.5)  # gamma, in inverse mean squared distances
_ADDED = (1e-5, 1e-4, 1e-3, 1e-2, 1.0)  # to the diagonal of a kernel, one after the other
_RIDGES = (0.1, 0.03, 0.3, 0.01, 1.0, 3.0)
_CENTRES = (6144, 5120, 4096, 3072, 2048, 1536, 1024, 512, 256)
_ROWS = 4096


@dataclass(frozen=True)
class KernelMachine:
    """Scores that are a sum of Gaussian bumps.

    Attributes:
        centres: (M, P) float32.
        weights: (M, O) float32, how much each bump counts for each output.
        offset: (O,) float32, the scores far from all centres.
        gamma: how narrow the bumps are: exp(-gamma · squared distance).
    """

    centres: Array
    weights: Array
    offset: Array
    gamma: float

    def scores(self, rows: Array) -> Array:
        """(N, P) to (N, O)."""
        import torch

        centres, weights = torch.from_numpy(self.centres), torch.from_numpy(self.weights)
        parts = [
            _bumps(torch.from_numpy(rows[start : start + _ROWS]), centres, self.gamma) @ weights
            for start in range(0, len(rows), _ROWS)
        ]
        whole = torch.cat(parts).numpy() if parts else np.zeros((0, len(self.offset)), np.float32)
        return np.asarray(whole + self.offset)


def fit_kernel_machine(
    rows: Array, targets: Array, aside: Array, judge: Judge, clock: Clock, seed: int
) -> tuple[KernelMachine, str]:
    """Fit, choosing the kernel's width and the ridge on rows set aside.

    Args:
        rows: (N, P) float32 training rows.
        targets: (N, O) numbers to score: 1 and -1 for classes and labels.
        aside: (V, P) validation rows.
        judge: rates the scores (V, O) of the validation rows; the largest wins.
        clock: the time; the fit ends with it.
        seed: of the choice of centres.

    Returns:
        The machine, and how many rows and centres it was given.
    """
    order = np.random.default_rng(seed).permutation(len(rows))
    rows, targets = rows[order], np.asarray(targets[order], np.float32)
    offset = targets.mean(axis=0)
    pilot = _pilot_rows(len(rows), clock)
    machine, ridge = _fit_exact(rows[:pilot], targets[:pilot] - offset, offset, aside, judge, clock)
    if len(rows) <= pilot:
        return machine, f"all {len(rows):,} training samples"
    return _fit_nystroem(rows, targets - offset, machine, ridge, aside, judge, clock)


def _pilot_rows(count: int, clock: Clock) -> int:
    """How many rows the exact machine gets: a guess of a second for 2,000 rows, that grows with their cube."""
    affordable = int(2000 * max(clock.left_s(0.6) / 10, 0.001) ** (1 / 3))
    return min(count, max(_LEAST, min(affordable, EXACT)))


def _fit_exact(
    rows: Array, targets: Array, offset: Array, aside: Array, judge: Judge, clock: Clock
) -> tuple[KernelMachine, float]:
    """The best machine with every row a centre over widths and ridges, and its ridge."""
    import torch

    centres, wanted = torch.from_numpy(rows), torch.from_numpy(targets)
    apart = float(_distances(centres, centres).mean()) or 1.0
    unit = torch.eye(len(rows))
    best: tuple[tuple[float, float], KernelMachine, float] | None = None
    deadline = clock.left_s() * 0.35
    begun = clock.spent_s
    for width in _WIDTHS:
        kernel = _bumps(centres, centres, width / apart)
        between = _bumps(torch.from_numpy(aside), centres, width / apart)
        for ridge in _RIDGES:
            factor, failed = torch.linalg.cholesky_ex(kernel + ridge * unit)
            if failed:  # rows so alike that this ridge does not tell them apart in single precision
                continue
            weights = torch.cholesky_solve(wanted, factor)
            rating = judge((between @ weights).numpy() + offset)
            if best is None or rating > best[0]:
                best = (rating, KernelMachine(rows, weights.numpy(), offset, width / apart), ridge)
            if clock.spent_s - begun > deadline:
                return best[1], best[2]
    if best is None:
        raise RuntimeError("no width was tried")
    return best[1], best[2]


def _fit_nystroem(
    rows: Array, targets: Array, pilot: KernelMachine, ridge: float, aside: Array, judge: Judge, clock: Clock
) -> tuple[KernelMachine, str]:
    """The machine on all rows, its kernel spanned by as many centres as the time allows."""
    import torch

    values, wanted = torch.from_numpy(rows), torch.from_numpy(targets)
    count = _affordable(values, pilot.gamma, clock)
    if count < len(pilot.centres) / 2:
        return pilot, f"{len(pilot.centres)} of {len(rows)} training samples, which the time allowed"
    centres = values[:count]
    root = _root(_bumps(centres, centres, pilot.gamma))
    squares, products = torch.zeros(count, count), torch.zeros(count, targets.shape[1])
    done = 0
    for start in range(0, len(rows), _ROWS):
        part = _bumps(values[start : start + _ROWS], centres, pilot.gamma) @ root
        squares.addmm_(part.T, part)
        products.addmm_(part.T, wanted[start : start + _ROWS])
        done = min(start + _ROWS, len(rows))
        if clock.left_s(0.95) < 0:
            break
    between = _bumps(torch.from_numpy(aside), centres, pilot.gamma) @ root
    best: tuple[tuple[float, float], Tensor] | None = None
    for factor in (1.0, 3.0, 0.3, 10.0):
        system = squares + factor * ridge * torch.eye(count)
        triangle, failed = torch.linalg.cholesky_ex(system)
        if failed:
            continue
        weights = torch.cholesky_solve(products, triangle)
        rating = judge((between @ weights).numpy() + pilot.offset)
        best = (rating, weights) if best is None or rating > best[0] else best
        if clock.left_s() < 0:
            break
    if best is None:
        return pilot, f"{len(pilot.centres)} of {len(rows)} training samples: more are too alike to be told apart"
    machine = KernelMachine(centres.numpy().copy(), (root @ best[1]).numpy(), pilot.offset, pilot.gamma)
    part_of = f"all {done:,}" if done == len(rows) else f"{done:,} of {len(rows):,}"
    return machine, f"{part_of} training samples through {count:,} centres"


def _affordable(rows: Tensor, gamma: float, clock: Clock) -> int:
    """The largest number of centres that leaves time to spare, from the speed of one small part."""
    trial = Clock(1.0)
    size = min(1024, len(rows))
    part = _bumps(rows[:size], rows[:size], gamma)
    part = part @ part
    rate = size * _work(size, rows.shape[1], products=1) / max(trial.spent_s, 1e-4)
    for count in _CENTRES:
        if count > len(rows):
            continue
        seconds = (len(rows) * _work(count, rows.shape[1], products=2) + 8 * count**3) / rate
        if seconds < 0.8 * clock.left_s():
            return count
    return 0


def _work(centres: int, features: int, products: int) -> float:
    """Multiplications a row: its distances, their exponentials, and products with (M, M) matrices."""
    return centres * (features + 60.0 + products * centres)


def _root(kernel: Tensor) -> Tensor:
    """A matrix A (M, M) with A Aᵀ the inverse of the kernel, in double precision inside.

    The kernel comes in single precision: of thousands of centres that are much alike its smallest eigenvalues are
    below zero by rounding, so that what is added to its diagonal grows until it has a root.
    """
    import torch

    unit, within = torch.eye(len(kernel), dtype=torch.float64), kernel.double()
    for added in _ADDED:
        lower, failed = torch.linalg.cholesky_ex(within + added * unit)
        if not failed:
            break
    root: Tensor = torch.linalg.solve_triangular(lower, unit, upper=False).T.float().contiguous()
    return root


def _distances(left: Tensor, right: Tensor) -> Tensor:
    """Squared distances (A, B) between rows (A, P) and (B, P)."""
    import torch

    lengths = (left**2).sum(dim=1)[:, None] + (right**2).sum(dim=1)
    apart: Tensor = torch.addmm(lengths, left, right.T, alpha=-2).clamp_(min=0)
    return apart


def _bumps(left: Tensor, right: Tensor, gamma: float) -> Tensor:
    """The kernel exp(-gamma · squared distance), (A, B)."""
    bumps: Tensor = _distances(left, right).mul_(-gamma).exp_()
    return bumps
