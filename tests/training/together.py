"""Several processes that train together, forked from the test: a program of its own would import PyTorch again."""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed

from assay.training.ranks import Ranks


def together(folder: Path, size: int, work: Callable[[Ranks], Any]) -> list[Any]:
    """What `work` gives in each of several processes, as JSON."""
    if not hasattr(os, "fork"):
        pytest.skip("no fork here")
    folder.mkdir(parents=True, exist_ok=True)
    children = [os.fork() or _run(folder, rank, size, work) for rank in range(size)]
    codes = [os.waitpid(child, 0)[1] for child in children]
    assert not any(codes), "\n".join(file.read_text() for file in folder.glob("*.failed"))
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(size)]


def _run(folder: Path, rank: int, size: int, work: Callable[[Ranks], Any]) -> int:
    code = 1
    try:
        torch.set_num_threads(1)
        distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=size)
        (folder / f"{rank}.json").write_text(json.dumps(work(Ranks(rank, size))))
        code = 0
    except BaseException:
        (folder / f"{rank}.failed").write_text(traceback.format_exc())
    finally:
        os._exit(code)
