"""What kinds of input a server takes (`Traits.takes`): names of files, beginnings of their content, values in JSON."""

from __future__ import annotations

from collections.abc import Sequence

from assay.sources._audio_header import AUDIO_SUFFIXES
from assay.sources._image_header import SUFFIXES as IMAGE_SUFFIXES

#: Parquet and the like are not among them: few bytes of it can be billions of rows.
_TABLES = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson")
_VIDEOS = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".ogv", ".mts", ".m2ts")
_ENDINGS: dict[str, tuple[str, ...]] = {
    "picture": tuple(IMAGE_SUFFIXES),
    "video": _VIDEOS,
    "scan": (".dcm", ".dicom", ".ima", ".nii", ".nii.gz"),
    "sound": tuple(AUDIO_SUFFIXES),
    "text": (*_TABLES, ".md", ".text"),
    "row": _TABLES,
    "question": _TABLES,
    "log": _TABLES,
}
#: Kinds that JSON holds as they are: a text, an object with a value a column, an object with question and context.
VALUES = ("text", "row", "question")

#: How videos begin. What begins otherwise may be a playlist, which makes a decoder open other files and addresses.
_VIDEO_MARKS = {
    0: (b"RIFF", b"\x1a\x45\xdf\xa3", b"\0\0\x01\xba", b"\0\0\x01\xb3", b"\x47", b"\x30\x26\xb2\x75", b"OggS"),
    4: (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"\x47"),
}


def endings(takes: Sequence[str]) -> tuple[str, ...]:
    """The endings of files that such a task takes, an archive's included; none where any is taken."""
    found = [ending for kind in takes for ending in _ENDINGS.get(kind, ())]
    return tuple(dict.fromkeys((*found, ".zip"))) if found else ()


def in_json(takes: Sequence[str]) -> str | None:
    """The kind of values that such a task takes as they are; None where it takes files alone."""
    return next((kind for kind in takes if kind in VALUES), None)


def ending_of(name: str) -> str:
    """The ending of a file's name in lower case, `.nii.gz` as a whole."""
    lower = name.lower()
    if lower.endswith(".nii.gz"):
        return ".nii.gz"
    _, dot, ending = lower.rpartition(".")
    return dot + ending if dot else ""


def is_table_name(name: str) -> bool:
    """Whether a file is called as a table or a text is."""
    return ending_of(name) in _TABLES


def is_video(content: bytes) -> bool:
    """Whether a file begins as a video does."""
    return any(content[place : place + len(mark)] == mark for place, marks in _VIDEO_MARKS.items() for mark in marks)


def is_video_name(name: str) -> bool:
    """Whether a file is called as a video is."""
    return ending_of(name) in _VIDEOS
