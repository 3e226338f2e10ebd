"""Shards from elsewhere that are small enough for a disk here are copied once, and read from there."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

from assay.errors import DataError, RunError
from assay.run import is_full
from assay.samples.cache import cache_root, limit_bytes, prune
from assay.sources._digest import content_digest
from assay.sources._remote import RemoteStore
from assay.sources._shard_index import Shard, ShardIndex
from assay.sources._shard_parts import LocalParts, Parts

#: The share of what caches may hold that copies of shards may take.
_SHARE = 0.5
_AT_ONCE = 8 << 20


def nearer(index: ShardIndex, parts: Parts) -> Parts:
    """The files of some shards, from a copy where they lie elsewhere and are not too large for that.

    Raises:
        DataError: a shard cannot be read, or is not the one that was written.
        RunError: there is no room for the copy.
    """
    if not isinstance(parts, RemoteStore) or index.bytes > _SHARE * limit_bytes():
        return parts
    root = cache_root() / "shards"
    key = content_digest("\n".join(shard.sha256 for shard in index.shards).encode())
    folder = root / key
    if not (folder / "cache.json").exists():
        try:
            _copy(index, parts, root / f"{key}.copy", folder)
        except OSError as error:
            hint = "Free some space, or set ASSAY_CACHE_GB lower, so that they are read where they lie."
            if is_full(error):
                raise RunError(f"no space is left for a copy of the shards in {root}", hint) from error
            raise RunError(f"shards cannot be copied to {root} ({error.strerror})", hint) from error
        prune(root, folder)
    os.utime(folder)
    return LocalParts(folder)


def _copy(index: ShardIndex, parts: RemoteStore, work: Path, folder: Path) -> None:
    """Copy shard by shard; those that an interrupted copy left are not fetched again."""
    work.mkdir(parents=True, exist_ok=True)
    for shard in index.shards:
        if not (work / shard.name).exists():
            _fetch(shard, parts, work / shard.name)
    (work / "cache.json").write_text(json.dumps({"format": 1, "shards": len(index.shards)}))
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(work, folder)


def _fetch(shard: Shard, parts: RemoteStore, file: Path) -> None:
    seen = hashlib.sha256()
    part = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        with open(part, "wb") as out:
            for start in range(0, shard.bytes, _AT_ONCE):
                content = parts.part(shard.name, start, min(_AT_ONCE, shard.bytes - start))
                seen.update(content)
                out.write(content)
        if seen.hexdigest() != shard.sha256:
            raise DataError(
                "the shard is not what was written: its SHA-256 is not that of the index",
                "Copy or write the shards again.",
                file=parts.address(shard.name),
            )
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)
