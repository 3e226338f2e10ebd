"""A Ray cluster as the workforce of a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from assay.cluster.connection import Machine, check_machines, machines, ray_at
from assay.cluster.mapping import OnCluster, done
from assay.cluster.training import RayTrain
from assay.devices import Launcher
from assay.errors import RunError, SettingError
from assay.work import InTurn, Mapper
from assay.workforce import Workforce

if TYPE_CHECKING:
    import threading

    from assay.flow import TrainOptions
    from assay.planning import Made
    from assay.progress import Progress
    from assay.tuning.search import Search


class Cluster(Workforce):
    """The machines of a cluster, asked for their versions at the first use.

    Args:
        ray: the module, connected.

    Attributes:
        ray: the module.
    """

    def __init__(self, ray: Any) -> None:
        self.ray = ray
        self._machines: list[Machine] | None = None
        self._launcher = RayTrain(self)

    @property
    def launcher(self) -> Launcher:
        """See `Workforce.launcher`."""
        return self._launcher

    def trains_elsewhere(self, options: TrainOptions) -> bool:
        """Always."""
        return True

    def mapper(self, made: Made) -> Mapper:
        """See `Workforce.mapper`; what a closed loop collected lies with this process alone."""
        if made.task.in_loop(made.spec):
            return InTurn()
        from assay.cluster.address import subject_address

        return OnCluster(self, subject_address(made))

    def search(self, search: Search, progress: Progress, stop: threading.Event) -> None:
        """See `Workforce.search`."""
        from assay.cluster.trials import search_on

        search_on(self, search, progress, stop)

    def machines(self) -> list[Machine]:
        """The machines that answer; raises `SettingError` where one has other versions, or none has a core."""
        if self._machines is None:
            found = machines(self.ray)
            check_machines(found)
            if not any(one.cores + one.gpus for one in found):
                raise SettingError("no machine of the cluster answers that could work", "See what `ray status` says.")
            self._machines = found
        return self._machines

    def look_again(self) -> None:
        """Ask the machines anew, some of which may be gone."""
        self._machines = None

    @property
    def width(self) -> int:
        """The cores of all machines."""
        return max(1, sum(one.cores for one in self.machines()))

    @property
    def smallest(self) -> int:
        """The cores of the machine that has the fewest, of those that have any."""
        return min((one.cores for one in self.machines() if one.cores), default=1)

    def check_sees(self, *paths: str) -> None:
        """Raise `SettingError` where a machine that works does not see what the work needs."""
        if not paths:
            return
        for one in machines(self.ray, paths):
            lacking = [path for path in paths if path not in one.sees]
            if lacking and one.cores + one.gpus:
                raise SettingError(
                    f"{one.host} does not see {lacking[0]}",
                    "Set ASSAY_CACHE, and give --out, to folders that all machines share; --out may be a URL, too.",
                )

    def answer(self, reference: Any) -> Any:
        """What came of a task; raises the error for which nothing did."""
        try:
            return done(self.ray.get(reference))
        except self.ray.exceptions.RayTaskError:
            raise
        except self.ray.exceptions.RayError as error:
            raise RunError(
                f"the cluster lost a task again and again ({type(error).__name__})",
                "Is there enough memory? assay resume goes on.",
            ) from error


@contextmanager
def connected(address: str) -> Iterator[Cluster]:
    """The cluster at an address; see `assay.workforce.workforce`."""
    with ray_at(address) as ray:
        yield Cluster(ray)
