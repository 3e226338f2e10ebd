"""Pairs of copies that were found once, in the cache folder: the search is long, and the data mostly the same."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import numpy as np

from assay.samples.cache import cache_root
from assay.sources.records import Records

Array = np.ndarray[Any, Any]


def kept_pairs(records: Records, version: str, find: Callable[[], Array]) -> Array:
    """(P, 2) int64, as `find` gave them for this data and version, now or before."""
    name = blake2b(f"{version} {records.fingerprint}".encode(), digest_size=16).hexdigest()
    file = cache_root() / "copies" / f"{name}.npy"
    with contextlib.suppress(OSError, ValueError):
        return np.asarray(np.load(file, allow_pickle=False), np.int64).reshape(-1, 2)
    pairs = find()
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        work = file.with_name(f"{file.name}.{os.getpid()}.partial")
        with open(work, "wb") as out:
            np.save(out, pairs)
        os.replace(work, file)
    return pairs
