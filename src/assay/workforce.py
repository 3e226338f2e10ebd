"""Who does the work of a run: this process and others on this machine, unless a cluster takes their place.

    with workforce(options.cluster) as force:    the one place that asks whether there is a cluster
        …

Whatever a run does that others could do goes through one of its methods.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from assay.devices import Launcher, Torchrun
from assay.work import InTurn, Mapper

if TYPE_CHECKING:
    import threading

    from assay.flow import TrainOptions
    from assay.planning import Made
    from assay.progress import Progress
    from assay.tuning.search import Search


class Workforce(ABC):
    """See the module."""

    @property
    @abstractmethod
    def launcher(self) -> Launcher:
        """Starts the processes of a training that is not done in this one."""

    @abstractmethod
    def trains_elsewhere(self, options: TrainOptions) -> bool:
        """Whether a training is not done in this process."""

    @abstractmethod
    def mapper(self, made: Made) -> Mapper:
        """What does the small trainings beside the main one."""

    @abstractmethod
    def search(self, search: Search, progress: Progress, stop: threading.Event) -> None:
        """Do the trials of a search."""


class ThisMachine(Workforce):
    """This process, and for a training on several devices others beside it."""

    launcher: Launcher = Torchrun()

    def trains_elsewhere(self, options: TrainOptions) -> bool:
        """See `Workforce.trains_elsewhere`."""
        return options.devices > 1 or options.device == "cuda"

    def mapper(self, made: Made) -> Mapper:
        """See `Workforce.mapper`."""
        return InTurn()

    def search(self, search: Search, progress: Progress, stop: threading.Event) -> None:
        """See `Workforce.search`."""
        search.run(progress, stop)


@contextmanager
def workforce(cluster: str | None) -> Iterator[Workforce]:
    """This machine, or the cluster at an address; `local` starts one here.

    Raises:
        MissingExtraError: Ray is not installed.
        SettingError: there is no cluster at that address, or not such a one.
    """
    if cluster is None:
        yield ThisMachine()
        return
    from assay.cluster.force import connected

    with connected(cluster) as force:
        yield force
