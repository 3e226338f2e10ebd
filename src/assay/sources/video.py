"""Videos as inputs: each as a whole, read in chunks of frames, beside pictures; or its frames as pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from assay.arrow import pa
from assay.errors import DataError
from assay.sources._digest import fingerprint_of
from assay.sources._image_header import is_image_name, suffix_of
from assay.sources._image_records import records_of_files
from assay.sources._listing import listing
from assay.sources._video_chunks import VideoChunks
from assay.sources._video_frames import VideoFile, load_cv2
from assay.sources.images import read_unlabelled_images
from assay.sources.records import ProblemLog, Records, records_from_table
from assay.sources.source import Source

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".ogv", ".mts", ".m2ts")
_NO_TARGET = {"name": "", "kind": "none"}


def is_video_name(name: str) -> bool:
    """Whether a file's name ends as a video's does."""
    return suffix_of(name) in VIDEO_SUFFIXES


def read_pictures_and_videos(source: Source) -> Records:
    """The pictures of a source and its videos, a row each, without targets, for prediction.

    Returns:
        As `read_unlabelled_images`; the rows of videos, which are not opened yet, come last. `load` gives a `Store` for
        them, out of which `videos_of` reads.

    Raises:
        DataError: there is neither.
        MissingExtraError: there are videos, and OpenCV is not installed.
    """
    videos = [name for name in source.store.names if is_video_name(name)] if source.path is not None else []
    if not videos:
        return read_unlabelled_images(source)
    load_cv2()
    store, log = source.store, ProblemLog()
    pictures = _pictures(source, log)
    rows = listing(id=videos, location=videos)
    if pictures is not None:
        rows = pa.concat_tables([*map(pa.Table.from_batches, ([one] for one in pictures.batches())), rows],
                                promote_options="default").combine_chunks()  # fmt: skip
    facts = {"target": _NO_TARGET} if pictures is None else dict(pictures.facts)
    return records_from_table(
        rows,
        fingerprint_of(rows.to_batches()),
        problems=log.problems(),
        load=lambda location: store if is_video_name(location) else store.read(location),
        facts={**facts, "samples": rows.num_rows, "videos": len(videos)},
    )


def _pictures(source: Source, log: ProblemLog) -> Records | None:
    """The pictures beside videos; None where there is none that can be used."""
    names = source.store.names
    for name in names:
        if not is_image_name(name) and not is_video_name(name):
            log.add("stray-file", "skipped", name)
    found = [name for name in names if is_image_name(name)]
    if not found:
        return None
    own = ProblemLog()
    try:
        records = records_of_files(listing(id=found, location=found), source.store, own, target=_NO_TARGET,
                                   label=source.label)  # fmt: skip
    except DataError:  # all were noted
        return None
    finally:
        log.extend(own.problems())
    return records


def videos_of(records: Records, log: ProblemLog) -> Iterator[tuple[str, VideoChunks]] | None:
    """Of records of `read_pictures_and_videos` the videos: their ids and their frames; None where there are none.

    Args:
        records: the inputs.
        log: takes what cannot be read of a video.
    """
    return _videos(records, log) if records.facts.get("videos") else None


def _videos(records: Records, log: ProblemLog) -> Iterator[tuple[str, VideoChunks]]:
    for batch in records.batches():
        for name, location in zip(batch.column("id").to_pylist(), batch.column("location").to_pylist(), strict=True):
            if is_video_name(location) and records.load is not None:
                yield name, VideoChunks(records.load(location), location, log)


def read_pictures_or_frames(source: Source) -> Records:
    """The pictures of a source, without targets; where there are none, the frames of its videos."""
    names = source.store.names if source.path is not None else []
    only_videos = any(map(is_video_name, names)) and not any(map(is_image_name, names))
    return read_video_frames(source) if only_videos else read_unlabelled_images(source)


def read_video_frames(source: Source) -> Records:
    """The frames of all videos of a source as pictures, as many as their headers say.

    Returns:
        Records with `id` and `location` ("walk.mp4:12", frames counted from 0) and `group` (the video). `load` gives a
        frame (H, W, 3) uint8, quickest in their order.

    Raises:
        DataError: there is no video, or none that can be read.
        MissingExtraError: OpenCV is not installed.
    """
    names = [name for name in source.store.names if is_video_name(name)] if source.path is not None else []
    if not names:
        raise DataError("there is no video.", f"Expected a file that ends in {', '.join(VIDEO_SUFFIXES)}.",
                        file=source.label)  # fmt: skip
    load_cv2()
    log, videos = ProblemLog(), {}
    counts: dict[str, int] = {}
    for name in names:
        try:
            video = VideoFile(source.store, name)
            counts[name] = video.header().frames or video.count()
            video.frame(0)
        except DataError:
            log.add("unreadable-video", "skipped", name)
            continue
        videos[name] = video
    for name in sorted(set(source.store.names) - set(names)):
        log.add("stray-file", "skipped", name)
    if not videos:
        which = f"none of the {len(names)} videos can" if len(names) != 1 else "the video cannot"
        raise DataError(f"{which} be read.", "Check that it plays in another program.", file=source.label)
    table = pa.concat_tables([_rows(name, counts[name]) for name in videos]).combine_chunks()
    facts = {"target": _NO_TARGET, "samples": table.num_rows, "frames": table.num_rows}
    return records_from_table(table, fingerprint_of(table.to_batches()), problems=log.problems(),
                              load=_loader(videos), facts=facts)  # fmt: skip


def frame_of(location: str) -> tuple[str, int]:
    """The video and the number of the frame that a location means.

    >>> frame_of("walks/a:1.mp4:12")
    ('walks/a:1.mp4', 12)
    """
    name, _, number = location.rpartition(":")
    return name, int(number)


def _rows(name: str, frames: int) -> pa.Table:
    """A row for each frame."""
    places = [f"{name}:{number}" for number in range(frames)]
    return listing(id=places, location=places, group=[name] * frames)


def _loader(videos: dict[str, VideoFile]) -> Callable[[str], Any]:
    def load(location: str) -> Any:
        name, number = frame_of(location)
        return videos[name].frame(number)

    return load
