"""What answers while its input arrives, or acts in a world: the fourth part of the contract, see `assay.task`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from assay.errors import SettingError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from assay.samples.samples import Samples
    from assay.serving.predictor import Answering
    from assay.sources.records import ProblemLog, Records
    from assay.task_parts import Output, Spec


@dataclass(frozen=True)
class Rollout:
    """What came of acting once in a world, beyond the samples.

    Attributes:
        id: its name.
        output: as `Task.evaluate` gives it for a unit.
        frames: (T, H, W, 3) uint8 of what was seen, with what was done drawn into it; None where not asked for.
        rate_hz: frames a second.
    """

    id: str
    output: Output
    frames: np.ndarray[Any, Any] | None = None
    rate_hz: float = 0.0


class Session(ABC):
    """Takes input in chunks and answers while more arrives.

    Attributes:
        rate_hz: samples a second of the sound that it takes, one channel; None where its input is no sound.
        commands: what the `command` of its answers can be, for what is to follow from them; empty where they have none.
    """

    rate_hz: int | None = None
    commands: Sequence[str] = ()

    @abstractmethod
    def push(self, chunk: Any) -> Sequence[Any]:
        """Take the next chunk and give the answers that it completes (JSON-able dataclasses, may be none)."""

    @abstractmethod
    def close(self) -> Sequence[Any]:
        """Say that the input has ended and give the answers still owed."""


class Recorder(ABC):
    """Writes a file of its own form while an input is answered in chunks: a video with what was found drawn in."""

    @abstractmethod
    def take(self, chunk: Any, answers: Sequence[Any]) -> None:
        """The next chunk of the input, and what the session said when it was given it."""

    @abstractmethod
    def close(self) -> None:
        """The input has ended, so that the file is complete; raises `RunError` where it could not be written."""

    @abstractmethod
    def drop(self) -> None:
        """The input could not be answered to its end: nothing is left of the file."""


class TaskSessions(ABC):  # every method has a default that says "not applicable"
    """How an application answers while its input arrives, writes while it answers, and acts."""

    name: ClassVar[str]

    def growing(self, network: nn.Module, batch: Any, spec: Spec, options: Mapping[str, Any]) -> Iterator[str] | None:
        """The first answer of a batch as it is being written, in pieces of text; None where answers come at once."""
        return None

    def rollouts(self, predictor: Answering, first: int | None, count: int, pictured: bool) -> Iterator[Rollout]:
        """Rollouts in worlds of one's own choice (`assay drive`); only where `in_loop` says so.

        Args:
            predictor: acts.
            first: the number of the first world; the others follow it. None for the first of those tested in.
            count: how many.
            pictured: give frames, too.
        """
        raise SettingError(f"{self.name} does not act in a world", "assay predict answers inputs.")

    def session(self, predictor: Any) -> Session:
        """A session that takes chunks; only for tasks whose traits say `streams`.

        Args:
            predictor: a `Predictor`; where the traits say `classical_streams`, a classical model (`Answering`), too.
        """
        raise SettingError(f"{self.name} does not answer while input arrives", "assay predict answers whole inputs.")

    def streamed(self, records: Records, spec: Spec, log: ProblemLog) -> Iterator[tuple[str, Iterable[Any]]] | None:
        """Of records that are to be predicted, those too long to be held at once: the id and the chunks of each.

        They are answered by a `session` that is given one chunk after the other, so that memory stays flat; a chunk may
        come as large as is good for the work. `gathered` makes one answer of what the session says. What is doubtful
        about an input is noted in `log`; where its chunks raise `DataError`, it is left out. How far the work is can be
        told where `operator.length_hint` says how many chunks there are.

        Returns:
            None where no input is.
        """
        return None

    def gathered(self, answers: Iterable[Any], spec: Spec) -> Any:
        """The answer to a whole input out of all that a session says about it, while it does; see `streamed`."""
        raise SettingError(f"{self.name} does not answer while input arrives", "assay predict answers whole inputs.")

    def stream(self, samples: Samples, unit: int, spec: Spec) -> np.ndarray[Any, Any]:
        """A unit as the input of a session, (T, ...): a chunk is any stretch of it along the first axis."""
        raise SettingError(f"{self.name} does not answer while input arrives", "assay predict answers whole inputs.")

    def recorders(self) -> Mapping[str, Callable[[Path], Recorder]]:
        """Forms that `assay predict --out` writes while it answers an input of `streamed`, by the ending of a name.

        Each takes the file. The answer itself stands beside it as JSON. Where `--out` is a folder, each such input
        becomes a file of the first form.
        """
        return {}
