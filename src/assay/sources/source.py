"""What a user points at: a path on disk, or data that is already in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import DataError
from assay.sources._remote import RemoteStore, is_url
from assay.sources.demo_data import PREFIX, demo_data
from assay.sources.store import Store, open_store

if TYPE_CHECKING:
    from assay.sources.shards import Shards

#: How sources begin that are no files.
ADDRESSES = ("simulator:",)


@dataclass(frozen=True)
class DataOptions:
    """How the user asks for the data to be read and split (`--task`, `--target`, `--group`, `--split`, …).

    Attributes:
        task: the task's name; None to recognise it.
        target: the column to predict.
        group: the column whose values never cross a split.
        split: `80/10/10` (train/validation/test), or the name of a column that gives each sample's side.
        split_seed: moves samples between the sides; nothing else does.
        network: the network that the user asked for, since some want images of a certain size.
        extra: what a task adds, by the option's name.
    """

    task: str | None = None
    target: str | None = None
    group: str | None = None
    split: str | None = None
    split_seed: int = 0
    network: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Recognition:
    """How well data fits a reader or task: a score from 0 to 1, and why, in words that follow "because"."""

    score: float
    why: str


@dataclass(frozen=True, eq=False)
class Source:
    """Data as the user gave it.

    Attributes:
        path: the file or folder, or None where the data is in memory.
        value: data in memory: an array, a pair of arrays, a data frame, an Arrow table, a list of rows; else None.
        address: of what is no file here and can be opened again by its name, such as `simulator:CarRacing-v3`,
            `demo:digits` or `s3://bucket/shards`; else None.
    """

    path: Path | None = None
    value: Any = None
    address: str | None = None

    @cached_property
    def store(self) -> Store:
        """The files behind `path` (a folder's, an archive's, or the one file), or a URL; raises `DataError`."""
        if self.path is None and self.address is not None and is_url(self.address):
            return RemoteStore(self.address)
        if self.path is None:
            raise DataError(f"{self.address or 'this data is in memory and'} has no files", "Give a path.")
        return open_store(self.path)

    @property
    def has_files(self) -> bool:
        """Whether it is files, here or behind a URL."""
        return self.path is not None or (self.address is not None and is_url(self.address))

    @cached_property
    def shards(self) -> Shards | None:
        """The shards that it is, as `assay data shard` writes them; None where it is none; raises `DataError`."""
        from assay.sources.shards import open_shards

        return open_shards(self)

    @property
    def label(self) -> str:
        """How messages name this source."""
        if self.address is not None:
            return self.address
        return str(self.path) if self.path is not None else f"data in memory ({type(self.value).__name__})"

    @property
    def stem(self) -> str:
        """A short name: the file's or folder's without its ending, the end of an address; "run" for data in memory."""
        if self.address is not None:
            end = self.address.rpartition(":")[2].rstrip("/").rpartition("/")[2]
            return end.partition("?")[0].partition(".")[0] or "run" if is_url(self.address) else end
        return self.path.resolve().stem if self.path is not None else "run"


def open_source(source: Any) -> Source:
    """A `Source` for a path (string or `Path`) or for data in memory; a path that does not exist is a `DataError`."""
    if isinstance(source, Source):
        return source
    if isinstance(source, str) and source.startswith(ADDRESSES):
        return Source(address=source)
    if isinstance(source, str) and source.startswith(PREFIX):
        value, address = demo_data(source)
        return Source(value=value, address=address)
    if isinstance(source, str) and is_url(source):
        return _behind_url(source)
    if isinstance(source, str | Path):
        path = Path(source).expanduser()
        if not path.exists():
            raise DataError(
                "there is no such file or folder", "Check the spelling and the current folder.", file=str(source)
            )
        return Source(path=path)
    return Source(value=source)


def _behind_url(url: str) -> Source:
    """Shards are read where they lie, or copied when they are read; other files are copied here, unless too large."""
    from assay.sources._copies import copied

    source = Source(address=url)
    if source.shards is not None:
        return source
    names = source.store.names
    if not names:
        raise DataError(
            "there are no files, or the server does not list them",
            "Give the address of a file, of shards, or of a series such as train-{0000..0127}.tar.",
            file=url,
        )
    store = RemoteStore(url)
    folder = copied(store, dict.fromkeys(names))
    if folder is None:
        return source
    one_file = names == [store.path.name] and url.rstrip("/").endswith(store.path.name)
    return Source(path=folder / names[0] if one_file else folder, address=url)
