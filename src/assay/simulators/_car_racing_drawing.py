"""CarRacing-v3 drawn in half of the time, pixel for pixel the same.

The environment turns and moves all of some 700 polygons of road and grass in Python at every step, and then leaves out
those that lie outside of the picture: nearly all. Here arrays tell which these are; all else is left as it is. A test
compares the pixels. Where the environment is built otherwise than the one that this was written for (Gymnasium 1.x), it
draws by itself.
"""

from __future__ import annotations

import math
import types
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
_NEEDED = ("_render_road", "_draw_colored_polygon", "grass_color", "bg_color")


def draw_quickly(world: Any) -> None:
    """Let an environment (`CarRacing`, unwrapped) draw its road by arrays."""
    from gymnasium.envs.box2d import car_racing

    constants = ("PLAYFIELD", "GRASS_DIM", "MAX_SHAPE_DIM", "WINDOW_W", "WINDOW_H")
    if all(hasattr(world, name) for name in _NEEDED) and all(hasattr(car_racing, name) for name in constants):
        world._render_road = types.MethodType(_Drawing(*(getattr(car_racing, name) for name in constants)), world)


class _Drawing:
    """Stands for the method `_render_road`."""

    def __init__(self, field: float, side: float, margin: float, width: float, height: float) -> None:
        self._field = [(field, field), (field, -field), (-field, -field), (-field, field)]
        steps = range(-20, 20, 2)
        corners = [[(side * x + side, side * y), (side * x, side * y), (side * x, side * y + side),
                    (side * x + side, side * y + side)] for x in steps for y in steps]  # fmt: skip
        self._grass, self._grass_places = corners, np.asarray(corners)
        self._low, self._high = -margin, np.asarray([width + margin, height + margin])
        self._road: Any = None
        self._road_places: Array = np.zeros((0, 4, 2))

    def __call__(self, world: Any, zoom: float, translation: Any, angle: float) -> None:
        if self._road is not world.road_poly:
            self._road, self._road_places = world.road_poly, np.asarray([places for places, _ in world.road_poly])
        draw = world._draw_colored_polygon
        draw(world.surf, self._field, world.bg_color, zoom, translation, angle, clip=False)
        for number in self._seen(self._grass_places, zoom, translation, angle):
            draw(world.surf, self._grass[number], world.grass_color, zoom, translation, angle)
        for number in self._seen(self._road_places, zoom, translation, angle):
            places, colour = self._road[number]  # a tile that was touched changes its colour
            draw(world.surf, places, [int(part) for part in colour], zoom, translation, angle)

    def _seen(self, places: Array, zoom: float, translation: Any, angle: float) -> Array:
        """The numbers of the polygons (P, 4, 2) of which a corner is in the picture or near it."""
        cosine, sine = math.cos(angle), math.sin(angle)
        turned = places @ (zoom * np.asarray([[cosine, sine], [-sine, cosine]]))
        moved = turned + np.asarray([translation[0], translation[1]])
        inside = (moved >= self._low) & (moved <= self._high)
        return np.flatnonzero(inside.all(axis=2).any(axis=1))
