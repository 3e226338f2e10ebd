"""What a classical model sees of cells: one channel in which they stand out, blobs in it, and colours around places.

Shapes: T a tile's side, H, W a picture's sides, N places, P features.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
#: The channels in which cells may stand out. Haematoxylin stains nuclei; dark and bright are for all else.
CHANNELS = ("haematoxylin", "eosin", "dark", "bright", "saturated")
#: Blobs are looked for at these multiples of a usual cell's size, and colours averaged over these.
_BLOBS, _MEANS = (0.5, 0.7, 1.0), (0.25, 0.6, 1.2)
FEATURES = 6 * len(_MEANS) + 6 + len(_BLOBS) + 2


def channel(image: Array, name: str) -> Array:
    """(H, W) float32 of a picture (H, W, 3) uint8: large where it is what `name` says (Ruifrok and Johnston 2001)."""
    from skimage.color import rgb2hed

    values = image.astype(np.float32) / 255
    if name in ("haematoxylin", "eosin"):
        return np.asarray(rgb2hed(image)[:, :, 0 if name == "haematoxylin" else 1], np.float32) * 10
    if name == "saturated":
        return np.asarray(values.max(axis=2) - values.min(axis=2))
    grey = values.mean(axis=2)
    return np.asarray(1 - grey if name == "dark" else grey)


def blob_maps(values: Array, size: float) -> Array:
    """(S, H, W) how much of a blob of each scale lies at each place: the Laplacian of a Gaussian, scale-normalised."""
    from scipy.ndimage import gaussian_laplace

    return np.stack([-((scale * size) ** 2) * gaussian_laplace(values, scale * size) for scale in _BLOBS])


def blobs(maps: Array, apart: float) -> tuple[Array, Array]:
    """(N, 2) rows and columns of the blobs, and (N,) how strong each is, over all scales."""
    from scipy.ndimage import maximum_filter

    best = maps.max(axis=0)
    reach = max(3, 2 * int(apart / 2) + 1)
    peak = (best == maximum_filter(best, reach)) & (best > 0)
    row, column = np.nonzero(peak)
    return np.stack([row, column], axis=1), best[row, column]


def features_at(image: Array, maps: Array, places: Array, size: float) -> Array:
    """(N, FEATURES) float32 around places (N, 2) of rows and columns.

    Means of the colours and of the stains over three surroundings, their spread over the middle one, how much of a blob
    each scale is, and how far the colour at the place differs from its surroundings.
    """
    from scipy.ndimage import gaussian_filter
    from skimage.color import rgb2hed

    row, column = places[:, 0], places[:, 1]
    layers = np.concatenate([image.astype(np.float32) / 255, np.asarray(rgb2hed(image), np.float32) * 10], axis=2)
    found: list[Array] = []
    for place in range(layers.shape[2]):
        layer = layers[:, :, place]
        means = [gaussian_filter(layer, scale * size) for scale in _MEANS]
        found += [mean[row, column] for mean in means]
        square = gaussian_filter(layer * layer, _MEANS[1] * size)
        found.append(np.sqrt(np.maximum(square - means[1] ** 2, 0))[row, column])
    found += [scale[row, column] for scale in maps]
    found += [found[0] - found[2], found[12] - found[14]]
    return np.stack(found, axis=1).astype(np.float32)
