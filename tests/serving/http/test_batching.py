from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

import pytest

from assay.serving.http.batching import Batcher, Expired, Job, Stopped


def _job(work: Any, kind: Any = "kind", size: int = 1, seconds: float = 30.0) -> Job[Any]:
    return Job(kind, work, size, time.monotonic() + seconds)


class Recorder:
    """Remembers what was answered together; the first batch waits for the gate."""

    def __init__(self) -> None:
        self.batches: list[list[Any]] = []
        self.gate = threading.Event()
        self.begun = threading.Event()

    def __call__(self, kind: Any, works: Sequence[Any]) -> list[Any]:
        self.batches.append(list(works))
        self.begun.set()
        self.gate.wait(20)
        if "poison" in works:
            raise ValueError("poison")
        return [f"{work}!" for work in works]


def _queued(recorder: Recorder, batcher: Batcher, jobs: Sequence[Job[Any]]) -> list[Future[Any]]:
    """The futures of jobs that were queued while another one is being done."""
    batcher.submit(_job("first", "other"))
    assert recorder.begun.wait(20)
    futures = [batcher.submit(job) for job in jobs]
    recorder.gate.set()
    return futures


def test_what_waits_is_answered_together() -> None:
    recorder, sizes = Recorder(), []
    batcher = Batcher(recorder, 3, 0.0, lambda size, seconds: sizes.append(size))
    futures = _queued(recorder, batcher, [_job(number) for number in range(5)])
    assert [future.result(20) for future in futures] == [f"{number}!" for number in range(5)]
    assert recorder.batches == [["first"], [0, 1, 2], [3, 4]]
    batcher.stop(20)
    assert sizes == [1, 3, 2]


def test_only_equal_kinds_go_together_and_nothing_is_overtaken_by_its_own() -> None:
    recorder = Recorder()
    batcher = Batcher(recorder, 10, 0.0)
    jobs = [_job(1, "a"), _job(2, "b"), _job(3, "a"), _job(4, None), _job(5, None), _job(6, "b")]
    for future in _queued(recorder, batcher, jobs):
        future.result(20)
    assert recorder.batches[1:] == [[1, 3], [2, 6], [4], [5]]
    batcher.stop(20)


def test_a_large_job_is_done_though_it_is_more_than_a_batch() -> None:
    recorder = Recorder()
    batcher = Batcher(recorder, 4, 0.0)
    futures = _queued(recorder, batcher, [_job("large", size=9), _job("small", size=3), _job("more", size=2)])
    assert [future.result(20) for future in futures] == ["large!", "small!", "more!"]
    assert recorder.batches[1:] == [["large"], ["small"], ["more"]]
    batcher.stop(20)


def test_one_that_fails_spoils_no_other() -> None:
    recorder = Recorder()
    batcher = Batcher(recorder, 10, 0.0)
    good, bad, fine = _queued(recorder, batcher, [_job("good"), _job("poison"), _job("fine")])
    assert good.result(20) == "good!" and fine.result(20) == "fine!"
    with pytest.raises(ValueError, match="poison"):
        bad.result(20)
    batcher.stop(20)


def test_errors_that_are_no_exceptions_do_not_end_the_thread() -> None:
    class Panic(BaseException):
        pass

    def answer(kind: Any, works: Sequence[Any]) -> list[Any]:
        if kind == "panic":
            raise Panic("out of Rust")
        return list(works)

    batcher = Batcher(answer, 4, 0.0)
    with pytest.raises(RuntimeError, match="out of Rust"):
        batcher.submit(_job(1, "panic")).result(20)
    assert batcher.submit(_job(2)).result(20) == 2
    batcher.stop(20)


def test_a_lone_request_does_not_wait_for_others() -> None:
    recorder = Recorder()
    recorder.gate.set()
    batcher = Batcher(recorder, 4, 30.0)
    assert batcher.submit(_job("alone")).result(20) == "alone!"
    batcher.stop(20)


def test_work_waits_for_what_is_announced_until_it_comes() -> None:
    recorder = Recorder()
    recorder.gate.set()
    batcher = Batcher(recorder, 4, 30.0)
    with batcher.announced():
        first = batcher.submit(_job("first"))
        assert not first.done()
        second = batcher.submit(_job("second"))
    assert [first.result(20), second.result(20)] == ["first!", "second!"]
    assert recorder.batches == [["first", "second"]]
    batcher.stop(20)


def test_work_that_was_announced_is_done_as_soon_as_it_comes() -> None:
    recorder = Recorder()
    recorder.gate.set()
    batcher = Batcher(recorder, 4, 30.0)
    with batcher.announced() as came, batcher.announced() as other:
        first = batcher.submit(_job("first"), came)
        assert not first.done()  # there is another one to come
        second = batcher.submit(_job("second"), other)
        assert [first.result(20), second.result(20)] == ["first!", "second!"]  # within what announced them
    assert recorder.batches == [["first", "second"]]
    assert batcher.submit(_job("third")).result(20) == "third!"  # none is counted twice
    batcher.stop(20)


def test_work_waits_no_longer_than_the_greatest_delay() -> None:
    recorder = Recorder()
    recorder.gate.set()
    batcher = Batcher(recorder, 4, 0.05)
    with batcher.announced():  # of which nothing comes
        begun = time.monotonic()
        assert batcher.submit(_job("first")).result(20) == "first!"
        assert time.monotonic() - begun >= 0.04
    batcher.stop(20)


def test_work_whose_time_is_over_or_whose_client_has_gone_is_not_done() -> None:
    recorder = Recorder()
    batcher = Batcher(recorder, 4, 0.0)
    batcher.submit(_job("first", "other"))
    assert recorder.begun.wait(20)
    late, gone, here = (batcher.submit(job) for job in (_job("late", seconds=-1), _job("gone"), _job("here")))
    assert gone.cancel()
    recorder.gate.set()
    assert here.result(20) == "here!"
    with pytest.raises(Expired):
        late.result(20)
    assert recorder.batches[1:] == [["here"]]
    batcher.stop(20)


def test_what_waits_at_the_end_is_done_and_more_is_refused() -> None:
    recorder = Recorder()
    recorder.gate.set()
    batcher = Batcher(recorder, 4, 0.0)
    waits = batcher.submit(_job("waits"))
    batcher.stop(20)
    assert waits.result(20) == "waits!"
    with pytest.raises(Stopped):
        batcher.submit(_job("more")).result(20)
