"""Pictures of JPEG's kinds that are cut off: known by what they state, and decoded without noise.

Sources: ISO/IEC 10918-1 and 14495-1 (JPEG and JPEG-LS, which end with a marker), 15444-1, annex A (JPEG 2000, whose
tile parts state their lengths).
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_JPEG, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
#: Start of a codestream of JPEG 2000 with the segment that follows it; start of a tile part.
_STREAM, _TILE_PART = b"\xff\x4f\xff\x51", 0xFF90
#: Marker and length of a segment; where in a tile part its length stands.
_SEGMENT, _PART_LENGTH = struct.Struct(">HH"), struct.Struct(">6xI")
_ONE_AT_A_TIME = Lock()


def ends_early(frame: bytes) -> bool:
    """Whether a compressed picture states more bytes than it has.

    Args:
        frame: JPEG, JPEG-LS, or JPEG 2000 by itself or in the boxes of a JP2 file.

    Returns:
        False, too, for other bytes, and for what is damaged in another way: that is for the decoder to say.

    >>> ends_early(bytes([0xFF, 0xD8, 7, 7])), ends_early(bytes([0xFF, 0xD8, 7, 7, 0xFF, 0xD9, 0]))
    (True, False)
    """
    if frame.startswith(_JPEG):
        return not frame.rstrip(b"\x00\xff").endswith(_JPEG_END)
    place = frame.find(_STREAM) + 2
    if place < 2:
        return False
    while place + _SEGMENT.size <= len(frame):
        marker, length = _SEGMENT.unpack_from(frame, place)
        if marker == _TILE_PART:
            return _parts_end_early(frame, place)
        if marker >> 8 != 0xFF or length < 2:
            return False
        place += 2 + length
    return True


def _parts_end_early(frame: bytes, place: int) -> bool:
    """The same of the tile parts of JPEG 2000, the first of which begins at a place."""
    while place + 2 <= len(frame) and int.from_bytes(frame[place : place + 2], "big") == _TILE_PART:
        if place + _PART_LENGTH.size > len(frame):
            return True
        (length,) = _PART_LENGTH.unpack_from(frame, place)
        if not length:  # it goes on to the end of the codestream
            return False
        place += length
    return place > len(frame)


@contextmanager
def unheard() -> Iterator[None]:
    """Nothing that is written onto standard error meanwhile is seen.

    The libraries in python-gdcm write there past Python. So does the rest of the process, hence only for the moment in
    which something is decoded that is known to be damaged.
    """
    with _ONE_AT_A_TIME:
        if sys.stderr is not None:
            sys.stderr.flush()
        try:
            kept = os.dup(2)
        except OSError:  # there is none
            yield
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)
