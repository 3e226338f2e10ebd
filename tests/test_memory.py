"""The memory that a piece of work takes."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pytest

from assay import memory

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells")
MEGABYTE = 1_000_000


@LINUX
def test_what_was_taken_and_given_back_is_seen() -> None:
    with memory.watched() as found:
        held = np.ones(12 * MEGABYTE)
        time.sleep(0.1)
        del held
    assert found.most is not None
    assert 80 * MEGABYTE < found.most < 160 * MEGABYTE


@LINUX
def test_what_was_there_before_is_not_counted() -> None:
    held = np.ones(12 * MEGABYTE)
    with memory.watched() as found:
        time.sleep(0.05)
    assert found.most is not None and found.most < 40 * MEGABYTE
    assert len(held)


def test_where_the_system_does_not_tell_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_STATM", Path("nowhere"))
    with memory.watched() as found:
        pass
    assert found.most is None


@LINUX
def test_it_tells_of_work_that_failed() -> None:
    with pytest.raises(ValueError), memory.watched() as found:
        raise ValueError
    assert found.most is not None
