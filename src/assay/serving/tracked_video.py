"""Objects that were followed through a video: drawn into it, and as JSON."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from assay.serving.video_file import write_video
from assay.sources._video_frames import load_cv2

Array = np.ndarray[Any, Any]


def write_annotated(
    frames: Iterable[Array], tracked: Iterable[Array], classes: Sequence[str], target: Path, rate_hz: float
) -> int:
    """Write a video with a box around each object that has an identity.

    Args:
        frames: (H, W, 3) uint8 each, red first, all of one size.
        tracked: of each frame the boxes (m, 7), see `tracking.tracked`.
        classes: by number.
        target: the file; its ending says the form: .mp4, .mov, .avi or .mkv.
        rate_hz: frames a second; 0 where unknown.

    Returns:
        How many frames were written.

    Raises:
        SettingError: another ending, or the file cannot be written.
        MissingExtraError: OpenCV is not installed.
    """
    drawn = (annotated(frame, boxes, classes) for frame, boxes in zip(frames, tracked, strict=False))
    return write_video(drawn, target, rate_hz)


def annotated(frame: Array, boxes: Array, classes: Sequence[str]) -> Array:
    """A frame (H, W, 3) uint8 with the boxes (m, 7) drawn, each identity in a colour of its own."""
    cv2 = load_cv2()
    drawn = np.ascontiguousarray(frame).copy()
    thick = max(1, round(min(frame.shape[:2]) / 300))
    size = max(0.35, min(frame.shape[:2]) / 1000)
    for x0, y0, x1, y1, score, label, identity in np.asarray(boxes, np.float64).reshape(-1, 7):
        colour = colour_of(int(identity))
        corner, other = (round(x0), round(y0)), (round(x1) - 1, round(y1) - 1)
        cv2.rectangle(drawn, corner, other, colour, thick)
        words = f"{classes[int(label)]} {int(identity)} {score:.2f}"
        (wide, high), below = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, size, thick)
        top = corner[1] if corner[1] - high - below < 0 else corner[1] - high - below
        cv2.rectangle(drawn, (corner[0], top), (corner[0] + wide, top + high + below), colour, -1)
        place = (corner[0], top + high + below // 2)
        cv2.putText(drawn, words, place, cv2.FONT_HERSHEY_SIMPLEX, size, (0, 0, 0), thick, cv2.LINE_AA)
    return drawn


def colour_of(identity: int) -> tuple[int, int, int]:
    """A light colour for an identity; those of neighbours differ most."""
    red, green, blue = colorsys.hsv_to_rgb((identity * 0.618034) % 1.0, 0.55, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def tracks_json(
    tracked: Iterable[Array], classes: Sequence[str], name: str, times: Sequence[float] | Array
) -> dict[str, Any]:
    """The objects of a video, frame by frame and in sum.

    Args:
        tracked: of each frame the boxes (m, 7).
        classes: by number.
        name: the video's.
        times: of each frame, seconds from the start.

    Returns:
        `{"format": 1, "video": …, "frames": [{"frame", "time", "objects": [{"id", "label", "score", "box"}]}],
        "tracks": [{"id", "label", "first", "last", "frames"}]}`; boxes are x0, y0, x1, y1 in pixels.
    """
    frames: list[dict[str, Any]] = []
    tracks: dict[int, dict[str, Any]] = {}
    for number, (boxes, time) in enumerate(zip(tracked, times, strict=False)):
        objects = list(_objects(boxes, classes))
        frames.append({"frame": number, "time": round(float(time), 4), "objects": objects})
        for one in objects:
            track = tracks.setdefault(one["id"], {"id": one["id"], "label": one["label"], "first": number, "frames": 0})
            track.update(last=number, frames=track["frames"] + 1)
    return {"format": 1, "video": name, "frames": frames, "tracks": [tracks[key] for key in sorted(tracks)]}


def _objects(boxes: Array, classes: Sequence[str]) -> Iterator[dict[str, Any]]:
    for box in np.asarray(boxes, np.float64).reshape(-1, 7):
        corners = [round(float(value), 2) for value in box[:4]]
        yield {"id": int(box[6]), "label": classes[int(box[5])], "score": round(float(box[4]), 4), "box": corners}
