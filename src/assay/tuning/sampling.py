"""How the next trial is chosen: TPE over all trials so far, with draws that follow from the seed and its number alone.

A sampler of Optuna's draws from one generator after the other; a search that was killed and goes on would draw the
first values again. Here each trial has a sampler of its own, keyed by its number.

Trials are stopped as in Hyperband's first bracket, asynchronously. Its other brackets stop trials later or never, for
the sake of those that begin slowly, and took more time than the first; a trial that was stopped wrongly costs little
here, since what was found has to beat the defaults in full. TPE ranks trials that were stopped early behind those that
came further, as BOHB's model ranks by the largest budget (S. Falkner, A. Klein, F. Hutter, "BOHB: Robust and efficient
hyperparameter optimization at scale", ICML 2018).

Sources: J. Bergstra et al., "Algorithms for hyper-parameter optimization", NeurIPS 2011 (TPE); L. Li et al.,
"Hyperband", JMLR 18, 2018; L. Li et al., "A system for massively parallel hyperparameter tuning", MLSys 2020 (ASHA, the
asynchronous form of a bracket that Optuna has).
"""

from __future__ import annotations

from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from assay.samples.draws import key_of

#: A trial is judged at so many checks; it can be stopped at the second, and at the sixth.
CHECKS, FIRST_RUNG, FACTOR = 9, 2, 3
#: What trials cost on average that may be stopped, as a share of those that run to their end: a third goes on at each.
COST_WITH_PRUNING = 0.41
#: Trials drawn by lot before TPE has something to learn from.
_BY_LOT = 8


def pruner_of(pruning: bool) -> BasePruner:
    """Successive halving over the checks; a pruner that stops nothing where `pruning` is off."""
    if not pruning:
        return NopPruner()
    return SuccessiveHalvingPruner(min_resource=FIRST_RUNG, reduction_factor=FACTOR)


class KeyedSampler(BaseSampler):
    """See the module.

    Args:
        seed: of the draws.
        by_lot: draw everything by lot.
        branched: trials differ in which parameters they have.
    """

    def __init__(self, seed: int, by_lot: bool, branched: bool) -> None:
        self._seed, self._by_lot, self._branched = seed, by_lot, branched
        self._of: tuple[int, BaseSampler] | None = None

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """See `BaseSampler`."""
        return self._keyed(trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """See `BaseSampler`."""
        return self._keyed(trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """See `BaseSampler`."""
        return self._keyed(trial).sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """See `BaseSampler`."""
        self._of = None
        self._keyed(trial).before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Any) -> None:
        """See `BaseSampler`."""
        self._keyed(trial).after_trial(study, trial, state, values)

    def _keyed(self, trial: FrozenTrial) -> BaseSampler:
        if self._of is None or self._of[0] != trial.number:
            seed = int(key_of(self._seed, "trial", trial.number)) % 2**32
            self._of = (trial.number, self._sampler(seed))
        return self._of[1]

    def _sampler(self, seed: int) -> BaseSampler:
        if self._by_lot:
            return RandomSampler(seed)
        return TPESampler(n_startup_trials=_BY_LOT, seed=seed, multivariate=True, group=self._branched)
