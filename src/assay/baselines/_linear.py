"""Linear models for the kinds of targets, over dense or sparse inputs: what a table's and a text's have in common.

Shapes: N units, D inputs, O outputs of the target (classes, labels, or one).
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.arrays import sigmoid, softmax

if TYPE_CHECKING:
    from assay.targets.target import Target

Array = np.ndarray[Any, Any]
_NEVER = -15.0  # the logit of a class or label that training never shows
_OPERATIONS_A_SECOND = 2e9
_LEAST_ROUNDS = 10


def solve(target: Target, inputs: Any, truths: Array, strength: float, limit_s: float) -> tuple[Array, Array]:
    """Weights (D, O) and offset (O,): logistic regression for classes and each label, ridge regression for a number.

    Args:
        target: what is predicted.
        inputs: (N, D), dense or sparse.
        truths: as the target encodes them.
        strength: the inverse of the penalty.
        limit_s: seconds that it may take, about; the solver stops short where they do not suffice.
    """
    if target.kind == "number":
        return _ridge(inputs, truths, strength)
    if target.kind == "class":
        return _logistic(inputs, truths, target.outputs, strength, limit_s)
    share_s = limit_s / max(1, target.outputs)
    parts = [_logistic(inputs, column.astype(np.int64), 2, strength, share_s) for column in truths.T]
    weights = [weights[:, 1] - weights[:, 0] for weights, _ in parts]
    return np.stack(weights, axis=1), np.asarray([offset[1] - offset[0] for _, offset in parts])


def outputs_of(target: Target, scores: Array) -> Array:
    """Scores (N, O) as the target's outputs: probabilities, or numbers (N,)."""
    if target.kind == "number":
        return scores[:, 0]
    return softmax(scores) if target.kind == "class" else sigmoid(scores)


def _ridge(inputs: Any, truths: Array, strength: float) -> tuple[Array, Array]:
    from sklearn.linear_model import Ridge

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = Ridge(alpha=1 / strength, solver="auto").fit(inputs, truths)
    return np.asarray(model.coef_, float).reshape(-1, 1), np.atleast_1d(np.asarray(model.intercept_, float))


def _logistic(inputs: Any, truths: Array, classes: int, strength: float, limit_s: float) -> tuple[Array, Array]:
    """Multinomial logistic regression; classes that do not occur keep a logit far below the others."""
    from sklearn.linear_model import LogisticRegression

    weights, offset = np.zeros((inputs.shape[1], classes)), np.full(classes, _NEVER)
    present = np.unique(truths)
    if len(present) == 1:
        offset[present] = 0.0
        return weights, offset
    rounds = max(_LEAST_ROUNDS, rounds_within(products_of(inputs), inputs.shape[1], len(present), limit_s))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LogisticRegression(C=strength, max_iter=rounds).fit(inputs, truths)
    if len(present) == 2:
        weights[:, present[1]], offset[present] = model.coef_[0], (0.0, model.intercept_[0])
    else:
        weights[:, present], offset[present] = model.coef_.T, model.intercept_
    return weights, offset


def products_of(inputs: Any) -> int:
    """What the two products of a solver's step with the inputs (N, D), dense or sparse, cost, in dense operations."""
    return int(20 * inputs.nnz if hasattr(inputs, "nnz") else 4 * inputs.shape[0] * inputs.shape[1])


def rounds_within(products: int, columns: int, classes: int, limit_s: float) -> int:
    """How many steps of L-BFGS, 500 at most, fit into a third of the time.

    Args:
        products: what those with the inputs cost a class, see `products_of`; the sums over the solver's memory come
            on top.
        columns: of the inputs, D.
        classes: of the target.
        limit_s: seconds.
    """
    operations = (products + 40 * columns) * (1 if classes == 2 else classes)
    return int(np.clip(max(limit_s, 0.0) / 3 * _OPERATIONS_A_SECOND / operations, 0, 500))
