"""Where the frames of a table lie: pictures beside it, in an archive beside it, or in a video."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from assay.errors import DataError
from assay.sources._archives import open_zip
from assay.sources._digest import content_digest
from assay.sources._image_files import check_files
from assay.sources._image_header import is_image_name
from assay.sources._path_tables import is_one_file, resolver, table_store
from assay.sources._rows import table_names
from assay.sources.source import Source
from assay.sources.store import Store
from assay.sources.video import is_video_name

if TYPE_CHECKING:
    from assay.sources._video_frames import VideoFile

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class VideoFacts:
    """What a video is.

    Attributes:
        times: (frames,) seconds from its start, of the frames that can be read.
        rate_hz: frames a second; 0 where unknown.
    """

    times: Array
    rate_hz: float

    @property
    def frames(self) -> int:
        """That can be read."""
        return len(self.times)


@dataclass
class FrameFiles:
    """The frames of a source: pictures and videos, by their locations.

    Args:
        source: holds them, or lies beside them.
    """

    source: Source
    _videos: dict[str, tuple[VideoFile, VideoFacts]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store: Store = _WithArchives(self.source.store)
        self._beside: tuple[Store, Callable[[str], str | None]] | None = None
        if is_one_file(self.source) and table_names(self.source.store.names):
            self._beside = table_store(self.source, self.source.store.names[0], is_image_name)
            self.store = self._beside[0]
        self._checks: dict[str, str] = {}

    def resolve(self, table: str) -> Callable[[str], str | None]:
        """Gives the picture that a path in a table means; None where there is none."""
        if self._beside is not None:
            return self._beside[1]
        every = resolver(self.store.names, table, is_image_name)
        folder = table.rpartition("/")[0]
        if not folder:
            return every
        near = resolver([name for name in self.store.names if name.startswith(f"{folder}/")], table, is_image_name)
        return lambda value: near(value) or every(value)

    def videos(self) -> list[str]:
        """The names of all videos."""
        return [name for name in self.store.names if is_video_name(name)]

    def video(self, name: str) -> VideoFacts:
        """What a video is; raises `DataError` where it cannot be read."""
        if name not in self._videos:
            from assay.sources._video_frames import VideoFile

            file = VideoFile(self.store, name)
            self._videos[name] = (file, _facts(file))
        return self._videos[name][1]

    def digests(self, places: Sequence[str]) -> dict[str, str]:
        """By location a hash of the content of each picture that can be used; a frame of a video goes by its name."""
        pictures = [place for place in dict.fromkeys(places) if "#" not in place and place not in self._checks]
        for check in check_files(self.store.read, self.store.size, pictures):
            self._checks[check.name] = check.digest if check.usable else ""
        known = {place: self._checks[place] for place in places if "#" not in place}
        known |= {place: content_digest(place.encode()) for place in places if "#" in place}
        return {place: digest for place, digest in known.items() if digest}

    def load(self, place: str) -> bytes | Array:
        """The bytes of a picture, or a frame (H, W, 3)."""
        name, mark, number = place.rpartition("#")
        if mark and name in self._videos:
            return self._videos[name][0].frame(int(number))
        return self.store.read(place)


class _WithArchives:
    """A store whose zips can be looked into, too: `images.zip/center_1.jpg`."""

    def __init__(self, store: Store) -> None:
        self.path, self._store = store.path, store
        self.archives: dict[str, Store] = {}
        self.names = list(store.names)
        if not store.path.is_dir():
            return
        for name in store.names:
            if name.lower().endswith(".zip"):
                self.archives[name] = open_zip(store.path / name)
                self.names += [f"{name}/{inner}" for inner in self.archives[name].names]

    def read(self, name: str) -> bytes:
        store, inner = self._find(name)
        return store.read(inner)

    def size(self, name: str) -> int:
        store, inner = self._find(name)
        return store.size(inner)

    def open(self, name: str) -> BinaryIO:
        store, inner = self._find(name)
        return store.open(inner)

    def _find(self, name: str) -> tuple[Store, str]:
        for archive, store in self.archives.items():
            if name.startswith(f"{archive}/"):
                return store, name.removeprefix(f"{archive}/")
        return self._store, name


def video_places(
    files: FrameFiles, video: str, numbers: Array | None, times: Array | None, rows: int
) -> list[str | None]:
    """For each row of a table the frame of a video that it means, `VIDEO#12`; None where there is none.

    Args:
        files: hold the video.
        video: its name.
        numbers: (rows,) of frames from 0, where the table has them.
        times: (rows,) seconds from the video's start, where it has these instead.
        rows: of the table; without numbers and times they are the frames in their order.

    Raises:
        DataError: the rows do not say which frames they are, and are not as many.
    """
    facts = files.video(video)
    if numbers is not None:
        wanted = np.where(np.isfinite(numbers), numbers, -1).astype(np.int64)
    elif times is not None:
        near = np.searchsorted(facts.times, times + 0.5 / max(facts.rate_hz, 1.0), side="right") - 1
        wanted = np.where(times <= facts.times[-1] + 1.0 / max(facts.rate_hz, 1.0), near, -1)
    elif rows == facts.frames:
        wanted = np.arange(rows)
    else:
        raise DataError(
            f"it has {rows:,} rows, and {video} has {facts.frames:,} frames.",
            "Add a column frame (from 0) or time (in seconds).",
            file=str(files.source.label),
        )
    return [f"{video}#{number}" if 0 <= number < facts.frames else None for number in wanted.tolist()]


def _facts(file: VideoFile) -> VideoFacts:
    """By going through all of it, which alone tells how many frames can be read; raises `DataError`."""
    times = np.asarray([time for _, time in file.raw()], float)
    if not len(times):
        raise DataError("no frame of the video can be read.", "Check that it plays, or convert it.", file=file.name)
    return VideoFacts(times, file.header().rate_hz)
