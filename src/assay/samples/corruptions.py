"""Six ways in which images get worse, each at five strengths, as ImageNet-C and its smaller kin define them.

Source: Hendrycks and Dietterich, "Benchmarking neural network robustness to common corruptions and perturbations"
(ICLR 2019), whose strengths are given for images of 224, 64 and 32 pixels (ImageNet-C, Tiny-ImageNet-C, CIFAR-10-C).
Images of another height take those of the nearest; a blur, which is measured in pixels, grows with the height.

Shapes: B images, C channels, H height, W width; all functions take and give (B, C, H, W) uint8.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from assay.samples.draws import Draws
from assay.task import Corruption

Change = Callable[[Tensor, int, Draws], Tensor]
#: What prepares for other light.
_JITTER = ("jitter", 0.4)


@dataclass(frozen=True)
class Strengths:
    """What each of the five strengths means for images of about one size.

    Attributes:
        height: of the images that they were published for, in pixels.
        least_scale: how far a blur shrinks with the height at most; one of a pixel or two cannot shrink at all.
        noise: the deviation, as a share of the range of values.
        defocus: the disk's radius in pixels at that height, and the deviation of its softened rim in pixels.
        jpeg: the quality.
        brightness: what is added, as a share of the range.
        contrast: what is left of the distance to the mean.
        pixelate: the share of the pixels that is left in each direction.
    """

    height: int
    least_scale: float
    noise: tuple[float, ...]
    defocus: tuple[tuple[float, float], ...]
    jpeg: tuple[int, ...]
    brightness: tuple[float, ...]
    contrast: tuple[float, ...]
    pixelate: tuple[float, ...]


CIFAR = Strengths(
    height=32,
    least_scale=1.0,
    noise=(0.04, 0.06, 0.08, 0.09, 0.10),
    defocus=((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1)),
    jpeg=(80, 65, 58, 50, 40),
    brightness=(0.05, 0.1, 0.15, 0.2, 0.3),
    contrast=(0.75, 0.5, 0.4, 0.3, 0.15),
    pixelate=(0.95, 0.9, 0.85, 0.75, 0.65),
)
TINY = Strengths(
    height=64,
    least_scale=1.0,
    noise=(0.04, 0.08, 0.12, 0.15, 0.18),
    defocus=((0.5, 0.6), (1.0, 0.1), (1.5, 0.1), (2.5, 0.01), (3.0, 0.1)),
    jpeg=(65, 58, 50, 40, 25),
    brightness=(0.1, 0.2, 0.3, 0.4, 0.5),
    contrast=(0.4, 0.3, 0.2, 0.1, 0.05),
    pixelate=(0.9, 0.8, 0.7, 0.6, 0.5),
)
IMAGENET = Strengths(
    height=224,
    least_scale=0.5,
    noise=(0.08, 0.12, 0.18, 0.26, 0.38),
    defocus=((3.0, 0.1), (4.0, 0.5), (6.0, 0.5), (8.0, 0.5), (10.0, 0.5)),
    jpeg=(25, 18, 15, 10, 7),
    brightness=(0.1, 0.2, 0.3, 0.4, 0.5),
    contrast=(0.4, 0.3, 0.2, 0.1, 0.05),
    pixelate=(0.6, 0.5, 0.4, 0.3, 0.25),
)


def strengths_for(height: int) -> Strengths:
    """Those of the nearest published height, by its ratio."""
    return min((CIFAR, TINY, IMAGENET), key=lambda one: abs(math.log(height / one.height)))


def image_corruptions(height: int) -> dict[str, Corruption]:
    """The six by name, for batches whose field `image` holds images (B, C, H, W) uint8 of that height."""
    given = strengths_for(height)
    scale = max(given.least_scale, height / given.height)
    changes: dict[str, tuple[Change, tuple[str, float] | None]] = {
        "noise": (lambda images, at, draws: noise(images, given.noise[at - 1], draws), None),
        "defocus blur": (lambda images, at, draws: defocus(images, *_scaled(given.defocus[at - 1], scale)), None),
        "JPEG compression": (lambda images, at, draws: jpeg(images, given.jpeg[at - 1]), None),
        "brightness": (lambda images, at, draws: brightness(images, given.brightness[at - 1]), _JITTER),
        "contrast": (lambda images, at, draws: contrast(images, given.contrast[at - 1]), _JITTER),
        "pixelation": (lambda images, at, draws: pixelate(images, given.pixelate[at - 1]), None),
    }
    return {name: Corruption(partial(_of_batch, change), against) for name, (change, against) in changes.items()}


def noise(images: Tensor, deviation: float, draws: Draws) -> Tensor:
    """Add Gaussian noise of a deviation given as a share of 255, keyed by window."""
    seeds = draws.integers("corruption", 0, 2**24 - 1).tolist()
    drawn = [np.random.default_rng(seed).standard_normal(images.shape[1:], np.float32) for seed in seeds]
    return _whole(images + 255 * deviation * torch.from_numpy(np.stack(drawn))) if drawn else images


def defocus(images: Tensor, radius: float, rim: float) -> Tensor:
    """Blur with a disk of `radius` pixels whose rim is softened by a Gaussian of `rim` pixels; borders are mirrored."""
    kernel = torch.from_numpy(_disk(radius, rim))
    reach = kernel.shape[0] // 2
    height, width = images.shape[2:]
    rows, columns = (_mirrored(size, reach) for size in (height, width))
    padded = images[:, :, rows][:, :, :, columns].float()
    blurred = functional.conv2d(padded.flatten(0, 1)[:, None], kernel[None, None])
    return _whole(blurred.view(images.shape))


def jpeg(images: Tensor, quality: int) -> Tensor:
    """Write and read each image as JPEG."""
    from PIL import Image

    def change(picture: Any) -> Any:
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=quality)
        return Image.open(buffer)

    return _as_pictures(images, change)


def brightness(images: Tensor, added: float) -> Tensor:
    """Raise the value of each pixel (that of HSV, its largest channel) by a share of 255; hue and saturation stay."""
    values = images.float()
    value = values.amax(dim=1, keepdim=True)
    raised = (value + 255 * added).clamp(max=255)
    return _whole(torch.where(value > 0, values * (raised / value.clamp(min=1)), raised))


def contrast(images: Tensor, left: float) -> Tensor:
    """Draw each channel towards its mean over the image, so that a share `left` of the distance is left."""
    values = images.float()
    mean = values.mean(dim=(2, 3), keepdim=True)
    return _whole((values - mean) * left + mean)


def pixelate(images: Tensor, left: float) -> Tensor:
    """Shrink each image to a share `left` of its height and width and bring it back, both by boxes."""
    from PIL import Image

    height, width = images.shape[2:]
    small = (max(1, int(width * left)), max(1, int(height * left)))
    box = Image.Resampling.BOX
    return _as_pictures(images, lambda picture: picture.resize(small, box).resize((width, height), box))


def _of_batch(change: Change, batch: Any, strength: int, draws: Draws) -> Any:
    return replace(batch, image=change(batch.image, strength, draws))


def _scaled(disk: tuple[float, float], scale: float) -> tuple[float, float]:
    return disk[0] * scale, disk[1]


def _whole(values: Tensor) -> Tensor:
    """Rounded down to uint8, as the definition does; a whole number that came out a trifle too small stays whole."""
    return (values + 1e-3).clamp(0, 255).to(torch.uint8)


@cache
def _disk(radius: float, rim: float) -> np.ndarray[Any, Any]:
    """(K, K) float32: a disk that sums to 1, smoothed over 3 x 3 pixels, or 5 x 5 where it is larger than 8."""
    from scipy.ndimage import correlate1d

    reach = max(8, math.ceil(radius))
    places = np.arange(-reach, reach + 1)
    disk = ((places[:, None] ** 2 + places**2) <= radius**2).astype(np.float64)
    disk /= disk.sum()
    side = np.arange(-1, 2) if radius <= 8 else np.arange(-2, 3)
    smooth = np.exp(-(side**2) / (2 * rim**2))
    smooth /= smooth.sum()
    for axis in (0, 1):
        disk = correlate1d(disk, smooth, axis, mode="mirror")
    used = np.flatnonzero(disk.max(axis=0) > 1e-9)
    return np.ascontiguousarray(disk[used[0] : used[-1] + 1, used[0] : used[-1] + 1], np.float32)


def _mirrored(size: int, reach: int) -> Tensor:
    """Places -reach … size + reach - 1, those outside reflected back inside, without the border's own twice."""
    period = max(2 * size - 2, 1)
    folded = torch.arange(-reach, size + reach).remainder(period)
    return torch.where(folded >= size, period - folded, folded)


def _as_pictures(images: Tensor, change: Callable[[Any], Any]) -> Tensor:
    """Each image through Pillow: as one picture where it has three channels, else channel by channel."""
    from PIL import Image

    arrays = np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())
    changed = np.empty_like(arrays)
    for place, array in enumerate(arrays):
        if array.shape[2] == 3:
            changed[place] = np.asarray(change(Image.fromarray(array)))
            continue
        for channel in range(array.shape[2]):
            picture = Image.fromarray(np.ascontiguousarray(array[:, :, channel]))
            changed[place, :, :, channel] = np.asarray(change(picture))
    return torch.from_numpy(changed).permute(0, 3, 1, 2)
