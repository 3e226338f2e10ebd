"""Keep large buffers in the process between steps.

glibc takes every large block straight from the system and gives it back at once, so that each step of a training on a
CPU pays for the same pages again: thousands of page faults, each filling a page with zeros. Told to keep blocks, it
hands out the same warm memory. Measured figures stand in `docs/log.md`.

Source: `mallopt(3)`, M_MMAP_THRESHOLD and M_TRIM_THRESHOLD.
"""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST_BLOCK = 1 << 30
_KEPT = (1 << 31) - 1


def keep_buffers() -> bool:
    """Ask the C library to keep freed memory for reuse; True where it agreed (glibc), harmless elsewhere."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        library = ctypes.CDLL(None)
        return bool(library.mallopt(_MMAP_THRESHOLD, _LARGEST_BLOCK) and library.mallopt(_TRIM_THRESHOLD, _KEPT))
    except (OSError, AttributeError):
        return False
