"""One of several processes that time gloo's all-reduce: `python _all_reduce.py RANK SIZE MEETING REPEATS BYTES...`.

Each prints, as JSON, the seconds of each repeat by the number of bytes. MEETING is a file that is not there yet. Before
each sum all compute for some milliseconds, as they do in a training: caches and sleeping threads are part of its time.
"""

from __future__ import annotations

import json
import sys
import time

#: Of matrices, between two sums: some milliseconds of a core.
_PRODUCTS = 4


def timed(rank: int, size: int, meeting: str, repeats: int, sizes: list[int]) -> dict[str, list[float]]:
    """Seconds of each all-reduce of float32 values."""
    import torch
    from torch import distributed

    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=size)
    found: dict[str, list[float]] = {}
    matrix = torch.ones(512, 512) / 512
    for count in sizes:
        values = torch.ones(max(1, count // 4))
        taken = []
        for number in range(repeats + 2):
            for _ in range(_PRODUCTS):
                matrix = matrix @ matrix
            begun = time.perf_counter()
            distributed.all_reduce(values)
            if number > 1:  # the first ones connect and fill caches
                taken.append(time.perf_counter() - begun)
            values.fill_(1.0)
        found[str(count)] = taken
    distributed.destroy_process_group()
    return found


if __name__ == "__main__":
    _rank, _size, _meeting, _repeats, *_bytes = sys.argv[1:]
    _found = timed(int(_rank), int(_size), _meeting, int(_repeats), [int(one) for one in _bytes])
    print(json.dumps(_found))
