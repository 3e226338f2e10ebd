"""Random numbers that depend on (seed, epoch, window) and nothing else.

A counter-based generator: each number is a hash of its key, so that it is the same whatever the batch, worker or rank
in which a window is met, and whether the run was interrupted. The hash is SplitMix64's finaliser (Steele, Lea and
Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

U64 = np.uint64
_GOLDEN = U64(0x9E3779B97F4A7C15)
_ALL = 0xFFFFFFFFFFFFFFFF


def mix(value: np.ndarray[Any, Any] | np.uint64) -> np.ndarray[Any, Any]:
    """SplitMix64's finaliser: uint64 in, uint64 out, a bijection with full avalanche."""
    with np.errstate(over="ignore"):
        z = np.asarray(value, U64) + _GOLDEN
        z = (z ^ (z >> U64(30))) * U64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> U64(27))) * U64(0x94D049BB133111EB)
        return np.asarray(z ^ (z >> U64(31)))


def key_of(*parts: int | str) -> np.uint64:
    """One uint64 out of numbers and names, in their order."""
    key = 0
    for part in parts:
        number = zlib.crc32(part.encode()) if isinstance(part, str) else part & _ALL
        key = _mix_one(key ^ number)
    return U64(key)


def _mix_one(value: int) -> int:
    """`mix` of a single number, on Python's integers: a fifth of the time that arrays of one element take."""
    z = (value + 0x9E3779B97F4A7C15) & _ALL
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _ALL
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _ALL
    return z ^ (z >> 31)


def uniform(key: np.uint64, index: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """float64 in [0, 1) for each of `index` (any shape, integers) under `key`."""
    bits = mix(mix(index.astype(U64)) ^ key)
    return np.asarray((bits >> U64(11)).astype(np.float64) * 2.0**-53)


def order(index: np.ndarray[Any, Any], *parts: int | str) -> np.ndarray[Any, Any]:
    """`index` (N,) shuffled: sorted by a hash of each element under the key `parts`."""
    return np.asarray(index[np.argsort(mix(mix(index.astype(U64)) ^ key_of(*parts)), kind="stable")])


class Draws:
    """Random numbers for the windows of one batch.

    Args:
        seed: the run's seed.
        epoch: the pass over the training windows, from 0.
        index: (B,) the windows' numbers.
    """

    def __init__(self, seed: int, epoch: int, index: np.ndarray[Any, Any]) -> None:
        self._seed, self._epoch, self._index = seed, epoch, np.asarray(index)

    def uniform(self, name: str, *shape: int) -> Tensor:
        """(B, *shape) float32 in [0, 1); another name gives independent numbers."""
        import torch

        key = key_of(self._seed, self._epoch, name)
        count = int(np.prod(shape)) if shape else 1
        columns = [uniform(key_of(int(key), column), self._index) for column in range(count)]
        values = np.stack(columns, axis=1).astype(np.float32)
        np.minimum(values, np.float32(1 - 2**-24), out=values)
        return torch.from_numpy(values.reshape(len(self._index), *shape))

    def integers(self, name: str, low: int, high: int, *shape: int) -> Tensor:
        """(B, *shape) int64 from `low` up to and including `high`."""
        import torch

        return (self.uniform(name, *shape) * (high - low + 1)).to(torch.int64) + low

    def of(self, place: int) -> Draws:
        """The same numbers for one window of the batch alone."""
        return Draws(self._seed, self._epoch, self._index[place : place + 1])
