"""How much each hyper-parameter had to do with trials being good: PED-ANOVA over all trials, also stopped ones.

Source: S. Watanabe, A. Bansal, F. Hutter, "PED-ANOVA: Efficiently quantifying hyperparameter importance in arbitrary
subspaces", IJCAI 2023. It compares where the good trials lie with where all of them lie, so that their order is enough:
those that ran to their end by how good they were, then those that were stopped, the later the better.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState, create_trial

#: Of fewer trials nothing is said.
FEWEST = 12
#: The share of the trials that counts as good, but at least so many.
_GOOD, _FEWEST_GOOD = 0.2, 5


def importances(found: Sequence[FrozenTrial]) -> dict[str, float]:
    """By parameter, the share of the whole importance, from 0 to 1, the largest first; empty for too few trials."""
    ranked = sorted((one for one in found if one.state.is_finished() and one.distributions), key=_place)
    ranked = [one for one in ranked if one.state != TrialState.FAIL]
    if len(ranked) < FEWEST or not any(_varied(one) for one in ranked):
        return {}
    study = optuna.create_study()
    for place, one in enumerate(ranked):
        study.add_trial(create_trial(params=one.params, distributions=dict(one.distributions), value=float(place)))
    share = max(_GOOD, _FEWEST_GOOD / len(ranked))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shares = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator(target_quantile=share))
    return {name: float(value) for name, value in sorted(shares.items(), key=lambda pair: -pair[1])}


def _place(one: FrozenTrial) -> tuple[int, float, float]:
    """The better, the smaller: complete ones by value; stopped ones the later the better, then by their last check."""
    if one.state == TrialState.COMPLETE and one.value is not None:
        return 0, 0.0, one.value
    if "error" in one.user_attrs or not one.intermediate_values:
        return 2, 0.0, 0.0
    last = max(one.intermediate_values)
    value = one.intermediate_values[last]
    return 1, -float(last), value if value == value else float("inf")


def _varied(one: FrozenTrial) -> bool:
    return any(not where.single() for where in one.distributions.values())
