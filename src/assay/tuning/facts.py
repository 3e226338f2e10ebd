"""What a search left behind, as the finding `tuning` reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from optuna.trial import FrozenTrial, TrialState

from assay.evidence.tuned import Trial, Tuned
from assay.training.space import proposed_value
from assay.tuning.importance import importances

if TYPE_CHECKING:
    from assay.evaluation.evaluation import Evaluation
    from assay.serving.predictor import Predictor
    from assay.tuning.branches import Branch
    from assay.tuning.search import Search

#: A best value this near to an end, as a share of the range, lies at it.
_EDGE = 0.02


def tuned_facts(search: Search, kept: Mapping[str, Any], other: Predictor | None) -> Callable[[Evaluation, int], Tuned]:
    """What makes the facts out of the kept network's answers on the test side and its number of steps.

    Args:
        search: the search.
        kept: which training was kept, and how good both were on the validation side.
        other: the one that was not kept; None where the best trial was the defaults.
    """

    def make(test: Evaluation, steps: int) -> Tuned:
        from assay.samples.split import TEST

        found = [one for one in search.trials() if one.state.is_finished()]
        best = search.trial(kept["best"])
        branch = search.branch_of(best)
        second = test if other is None else search.task.evaluate(other, search.held[0].view(TEST))
        values = branch.values(best.params)
        return Tuned(
            [_trial(one, search) for one in found],
            _trial(best, search),
            {one.name: proposed_value(branch.settings, branch.plan, one.name) for one in branch.dimensions},
            {one.name: one.words for one in branch.dimensions},
            _edges(branch, values),
            importances(found),
            kept["kept"],
            bool(kept["same"]),
            bool(kept.get("brief")),
            (float(kept["validation"][0]), float(kept["validation"][1])),
            (test, second) if kept["kept"] == "found" else (second, test),
            (search.plan.fidelity.steps, steps),
            len(search.score),
            sum(one.user_attrs.get("seconds", 0.0) for one in found),
        )

    return make


def _trial(one: FrozenTrial, search: Search) -> Trial:
    branch = search.branch_of(one)
    error = str(one.user_attrs.get("error", ""))
    complete = one.state == TrialState.COMPLETE
    return Trial(
        one.number,
        "complete" if complete else "failed" if error else "stopped",
        one.value if complete else None,
        dict(one.intermediate_values),
        branch.network,
        branch.values(one.params),
        float(one.user_attrs.get("seconds", 0.0)),
        error,
    )


def _edges(branch: Branch, values: Mapping[str, Any]) -> list[str]:
    """Names of numbers whose best value lies at an end that leaves room beyond it."""
    from math import log

    found = []
    for one in branch.dimensions:
        if one.choices or one.low is None or one.high is None:
            continue
        value, low, high = float(values[one.name]), one.low, one.high
        if one.log:
            value, low, high = log(value), log(low), log(high)
        near = _EDGE * (high - low)
        beneath = not one.floor and (one.log or one.step > 0 or low > 0)
        if value >= high - near or (beneath and value <= low + near):
            found.append(one.name)
    return found
