"""A search's trials as tasks of a cluster, several at a time, over the journal or database of the search.

The main process decides which trial comes next, as it does without a cluster; a task opens the storage, trains, and
tells what came of it there. A task whose machine is lost is done again by Ray with the same hyper-parameters, which are
in the storage by then; what other trials have told stays.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assay.cluster.address import Address, address_of
from assay.cluster.mapping import RETRIES, opened
from assay.errors import AssayError, SettingError, told
from assay.progress import Progress
from assay.run import to_json

if TYPE_CHECKING:
    from assay.cluster.force import Cluster
    from assay.tuning.search import Search

#: How long one look at the tasks waits, in seconds: a stop that was asked for is seen then.
_LOOK_S = 0.5


@dataclass(frozen=True, eq=False)
class SearchAddress:
    """Where a search is, as plain values.

    Attributes:
        data: where its samples lie.
        study: its name in the storage.
        storage: the storage: a database's address, or a journal file.
        options: what was asked for.
        plan: what all processes agree on.
        times: this run's own times.
        owner: whose trials they are.
    """

    data: Address
    study: str
    storage: str
    options: Mapping[str, Any]
    plan: Mapping[str, Any]
    times: Mapping[str, float]
    owner: str

    def open(self) -> Search:
        """The search, whose trials this process can do."""
        from pathlib import Path

        from assay.sources.records import ProblemLog
        from assay.tuning.options import TuneOptions
        from assay.tuning.plan import SearchPlan
        from assay.tuning.search import Search, open_study
        from assay.tuning.storage import open_storage

        task, spec, samples = self.data.open()
        networks = tuple(self.options["networks"])
        options = TuneOptions(**{**self.options, "networks": networks, "storage": self.storage})
        held = (samples, spec, ProblemLog())
        plan = SearchPlan.read(self.plan, self.times, task, held, options)
        storage = open_storage(self.storage, Path(self.storage))
        study, agreed = open_study(self.study, storage, plan, options, task, held)
        return Search(task, held, options, agreed, study, self.owner, shared=True)


class Heard(Progress):
    """Keeps what is said, to be said again by the main process."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def stage(self, name: str, total: float | None = None) -> None:
        """See `Progress.stage`."""
        self.said.append(name)

    def say(self, text: str) -> None:
        """See `Progress.say`."""
        self.said.append(text)


def search_on(cluster: Cluster, search: Search, progress: Progress, stop: threading.Event) -> None:
    """Do trials on a cluster until there are enough, as many at a time as it has cores.

    Raises:
        SettingError: the machines do not see the samples or the journal.
        Interrupted: `stop` was set; trials that were not finished are begun again by the next call.
    """
    from assay.training.loop import Interrupted

    ray, address = cluster.ray, _address(cluster, search)
    search.at_once = cluster.width
    begun = time.monotonic()
    task = ray.remote(num_cpus=1, max_retries=RETRIES)(do_trial)
    put, running = ray.put(address), dict[Any, int]()
    progress.stage(f"{cluster.width} trials at a time")
    try:
        while True:
            while len(running) < cluster.width:
                trial = search.next(begun, besides=set(running.values()))
                if trial is None:
                    break
                running[task.remote(search.owner, put, trial._trial_id)] = trial._trial_id
            if not running:
                return
            if stop.is_set():
                raise Interrupted
            ended, _ = ray.wait(list(running), timeout=_LOOK_S)
            for one in ended:
                running.pop(one)
                for text in cluster.answer(one):
                    progress.say(text)
                search.after()
    finally:
        for one in running:
            ray.cancel(one, force=True)


def _address(cluster: Cluster, search: Search) -> SearchAddress:
    """The address of a search; raises `SettingError` where the machines do not see what it needs."""
    found = search.origin
    if found is None:
        raise SettingError("this search has no folder", "Begin it with assay tune --out.")
    data = address_of(found.prepared, found.data, search.held[1], search.held[0])
    options = search.options
    storage = options.storage or str(found.journal.resolve())
    files = () if "://" in storage else (storage,)
    cluster.check_sees(*data.paths, *files)
    plain = {**to_json(dataclasses.replace(options, storage=None)), "networks": list(options.networks)}
    return SearchAddress(
        data, search.study.study_name, storage, plain, search.plan.to_json(), search.plan.times, search.owner
    )


def do_trial(key: str, address: SearchAddress, number: int) -> dict[str, Any]:
    """One trial, in a process of the cluster; gives what was said of it, or why the search cannot go on.

    Args:
        key: of the search.
        address: where it is.
        number: the trial's number in the storage.
    """
    import torch
    from optuna.trial import Trial

    torch.set_num_threads(1)
    heard = Heard()
    try:
        search: Search = opened(key, address.open)
        search.do(Trial(search.study, number), heard, threading.Event())
    except AssayError as error:
        return {"failed": told(error)}
    return {"done": heard.said}
