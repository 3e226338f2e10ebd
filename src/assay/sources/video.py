"""The frames of videos as pictures: a file by itself, or all in a folder or an archive."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa

from assay.errors import DataError, SettingError
from assay.sources._digest import content_digest, fingerprint_of
from assay.sources._image_header import is_image_name, suffix_of
from assay.sources._video_frames import VideoFacts, VideoFile, load_cv2
from assay.sources.records import ProblemLog, Records, records_from_table
from assay.sources.source import Source
from assay.sources.store import Store

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".ogv", ".mts", ".m2ts")
_BLOCK = 1 << 20


def is_video_name(name: str) -> bool:
    """Whether a file's name ends as a video's does."""
    return suffix_of(name) in VIDEO_SUFFIXES


def holds_videos(source: Source) -> bool:
    """Whether there is a video among the files of a source."""
    return source.path is not None and any(map(is_video_name, source.store.names))


def holds_only_videos(source: Source) -> bool:
    """Whether there is a video among the files of a source, and no picture."""
    return holds_videos(source) and not any(map(is_image_name, source.store.names))


def read_video_frames(source: Source, rate_hz: float | None = None) -> Records:
    """The frames of all videos of a source, for prediction.

    Args:
        source: one video, a folder, or an archive.
        rate_hz: frames to take of each second; None takes all.

    Returns:
        Records with `id` and `location` ("walk.mp4#12", frames counted from 0), `group` (the video), `time` (seconds
        from its start) and `digest`. `load` gives a frame (H, W, 3) uint8, quickest in their order. `facts["videos"]`
        tells of each video its `frames`, `rate_hz`, `height` and `width`.

    Raises:
        DataError: there is no video, or none that can be read.
        SettingError: a rate that is no positive number.
        MissingExtraError: OpenCV is not installed.
    """
    if rate_hz is not None and not (np.isfinite(rate_hz) and rate_hz > 0):
        raise SettingError(f"{rate_hz} frames a second are not possible", "Give a number above 0, such as 2.")
    names = [name for name in source.store.names if is_video_name(name)] if source.path is not None else []
    if not names:
        raise DataError("there is no video.", f"Expected a file that ends in {', '.join(VIDEO_SUFFIXES)}.",
                        file=source.label)  # fmt: skip
    load_cv2()
    log, videos, facts = ProblemLog(), {}, {}
    for name in names:
        video = VideoFile(source.store, name)
        try:
            facts[name] = video.facts()
        except DataError:
            log.add("unreadable-video", "skipped", name)
            continue
        if facts[name].frames < facts[name].announced:
            log.add("truncated-video", "kept", name)
        videos[name] = video
    for name in sorted(set(source.store.names) - set(names)):
        log.add("stray-file", "skipped", name)
    if not videos:
        raise DataError(f"none of the {len(names)} videos can be read.", "Check that they play.", file=source.label)
    table = pa.concat_tables([_rows(source.store, name, facts[name], rate_hz) for name in videos]).combine_chunks()
    return records_from_table(
        table,
        fingerprint_of(table.to_batches()),
        problems=log.problems(),
        load=_loader(videos),
        facts=_told(table, {name: facts[name] for name in videos}),
    )


def frame_of(location: str) -> tuple[str, int]:
    """The video and the number of the frame that a location means.

    >>> frame_of("walks/a#1.mp4#12")
    ('walks/a#1.mp4', 12)
    """
    name, _, number = location.rpartition("#")
    return name, int(number)


def _rows(store: Store, name: str, facts: VideoFacts, rate_hz: float | None) -> pa.Table:
    """A row for each frame that is taken: at each tick of the rate the first that is not before it."""
    taken = np.arange(facts.frames)
    if rate_hz is not None:
        ticks = np.floor((facts.times - facts.times[0]) * rate_hz + 1e-6)
        taken = np.flatnonzero(np.r_[True, np.diff(ticks) > 0])
    whole = _file_digest(store, name)
    places = [f"{name}#{number}" for number in taken]
    return pa.table(
        {
            "id": places,
            "location": places,
            "group": pa.array([name] * len(places), pa.string()),
            "time": pa.array(facts.times[taken], pa.float64()),
            "digest": [content_digest(f"{whole}#{number}".encode()) for number in taken],
        }
    )


def _file_digest(store: Store, name: str) -> str:
    hashed = blake2b(digest_size=16)
    with store.open(name) as stream:
        while block := stream.read(_BLOCK):
            hashed.update(block)
    return hashed.hexdigest()


def _loader(videos: dict[str, VideoFile]) -> Callable[[str], Any]:
    def load(location: str) -> Any:
        name, number = frame_of(location)
        return videos[name].frame(number)

    return load


def _told(table: pa.Table, facts: dict[str, VideoFacts]) -> dict[str, Any]:
    sides = {side: np.asarray([getattr(one, side) for one in facts.values()]) for side in ("height", "width")}
    return {
        "samples": table.num_rows,
        "target": {"name": "", "kind": "none"},
        "channels": 3,
        "bits": 8,
        **{side: {"min": int(values.min()), "median": int(np.median(values)), "max": int(values.max())}
           for side, values in sides.items()},
        "videos": {name: {"frames": one.frames, "rate_hz": round(one.rate_hz, 3), "height": one.height,
                          "width": one.width} for name, one in facts.items()},
    }  # fmt: skip
