"""Frames of a video file by OpenCV: counted once, then read in their order, or about so, as threads ask for them."""

from __future__ import annotations

import os
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
_AV_LOG_QUIET = -8  # FFmpeg writes to the standard error stream by itself


@dataclass(frozen=True)
class VideoFacts:
    """What a video is.

    Attributes:
        frames: that can be read.
        announced: as its header says.
        times: (frames,) seconds from its start.
        height, width: upright, pixels.
        rate_hz: frames a second; 0 where unknown.
    """

    frames: int
    announced: int
    times: Array
    height: int
    width: int
    rate_hz: float


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
            self._copy = tempfile.NamedTemporaryFile(suffix=Path(name).suffix)  # noqa: SIM115 - lives as long as this
            with store.open(name) as stream:
                while block := stream.read(_BLOCK):
                    self._copy.write(block)
            self._copy.flush()
            self._path = Path(self._copy.name)
        self._lock = threading.Lock()
        self._capture: Any = None
        self._next = 0
        self._kept: OrderedDict[int, Array] = OrderedDict()

    def facts(self) -> VideoFacts:
        """Count the frames by going through all of them.

        Raises:
            DataError: there is no frame that can be read.
        """
        cv2 = load_cv2()
        with self._lock:
            capture = self._open()
            announced = int(max(0, capture.get(cv2.CAP_PROP_FRAME_COUNT)))
            rate = float(capture.get(cv2.CAP_PROP_FPS))
            times = []
            while capture.grab():
                times.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
        if not times:
            raise DataError("no frame of the video can be read.", "Check that it plays.", file=self.name)
        height, width = self.frame(0).shape[:2]
        rate = rate if np.isfinite(rate) and 0 < rate < 1e4 else 0.0
        seconds = np.asarray(times)
        if rate and (np.diff(seconds) <= 0).any():  # some containers tell no times
            seconds = np.arange(len(times)) / rate
        return VideoFacts(len(times), announced, seconds, height, width, rate)

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

    def __iter__(self) -> Iterator[Array]:
        """All frames in their order, one in memory at a time."""
        cv2 = load_cv2()
        capture = self._open()
        while True:
            is_there, pixels = capture.read()
            if not is_there:
                return
            yield cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)

    def _keep(self, number: int, pixels: Array) -> None:
        self._kept[number] = pixels
        while len(self._kept) > 2 * _KEPT:
            self._kept.popitem(last=False)

    def _open(self) -> Any:
        capture = load_cv2().VideoCapture(str(self._path))
        if not capture.isOpened():
            raise DataError("the video cannot be opened.", "Check that it plays, or convert it to MP4.", file=self.name)
        return capture


def load_cv2() -> Any:
    """OpenCV, told to be silent about damaged files; raises `MissingExtraError`."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", str(_AV_LOG_QUIET))  # read when the first video is opened
    try:
        import cv2
    except ImportError as error:
        raise MissingExtraError("reading videos", "video") from error
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2
