"""Synthetic videos: bright plates and dark discs that move on straight ways over noise, with what is where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from box_scenes import CLASSES

Array = np.ndarray[Any, Any]
RATE_HZ = 12.5
#: Of each object its class, its corner in the first frame, how far it moves in one, and its size; none meet.
THINGS = (
    (1, (2.0, 12.0), (1.5, 0.0), (22, 16)),
    (0, (100.0, 44.0), (-1.2, 0.1), (20, 20)),
    (1, (20.0, 72.0), (1.0, 0.1), (18, 20)),
)


def scene(frames: int, height: int = 96, width: int = 128, seed: int = 0) -> tuple[Array, list[Array]]:
    """(F, H, W, 3) uint8, red first, and of each frame its objects (3, 6): x0, y0, x1, y1, class, number from 0."""
    random = np.random.default_rng(seed)
    pixels = np.empty((frames, height, width, 3), np.uint8)
    truths = []
    rows, columns = np.mgrid[:height, :width]
    for frame in range(frames):
        image = random.normal(110, 12, (height, width, 3))
        truth = []
        for number, (kind, (x, y), (right, down), (wide, high)) in enumerate(THINGS):
            x0, y0 = round(x + right * frame), round(y + down * frame)
            if kind == 0:
                middle = (rows - y0 - (high - 1) / 2) ** 2 + (columns - x0 - (wide - 1) / 2) ** 2
                image[middle <= (wide / 2) ** 2] = (30, 40, 90)
            else:
                image[max(y0, 0) : y0 + high, max(x0, 0) : x0 + wide] = (230, 210, 60)
            truth.append((x0, y0, x0 + wide, y0 + high, kind, number))
        pixels[frame] = image.clip(0, 255)
        truths.append(np.asarray(truth, float))
    return pixels, truths


def write_video(file: Path, frames: int = 40, rate_hz: float = RATE_HZ, codec: str = "MJPG") -> Path:
    """A scene as a video file."""
    import cv2

    pixels, _ = scene(frames)
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter_fourcc(*codec), rate_hz, pixels.shape[2:0:-1])
    for frame in pixels:
        writer.write(np.ascontiguousarray(frame[:, :, ::-1]))
    writer.release()
    return file


class Finder:
    """Finds the objects of a scene by their colour, in the place of a trained network.

    Args:
        spec: the field.
        task: the application.
    """

    def __init__(self, spec: Any, task: Any) -> None:
        self.spec, self.task = spec, task
        self.batches: list[int] = []

    def respond(self, batch: Any) -> list[Array]:
        """Boxes (n, 6) of each picture."""
        from scipy import ndimage

        from assay.samples.box_frames import out_of_frame

        self.batches.append(len(batch.image))
        found = []
        for image, frame in zip(batch.image.numpy().astype(int), batch.frame.numpy(), strict=True):
            boxes = []
            for kind, inside in ((0, image[0] < 60), (1, (image[0] > 190) & (image[2] < 110))):
                labels, count = ndimage.label(ndimage.binary_opening(inside, iterations=2))
                for rows, columns in ndimage.find_objects(labels)[:count]:
                    boxes.append((columns.start, rows.start, columns.stop, rows.stop, 0.9, kind))
            found.append(out_of_frame(np.asarray(boxes, float).reshape(-1, 6), frame, self.spec))
        return found

    def outputs(self, view: Any) -> list[Array]:
        raise NotImplementedError


__all__ = ["CLASSES", "RATE_HZ", "THINGS", "Finder", "scene", "write_video"]
