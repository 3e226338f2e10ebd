"""Decoded samples on disk, memory-mapped: written once, read by every epoch and every later run on the same data.

A cache is a folder with `cache.json` and a file a field: raw C-order values; a ragged field adds a file of offsets. It
is written under a temporary name and renamed when complete, so that a killed run never leaves half of one.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from assay.arrow import pa
from assay.errors import RunError, SettingError

Array = np.ndarray[Any, Any]
_LIMIT_GB = 20.0
#: Half a cache that nobody wrote to for so long was left behind by a run that was killed.
_ABANDONED_S = 24 * 3600
#: How `CacheWriter` names a cache of `build_samples` while it is written.
_WORK_NAME = re.compile(r"[0-9a-f]{32}\..+")


def cache_root() -> Path:
    """Where caches lie: `ASSAY_CACHE`, else the user's cache folder."""
    chosen = os.environ.get("ASSAY_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return Path(chosen) if chosen else Path(base or Path.home() / ".cache") / "assay"


class Ragged:
    """A field whose samples differ in length: sample i is `values[offsets[i] : offsets[i + 1]]`."""

    def __init__(self, values: Array, offsets: Array) -> None:
        self.values, self.offsets = values, offsets

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, number: int) -> Array:
        return np.asarray(self.values[self.offsets[number] : self.offsets[number + 1]])


class CacheWriter:
    """Appends encoded samples to a new cache; `close` makes it appear under its name.

    In a `with` statement, what was not closed at its end is thrown away.

    Args:
        folder: where it is to be.
        lasting: whether another process may open it; else its index stays in memory (`Cache`).
    """

    def __init__(self, folder: Path, lasting: bool = True) -> None:
        self._folder, self._lasting = folder, lasting
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._work = Path(tempfile.mkdtemp(prefix=folder.name + ".", dir=folder.parent))
        self._files: dict[str, Any] = {}
        self._meta: dict[str, dict[str, Any]] = {}
        self._lengths: dict[str, list[Array]] = {}
        self._rows = 0

    def __enter__(self) -> CacheWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()

    def append(self, fields: Mapping[str, Array | list[Array]], rows: int) -> None:
        """Add `rows` samples (at least one); every call gives the same fields, of the same type and shape."""
        if self._rows and fields.keys() != self._meta.keys():
            raise ValueError(f"the fields changed from {sorted(self._meta)} to {sorted(fields)}")
        for name, value in fields.items():
            if len(value) != rows:
                raise ValueError(f"field {name!r} has {len(value)} values for {rows} windows")
            ragged = isinstance(value, list)
            items = [np.asarray(item) for item in value] if ragged else [np.asarray(value)]
            for item in items:
                meta = {"dtype": item.dtype.str, "shape": list(item.shape[1:]), "ragged": ragged}
                if self._meta.setdefault(name, meta) != meta:
                    raise ValueError(f"field {name!r} changed from {self._meta[name]} to {meta}")
            if ragged:
                self._lengths.setdefault(name, []).append(np.asarray([len(item) for item in items], np.int64))
            file = self._file(name)
            for item in items:
                file.write(np.ascontiguousarray(item).data)
        self._rows += rows

    def _file(self, name: str) -> Any:
        if name not in self._files:
            self._files[name] = open(self._work / f"{name}.bin", "wb")  # noqa: SIM115 - open until `close`
        return self._files[name]

    def close(self, notes: Mapping[str, Any], index: pa.Table) -> None:
        """Finish: write what it holds, `notes` (JSON) and `index` (a row a unit), and rename it into place.

        A cache of that name that another run completed in the meantime stays.
        """
        for file in self._files.values():
            file.close()
        for name, lengths in self._lengths.items():
            offsets = np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64)
            (self._work / f"{name}.offsets").write_bytes(offsets.tobytes())
        meta = {"format": 1, "rows": self._rows, "fields": self._meta, "notes": dict(notes)}
        if self._lasting:
            from assay.arrow import pq

            pq.write_table(index, self._work / "index.parquet")
        (self._work / "cache.json").write_text(json.dumps(meta))
        if (self._folder / "cache.json").exists():
            self.abort()
            return
        if self._folder.exists():
            shutil.rmtree(self._folder, ignore_errors=True)
        os.replace(self._work, self._folder)

    def abort(self) -> None:
        """Throw away what was written, unless it is in its place already."""
        for file in self._files.values():
            with contextlib.suppress(OSError):  # a full disk fails once more when the rest is to be written
                file.close()
        shutil.rmtree(self._work, ignore_errors=True)


