"""Checking one image from its bytes: whether it can be used, what it looks like, and a hash of its content."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assay.errors import DataError, MissingExtraError
from assay.sources._digest import content_digest
from assay.sources._image_header import (
    MOST_PIXELS,
    OTHER_SUFFIXES,
    SUFFIXES,
    TOO_LARGE,
    content_format,
    open_image,
    orientation_of,
    suffix_of,
)
from assay.sources._listing import FileCheck
from assay.sources._parallel import ordered_map
from assay.sources._tiff import CUT_OFF, plain_tiff, tiff_layout
from assay.sources.records import Action

if TYPE_CHECKING:
    from PIL import Image

#: A single file larger than this is not read to be checked.
_MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class ImageCheck(FileCheck):
    """What the header and the bytes of one image show.

    Attributes:
        height, width: upright, in pixels.
        channels: as `decode_image` gives them.
        bits: 8 or 16 (32 for float values) for each value.
        mode: how the file holds colour, in Pillow's words ("RGB", "CMYK", …).
        format: "JPEG", "PNG", ….
        orientation: of the EXIF data, 1 (upright) to 8; `height` and `width` have followed it.
    """

    height: int = 0
    width: int = 0
    channels: int = 0
    bits: int = 8
    mode: str = ""
    format: str = ""
    orientation: int = 1


def check_files(read: Callable[[str], bytes], size: Callable[[str], int], names: Iterable[str]) -> list[ImageCheck]:
    """A check of every file, in the order of the names, by as many threads as there are processors.

    Args:
        read: gives a file's bytes; called from threads.
        size: gives a file's number of bytes without reading it; called from threads.
        names: the files; unusable ones come back with the reason, too.
    """

    def check(name: str) -> ImageCheck:
        if suffix_of(name) in OTHER_SUFFIXES:
            return _skipped(name, "unsupported-format")
        try:
            if size(name) > _MOST_BYTES:
                return _skipped(name, "too-large")
            payload = read(name)
        except DataError:
            return _skipped(name, "unreadable-file")
        return check_image(payload, name)

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        return list(ordered_map(check, names))


def check_image(payload: bytes, name: str) -> ImageCheck:
    """A check of one image from its bytes: its header is read, its pixels only where its end looks cut off."""
    if not payload:
        return _skipped(name, "empty-file")
    kind = content_format(payload) or ""
    try:
        if kind == "TIFF" and plain_tiff(payload) is None:
            return _tiff_check(payload, name)
        image = open_image(payload, name)
        if image.width * image.height > MOST_PIXELS:
            return _skipped(name, "too-large")
        cut_off = _tiff_end(image) > len(payload) if kind == "TIFF" else _looks_cut_off(payload, kind)
        if cut_off and not _decodes(payload):
            return _skipped(name, "truncated-image")
        return _looked_at(payload, name, image)
    except MissingExtraError:
        raise
    except Exception as error:  # what Pillow reads only when asked fails in every way that Python knows
        if CUT_OFF in str(error) or _looks_cut_off(payload, kind):
            return _skipped(name, "truncated-image")
        bomb = TOO_LARGE in str(error) or "DecompressionBomb" in repr(error.__cause__)
        return _skipped(name, "too-large" if bomb else "unreadable-image")


def _skipped(name: str, kind: str) -> ImageCheck:
    return ImageCheck(name, ((kind, "skipped"),))


def _tiff_check(payload: bytes, name: str) -> ImageCheck:
    layout = tiff_layout(payload, name)
    problems = _name_problems(name, "TIFF")
    if layout.frames > 1:
        problems.append(("animated", "kept"))
    if layout.bits == 16:
        problems.append(("sixteen-bit", "kept"))
    return ImageCheck(
        name,
        tuple(problems),
        content_digest(payload),
        layout.height,
        layout.width,
        layout.channels,
        layout.bits,
        f"{layout.channels} channels",
        "TIFF",
    )


def _looked_at(payload: bytes, name: str, image: Image.Image) -> ImageCheck:
    height, width, bits, mode, kind = image.height, image.width, _bits(payload, image), image.mode, image.format or ""
    channels = 1 if mode[:1] in ("1", "L", "I", "F") and mode != "LAB" else 3
    problems = _name_problems(name, kind)
    if kind in ("GIF", "PNG", "WEBP", "AVIF") and getattr(image, "is_animated", False):
        problems.append(("animated", "kept"))
    orientation = orientation_of(image)
    if orientation > 1:
        problems.append(("rotated-by-exif", "repaired"))
    if orientation >= 5:
        height, width = width, height
    if (mode not in ("L", "RGB", "F", "I") and not mode.startswith("I;")) or (bits == 16 and channels == 3):
        problems.append(("converted-colour", "repaired"))
    elif bits == 16:
        problems.append(("sixteen-bit", "kept"))
    digest = content_digest(payload)
    return ImageCheck(name, tuple(problems), digest, height, width, channels, bits, mode, kind, orientation)


def _name_problems(name: str, kind: str) -> list[tuple[str, Action]]:
    expected = SUFFIXES.get(suffix_of(name))
    return [("mislabelled-file", "kept")] if expected is not None and expected != kind else []


def _bits(payload: bytes, image: Image.Image) -> int:
    if image.format == "PNG":
        return 16 if payload[24] == 16 else 8
    return 16 if image.mode.startswith("I") else 32 if image.mode == "F" else 8


def _looks_cut_off(payload: bytes, kind: str) -> bool:
    """Whether the end mark or the announced length of a format is missing."""
    match kind:
        case "JPEG":
            return not payload.endswith(b"\xff\xd9") and payload.find(b"\xff\xd9", _jpeg_scan(payload)) < 0
        case "PNG":
            return b"IEND" not in payload[-12:] and payload.rfind(b"IEND\xaeB`\x82") < 0
        case "GIF":
            return not payload.rstrip(b"\0").endswith(b";")
        case "BMP":
            return int.from_bytes(payload[2:6], "little") > len(payload)
        case "WEBP":
            return int.from_bytes(payload[4:8], "little") + 8 > len(payload)
        case "PPM":
            return True
        case _:
            return False


def _jpeg_scan(payload: bytes) -> int:
    """Where the image data of a JPEG starts: behind all headers, whose thumbnail may hold an end mark of its own."""
    place = 2
    while place + 4 <= len(payload) and payload[place] == 0xFF:
        if payload[place + 1] == 0xDA:
            return place
        if payload[place + 1] == 0xFF:  # fill byte
            place += 1
            continue
        place += 2 + int.from_bytes(payload[place + 2 : place + 4], "big")
    return place


def _tiff_end(image: Image.Image) -> int:
    """The last byte that the strips or tiles of a TIFF's first page need."""
    tags = image.tag_v2  # type: ignore[attr-defined]
    ends = [0]
    for starts, counts in ((273, 279), (324, 325)):
        start, count = tags.get(starts, ()), tags.get(counts, ())
        start = start if isinstance(start, tuple) else (start,)
        count = count if isinstance(count, tuple) else (count,)
        ends += [first + length for first, length in zip(start, count, strict=False)]
    return int(max(ends))


def _decodes(payload: bytes) -> bool:
    from assay.sources.decode import decode_image

    try:
        decode_image(payload)
    except DataError:
        return False
    return True
