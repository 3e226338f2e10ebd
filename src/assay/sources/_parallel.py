"""Work on many small items in threads, in order and with a bounded queue."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ordered_map(function: Callable[[Item], Result], items: Iterable[Item], chunk: int = 64) -> Iterator[Result]:
    """`function` of every item, in the order of the items.

    Args:
        function: called in threads, as many as there are processors.
        items: read lazily; at most four chunks for each thread wait at a time, so that memory stays bounded.
        chunk: items that a thread takes at once.
    """
    workers = os.cpu_count() or 1
    source = iter(items)
    if len(first := list(islice(source, 2))) < 2:  # a thread takes longer to start than most items do
        yield from map(function, first)
        return
    source = chain(first, source)

    def work(part: list[Item]) -> list[Result]:
        return [function(item) for item in part]

    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[list[Result]]] = deque()
        try:
            while True:
                while len(waiting) < 4 * workers and (part := list(islice(source, chunk))):
                    waiting.append(pool.submit(work, part))
                if not waiting:
                    return
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
