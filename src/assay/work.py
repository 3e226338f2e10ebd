"""Pieces of work about one training: done one after the other here, unless a cluster takes the mapper's place.

What a run computes beside its main training are many small trainings: classical models, shares of a learning curve,
halves of the training side. Each is written down as a `Work`, which holds what is to be done and nothing of what it is
about, so that it can be sent to where that is known already.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from assay.samples.samples import Samples
    from assay.task import NetworkKind, Settings, Spec, Task
    from assay.training.plan import Plan

Result = TypeVar("Result")


@dataclass(frozen=True)
class Subject:
    """What pieces of work are about.

    Attributes:
        task: the application.
        spec: its sample spec.
        samples: all samples.
        kind: the kind of network.
        settings: its hyper-parameters.
        plan: how the main network was trained.
    """

    task: Task
    spec: Spec
    samples: Samples
    kind: NetworkKind
    settings: Settings
    plan: Plan


class Work(ABC, Generic[Result]):
    """A piece of work: small, made of plain values, and the same wherever it is done."""

    @abstractmethod
    def do(self, subject: Subject) -> Result:
        """Do it."""

    @abstractmethod
    def packed(self, result: Result) -> Any:
        """What comes of it as arrays, tensors, bytes, numbers and texts, to be sent."""

    @abstractmethod
    def unpacked(self, packed: Any, subject: Subject) -> Result:
        """What was packed elsewhere."""


class Mapper(ABC):
    """Does several pieces of work about one subject."""

    @property
    @abstractmethod
    def width(self) -> int:
        """How many are done at a time."""

    @abstractmethod
    def __call__(self, subject: Subject, work: Sequence[Work[Result]]) -> Iterator[Result]:
        """What comes of each, in their order."""


class InTurn(Mapper):
    """Does them one after the other, each when its result is asked for."""

    width = 1

    def __call__(self, subject: Subject, work: Sequence[Work[Result]]) -> Iterator[Result]:
        """See `Mapper`."""
        for one in work:
            yield one.do(subject)