class Held:
    """What a `Cache` holds, in memory: of the few inputs of an answer, which are not worth a file.

    Fill it with `append`, as a `CacheWriter`, then `close` it.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.notes: dict[str, Any] = {}
        self.index = pa.table({})
        self.fields: dict[str, Array | Ragged] = {}
        self._parts: dict[str, list[Array | list[Array]]] = {}

    def append(self, fields: Mapping[str, Array | list[Array]], rows: int) -> None:
        """Add `rows` samples; see `CacheWriter.append`."""
        for name, value in fields.items():
            self._parts.setdefault(name, []).append(value)
        self.rows += rows

    def close(self, notes: Mapping[str, Any], index: pa.Table) -> None:
        """Put together what was added; `notes` and `index` as with `CacheWriter.close`."""
        self.notes, self.index = dict(notes), index
        self.fields = {name: _joined(parts) for name, parts in self._parts.items()}


def _joined(parts: list[Array | list[Array]]) -> Array | Ragged:
    """The pieces of a field as one."""
    if not isinstance(parts[0], list):
        return np.concatenate([np.asarray(part) for part in parts])
    items = [np.asarray(item) for part in parts for item in part]
    return Ragged(np.concatenate(items), np.r_[0, np.cumsum([len(item) for item in items])])


class Cache:
    """A complete cache, opened for reading.

    Args:
        folder: where it lies.
        index: a row a unit, where it is not on disk.
    """

    def __init__(self, folder: Path, index: pa.Table | None = None) -> None:
        self.folder = folder
        try:
            meta = json.loads((folder / "cache.json").read_text())
            self.rows: int = meta["rows"]
            self.notes: dict[str, Any] = meta["notes"]
            self.index = _index_of(folder) if index is None else index
            self.fields = {name: self._open(folder, name, field) for name, field in meta["fields"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise RunError(
                f"the sample cache {folder} is damaged ({error})", "Delete that folder and run again."
            ) from error
        with contextlib.suppress(OSError):  # somebody else's cache can be read, though not touched
            os.utime(folder)

    def _open(self, folder: Path, name: str, field: Mapping[str, Any]) -> Array | Ragged:
        dtype, shape = np.dtype(field["dtype"]), tuple(field["shape"])
        file = folder / f"{name}.bin"
        offsets = np.fromfile(folder / f"{name}.offsets", np.int64) if field["ragged"] else None
        if offsets is not None and len(offsets) != self.rows + 1:
            raise ValueError(f"{name}.offsets holds {len(offsets)} values, not {self.rows + 1}")
        expected = self.rows if offsets is None else int(offsets[-1])
        width = dtype.itemsize * int(np.prod(shape, dtype=np.int64))
        if file.stat().st_size != expected * width:
            raise ValueError(f"{file.name} holds {file.stat().st_size} bytes, not {expected * width}")
        whole = (expected, *shape)
        if not expected * width:
            values = np.zeros(whole, dtype)
        else:  # a plain view: the class `memmap` makes every gather slower
            values = np.asarray(np.memmap(file, dtype, "r", shape=whole))
        return values if offsets is None else Ragged(values, offsets)


def _index_of(folder: Path) -> pa.Table:
    from assay.arrow import pq

    return pq.read_table(folder / "index.parquet")


def prune(root: Path, keep: Path) -> None:
    """Delete the caches unused for longest until the rest holds at most `ASSAY_CACHE_GB` (20) gigabytes.

    Half a cache that a killed run left behind goes, too, a day after it was last written to.

    Raises:
        SettingError: `ASSAY_CACHE_GB` is no number.
    """
    limit, total = limit_bytes(), 0
    caches: list[tuple[bool, float, int, Path]] = []
    for folder in root.iterdir() if root.exists() else ():
        with contextlib.suppress(OSError):  # another run may delete it at the same time
            files = [file.stat() for file in folder.rglob("*") if file.is_file()]
            if (folder / "cache.json").exists():
                size = sum(status.st_size for status in files)
                caches.append((folder != keep, -folder.stat().st_mtime, size, folder))
            elif _WORK_NAME.fullmatch(folder.name):
                last = max((status.st_mtime for status in files), default=folder.stat().st_mtime)
                if time.time() - last > _ABANDONED_S:
                    shutil.rmtree(folder, ignore_errors=True)
    for other, _, size, folder in sorted(caches):
        total += size
        if other and total > limit:
            shutil.rmtree(folder, ignore_errors=True)


def limit_bytes() -> float:
    """The most that caches may hold; raises `SettingError`."""
    given = os.environ.get("ASSAY_CACHE_GB", str(_LIMIT_GB))
    try:
        return float(given) * 1e9
    except ValueError:
        hint = "Set it to a number such as 20, or unset it."
        raise SettingError(f"ASSAY_CACHE_GB is {given!r}, not a number of gigabytes", hint) from None
