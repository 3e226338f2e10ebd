"""`baseline`: how often it calls one of two models better, where neither is, and where one is by 3 points.

Simulated answers: whether two models are right about a sample is drawn, from shares that are known. What is asked is
the very function that the finding asks. Nothing is trained.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import _path  # noqa: F401
import numpy as np
from _common import Bench, Json, Target, open_bench

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Case:
    """Two models: `differing` of the samples are answered rightly by one of them alone, `gain` more by the first."""

    units: int
    differing: float
    gain: float = 0.0
    kind: str = "accuracy"
    group: int = 1

    @property
    def name(self) -> str:
        groups = f", groups of {self.group}" if self.group > 1 else ""
        return f"{self.kind}, {self.units} samples{groups}, {self.differing:.0%} differ, gain {self.gain:.0%}"


#: The targets' two cases first; the others show where the promise ends.
EQUAL = [Case(1000, 0.08), Case(200, 0.08), Case(5000, 0.02), Case(1000, 0.3),
         Case(1000, 0.08, kind="grouped", group=5), Case(1000, 0.08, kind="number")]  # fmt: skip
BETTER = [Case(1000, 0.08, 0.03), Case(1000, 0.08, 0.03, "grouped", 5), Case(1000, 0.08, 0.015)]


def drawn(case: Case, random: np.random.Generator) -> tuple[Any, Array, Array, Array, Array]:
    """A metric, what two models answer (U, ...), the truths (U,), and the groups (U,)."""
    from assay.evaluation.metrics import Accuracy, MeanAbsoluteError

    groups = np.arange(case.units) // case.group
    if case.kind == "number":
        truths = random.standard_normal(case.units)
        return MeanAbsoluteError(), *(truths + random.standard_normal((2, case.units))), truths, groups
    # Which of the two is right is common to a group, as with several photos of one thing.
    chance = random.random(groups[-1] + 1)[groups]
    truths = random.integers(0, 2, case.units)
    only_first = (case.differing + case.gain) / 2
    both = 0.8 * (1 - case.differing)
    first = chance < both + only_first
    second = (chance < both) | ((chance >= both + only_first) & (chance < both + case.differing))
    answers = [np.eye(2)[np.where(right, truths, 1 - truths)] for right in (first, second)]
    return Accuracy(), answers[0], answers[1], truths, groups


def measure(case: Case, pairs: int) -> Json:
    """The shares of `pairs` comparisons that end with each verdict."""
    from assay.evidence.baseline import judge

    found = {"network": 0, "baseline": 0, "tie": 0}
    for number in range(pairs):
        verdict, _ = judge(*drawn(case, np.random.default_rng([number, case.units, round(1000 * case.differing)])))
        found[verdict] += 1
    return {"case": vars(case), "pairs": pairs, **{name: count / pairs for name, count in found.items()}}


def main() -> None:
    bench: Bench = open_bench("truth/baseline", __doc__)
    told: dict[str, Json] = {}
    for case in (*EQUAL, *BETTER):
        quick = case.kind == "accuracy"  # no resampling
        pairs = 10 if bench.smoke else 2000 if quick else 300
        ask: Callable[[], Json] = partial(measure, case, pairs)
        told[case.name] = bench.piece(case.name.replace(" ", "-").replace(",", "").replace("%", ""), ask)
    equal, better = (told[cases[0].name] for cases in (EQUAL, BETTER))
    targets = [
        Target("says better without a difference, 1,000 samples, 8 % differ",
               equal["network"] + equal["baseline"], "<=", 0.06),
        Target("the same, the worst of all shares of independent samples",
               max(told[case.name]["network"] + told[case.name]["baseline"] for case in EQUAL
                   if case.kind == "accuracy"), "<=", 0.06),
        Target("says better with 3 points, 1,000 samples, 8 % differ", better["network"], ">=", 0.80),
    ]  # fmt: skip
    bench.settings = {"simulated": "right or wrong drawn with known shares; numbers with normal errors"}
    bench.finish({name: {key: found[key] for key in ("pairs", "network", "baseline", "tie")}
                  for name, found in told.items()}, targets, seeds=[0])  # fmt: skip


if __name__ == "__main__":
    main()
