"""Gymnasium's CarRacing-v3: a car seen from above on a random closed track, from pixels, without a screen.

The environment is taken as it is: frames of 96 x 96 pixels, 50 steps a second, 1000 points for the whole track minus a
tenth for each step, at most 1000 steps (O. Klimov, 2016). Box2D computes the car, pygame draws; a step takes a few
milliseconds, nearly all of them to draw.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from assay.errors import MissingExtraError
from assay.simulators._car_racing_drawing import draw_quickly
from assay.simulators.car_racing_expert import RacingLine, Setup
from assay.simulators.simulator import Control, Moment, Simulator, within

Array = np.ndarray[Any, Any]
_VIEW, _SIDE = 84, 96


class CarRacing(Simulator):
    """See the module. Frames hold the view from above and, below it, a panel with speed, wheels, steering, turning."""

    name = "CarRacing-v3"
    controls = (Control("steering", -1.0, 1.0), Control("throttle", 0.0, 1.0), Control("brake", 0.0, 1.0))
    rate_hz = 50.0
    most_steps = 1000
    recorded_every = 2
    #: The view; in the panel the bars of steering and of turning, which grow to both sides of a middle of their own.
    mirror = ((0, _VIEW, 0, _SIDE), (_VIEW, _SIDE, 38, 58), (_VIEW, _SIDE, 60, 84))

    def __init__(self) -> None:
        self._environment: Any = None
        self._line: RacingLine | None = None

    def reset(self, track: int, recoloured: float = 0.0) -> Moment:
        """See `Simulator.reset`. A fresh environment each: what Box2D keeps would make a drive depend on the last."""
        self._environment = _made(recoloured > 0)
        options = {}
        if recoloured > 0:
            self._environment.reset(seed=track)
            _blend(self._environment.unwrapped, recoloured)
            options = {"options": {"randomize": False}}
        frame, _ = self._environment.reset(seed=track, **options)
        self._line = None
        return Moment(frame, facts=self._facts({}))

    def step(self, action: Array) -> Moment:
        """See `Simulator.step`."""
        frame, reward, ended, cut, info = self._environment.step(within(action, self.controls))
        return Moment(frame, float(reward), bool(ended or cut), self._facts(info))

    def advice(self) -> Array:
        """See `Simulator.advice`."""
        world = self._environment.unwrapped
        if self._line is None:
            places = np.asarray([point[2:4] for point in world.track])
            self._line = RacingLine(places, Setup())
        hull = world.car.hull
        return self._line.action(np.asarray(hull.position), float(hull.angle), np.asarray(hull.linearVelocity))

    def _facts(self, info: dict[str, Any]) -> dict[str, float]:
        car = self._environment.unwrapped.car
        return {
            "speed": float(np.hypot(*car.hull.linearVelocity)),
            "off_road": float(all(not wheel.tiles for wheel in car.wheels)),
            "finished": float(bool(info.get("lap_finished"))),
        }


def _made(recoloured: bool) -> Any:
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    try:
        import gymnasium
    except ImportError as error:
        raise MissingExtraError("the simulator CarRacing-v3", "driving") from error
    try:
        made = gymnasium.make("CarRacing-v3", domain_randomize=recoloured, disable_env_checker=True)
    except (ImportError, gymnasium.error.Error) as error:  # Box2D or pygame
        raise MissingExtraError("the simulator CarRacing-v3", "driving") from error
    draw_quickly(made.unwrapped)
    return made


def _blend(world: Any, share: float) -> None:
    """Colours on the way from the usual ones to those that the environment drew."""
    usual = {"road_color": (102, 102, 102), "bg_color": (102, 204, 102), "grass_color": (102, 230, 102)}
    for name, colour in usual.items():
        setattr(world, name, (1 - share) * np.asarray(colour, float) + share * getattr(world, name))
