"""How far an input is from what a network learned from, among the features that its last layer is given.

An input is as far away as its k-th nearest training sample (Y. Sun, Y. Ming, X. Zhu, Y. Li, "Out-of-distribution
detection with deep nearest neighbors", ICML 2022), among features that are made to vary alike in all directions, as in
a Mahalanobis distance (K. Lee, K. Lee, H. Lee, J. Shin, "A simple unified framework for detecting out-of-distribution
samples", NeurIPS 2018), by a covariance that is shrunk (O. Ledoit, M. Wolf, "A well-conditioned estimator for
large-dimensional covariance matrices", Journal of Multivariate Analysis 88, 2004). `docs/log.md` tells what else was
tried.

Shapes: W windows, N training samples that are kept, F features, K directions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
#: The nearest sample that counts.
NEIGHBOUR = 5
#: So many directions of the features are kept, those in which they vary most.
_DIRECTIONS = 256
#: Distances that are computed at once.
_AT_ONCE = 512


@dataclass(frozen=True)
class Neighbours:
    """The features of some training samples.

    Attributes:
        centre: (F,) their mean.
        whitening: (F, K) directions in which they then vary alike.
        known: (N, K) the samples along these.
    """

    centre: Array
    whitening: Array
    known: Array

    def distances(self, features: Array) -> Array:
        """(W,) how far windows are by their features (W, F)."""
        return nearest(along(features, self.centre, self.whitening), self.known)

    def arrays(self) -> dict[str, Array]:
        """What is stored of it."""
        return {"centre": self.centre, "whitening": self.whitening, "known": self.known.astype(np.float16)}


def neighbours_of(arrays: Mapping[str, Array]) -> Neighbours:
    """Out of what was stored; raises `ValueError` or `KeyError` where that is damaged."""
    found = Neighbours(*(arrays[name].astype(np.float32) for name in ("centre", "whitening", "known")))
    if found.whitening.shape != (*found.centre.shape, found.known.shape[1]):
        raise ValueError("its shapes do not fit together")
    return found


def fit_neighbours(features: Array) -> Neighbours:
    """Out of the features (N, F) of training samples."""
    centre, whitening = whitened(features)
    known = along(features, centre, whitening).astype(np.float16).astype(np.float32)  # as it is stored
    return Neighbours(centre, whitening, known)


def whitened(features: Array) -> tuple[Array, Array]:
    """(F,) the mean, and (F, K) the directions along which features vary by one; the widest of very many alone."""
    from sklearn.covariance import LedoitWolf

    centre = features.mean(axis=0, dtype=np.float64)
    away = features - centre
    axes = np.eye(len(centre)) if len(centre) <= _DIRECTIONS else _widest(away)
    sizes, directions = np.linalg.eigh(LedoitWolf(assume_centered=True).fit(away @ axes).covariance_)
    real = sizes > 1e-9 * max(float(sizes[-1]), 1e-30)
    whitening = axes @ (directions[:, real] / np.sqrt(sizes[real]))
    return centre.astype(np.float32), whitening.astype(np.float32)


def _widest(away: Array) -> Array:
    """(F, K) the directions in which centred features (N, F) vary most."""
    if len(away) > away.shape[1]:
        return np.asarray(np.linalg.eigh(away.T @ away)[1][:, -_DIRECTIONS:])
    # The samples are fewer than the features where that takes long: by their products it is quicker.
    sizes, vectors = np.linalg.eigh(away @ away.T)
    real = np.flatnonzero(sizes > 1e-12 * max(float(sizes[-1]), 1e-30))[-_DIRECTIONS:]
    return np.asarray(away.T @ (vectors[:, real] / np.sqrt(sizes[real])))


def along(features: Array, centre: Array, whitening: Array) -> Array:
    """(W, K) features (W, F) in the directions that are kept."""
    return np.asarray((features.astype(np.float32) - centre) @ whitening, np.float32)


def nearest(asked: Array, known: Array) -> Array:
    """(W,) how far the k-th nearest of what is known (N, K) is from what is asked (W, K)."""
    place, sizes = min(NEIGHBOUR, len(known)) - 1, (known**2).sum(axis=1)
    found = []
    for first in range(0, len(asked), _AT_ONCE):
        some = asked[first : first + _AT_ONCE]
        squares = (some**2).sum(axis=1)[:, None] - 2 * some @ known.T + sizes
        found.append(np.sqrt(np.maximum(np.partition(squares, place, axis=1)[:, place], 0)))
    return np.concatenate(found) if found else np.zeros(0, np.float32)
