"""From degrees and earth-centred metres to a flat frame about a place, and back.

Source: the ellipsoid of WGS 84 (NIMA TR8350.2); the way back from earth-centred metres is Bowring's ("Transformation
from spatial to geographical coordinates", Survey Review 23, 1976), exact to far less than a millimetre near the ground.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
_A, _F = 6378137.0, 1 / 298.257223563
_B = _A * (1 - _F)
_E2 = _F * (2 - _F)

# N places


def earth_centred(degrees: Array, height: Array | float = 0.0) -> Array:
    """(N, 3) earth-centred metres of latitudes and longitudes (N, 2) in degrees and heights in metres."""
    latitude, longitude = np.radians(np.asarray(degrees, float)).T
    normal = _A / np.sqrt(1 - _E2 * np.sin(latitude) ** 2)
    around = (normal + height) * np.cos(latitude)
    up = (normal * (1 - _E2) + height) * np.sin(latitude)
    return np.stack([around * np.cos(longitude), around * np.sin(longitude), up], axis=1)


def degrees_of(places: Array) -> Array:
    """(N, 2) latitudes and longitudes, degrees, of earth-centred metres (N, 3)."""
    x, y, z = np.asarray(places, float).T
    around = np.hypot(x, y)
    angle = np.arctan2(z * _A, around * _B)
    second = (_A**2 - _B**2) / _B**2
    latitude = np.arctan2(z + second * _B * np.sin(angle) ** 3, around - _E2 * _A * np.cos(angle) ** 3)
    return np.asarray(np.degrees(np.stack([latitude, np.arctan2(y, x)], axis=1)))


def axes_at(origin: tuple[float, float]) -> Array:
    """(3, 3) whose rows are east, north and up at a place, in earth-centred coordinates."""
    latitude, longitude = np.radians(origin)
    sine, cosine = np.sin(latitude), np.cos(latitude)
    east = [-np.sin(longitude), np.cos(longitude), 0.0]
    north = [-sine * np.cos(longitude), -sine * np.sin(longitude), cosine]
    return np.asarray([east, north, [cosine * np.cos(longitude), cosine * np.sin(longitude), sine]])


def flat_places(places: Array, origin: tuple[float, float]) -> Array:
    """(N, 2) metres east and north of a place, of earth-centred metres (N, 3)."""
    middle = earth_centred(np.asarray([origin]))[0]
    return np.asarray((np.asarray(places, float) - middle) @ axes_at(origin)[:2].T)


def flat_degrees(degrees: Array, origin: tuple[float, float]) -> Array:
    """(N, 2) metres east and north of a place, of latitudes and longitudes (N, 2)."""
    return flat_places(earth_centred(degrees), origin)


def back_to_degrees(places: Array, origin: tuple[float, float]) -> Array:
    """(N, 2) latitudes and longitudes of metres east and north of a place: the inverse of `flat_degrees`.

    The plane leaves the ground with the distance; within 50 km the two ways differ by less than a few millimetres.
    """
    axes = axes_at(origin)
    middle = earth_centred(np.asarray([origin]))[0]
    flat = np.asarray(places, float)
    # The ground falls away from the plane: down by d^2 / 2R.
    fall = -(flat**2).sum(axis=1) / (2 * _A)
    return degrees_of(middle + flat @ axes[:2] + fall[:, None] * axes[2])
