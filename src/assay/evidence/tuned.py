"""What a search for hyper-parameters left behind, for the finding `tuning`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from assay.evaluation.evaluation import Evaluation


@dataclass(frozen=True)
class Trial:
    """One short training.

    Attributes:
        number: from 0; the first ones are networks as proposed.
        state: `complete`, `stopped` for being behind, or `failed`.
        value: how wrong it was on the validation side, less is better; None where it did not run to its end.
        checks: the same at its checks, by their number.
        network: its network.
        values: its hyper-parameters, by name.
        seconds: what it took.
        error: why it failed; empty elsewhere.
    """

    number: int
    state: Literal["complete", "stopped", "failed"]
    value: float | None
    checks: Mapping[int, float]
    network: str
    values: Mapping[str, Any]
    seconds: float
    error: str = ""


@dataclass(frozen=True)
class Tuned:
    """A search, and the trainings in full of its best trial and of the defaults.

    Attributes:
        trials: in their order.
        best: the best one.
        defaults: the hyper-parameters as proposed, by name, of the network that came out best.
        ranges: in words, by name, what was searched of that network.
        edges: names of those whose best value lies at an end of their range.
        importance: by name, the share that each has in trials being good; empty where there are too few trials.
        kept: whether the best trial's training became the run, or that of the defaults, which it did not beat.
        same: the best trial was the defaults themselves.
        brief: what was found was better after as many steps as its trial had than in full, on the validation side.
        validation: how wrong the two were on the validation side in the end: found, defaults.
        test: the answers of the two on the test side: found, defaults.
        steps: of a trial, and of the training in full.
        units: validation units that trials were judged by.
        search_s: seconds of all trials.
    """

    trials: Sequence[Trial]
    best: Trial
    defaults: Mapping[str, Any]
    ranges: Mapping[str, str]
    edges: Sequence[str]
    importance: Mapping[str, float]
    kept: Literal["found", "defaults"]
    same: bool
    brief: bool
    validation: tuple[float, float]
    test: tuple[Evaluation, Evaluation]
    steps: tuple[int, int]
    units: int
    search_s: float
