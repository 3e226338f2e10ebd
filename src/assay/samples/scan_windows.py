"""From scans to the windows that the network takes: pictures of one size, or volumes on one grid.

Shapes: W windows, H rows, W columns, C channels, D slices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import AssayError, SettingError, did_you_mean
from assay.samples.image_form import bring, fit_mode, image_size
from assay.samples.image_spec import ImageSpec
from assay.samples.pixel_values import PixelRange
from assay.samples.scan_spec import ScanSpec, diagnosis_target
from assay.sources._parallel import ordered_map
from assay.sources.scan import Scan, Volume
from assay.targets.class_target import ClassTarget
from assay.targets.target import fit_target

if TYPE_CHECKING:
    from assay.sources.records import Records
    from assay.sources.source import DataOptions

Array = np.ndarray[Any, Any]
_LOOK_AT = 256
VIEWS, MERGING = ("slices", "volume"), ("mean", "highest")
#: Slices from which on a scan is taken as a volume, and how many are taken of one that is not.
_LEAST_SLICES, MOST_SLICES = 8, 16
#: Voxels of the grid at most: what a processor can learn from in minutes.
_GRID = (32, 64, 64)


def fit_scan_spec(records: Records, train: Array, options: DataOptions) -> ScanSpec:
    """Size, grid and scale from a sample of the training scans; the target from all."""
    target = fit_target(records.index().column("target"), train)
    if not isinstance(target, ClassTarget):
        raise SettingError(
            "a diagnosis is one of several classes", "For numbers or labels: --task image-classification."
        )
    named, healthy = diagnosis_target(target.classes, options.extra.get("healthy"))
    scans = _look_at(records, train)
    volumes = [volume for scan in scans for volume in scan.volumes]
    if _as_volumes(scans, options):
        grid, spacing = _grid(volumes, options)
        nothing = ImageSpec(1, *grid[1:], (0.0,), (1.0,), "squash", named)
        spec = ScanSpec(nothing, depth=grid[0], spacing_mm=spacing)
    else:
        spec = ScanSpec(_picture_spec([picture for scan in scans for picture in pictures_of(scan)], named, options))
    spec = replace(
        spec, healthy=healthy, at_sensitivity=_sensitivity(options), merging=_choice(options, "merge", MERGING)
    )
    spec = replace(spec, window=str(options.extra.get("window", "")))
    return replace(spec, image=_scaled(spec, scans))


def windows_of(scan: Scan, spec: ScanSpec) -> list[Array]:
    """The windows of a unit, each (C, H, W), or (D, H, W) on the grid; none where it holds nothing of that kind."""
    if spec.depth:
        return [on_grid(volume, spec) for volume in scan.volumes]
    return [bring(picture, spec.image) for picture in pictures_of(scan)]


def pictures_of(scan: Scan) -> list[Array]:
    """The pictures (H, W, C) of a scan; of a volume so many of its slices, evenly spaced, as if each were one."""
    found = list(scan.pictures)
    for volume in scan.volumes:
        count = len(volume.values)
        chosen = np.unique(np.linspace(0, count - 1, min(count, MOST_SLICES) + 2)[1:-1].round().astype(int))
        found += [volume.values[place][..., None] for place in (chosen if count > MOST_SLICES else range(count))]
    return found


def on_grid(volume: Volume, spec: ScanSpec) -> Array:
    """(D, H, W) uint8: a volume at the grid's spacing, its middle in the grid's; what lies outside is cut off or 0.

    Values between voxels are interpolated; where voxels get larger, they are averaged.
    """
    import torch
    from torch.nn.functional import adaptive_avg_pool3d, interpolate

    values = torch.from_numpy(np.ascontiguousarray(volume.values))[None, None].float()
    sides = zip(volume.values.shape, volume.spacing_mm, spec.spacing_mm, strict=True)
    wanted = [max(1, round(count * own / grid)) for count, own, grid in sides]
    smaller = [min(want, have) for want, have in zip(wanted, values.shape[2:], strict=True)]
    values = adaptive_avg_pool3d(values, (smaller[0], smaller[1], smaller[2]))
    if wanted != smaller:
        values = interpolate(values, size=wanted, mode="trilinear", align_corners=False)
    found = values[0, 0].round().clamp(0, 255).to(torch.uint8).numpy()
    return _centred(found, (spec.depth, spec.image.height, spec.image.width))


def _centred(values: Array, shape: tuple[int, ...]) -> Array:
    """Values with their middle in that of an array of another shape, zero around."""
    out = np.zeros(shape, values.dtype)
    own, into = [], []
    for have, want in zip(values.shape, shape, strict=True):
        size = min(have, want)
        own.append(slice((have - size) // 2, (have - size) // 2 + size))
        into.append(slice((want - size) // 2, (want - size) // 2 + size))
    out[tuple(into)] = values[tuple(own)]
    return out


def load_scan(records: Records, location: str) -> Scan | None:
    """The pixels of a unit; None where they cannot be read."""
    load = records.loader
    try:
        found: Scan = load(location)
    except AssayError:
        return None
    return found


def first_picture(records: Records, location: str) -> Array:
    """(H, W, C) a picture that stands for a unit when copies are looked for: its first, or the middle of a volume."""
    scan = load_scan(records, location)
    if scan is None or not (found := pictures_of(scan)):
        return np.zeros((8, 8, 1), np.uint8)
    return found[0] if scan.pictures else found[len(found) // 2]


def _look_at(records: Records, train: Array) -> list[Scan]:
    rows = np.flatnonzero(train)
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), _LOOK_AT)).astype(np.int64)]
    locations = records.index().column("location").take(rows).to_pylist()
    found = [scan for scan in ordered_map(lambda one: load_scan(records, one), locations) if scan is not None]
    if not found:
        raise SettingError("none of the training scans can be decoded", "See the problems that assay inspect lists.")
    return found


def _as_volumes(scans: Sequence[Scan], options: DataOptions) -> bool:
    """Whether scans are taken as volumes: as asked for, or where most of them are."""
    deep = sum(any(len(volume.values) >= _LEAST_SLICES for volume in scan.volumes) for scan in scans)
    if "view" not in options.extra:
        return 2 * deep > len(scans)
    if _choice(options, "view", VIEWS) == "slices":
        return False
    if not any(scan.volumes for scan in scans):
        raise SettingError("--view volume is not possible: no scan has several slices", "Leave it out.")
    return True


def _picture_spec(pictures: Sequence[Array], target: ClassTarget, options: DataOptions) -> ImageSpec:
    channels = max(picture.shape[2] for picture in pictures)
    height, width = image_size([picture.shape for picture in pictures], options)
    nothing, one = (0.0,) * channels, (1.0,) * channels
    return ImageSpec(channels, height, width, nothing, one, fit_mode(options), target, PixelRange.of(pictures))


def _scaled(spec: ScanSpec, scans: Sequence[Scan]) -> ImageSpec:
    """The image's spec with mean and deviation of each channel; of a volume of all its voxels together."""
    windows = [window for scan in scans for window in windows_of(scan, spec)]
    brought = np.stack(windows).astype(np.float32)
    axes = (0, 1, 2, 3) if spec.depth else (0, 2, 3)
    mean = np.atleast_1d(brought.mean(axis=axes, dtype=np.float64))
    deviation = np.atleast_1d(brought.std(axis=axes, dtype=np.float64))
    deviation = np.where(deviation > 1e-4, deviation, 255.0)
    return replace(spec.image, mean=tuple(mean.round(4).tolist()), deviation=tuple(deviation.round(4).tolist()))


