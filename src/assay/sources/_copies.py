"""Files from elsewhere that are small enough for a disk here are copied once, and read from there."""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from assay.errors import DataError, RunError
from assay.run import is_full, lock
from assay.samples.cache import cache_root, limit_bytes, prune
from assay.sources._digest import content_digest
from assay.sources._remote import RemoteStore

#: The share of what caches may hold that copies may take.
_SHARE = 0.5
_AT_ONCE = 8 << 20
#: Seconds between two looks whether another process has copied the same.
_LOOK_S = 0.2
#: The end of a file that is being copied, behind the number of the process that does it.
_PART = ".assay-part"


def copied(store: RemoteStore, hashes: Mapping[str, str | None]) -> Path | None:
    """The folder of a copy of some files; None where they are too large for one.

    Args:
        store: where they lie.
        hashes: the SHA-256 of each by its name; None where it is not known.

    Raises:
        DataError: a file cannot be read, or is not the one that was written.
        RunError: there is no room for the copy.
    """
    sizes = {name: store.size(name) for name in hashes}
    if sum(sizes.values()) > _SHARE * limit_bytes():
        return None
    known = [f"{name} {size} {hashes[name] or store.version(name)}" for name, size in sizes.items()]
    where = "" if all(hashes.values()) else store.url  # equal hashes are equal files, wherever they lie
    root, key = cache_root() / "copies", content_digest("\n".join([where, *known]).encode())
    folder = root / key
    if not (folder / "cache.json").exists():
        try:
            root.mkdir(parents=True, exist_ok=True)
            with _in_turn(root / f"{key}.lock"):
                if not (folder / "cache.json").exists():
                    _copy(store, hashes, root / f"{key}.copy", folder)
        except OSError as error:
            hint = "Free some space, or set ASSAY_CACHE_GB lower, so that the files are read where they lie."
            if is_full(error):
                raise RunError(f"no space is left for a copy of {store.url} in {root}", hint) from error
            raise RunError(f"{store.url} cannot be copied to {root} ({error.strerror})", hint) from error
        prune(root, folder)
    os.utime(folder)
    return folder / "files"


@contextmanager
def _in_turn(file: Path) -> Iterator[None]:
    """Waits until no other process of this machine has that file: two that copy the same would undo each other's."""
    with open(file, "a+b") as opened:
        while True:
            try:
                lock(opened.fileno())
            except OSError as error:
                if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
                    time.sleep(_LOOK_S)
                    continue
                # A file system without locks: there as good as it can be.
            break
        yield
        with suppress(OSError):  # Windows keeps a file that another process waits for
            file.unlink()


def _copy(store: RemoteStore, hashes: Mapping[str, str | None], work: Path, folder: Path) -> None:
    """Copy file by file; those that an interrupted copy left are not fetched again."""
    for name, sha256 in hashes.items():
        file = work / "files" / name
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            _fetch(store, name, sha256, file)
    (work / "cache.json").write_text(json.dumps({"format": 1, "url": store.url}))
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(work, folder)


def _fetch(store: RemoteStore, name: str, sha256: str | None, file: Path) -> None:
    seen, size = hashlib.sha256(), store.size(name)
    part = file.with_name(f"{file.name}.{os.getpid()}{_PART}")
    for left in file.parent.glob(f"{glob.escape(file.name)}.*{_PART}"):  # by a process that was killed
        left.unlink(missing_ok=True)
    try:
        with open(part, "wb") as out:
            for start in range(0, size, _AT_ONCE):
                content = store.part(name, start, min(_AT_ONCE, size - start))
                seen.update(content)
                out.write(content)
        if part.stat().st_size != size:
            raise DataError("it ends too early", "Check the connection, and run again.", file=store.address(name))
        if sha256 is not None and seen.hexdigest() != sha256:
            raise DataError(
                "the shard is not what was written: its SHA-256 is not that of the index",
                "Copy or write the shards again.",
                file=store.address(name),
            )
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)
