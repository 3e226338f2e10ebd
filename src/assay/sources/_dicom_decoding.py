"""Compressed DICOM pixels, decoded in processes of their own.

Over some damaged files the libraries in python-gdcm end the process in which they run, and of others they write onto
standard error by themselves. Here a child ends, and nothing that it says is heard. Children are started when they are
needed, as many as threads ask at once, and are kept.
"""

from __future__ import annotations

import atexit
import io
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

Array = np.ndarray[Any, Any]
#: After this long a file counts as one that cannot be decoded: over damaged ones a decoder may never end.
_PATIENCE_S = 300.0
_LOCK = threading.Lock()
_IDLE: dict[int, list[_Child]] = {}  # by process: one that was forked has children of its own


def decoded_pixels(payload: bytes) -> Array | None:
    """What pydicom gives as `pixel_array` for the bytes of a file; None where it cannot be decoded.

    May be called from threads.
    """
    with _LOCK:
        idle = _IDLE.setdefault(os.getpid(), [])
        child = idle.pop() if idle else None
    if child is not None:
        with suppress(OSError, EOFError):  # it may have ended over a file before this one: a new one is asked
            return _asked(child, idle, payload)
    try:
        return _asked(_Child(), idle, payload)
    except (OSError, EOFError):  # it ended over this file
        return None


def _asked(child: _Child, idle: list[_Child], payload: bytes) -> Array | None:
    """What a child answers; kept for the next file then, and ended where it fails, or where Ctrl-C comes between."""
    late = threading.Event()

    def stop() -> None:
        late.set()
        child.kill()

    patience = threading.Timer(_PATIENCE_S, stop)
    patience.daemon = True
    patience.start()
    try:
        found = child.ask(payload)
    except BaseException as error:
        child.end()
        if late.is_set() and isinstance(error, OSError | EOFError):  # nor would another one come to an end
            return None
        raise
    finally:
        patience.cancel()
    with _LOCK:
        idle.append(child)
    return found


class _Child:
    """A process that decodes one file after the other."""

    def __init__(self) -> None:
        command = [sys.executable or "python", str(Path(__file__).with_name("_dicom_child.py"))]
        places = os.pathsep.join(place for place in sys.path if place)  # where pydicom was found here
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": places},
        )

    def ask(self, payload: bytes) -> Array | None:
        """The pixels in a file; raises `OSError` or `EOFError` where the process has ended."""
        questions = _open(self._process.stdin)
        questions.write(len(payload).to_bytes(8, "big"))
        questions.write(payload)
        questions.flush()
        size = int.from_bytes(self._answer(8), "big")
        if not size:
            return None
        return np.asarray(np.lib.format.read_array(io.BytesIO(self._answer(size)), allow_pickle=False))

    def _answer(self, size: int) -> bytes:
        found = _open(self._process.stdout).read(size)
        if len(found) < size:
            raise EOFError
        return found

    def kill(self) -> None:
        """Stop it, whatever it is doing."""
        self._process.kill()

    def end(self) -> None:
        """Stop it and let go of its pipes."""
        self.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                _open(pipe).close()
            except OSError:  # what was left in it has nowhere to go
                continue


def _open(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise EOFError
    return pipe


@atexit.register
def _end_all() -> None:
    for child in _IDLE.pop(os.getpid(), []):
        child.end()
