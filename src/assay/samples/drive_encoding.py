"""From drives to what a policy sees and does at each frame, and what it has to know of them beforehand.

Shapes: T frames of a drive, K frames that are seen at once, A controls, H, W of a frame.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import AssayError, DataError, SettingError
from assay.samples.drive_spec import Box, DriveSpec, Loop
from assay.samples.pixel_values import DEEPER, PixelRange, as_colour
from assay.sources.drive_records import driven
from assay.task_parts import Encoded, number_of

if TYPE_CHECKING:
    import pyarrow as pa

    from assay.sources.records import ProblemLog, Records
    from assay.sources.source import DataOptions

Array = np.ndarray[Any, Any]
#: Frames that scales are learned from.
_LOOK_AT = 512
#: The longer side of what a policy sees, in pixels, where frames are larger.
_LONGEST = 96
#: Of the hardest steering (99 of 100 frames steer less), what a bend and a sharp bend take.
_BENDS = (0.1, 0.4)
_SPACING_S = 0.1
#: A control that hardly moves in the training drives may move later: its usual size is at least this share of its way.
_LEAST_SCALE = 0.05
#: Drives of the policy that a training in a simulator learns from, where the user does not say.
COLLECT = 40


def fitted_drive_spec(records: Records, train: Array, options: DataOptions) -> DriveSpec:
    """The spec, out of the training drives alone.

    Options: `extra["memory"]` frames seen at once, `extra["longest"]` pixels of the longer side of a frame,
    `extra["collect"]` drives of the policy to learn from.
    """
    controls = tuple(records.facts["controls"])
    drives = [one for one, use in zip(driven(records.index().column("target")), train, strict=True) if use]
    actions = np.concatenate([np.stack([one[name] for name in controls], axis=1) for one in drives])
    steering = np.abs(actions[:, 0])
    hardest = float(np.quantile(steering, 0.99)) or float(steering.max())
    bends = (_BENDS[0] * hardest, _BENDS[1] * hardest)
    counts = np.bincount(bend_of(actions[:, 0], bends), minlength=3) / len(actions)
    frames = int(number_of(options.extra, "memory", 1, 1, 8, whole=True))
    pictures = _look(records, train)
    height, width = _size(pictures, options)
    pixels = PixelRange.of(pictures)
    brought = np.stack([_brought(picture, height, width, pixels) for picture in pictures]).astype(np.float64)
    mean, deviation = brought.mean(axis=(0, 2, 3)), np.maximum(brought.std(axis=(0, 2, 3)), 1.0)
    centre = np.r_[0.0, actions[:, 1:].mean(axis=0)]
    low, high, mirror, loop = _world(records, actions, options, (0, height, 0, width))
    least = np.maximum(_LEAST_SCALE * (np.asarray(high) - np.asarray(low)), 1e-3)
    return DriveSpec(
        height, width, frames, _SPACING_S, float(records.facts["rate_hz"]),
        tuple(np.tile(mean, frames).round(3).tolist()), tuple(np.tile(deviation, frames).round(3).tolist()),
        controls, low, high, tuple(centre.round(5).tolist()),
        tuple(np.maximum(np.sqrt(((actions - centre) ** 2).mean(axis=0)), least).round(5).tolist()),
        bends, (float(counts[0]), float(counts[1]), float(counts[2])), mirror, loop, pixels,
    )  # fmt: skip


def bend_of(steering: Array, bends: Sequence[float]) -> Array:
    """(T,) 0 where steering (T,) is straight, 1 in a bend, 2 in a sharp one."""
    return np.asarray(np.searchsorted(np.asarray(bends), np.abs(np.asarray(steering, float)), side="right"))


def encoded_drives(batch: pa.RecordBatch, records: Records, spec: DriveSpec, log: ProblemLog) -> Encoded:
    """A window for each frame: the last K frames, and what was done.

    A frame that cannot be decoded is taken as the one before it, as a car would have to; a drive without any is left
    out.
    """
    targets = driven(batch.column("target")) if "target" in batch.schema.names else [{}] * batch.num_rows
    images, actions, rows = [], [], []
    for row, (name, places, target) in enumerate(
        zip(batch.column("id").to_pylist(), batch.column("frames").to_pylist(), targets, strict=True)
    ):
        seen = drive_frames(places, records, spec, name, log)
        if seen is None:
            continue
        images.append(
            seen[recent(len(seen), spec.frames, spec.back(spec.rate_hz))].reshape(len(seen), -1, *seen.shape[2:])
        )
        actions += [np.stack([target[name] for name in spec.controls], axis=1)] if target else []
        rows.append(np.full(len(seen), row))
    shape = (0, 3 * spec.frames, spec.height, spec.width)
    fields: dict[str, Any] = {"image": np.concatenate(images) if images else np.zeros(shape, np.uint8)}
    if all(targets):
        wanted = np.concatenate(actions) if actions else np.zeros((0, len(spec.controls)))
        fields["action"] = wanted.astype(np.float32)
    return Encoded(fields, np.concatenate(rows) if rows else np.zeros(0, np.int64))


def recent(count: int, frames: int, back: int) -> Array:
    """(T, K) for each of `count` frames the numbers of those that are seen with it, the first for those before it."""
    return np.asarray(np.maximum(np.arange(count)[:, None] - back * np.arange(frames - 1, -1, -1), 0))


def drive_frames(places: Sequence[str], records: Records, spec: DriveSpec, name: str, log: ProblemLog) -> Array | None:
    """(T, 3, H, W) uint8; None where no frame can be decoded."""
    load = records.load
    if load is None:
        raise SettingError("these records hold no frames", "Read them from a source of frames.")

    deeper: set[str] = set()

    def decode(place: str) -> Array | None:
        from assay.sources.decode import decode_values

        try:
            frame = decode_values(load(place))
        except AssayError:
            return None
        if not spec.pixels.knows(frame.dtype):
            deeper.add(place)
        return brought_frame(frame, spec)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(decode, places))
    if deeper:
        log.add(DEEPER, "kept", min(deeper), count=len(deeper))
    known = [place for place, frame in enumerate(found) if frame is not None]
    if not known:
        log.add("no-frame-decodable", "skipped", name)
        return None
    if len(known) < len(found):
        missing = next(place for place, frame in enumerate(found) if frame is None)
        log.add("undecodable-frame", "repaired", places[missing], count=len(found) - len(known))
    used = np.maximum(np.searchsorted(known, np.arange(len(found)), side="right") - 1, 0)
    return np.stack([found[known[place]] for place in used])


def brought_frame(frame: Array, spec: DriveSpec) -> Array:
    """(H, W, C) of any size, uint8, uint16 or float32, as (3, height, width) uint8."""
    return _brought(frame, spec.height, spec.width, spec.pixels)


def _brought(frame: Array, height: int, width: int, pixels: PixelRange) -> Array:
    from assay.sources.decode import resize

    frame = as_colour(frame, pixels)
    if frame.shape[:2] != (height, width):
        frame = resize(frame, height, width)
    return np.ascontiguousarray(frame.transpose(2, 0, 1))


def _look(records: Records, train: Array) -> list[Array]:
    """Up to `_LOOK_AT` frames (H, W, C) of training drives, evenly spread."""
    from assay.sources.decode import decode_values

    if records.load is None:
        raise SettingError("these records hold no frames", "Read them from a source of frames.")
    found: list[Array] = []
    for place in _spread(_training_places(records, train)):
        try:
            found.append(decode_values(records.load(place)))
        except AssayError:
            continue
    if not found:
        raise DataError("none of the training frames can be decoded.", "See the problems that assay inspect lists.")
    return found


def _training_places(records: Records, train: Array) -> Iterable[str]:
    first = 0
    for batch in records.batches():
        for row, places in enumerate(batch.column("frames").to_pylist(), first):
            if train[row]:
                yield from places
        first += batch.num_rows


def _spread(places: Iterable[str]) -> list[str]:
    known = list(places)
    if not known:
        raise DataError("no drive is left to learn from.", "See the problems that assay inspect lists.")
    return [known[int(at)] for at in np.linspace(0, len(known) - 1, min(len(known), _LOOK_AT))]


def _size(pictures: Sequence[Array], options: DataOptions) -> tuple[int, int]:
    """Height and width: the usual ones, made smaller in proportion where the longer side is too long."""
    height, width = (int(np.median([picture.shape[axis] for picture in pictures])) for axis in (0, 1))
    longest = number_of(options.extra, "longest", _LONGEST, 32, 512, whole=True)
    share = min(1.0, longest / max(height, width))
    return max(16, round(height * share)), max(16, round(width * share))


def _world(
    records: Records, actions: Array, options: DataOptions, whole: Box
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[Box, ...], Loop | None]:
    """The least and largest value of each control, what is mirrored, and the simulator."""
    name = records.facts.get("simulator")
    if name is None:
        most = float(np.abs(actions[:, 0]).max())
        low, high = np.r_[-most, actions[:, 1:].min(axis=0)], np.r_[most, actions[:, 1:].max(axis=0)]
        return tuple(low.tolist()), tuple(high.tolist()), (whole,), None
    from assay.simulators.simulator import MOST_TRACKS, open_simulator

    simulator = open_simulator(name)
    collect = int(number_of(options.extra, "collect", COLLECT, 0, MOST_TRACKS, whole=True))
    bounds = [tuple(float(getattr(control, end)) for control in simulator.controls) for end in ("low", "high")]
    drives = int(records.facts["split"]["train"])
    loop = Loop(
        name,
        collect,
        float(records.facts["expert"]["validation"]),
        records.facts.get("steps"),
        drives,
        simulator.rate_hz,
    )
    return bounds[0], bounds[1], simulator.mirror, loop
