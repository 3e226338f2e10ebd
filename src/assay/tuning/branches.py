"""The networks of a search, each with what is proposed for it and with the hyper-parameters that are varied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import Trial

from assay.errors import SettingError, did_you_mean
from assay.task import NetworkKind, Settings
from assay.training.plan import Plan
from assay.training.space import Dimension, applied, chosen

#: The parameter of a study that tells the network, where there are several.
NETWORK = "network"


@dataclass(frozen=True)
class Branch:
    """One network.

    Attributes:
        network: its name, as `--network` takes it.
        kind: its kind.
        settings: as proposed, with what the user set by hand.
        plan: likewise; `steps` is the most that are useful, 0 for no limit.
        dimensions: what is varied.
        step_s: seconds that a training step takes, where that was measured.
    """

    network: str
    kind: NetworkKind
    settings: Settings
    plan: Plan
    dimensions: tuple[Dimension, ...]
    step_s: float

    def values(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The values of a trial's parameters by the names that `--set` knows; the defaults where it has none."""
        return {one.name: _value(parameters, f"{self.network}.{one.name}", one) for one in self.dimensions}

    def with_values(self, values: Mapping[str, Any]) -> tuple[Settings, Plan]:
        """Settings and plan of a trial."""
        return applied(self.settings, self.plan, values)


def _value(parameters: Mapping[str, Any], long: str, one: Dimension) -> Any:
    return parameters.get(long, parameters.get(one.name, one.default))


def narrowed(found: Sequence[Sequence[Dimension]], names: Mapping[str, str]) -> list[list[Dimension]]:
    """The dimensions of each network that the user asks for; a name counts for each network that has it.

    Raises:
        SettingError: a name that none has, or a range that is none.
    """
    known = {one.name for of in found for one in of}
    for name in names:
        if name not in known:
            raise SettingError(f"there is no hyper-parameter {name!r} to search", did_you_mean(name, known))
    return [chosen(of, names) for of in found]


def suggested(trial: Trial, branches: Sequence[Branch]) -> tuple[Branch, dict[str, Any]]:
    """The network of a trial and its values."""
    branch = branches[0]
    if len(branches) > 1:
        name = trial.suggest_categorical(NETWORK, [one.network for one in branches])
        branch = next(one for one in branches if one.network == name)
    prefix = f"{branch.network}." if len(branches) > 1 else ""
    return branch, {one.name: _suggest(trial, prefix + one.name, one) for one in branch.dimensions}


def defaults_of(branch: Branch, several: bool) -> dict[str, Any]:
    """The parameters of the trial that begins a search: the network as it is proposed."""
    prefix = f"{branch.network}." if several else ""
    own = {prefix + one.name: one.default for one in branch.dimensions}
    return {NETWORK: branch.network, **own} if several else own


def distribution_of(one: Dimension) -> BaseDistribution:
    """A dimension as Optuna knows it."""
    if one.choices:
        return CategoricalDistribution(one.choices)
    low, high = one.low or 0.0, one.high or 0.0
    if one.step:
        return IntDistribution(int(low), int(high), step=one.step)
    return FloatDistribution(low, high, log=one.log)


def _suggest(trial: Trial, name: str, one: Dimension) -> Any:
    where = distribution_of(one)
    if isinstance(where, CategoricalDistribution):
        return trial.suggest_categorical(name, where.choices)
    if isinstance(where, IntDistribution):
        return trial.suggest_int(name, where.low, where.high, step=where.step)
    return trial.suggest_float(name, one.low or 0.0, one.high or 0.0, log=one.log)
