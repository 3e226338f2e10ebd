"""Frames written as a video, through OpenCV's own build."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from assay.errors import SettingError
from assay.sources._video_frames import load_cv2

Array = np.ndarray[Any, Any]
#: By the ending of the file: how OpenCV's own build can write it.
CODECS = {".mp4": "mp4v", ".mov": "mp4v", ".avi": "MJPG", ".mkv": "mp4v"}
_DEFAULT_HZ = 25.0


def write_video(frames: Iterable[Array], target: Path, rate_hz: float) -> int:
    """Write a video.

    Args:
        frames: (H, W, 3) uint8 each, red first, all of one size.
        target: the file; its ending says the form: .mp4, .mov, .avi or .mkv.
        rate_hz: frames a second; 0 where unknown.

    Returns:
        How many frames were written.

    Raises:
        SettingError: another ending, or the file cannot be written.
        MissingExtraError: OpenCV is not installed.
    """
    codec = codec_of(target)
    cv2 = load_cv2()
    writer, count = None, 0
    try:
        for frame in frames:
            if writer is None:
                size = (frame.shape[1], frame.shape[0])
                writer = cv2.VideoWriter(str(target), cv2.VideoWriter_fourcc(*codec), rate_hz or _DEFAULT_HZ, size)
                if not writer.isOpened():
                    raise SettingError(f"{target} cannot be written", "Check that its folder exists, or choose .avi.")
            writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
            count += 1
    finally:
        if writer is not None:
            writer.release()
    return count


def check_writable(target: Path) -> None:
    """Raise `SettingError` where a video cannot be written there: told before the work, and not after it."""
    codec_of(target)
    folder = target.parent
    if not folder.is_dir():
        raise SettingError(f"{target} cannot be written: there is no folder {folder}", "Make it, or name another.")
    if target.is_dir() or not os.access(target if target.exists() else folder, os.W_OK):
        raise SettingError(f"{target} cannot be written", "Name a file where you may write.")


def codec_of(target: Path) -> str:
    """How a file of that name is written; raises `SettingError` where it cannot be."""
    codec = CODECS.get(target.suffix.lower())
    if codec is None:
        raise SettingError(f"a video cannot be written as {target.name}", f"End its name in {', '.join(CODECS)}.")
    return codec
