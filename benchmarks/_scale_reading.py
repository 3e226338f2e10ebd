"""What samples in shards cost: to look through, to read and to decode."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from _command import run_assay
from _common import Bench, Json


def reading(bench: Bench, photos: int) -> Json:
    """So many photos as shards: bytes, the time and memory of looking through them, of reading and of decoding."""
    from streaming import write_photos

    source, shards, cache = (bench.work / f"{name}-{photos}" for name in ("photos", "shards", "cache"))
    for folder in (source, shards, cache):
        shutil.rmtree(folder, ignore_errors=True)
    count = write_photos(source, photos * 16_000.0)
    run_assay("data", "shard", source, shards, "--json", cache=cache)
    shutil.rmtree(source)
    watching = {} if bench.smoke else {"watch": True}
    seen = run_assay("inspect", shards, "--json", cache=cache, **watching)
    files = sorted(shards.glob("*.tar"))
    sizes = {file.name: file.stat().st_size for file in [*files, shards / "index.parquet"]}
    begun_s = time.perf_counter()
    for file in files:
        _read_from_disk(file)
    read_s = time.perf_counter() - begun_s
    decoded, decode_s = _decoded(shards, cache)
    peak = max((stage.get("RssAnon", 0) for stage in seen.peaks.values()), default=0)
    for folder in (shards, cache):
        shutil.rmtree(folder, ignore_errors=True)
    return {"samples": count, "tar_bytes": sum(sizes[file.name] for file in files), "index_bytes":
            sizes["index.parquet"], "inspect_s": seen.wall_s, "peak_bytes": peak, "read_s": read_s,
            "decoded_bytes": decoded, "decode_s": decode_s}  # fmt: skip


def _read_from_disk(file: Path) -> None:
    """Read a file to its end, with what the system kept of it dropped before, where it does that."""
    with open(file, "rb") as stream:
        if hasattr(os, "posix_fadvise"):
            os.fsync(stream.fileno())
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while stream.read(1 << 22):
            pass


def _decoded(shards: Path, cache: Path) -> tuple[int, float]:
    """The bytes of all samples decoded at 64 px, and how long that took one core."""
    from assay.flow import prepare
    from assay.planning import decode
    from assay.progress import Progress
    from assay.sources.source import DataOptions

    data = DataOptions(extra={"image_size": 64})
    prepared = prepare(shards, data)
    begun_s = time.perf_counter()
    decode(prepared, data, Progress(), cache / "decoded")
    taken = time.perf_counter() - begun_s
    return sum(file.stat().st_size for file in (cache / "decoded").rglob("*") if file.is_file()), taken