def _grid(volumes: Sequence[Volume], options: DataOptions) -> tuple[tuple[int, int, int], tuple[float, float, float]]:
    """Voxels and their spacing: the grid holds nearly all of the training volumes, and is no finer than most are."""
    shapes = np.asarray([volume.values.shape for volume in volumes], float)
    extents = shapes * np.asarray([volume.spacing_mm for volume in volumes])
    asked = options.extra.get("grid")
    counts = _asked_grid(str(asked)) if asked is not None else [
        int(np.clip(np.median(shapes[:, axis]), 4, _GRID[axis])) for axis in range(3)]  # fmt: skip
    spacing = [round(float(np.quantile(extents[:, axis], 0.95)) / counts[axis], 4) or 1.0 for axis in range(3)]
    return (counts[0], counts[1], counts[2]), (spacing[0], spacing[1], spacing[2])


def _asked_grid(text: str) -> list[int]:
    parts = text.lower().split("x")
    if len(parts) != 3 or not all(part.isdecimal() and 4 <= int(part) <= 512 for part in parts):
        raise SettingError(f"--grid {text} is no grid", "Write slices x rows x columns, such as 32x64x64.")
    return [int(part) for part in parts]


def _sensitivity(options: DataOptions) -> float:
    asked = options.extra.get("at_sensitivity", 0.95)
    try:
        value = float(asked)
    except (TypeError, ValueError):
        value = float("nan")
    if not 0 < value <= 1:
        raise SettingError(
            f"--at-sensitivity {asked} is not possible", "Give a share above 0 and at most 1, such as .95."
        )
    return value


def _choice(options: DataOptions, name: str, known: Sequence[str]) -> str:
    asked = str(options.extra.get(name, known[0]))
    if asked not in known:
        raise SettingError(f"--{name} {asked} is not {' or '.join(known)}", did_you_mean(asked, known))
    return asked
