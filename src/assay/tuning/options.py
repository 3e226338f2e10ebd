"""How a search for hyper-parameters is asked for, and whether what it needs is installed; loads nothing heavy."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field

from assay.errors import MissingExtraError, SettingError, did_you_mean
from assay.sources._remote import without_password

SAMPLERS = ("tpe", "random")
_EVIDENCE = ("full", "quick", "none")


@dataclass(frozen=True)
class TuneOptions:
    """What `assay tune` is told beside the data.

    Attributes:
        trials: finished trials in all, of every process that shares the storage; None for as many as the time allows.
        budget_s: seconds for trials and the two trainings that follow; None for a multiple of the task's default.
        storage: where trials are kept: a database's address, or a journal file; None for the run folder.
        networks: the networks among which is chosen; empty for the task's default.
        settings: hyper-parameters that are held fixed, as text, by name.
        search: by name, which hyper-parameters are searched, with a range as text or ""; empty for all.
        seed: of the search and of all trainings.
        evidence: `full`, `quick` or `none`, of the run in the end.
        sampler: `tpe`, or `random` for comparison.
        pruning: stop trials early that are behind.
        cluster: the address of a Ray cluster, or `local`; None for this process alone.
    """

    trials: int | None = None
    budget_s: float | None = None
    storage: str | None = None
    networks: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    search: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    evidence: str = "full"
    sampler: str = "tpe"
    pruning: bool = True
    cluster: str | None = None

    @property
    def shown_storage(self) -> str | None:
        """The storage as it is written down: without its password."""
        return None if self.storage is None else without_password(self.storage)

    def check(self) -> None:
        """Raise `SettingError` for what is not possible."""
        if self.trials is not None and not 1 <= self.trials <= 1_000_000:
            raise SettingError(f"--trials {self.trials} is not a number of trials", "Give a whole number above 0.")
        for option, value, known in (("sampler", self.sampler, SAMPLERS), ("evidence", self.evidence, _EVIDENCE)):
            if value not in known:
                raise SettingError(f"--{option} {value} is not possible", did_you_mean(value, known))
        both = sorted(set(self.search) & set(self.settings))
        if both:
            raise SettingError(f"{both[0]} is to be searched and held fixed", "Leave out one of --search and --set.")


def need_optuna() -> None:
    """Raise `MissingExtraError` where Optuna is not installed."""
    if importlib.util.find_spec("optuna") is None:
        raise MissingExtraError("assay tune", "tune")
