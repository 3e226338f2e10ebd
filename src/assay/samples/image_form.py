"""The form in which images reach a network: their size, how they are brought to it, and their channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import numpy as np

from assay.errors import SettingError, did_you_mean
from assay.samples.image_spec import Fit, ImageSpec
from assay.sources.source import DataOptions

_SIDES = (32, 64, 96)


def image_size(shapes: Sequence[tuple[int, ...]], options: DataOptions) -> tuple[int, int]:
    """Height and width to train at: asked for, wanted by pretrained weights, the images' own, or a usual one."""
    asked = options.extra.get("image_size")
    if asked is not None:
        if not str(asked).isdecimal() or not 8 <= int(asked) <= 2048:
            raise SettingError(
                f"--image-size {asked} is not a number of pixels from 8 to 2048",
                "Give a whole number of pixels, such as 224.",
            )
        return int(asked), int(asked)
    if options.network and options.network.startswith("timm/"):
        from assay.networks.timm_networks import wanted_size

        side = wanted_size(options.network.removeprefix("timm/")) or 224
        return side, side
    height, width = (int(np.median([shape[axis] for shape in shapes])) for axis in (0, 1))
    if all(shape[:2] == (height, width) for shape in shapes) and max(height, width) <= _SIDES[-1]:
        return height, width
    least = min(height, width)
    side = min(_SIDES, key=lambda side: abs(side - least))
    return side, side


def fit_mode(options: DataOptions) -> Fit:
    """How images of another shape are brought to the spec's; raises `SettingError`."""
    pretrained = (options.network or "").startswith("timm/")
    asked = options.extra.get("fit") or ("cover" if pretrained else "squash")
    modes: tuple[Fit, ...] = get_args(Fit)
    for mode in modes:
        if mode == asked:
            return mode
    raise SettingError(f"--fit {asked} is not {', '.join(modes)}", did_you_mean(str(asked), modes))


def bring(image: np.ndarray[Any, Any], spec: ImageSpec) -> np.ndarray[Any, Any]:
    """(H, W, C) of any size, uint8, uint16 or float32, to (C, height, width) uint8 as the spec says."""
    from assay.sources.decode import resize

    image = spec.pixels.bytes_of(image)
    if image.shape[2] != spec.channels:
        image = _channels(image, spec.channels)
    if image.shape[:2] != (spec.height, spec.width):
        image = resize(image, spec.height, spec.width, spec.fit)
    return np.ascontiguousarray(image.transpose(2, 0, 1))


def _channels(image: np.ndarray[Any, Any], channels: int) -> np.ndarray[Any, Any]:
    """Another number of channels: grey repeated, colour averaged, missing ones zero."""
    have = image.shape[2]
    if have == 1:
        return np.repeat(image, channels, axis=2)
    if channels == 1:
        return np.asarray(image.mean(axis=2, keepdims=True).round(), image.dtype)
    if have > channels:
        return image[:, :, :channels]
    filled = np.zeros((*image.shape[:2], channels), image.dtype)
    filled[:, :, :have] = image
    return filled
