"""How much a server takes on."""

from __future__ import annotations

from dataclasses import dataclass

_MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What a request may be, and how much waits at once.

    Attributes:
        body_bytes: of one request; more is refused with 413.
        held_bytes: of all requests at once; what is beyond is refused with 429.
        unpacked_bytes: of all members of an uploaded archive together, unpacked.
        members: of an uploaded archive.
        files: of one request.
        inputs: samples of one request, such as rows of a table.
        sound_s: seconds of sound in one request.
        waiting: requests that are read, wait or are answered at once; what is beyond is refused with 429.
        time_s: from a request's first byte to its answer. One that still waits by then is refused with 503, one that is
            being answered with 504, one whose body has not arrived with 408.
        delay_s: the longest that an input that could be answered waits for others, to be answered together with them.
            It waits only while others are being read: a request that is alone never does.
        batch: inputs that are answered together.
    """

    body_bytes: int = 32 * _MIB
    held_bytes: int = 256 * _MIB
    unpacked_bytes: int = 256 * _MIB
    members: int = 2000
    files: int = 256
    inputs: int = 1000
    sound_s: float = 600.0
    waiting: int = 128
    time_s: float = 30.0
    delay_s: float = 0.005
    batch: int = 32
