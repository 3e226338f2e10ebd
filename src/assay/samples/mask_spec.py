"""What a picture with a mask is, learned from the training side: classes, scale, windows.

How large a picture the network sees is a trade: shrunk, a whole picture fits and is quick; in its own size, small
things stay visible. Pictures are shrunk as far as the small connected components in their masks (the smaller tenth)
keep `SMALLEST` pixels across, and no further than until their longer side is that of a window; what is then larger than
a window is cut into windows that overlap.

Shapes: H, W pixels, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import SettingError
from assay.samples.pixel_values import NOT_LEARNED, PixelRange, as_colour, mean_and_deviation, some_pixels
from assay.sources.label_mask import LabelMask
from assay.task_export import Preparation

if TYPE_CHECKING:
    from assay.sources.records import Records
    from assay.sources.source import DataOptions

Array = np.ndarray[Any, Any]
#: What small connected components keep across, in pixels.
SMALLEST = 12
#: The usual side of a window; pictures whose sides are no longer than `_WHOLE` may make it larger.
SIDE, _WHOLE, _MULTIPLE = 256, 384, 32
#: The share of a window's side by which windows overlap at least.
OVERLAP = 0.25
#: A scale so near to 1 is not worth the blur.
_NEAR_ONE = 0.75
_LOOK_AT = 128
#: Masks at least for pictures to have no top; from which lean of a class on (the share of it above the middle less that
#: below) they have one, where it is so many standard errors from none. Sky and road lean by nearly 1, nuclei in tissue
#: by up to 0.13.
_FEW, _LEAN, _CLEAR = 20, 0.2, 3.0


@dataclass(frozen=True)
class MaskSpec:
    """The form in which every picture reaches the network.

    Attributes:
        classes: their names, in the order of the numbers in masks.
        background: the class that stands for "nothing here"; None where none does.
        side: of a window, in pixels, a multiple of 32.
        scale: by which pictures are shrunk before they are cut, at most 1.
        turnable: pictures have no top, so that they may be turned: their classes lie as often above as below, and as
            often left as right.
        mean: of each channel, in pixel values.
        deviation: of each channel, in pixel values.
        shares: (C,) of the training pixels.
        pixels: how values of more than 8 bits become bytes.
    """

    classes: tuple[str, ...]
    background: int | None
    side: int
    scale: float
    turnable: bool
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    shares: tuple[float, ...]
    pixels: PixelRange = NOT_LEARNED

    @property
    def foreground(self) -> tuple[int, ...]:
        """The classes but the background."""
        return tuple(number for number in range(len(self.classes)) if number != self.background)

    def preparation(self) -> Preparation:
        """See `TaskExport.preparation`."""
        outside = f"decode, scale to {100 * self.scale:.4g} %, cut windows of {self.side} pixels"
        return Preparation(("scale 3 channels of uint8",), (outside, "after it: softmax, windows put together"))

    def to_json(self) -> dict[str, Any]:
        """For `model.json`."""
        return {**vars(self), "pixels": self.pixels.to_json()}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> MaskSpec:
        """The inverse of `to_json`."""
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in data.items()
        }
        white = values.pop("white", 255.0)  # of runs that knew of 16 bits alone; 255 where no picture had them
        known = data.get("pixels") or {"white": white if white != 255.0 else None, "floats": None}
        return MaskSpec(**{**values, "pixels": PixelRange.from_json(known)})


def fit_mask_spec(records: Records, train: Array, options: DataOptions) -> MaskSpec:
    """The spec, from a sample of the training side.

    Args:
        records: as `sources.masks.read_masks` gives them.
        train: (rows,) bool.
        options: `extra["window"]` and `extra["scale"]` are taken where they are given.

    Raises:
        SettingError: these are not possible, or no training picture can be decoded.
    """
    index = records.index()
    rows = np.flatnonzero(train)
    masks = [LabelMask.from_text(text) for text in index["target"].take(rows).to_pylist()]
    classes = tuple(records.facts["classes"])
    counts = np.sum([mask.pixels(len(classes)) for mask in masks], axis=0)
    looked = np.linspace(0, len(rows) - 1, min(len(rows), _LOOK_AT)).astype(int)
    some = [masks[place].array() for place in looked]
    background = records.facts["background"]
    scale = _scale(some, background, options)
    side = _side([(mask.height * scale, mask.width * scale) for mask in masks], options)
    pixels, mean, deviation = _pixels(records, [index["location"][int(rows[place])].as_py() for place in looked])
    return MaskSpec(
        classes,
        background,
        side,
        scale,
        _turnable(some, len(classes)),
        mean,
        deviation,
        tuple((counts / counts.sum()).round(6).tolist()),
        pixels,
    )


def _scale(masks: Sequence[Array], background: int | None, options: DataOptions) -> float:
    asked = options.extra.get("scale")
    if asked is not None:
        try:
            value = float(asked)
        except (TypeError, ValueError):
            value = math.nan
        if not 0.01 <= value <= 1:
            raise SettingError(f"--scale {asked} is not possible", "Give a number above 0.01 and at most 1.")
        return value
    sizes = np.concatenate([component_sizes(mask, background) for mask in masks])
    longest = float(np.median([max(mask.shape) for mask in masks]))
    small = float(np.quantile(sizes, 0.1)) if len(sizes) else math.inf
    scale = min(1.0, max(SIDE / longest, SMALLEST / small))
    return 1.0 if scale > _NEAR_ONE else round(scale, 3)


def component_sizes(mask: Array, background: int | None) -> Array:
    """(N,) the diameters in pixels of a mask's connected areas of a class, but for the background's and for specks.

    The diameter is that of the square of the same area.
    """
    from scipy.ndimage import label

    found = []
    for number in np.unique(mask[mask != 255]):
        if number != background:
            areas = np.bincount(label(mask == number)[0].ravel())[1:]
            found.append(np.sqrt(areas[areas >= 4]))
    return np.concatenate(found) if found else np.zeros(0)


def _side(sizes: Sequence[tuple[float, float]], options: DataOptions) -> int:
    """The side with which the windows of all pictures together are smallest."""
    asked = options.extra.get("window")
    if asked is not None:
        if not str(asked).isdecimal() or int(asked) % _MULTIPLE or not _MULTIPLE <= int(asked) <= 2048:
            raise SettingError(
                f"--window {asked} is not possible", f"Give a multiple of {_MULTIPLE} from {_MULTIPLE} to 2048."
            )
        return int(asked)
    sides = np.asarray(sizes).round()
    least = min(SIDE, -(-int(sides.max()) // _MULTIPLE) * _MULTIPLE)
    options_ = range(least, max(least, _WHOLE) + 1, _MULTIPLE)
    unique, counts = np.unique(sides, axis=0, return_counts=True)

    def area(side: int) -> float:
        windows = [len(starts(int(high), side)) * len(starts(int(wide), side)) for high, wide in unique]
        return float(np.dot(windows, counts)) * side**2

    return min(options_, key=area)


def starts(length: int, side: int) -> list[int]:
    """Where windows of a side begin along a picture of a length, so that neighbours overlap by `OVERLAP` at least."""
    if length <= side:
        return [0]
    count = math.ceil((length - side) / ((1 - OVERLAP) * side)) + 1
    return [int(start) for start in np.linspace(0, length - side, count).round()]


def _turnable(masks: Sequence[Array], classes: int) -> bool:
    """Whether no class lies rather above than below, or left than right."""
    if len(masks) < _FEW:
        return False
    for number in range(classes):
        for axis in (0, 1):
            leans = []
            for mask in masks:
                along = (mask == number).sum(axis=1 - axis)
                if 0 < along.sum() < mask.size:
                    half = len(along) // 2
                    leans.append((along[:half].sum() - along[-half:].sum()) / along.sum())
            if len(leans) >= _FEW and _leans(leans):
                return False
    return True


def _leans(found: Sequence[float]) -> bool:
    """Whether a class lies rather on one side, by much and beyond doubt."""
    return abs(float(np.mean(found))) > max(_LEAN, _CLEAR * float(np.std(found)) / math.sqrt(len(found)))


def _pixels(records: Records, locations: Sequence[str]) -> tuple[PixelRange, tuple[float, ...], tuple[float, ...]]:
    """How values become bytes, and mean and deviation of each channel as they come to the network."""
    from assay.errors import AssayError
    from assay.sources.decode import decode_values

    images = []
    for location in locations:
        try:
            images.append(decode_values(records.loader(location)))
        except AssayError:
            continue
    if not images:
        raise SettingError("none of the training pictures can be decoded", "See the problems that assay inspect lists.")
    pixels = PixelRange.of(images)
    return pixels, *mean_and_deviation(some_pixels([as_colour(image, pixels) for image in images]))
