"""What a pixel looks like in numbers: colour, and brightness, edges and blobs around it at several scales.

The features of ilastik and of scikit-image's `multiscale_basic_features` (Berg et al., "ilastik: interactive machine
learning for (bio)image analysis", Nature Methods 16, 2019), out of one smoothing a scale and channel.

Shapes: H, W pixels, F features.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
#: Deviations of the Gaussians in pixels.
SIGMAS = (1.0, 2.0, 4.0, 8.0)
#: Colours; of each scale three smoothed channels, gradient, two eigenvalues of the Hessian, spread, and difference from
#: the next finer scale.
COUNT = 3 + len(SIGMAS) * 8


def pixel_features(image: Array) -> Array:
    """(H, W, F) float32 of a picture (3, H, W) uint8."""
    from scipy.ndimage import gaussian_filter

    channels = image.astype(np.float32) / 255
    grey = channels.mean(axis=0)
    found = [*channels]
    finer = grey
    for sigma in SIGMAS:
        smooth = [gaussian_filter(channel, sigma, mode="nearest", truncate=3) for channel in channels]
        middle = (smooth[0] + smooth[1] + smooth[2]) / 3
        down, across = np.gradient(middle)
        (twice_down, both), (_, twice_across) = np.gradient(down), np.gradient(across)
        half = np.sqrt(((twice_down - twice_across) / 2) ** 2 + both**2)
        centre = (twice_down + twice_across) / 2
        square = gaussian_filter(grey**2, sigma, mode="nearest", truncate=3)
        spread = np.sqrt(np.maximum(square - middle**2, 0))
        found += [*smooth, np.hypot(down, across), centre + half, centre - half, spread, finer - middle]
        finer = middle
    return np.stack(found, axis=-1).astype(np.float32)
