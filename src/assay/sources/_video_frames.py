"""Frames of a video file by OpenCV: in their order, or one at a time as threads ask for them."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assay.errors import DataError, MissingExtraError
from assay.sources.store import Store

Array = np.ndarray[Any, Any]
#: Frames that are kept after they were read, since several threads ask for neighbours in any order.
_KEPT = 16
#: From so many frames ahead on it is quicker to look for a frame than to read all before it.
_FAR = 250
_BLOCK = 1 << 20
_MOST_FRAMES = 1e9  # a header that says more is broken
_AV_LOG_QUIET = -8  # FFmpeg writes to the standard error stream by itself


@dataclass(frozen=True)
class VideoHeader:
    """What a video says of itself.

    Attributes:
        frames: how many; 0 where it does not say. Some containers only estimate it.
        rate_hz: frames a second; 0 where unknown.
        height, width: pixels.
        codec: four letters; may be empty.
    """

    frames: int
    rate_hz: float
    height: int
    width: int
    codec: str


class VideoFile:
    """One video; a member of an archive is copied to a temporary file, since decoders need one.

    Args:
        store: holds it.
        name: its name there.
    """

    def __init__(self, store: Store, name: str) -> None:
        self.name = name
        self._copy: Any = None
        self._path = Path(store.path) / name if Path(store.path).is_dir() else Path(store.path)
        if not self._path.is_file() or self._path.name != name.rsplit("/", 1)[-1]:
            self._copy = tempfile.TemporaryDirectory(prefix="assay-", ignore_cleanup_errors=True)
            self._path = Path(self._copy.name) / f"video{Path(name).suffix}"
            with store.open(name) as stream, open(self._path, "wb") as copy:
                shutil.copyfileobj(stream, copy, _BLOCK)
        self._lock = threading.Lock()
        self._capture: Any = None
        self._next = 0
        self._kept: OrderedDict[int, Array] = OrderedDict()

    def header(self) -> VideoHeader:
        """What it says of itself, without reading a frame; raises `DataError` where it cannot be opened."""
        cv2 = load_cv2()
        capture = self._open()
        try:
            frames = capture.get(cv2.CAP_PROP_FRAME_COUNT)
            height, width = (int(capture.get(side)) for side in (cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH))
            code = int(capture.get(cv2.CAP_PROP_FOURCC))
            letters = bytes((code >> shift) & 0xFF for shift in (0, 8, 16, 24)).decode("ascii", "replace")
            codec = letters if letters.isprintable() and letters.isascii() else ""
            return VideoHeader(int(max(0.0, frames)) if frames < _MOST_FRAMES else 0, _rate(capture), height, width,
                               codec.strip())  # fmt: skip
        finally:
            capture.release()

    def count(self) -> int:
        """How many frames can be read, by going through all of them."""
        capture = self._open()
        try:
            return sum(1 for _ in iter(capture.grab, False))
        finally:
            capture.release()

    def frame(self, number: int) -> Array:
        """One frame (H, W, 3) uint8, red first; may be called from threads.

        Raises:
            DataError: it cannot be read.
        """
        cv2 = load_cv2()
        with self._lock:
            if number in self._kept:
                return self._kept[number]
            if self._capture is None or number < self._next:
                self._capture, self._next = self._open(), 0
            if number - self._next > _FAR:
                self._capture.set(cv2.CAP_PROP_POS_FRAMES, number)
                self._next = number
            while True:
                is_there, pixels = self._capture.read()
                if not is_there:
                    raise DataError(f"frame {number} cannot be read.", "Convert the video again.", file=self.name)
                self._next += 1
                if self._next > number - _KEPT:
                    self._keep(self._next - 1, cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
                if self._next > number:
                    return self._kept[number]

    def raw(self) -> Iterator[tuple[Array, float]]:
        """All frames in their order as the decoder gives them, (H, W, 3) uint8 with blue first, and their seconds."""
        cv2 = load_cv2()
        capture = self._open()
        try:
            while True:
                is_there, pixels = capture.read()
                if not is_there:
                    return
                yield pixels, capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        finally:
            capture.release()

    def close(self) -> None:
        """Give up what is open, and a copy."""
        with self._lock:
            if self._capture is not None:
                self._capture.release()
            self._capture = None
            self._kept.clear()
        if self._copy is not None:
            self._copy.cleanup()

    def _keep(self, number: int, pixels: Array) -> None:
        self._kept[number] = pixels
        while len(self._kept) > 2 * _KEPT:
            self._kept.popitem(last=False)

    def _open(self) -> Any:
        capture = load_cv2().VideoCapture(str(self._path))
        if not capture.isOpened():
            raise DataError("the video cannot be opened.", "Check that it plays, or convert it to MP4.", file=self.name)
        return capture


def _rate(capture: Any) -> float:
    """Frames a second; 0 where the video does not say."""
    rate = float(capture.get(load_cv2().CAP_PROP_FPS))
    return rate if np.isfinite(rate) and 0 < rate < 1e4 else 0.0


def load_cv2() -> Any:
    """OpenCV, told to be silent about damaged files; raises `MissingExtraError`."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", str(_AV_LOG_QUIET))  # read when the first video is opened
    try:
        import cv2
    except ImportError as error:
        raise MissingExtraError("reading videos", "video") from error
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2
