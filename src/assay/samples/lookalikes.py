"""Copies among images: exact, encoded again, resized, mirrored, brighter or darker, or cropped a little.

1. Each image is a small grey picture (`thumbnails`) and its low frequencies are a vector, as are those of slightly
   cropped parts of it (`_descriptors`). The nearest vectors are candidates.
2. Candidates are laid over one another and their details compared (`_alignment`).
3. Two images are copies where their details agree, and agree far better than those of images that are merely alike in
   this data: clothes, digits and slices of a body look alike by nature, photographs do not.

The second test in 3 is that of D. Lowe, "Distinctive image features from scale-invariant keypoints", 2004: a match is
trusted where it is much nearer than others. Here the others are the usual neighbours in the data, so that an image may
have several copies.

Shapes: N images of T x T pixels, P pairs, A images asked about.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.samples._alignment import FITTED, differences, waves
from assay.samples._candidates import Candidates, candidates
from assay.samples._descriptors import describe
from assay.samples.draws import order

Array = np.ndarray[Any, Any]
#: Copies differ by less than this times the square of what usual neighbours differ by. Chosen on other data than the
#: benchmark's: docs/log.md.
_LIMIT = 0.25
#: Pairs of a whole data set that may agree so well by chance, where their details are waves of random phases.
_CHANCE = 0.01
_LEAST_PRODUCT = 0.6
_NEIGHBOURS, _BLOCK = 8, 512
#: How many images, and how many neighbours of each, tell what is usual; and what is taken for it where there are fewer.
_USUAL, _MANY_NEIGHBOURS, _UNKNOWN = 64, 16, 0.4


@dataclass(frozen=True)
class Lookalikes:
    """What a search for copies found.

    Attributes:
        pairs: (P, 2) int64, units that are copies of one another, each pair once, the lower number first.
        asked: (A,) int64, the units that were compared with all others, ascending.
        ordinary: units that others equal by nature, so that equal digests do not make them copies; None for none.
    """

    pairs: Array
    asked: Array
    ordinary: Array | None = None


def find_copies(
    images: Array,
    asked: Array | None = None,
    budget_s: float | None = None,
    tolerance: float = 1.0,
    advance: Callable[[float], None] | None = None,
) -> Lookalikes:
    """Which images are copies of one another.

    Args:
        images: (N, T, T) uint8 (see `thumbnails`).
        asked: (A,) the images whose copies are looked for; None for all.
        budget_s: seconds after which no further images are looked at; those that were are drawn evenly.
        tolerance: more than 1 takes more pairs for copies.
        advance: is told how many of those asked about are done.
    """
    begun = time.perf_counter()
    asked = np.arange(len(images)) if asked is None else np.unique(np.asarray(asked, np.int64))
    if len(images) < 2 or not len(asked):
        return Lookalikes(np.zeros((0, 2), np.int64), asked)
    vectors, signs = describe(images)
    usual = _usual_difference(images, vectors, signs)
    least = max(_LEAST_PRODUCT, 1 - 0.6 * usual)
    whole = len(asked) == len(images) and budget_s is None
    rest = asked if budget_s is None else order(asked, "lookalikes", 0)
    found: list[Array] = [np.zeros((0, 2), np.int64)]
    done = 0
    while done < len(rest) and (not done or budget_s is None or time.perf_counter() - begun < budget_s):
        block = rest[done : done + (_BLOCK if budget_s is None else _BLOCK // 8)]
        near = candidates(vectors, signs, block, not whole, least, _NEIGHBOURS)
        found.append(_copies(images, near, tolerance * _LIMIT * usual**2))
        done += len(block)
        if advance is not None:
            advance(done)
    pairs = np.unique(np.concatenate(found), axis=0)
    return Lookalikes(pairs, np.sort(rest[:done]))


def groups_of(pairs: Array, count: int) -> Array:
    """(count,) a number for each unit, the same for all that pairs link."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(pairs), np.int8)
    graph = coo_matrix((ones, (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1])


def _copies(images: Array, near: Candidates, limit: float) -> Array:
    """(P, 2) those candidates that are copies, the lower number first."""
    found = differences(images, *near.ways())
    kept = found < limit
    close = near.only(kept)
    several = np.minimum(waves(images[close.first]), waves(images[close.second]))
    good = found[kept] < _by_chance(several, len(images))
    return np.sort(np.stack([close.first, close.second], axis=1)[good], axis=1).astype(np.int64)


def _by_chance(several: Array, count: int) -> Array:
    """(P,) the difference that `_CHANCE` of all pairs of `count` images would fall below by chance.

    The correlation r of n independent values exceeds what it is with a probability of about (1 - r^2)^(n/2) (Fisher
    1915), and 1 - r^2 is about twice the difference 1 - r. An image that is a stripe or an edge has few waves.
    """
    free = np.maximum(several - FITTED, 0.1)
    return np.asarray(0.5 * (_CHANCE / count**2) ** (2 / free))


def _usual_difference(images: Array, vectors: Array, signs: Array) -> float:
    """How much an image differs from its neighbours: of most of them, so that several copies of it do not count."""
    if len(images) <= _MANY_NEIGHBOURS:
        return _UNKNOWN
    contents = np.asarray([zlib.crc32(image) for image in np.ascontiguousarray(images)])
    drawn = np.argsort(contents, kind="stable")[:_USUAL]  # by content: the order of the images changes nothing
    near = candidates(vectors, signs, drawn, True, -1.0, _MANY_NEIGHBOURS)
    found = differences(images, *near.ways())
    return float(np.median([np.quantile(found[near.asked == unit], 0.75) for unit in drawn]))
