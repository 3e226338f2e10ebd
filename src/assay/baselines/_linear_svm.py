"""Linear support vector machines with squared hinge, several at once on the same rows.

Squared hinge is smooth, so that L-BFGS minimises it in a few products with the rows (Keerthi & DeCoste 2005 compare
such methods).

Shapes: N rows, P features, K machines.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from assay.baselines._fitting import Clock

Array = np.ndarray[Any, Any]
_LEAST_ROUNDS = 10


def fit_linear_svms(
    rows: Array,
    wanted: Array,
    strength: float,
    start: Array | None = None,
    *,
    rounds: int = 60,
    limit_s: float = np.inf,
) -> tuple[Array, Array]:
    """Weights (P, K) and offsets (K,) of machines that tell wanted rows from others.

    Args:
        rows: (N, P) float32.
        wanted: (N, K) int8: 1, -1, or 0 where a row is of no concern to a machine. Both kinds weigh the same in sum,
            but no row more than eight others.
        strength: the inverse of the penalty on squared weights, for the mean loss.
        start: (P + 1, K), the last row the offsets, from which to begin.
        rounds: of L-BFGS.
        limit_s: seconds after which it stops short, though not before some rounds.
    """
    from scipy.optimize import minimize

    machines = wanted.shape[1]
    signs = wanted.astype(np.float32)
    importance = np.stack([_importance(column) for column in wanted.T], axis=1)

    def loss(flat: Array) -> tuple[float, Array]:
        weights = flat.reshape(-1, machines).astype(np.float32)
        short = (1 - signs * (rows @ weights[:-1] + weights[-1])).clip(min=0)
        slope = -2 * importance * signs * short
        gradient = np.concatenate([rows.T @ slope + weights[:-1] / strength, slope.sum(axis=0)[None]])
        value = float((importance * short**2).sum() + 0.5 * (weights[:-1] ** 2).sum() / strength)
        return value, gradient.ravel().astype(np.float64)

    clock, done = Clock(limit_s), itertools.count(1)

    def stop(_: Array) -> None:
        if next(done) >= _LEAST_ROUNDS and clock.left_s() < 0:
            raise StopIteration

    first = np.zeros((rows.shape[1] + 1, machines)) if start is None else start
    got = minimize(loss, first.ravel(), jac=True, method="L-BFGS-B", callback=stop, options={"maxiter": rounds})
    weights = got.x.reshape(-1, machines).astype(np.float32)
    return weights[:-1], weights[-1]


def _importance(wanted: Array) -> Array:
    """(N,) how much each row counts for a machine; 1 in sum."""
    positive, negative = wanted > 0, wanted < 0
    weight = np.zeros(len(wanted), np.float32)
    weight[negative] = 1.0
    weight[positive] = min(8.0, max(1.0, negative.sum() / max(1, positive.sum())))
    return weight / max(float(weight.sum()), 1e-9)


def fit_ridge(rows: Array, targets: Array, ridge: float) -> tuple[Array, Array]:
    """Weights (P, T) and offsets (T,) of a linear regression of targets (N, T), with the penalty in rows' variance."""
    centre, middle = rows.mean(axis=0), targets.mean(axis=0)
    centred = rows - centre
    scatter = (centred.T @ centred).astype(np.float64)
    scatter[np.diag_indices_from(scatter)] += ridge * max(float(np.trace(scatter)) / len(scatter), 1e-9)
    weights = np.linalg.solve(scatter, centred.T @ (targets - middle)).astype(np.float32)
    return weights, np.asarray(middle - centre @ weights, np.float32)
