"""How the next trial is chosen: near what is proposed, then TPE; draws follow from the seed and its number alone.

A sampler of Optuna's draws from one generator after the other; a search that was killed and goes on would draw the
first values again. Here each trial has a sampler of its own, keyed by its number.

What a recipe proposes is good already, and of many hyper-parameters drawn at once some spoil what others gain. So the
first trials change few of them at a time; they show TPE which way is better.

Trials are stopped as in Hyperband's first bracket, asynchronously. Its other brackets stop trials later or never, for
the sake of those that begin slowly; a trial that was stopped wrongly costs little here, since what was found has to
beat the defaults once more. TPE ranks trials that were stopped early behind those that
came further, as BOHB's model ranks by the largest budget (S. Falkner, A. Klein, F. Hutter, "BOHB: Robust and efficient
hyperparameter optimization at scale", ICML 2018).

Sources: J. Bergstra et al., "Algorithms for hyper-parameter optimization", NeurIPS 2011 (TPE); L. Li et al.,
"Hyperband", JMLR 18, 2018; L. Li et al., "A system for massively parallel hyperparameter tuning", MLSys 2020 (ASHA, the
asynchronous form of a bracket that Optuna has).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from assay.samples.draws import key_of
from assay.tuning.branches import NETWORK

#: A trial is judged at so many checks; it can be stopped at the second, and at the sixth.
CHECKS, FIRST_RUNG, FACTOR = 9, 2, 3
#: What trials cost on average that may be stopped, as a share of those that run to their end: a third goes on at each.
COST_WITH_PRUNING = 0.41
#: Trials before TPE has something to learn from, and the share of the hyper-parameters that such a one changes.
_BEFORE_TPE, _CHANGED = 8, 0.4


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
        proposed: the parameters of each network as proposed; trials of several differ in which parameters they have.
    """

    def __init__(self, seed: int, by_lot: bool, proposed: Sequence[Mapping[str, Any]]) -> None:
        self._seed, self._by_lot, self._proposed = seed, by_lot, proposed
        self._before_tpe = len(proposed) + _BEFORE_TPE
        self._of: tuple[int, BaseSampler, Mapping[str, Any]] | None = None

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """See `BaseSampler`."""
        return self._keyed(trial)[0].infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """See `BaseSampler`."""
        return self._keyed(trial)[0].sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """See `BaseSampler`."""
        sampler, kept = self._keyed(trial)
        if param_name in kept:
            return kept[param_name]
        return sampler.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """See `BaseSampler`."""
        self._of = None
        self._keyed(trial)[0].before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Any) -> None:
        """See `BaseSampler`."""
        self._keyed(trial)[0].after_trial(study, trial, state, values)

    def _kept(self, number: int) -> Mapping[str, Any]:
        """The parameters of a trial that stay as proposed; none where TPE or the lot decides."""
        if self._by_lot or number >= self._before_tpe:
            return {}
        kept: dict[str, Any] = {}
        random = np.random.default_rng(int(key_of(self._seed, "changed", number)))
        for own in self._proposed:
            names = sorted(name for name in own if name != NETWORK)
            changed = set(random.permutation(names)[: max(1, round(_CHANGED * len(names)))])
            kept |= {name: own[name] for name in names if name not in changed}
        return kept

    def _keyed(self, trial: FrozenTrial) -> tuple[BaseSampler, Mapping[str, Any]]:
        """The sampler of a trial, and what `_kept` gives for it."""
        if self._of is None or self._of[0] != trial.number:
            seed = int(key_of(self._seed, "trial", trial.number)) % 2**32
            self._of = (trial.number, self._sampler(seed), self._kept(trial.number))
        return self._of[1:]

    def _sampler(self, seed: int) -> BaseSampler:
        if self._by_lot:
            return RandomSampler(seed)
        several = len(self._proposed) > 1
        return TPESampler(n_startup_trials=self._before_tpe, seed=seed, multivariate=True, group=several)
