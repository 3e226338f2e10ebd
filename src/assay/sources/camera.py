"""Frames as they arrive at a camera, through OpenCV."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np

from assay.errors import DataError
from assay.sources._video_chunks import VideoFrames
from assay.sources._video_frames import load_cv2

_SILENT_S, _POLL_S = 5.0, 0.1


def camera_frames(number: int = 0, rate_hz: float = 0.0) -> Iterator[VideoFrames]:
    """What a camera sees, one frame at a time, without an end; of those that nobody fetched in time only the newest.

    Args:
        number: the system's number of the camera.
        rate_hz: frames a second that will be looked at; 0 where unknown.

    Raises:
        DataError: there is no such camera, it cannot be opened, or it is gone.
        MissingExtraError: OpenCV is not installed.
    """
    cv2 = load_cv2()
    capture = cv2.VideoCapture(number)
    if not capture.isOpened():
        capture.release()
        hint = "Plug one in and allow its use, choose another with --camera NUMBER, or give a video with --video FILE."
        raise DataError(f"no camera {number} can be used", hint)
    with _Looking(capture) as looking:
        while True:
            pixels, seconds = looking.newest()
            yield VideoFrames(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)[None], np.asarray([seconds]), rate_hz)


class _Looking:
    """An open camera, which a thread reads, so that no frame is older than it has to be."""

    def __init__(self, capture: Any) -> None:
        self._capture = capture
        self._newest: queue.Queue[tuple[Any, float] | None] = queue.Queue(1)
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._read, name="camera", daemon=True)

    def __enter__(self) -> _Looking:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join(_SILENT_S)
        if not self._thread.is_alive():  # a camera that hangs is given up with the process
            self._capture.release()

    def newest(self) -> tuple[Any, float]:
        """The newest frame, blue first, and the seconds since the first; raises `DataError` where no more come."""
        try:
            found = self._newest.get(timeout=_SILENT_S)
        except queue.Empty:
            found = None
        if found is None:
            raise DataError("the camera gives no more pictures", "Plug it in again, or choose another.")
        return found

    def _read(self) -> None:
        begun: float | None = None
        while not self._ends.is_set():
            is_there, pixels = self._capture.read()
            now = time.monotonic()
            begun = now if begun is None else begun
            if not is_there:
                self._end()
                return
            self._put((pixels, now - begun))

    def _put(self, found: tuple[Any, float]) -> None:
        """In the place of a frame that nobody has fetched."""
        while True:
            try:
                self._newest.put_nowait(found)
                return
            except queue.Full:
                with suppress(queue.Empty):
                    self._newest.get_nowait()

    def _end(self) -> None:
        """Behind the last frame, which is still looked at."""
        while not self._ends.is_set():
            with suppress(queue.Full):
                self._newest.put(None, timeout=_POLL_S)
                return
