"""Small trainings as tasks of a cluster, all at once."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from assay.cluster.address import SubjectAddress
from assay.errors import AssayError, raised, told
from assay.work import Mapper, Subject, Work

if TYPE_CHECKING:
    from assay.cluster.force import Cluster

Result = TypeVar("Result")
#: How often a task is done again whose machine is lost.
RETRIES = 5


class OnCluster(Mapper):
    """Does each piece of work as a task of its own.

    Args:
        cluster: where.
        subject: what the work is about, as processes elsewhere open it.
    """

    def __init__(self, cluster: Cluster, subject: SubjectAddress) -> None:
        self._cluster, self._address = cluster, subject
        self._key, self._put = uuid.uuid4().hex, None

    @property
    def width(self) -> int:
        """See `Mapper.width`."""
        return self._cluster.width

    def __call__(self, subject: Subject, work: Sequence[Work[Result]]) -> Iterator[Result]:
        """See `Mapper`; all are begun when the first result is asked for."""
        if not work:
            return
        ray = self._cluster.ray
        if self._put is None:
            self._cluster.check_sees(*self._address.data.paths)
            self._put = ray.put(self._address)
        threads = max(1, min(self._cluster.smallest, self.width // len(work)))
        task = ray.remote(num_cpus=threads, max_retries=RETRIES)(do)
        for one, answer in zip(work, [task.remote(self._key, self._put, one, threads) for one in work], strict=True):
            yield one.unpacked(self._cluster.answer(answer), subject)


#: What this process has opened last, by its key; each process of a cluster does several tasks of one run.
_opened: dict[str, Any] = {}


def do(key: str, address: SubjectAddress, work: Work[Any], threads: int) -> dict[str, Any]:
    """One piece of work, in a process of the cluster; gives what came of it, or why nothing did."""
    import torch

    torch.set_num_threads(threads)
    try:
        subject = opened(key, address.open)
        return {"done": work.packed(work.do(subject))}
    except AssayError as error:
        return {"failed": told(error)}


def opened(key: str, opening: Callable[[], Any]) -> Any:
    """What is to be opened once in this process."""
    if key not in _opened:
        _opened.clear()
        _opened[key] = opening()
    return _opened[key]


def done(answer: dict[str, Any]) -> Any:
    """What came of a task; raises the error for which nothing did."""
    if "failed" in answer:
        raise raised(answer["failed"])
    return answer["done"]
