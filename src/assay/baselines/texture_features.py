"""What radiomics measures by hand: first-order statistics, textures of grey levels that lie side by side, and edges.

Sources: co-occurrence matrices (Haralick, Shanmugam and Dinstein, "Textural features for image classification", 1973),
here scikit-image's; local binary patterns would add little to them. First-order features as the Image Biomarker
Standardisation Initiative names them (Zwanenburg et al., Radiology 295, 2020). Edges are `hog`'s.

Shapes: N windows, K planes (channels, or slices of a volume), H rows, W columns, D features.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.baselines.image_features import hog, reduce_area
from assay.sources._parallel import ordered_map

Array = np.ndarray[Any, Any]
LIBRARIES = ("skimage.feature", "scipy.ndimage")
_LEVELS = 16
_DISTANCES = (1, 2, 4)
_PROPERTIES = ("contrast", "dissimilarity", "homogeneity", "energy", "correlation")
_QUANTILES = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)
#: The picture is also cut into so many cells a side, each with its mean and deviation; edges have as many.
_CELLS = 4
_AT_ONCE = 256


def texture_rows(windows: Array, scale: float, volume: bool) -> Array:
    """The features (N, D) float32 of windows (N, K, H, W).

    Args:
        windows: pixel values.
        scale: the largest pixel value of some training windows.
        volume: the planes are slices of a volume: its projections are measured, its first-order statistics over all.
    """
    parts = [windows[start : start + _AT_ONCE] for start in range(0, len(windows), _AT_ONCE)]
    return np.concatenate([_part(np.asarray(part, np.float32) / np.float32(scale), volume) for part in parts])


def _part(values: Array, volume: bool) -> Array:
    import torch

    planes = _projections(values) if volume else [values.mean(axis=1)]
    columns = [np.stack([_first_order(one) for one in values])]
    for plane in planes:
        columns.append(np.stack(list(ordered_map(_co_occurrence, plane, chunk=8))))
        with torch.inference_mode():
            small = reduce_area(torch.from_numpy(np.ascontiguousarray(plane))[:, None])
            cell = (small.shape[2] / _CELLS, small.shape[3] / _CELLS)
            columns += [hog(small, cell, 9, interpolate=True, block=2).numpy(), _cells(small).numpy()]
    return np.concatenate(columns, axis=1).astype(np.float32)


def _projections(values: Array) -> list[Array]:
    """The mean and the largest value along each axis of volumes (N, D, H, W), three pictures (N, ., .) of each kind."""
    return [how(values, axis=axis) for how in (np.mean, np.max) for axis in (1, 2, 3)]


def _first_order(values: Array) -> Array:
    """Quantiles, moments, entropy and energy of all values of a window, and of how steeply they change."""
    flat = values.reshape(-1).astype(np.float64)
    steep = np.concatenate([np.abs(np.diff(values, axis=axis)).reshape(-1) for axis in range(values.ndim)
                            if values.shape[axis] > 1] or [np.zeros(1)])  # fmt: skip
    return np.concatenate([_moments(flat), _moments(steep.astype(np.float64))])


def _moments(flat: Array) -> Array:
    mean, deviation = flat.mean(), flat.std()
    standard = (flat - mean) / max(deviation, 1e-9)
    shares = np.histogram(flat, _LEVELS, (0.0, 1.0))[0] / len(flat)
    entropy = -(shares[shares > 0] * np.log2(shares[shares > 0])).sum()
    others = [mean, deviation, (standard**3).mean(), (standard**4).mean(), entropy, (shares**2).sum(), flat.max()]
    return np.concatenate([np.quantile(flat, _QUANTILES), others])


def _co_occurrence(plane: Array) -> Array:
    """Properties of the co-occurrence matrices of a picture (H, W): mean and spread over four directions."""
    from skimage.feature import graycomatrix, graycoprops

    low, high = float(plane.min()), float(plane.max())
    levels = ((plane - low) / max(high - low, 1e-9) * (_LEVELS - 1)).round().astype(np.uint8)
    distances = [one for one in _DISTANCES if one < min(plane.shape)] or [1]
    angles = [0, np.pi / 4, np.pi / 2, 3 * np.pi / 4]
    matrix = graycomatrix(levels, distances, angles, _LEVELS, symmetric=True, normed=True)
    found = np.stack([graycoprops(matrix, name) for name in _PROPERTIES])  # (properties, distances, angles)
    padded = np.zeros((len(_PROPERTIES), len(_DISTANCES), 2))
    padded[:, : len(distances)] = np.stack([found.mean(axis=2), found.max(axis=2) - found.min(axis=2)], axis=2)
    return padded.reshape(-1)


def _cells(images: Any) -> Any:
    """(N, 3 S) the mean, the deviation and the largest value of each cell of images (N, 1, H, W)."""
    import torch
    from torch.nn.functional import adaptive_avg_pool2d, adaptive_max_pool2d

    sizes = tuple(min(2 * _CELLS, side) for side in images.shape[2:])
    mean = adaptive_avg_pool2d(images, sizes)
    spread = (adaptive_avg_pool2d(images**2, sizes) - mean**2).clamp(min=0).sqrt()
    return torch.cat([mean.flatten(1), spread.flatten(1), adaptive_max_pool2d(images, sizes).flatten(1)], dim=1)
