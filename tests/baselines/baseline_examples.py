"""Samples held in memory, with what the baselines use of `View`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class FakeSamples:
    def __init__(self, truths: Array, fields: Mapping[str, Array]) -> None:
        self.targets, self.fields = np.asarray(truths), {name: np.asarray(value) for name, value in fields.items()}

    def view_of(self, units: Array) -> FakeView:
        return FakeView(self, np.asarray(units, np.int64))


class FakeView:
    def __init__(self, samples: FakeSamples, units: Array) -> None:
        self.samples, self.units = samples, units

    def __len__(self) -> int:
        return len(self.units)

    def field(self, name: str) -> Iterator[Array]:
        for start in range(0, len(self.units), 1024):
            yield self.samples.fields[name][self.units[start : start + 1024]]

    def array(self, name: str) -> Array:
        return self.samples.fields[name][self.units]

    def truths(self) -> Array:
        return self.samples.targets[self.units]

    def sample(self, count: int, seed: int = 0) -> FakeView:
        if len(self) <= count:
            return self
        chosen = np.random.default_rng(seed).permutation(len(self))[:count]
        return FakeView(self.samples, self.units[np.sort(chosen)])


@dataclass(frozen=True)
class TableSpec:
    category_sizes: tuple[int, ...] = ()


def split(truths: Array, seed: int = 0, **fields: Array) -> tuple[FakeView, FakeView, FakeView]:
    """Train, validation and test views, 60/20/20."""
    samples = FakeSamples(truths, fields)
    units = np.random.default_rng(seed).permutation(len(truths))
    first, second = int(0.6 * len(units)), int(0.8 * len(units))
    return samples.view_of(units[:first]), samples.view_of(units[first:second]), samples.view_of(units[second:])


def table(numbers: Array, truths: Array, seed: int = 0, categories: Array | None = None) -> tuple[FakeView, ...]:
    codes = np.zeros((len(truths), 0), np.int64) if categories is None else categories
    return split(truths, seed, numbers=np.asarray(numbers, np.float32), categories=codes)


def digits() -> tuple[FakeView, FakeView, FakeView]:
    from sklearn.datasets import load_digits

    data = load_digits()
    return split(data.target, image=(data.images * 15).astype(np.uint8)[:, None])
