"""The policy drives, the expert says what it would do: data set aggregation.

Source: S. Ross, G. Gordon and D. Bagnell, "A reduction of imitation learning and structured prediction to no-regret
online learning" (DAgger), AISTATS 2011. In round i the expert itself drives a share beta^i of the stretches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from assay.samples.draws import key_of, uniform
from assay.simulators.rides import Driver, Ride, Scene, Terms, rides
from assay.simulators.simulator import COLLECTED, MOST_TRACKS, VALIDATED, Simulator

#: The share of the stretches that the expert drives in the first round, and how long a stretch is in seconds.
BETA, STRETCH_S = 0.5, 0.5
#: Rounds at most, and the share of the training at which the first and the last one comes: late enough that the policy
#: can drive, early enough that what is collected is learned.
ROUNDS, FIRST, LAST = 8, 0.08, 0.7
#: A ride that is off the road for so many seconds teaches nothing more.
_LOST_S = 2.0


def rounds_of(collect: int) -> int:
    """In how many rounds so many drives are collected."""
    return min(ROUNDS, collect)


def due(collect: int, done: float) -> int:
    """How many rounds are due where a share `done` of the training is done."""
    return int((np.linspace(FIRST, LAST, max(1, rounds_of(collect))) <= done).sum()) if collect else 0


def tracks_of(collect: int, round_number: int, seed: int) -> Sequence[int]:
    """The tracks of a round, from 1: others in each round and for each seed."""
    count = rounds_of(collect)
    ends = np.linspace(0, collect, count + 1).round().astype(int)
    first = (seed * MOST_TRACKS) % (VALIDATED - COLLECTED)
    return [COLLECTED + (first + int(place)) % (VALIDATED - COLLECTED)
            for place in range(ends[round_number - 1], ends[round_number])]  # fmt: skip


def taught(
    about: Simulator, policy: Driver, tracks: Sequence[int], round_number: int, remembered: int, steps: int | None
) -> Iterator[Ride]:
    """Rides of the policy, recorded with the expert's advice.

    Args:
        about: the simulator.
        policy: drives, but for the stretches that are the expert's.
        tracks: their numbers.
        round_number: from 1.
        remembered: frames that the policy is shown.
        steps: after which a ride is cut; None for the simulator's own limit.
    """
    every, share = max(1, round(STRETCH_S * about.rate_hz)), BETA**round_number

    def act(scene: Scene) -> Any:
        place = np.asarray([scene.step // every])
        mine = uniform(key_of(scene.track, round_number, "who drives"), place)[0] >= share
        return policy(scene) if mine else scene.advice

    lost = round(_LOST_S * about.rate_hz)
    terms = Terms(advised=True, remembered=remembered, recorded=True, lost_after=lost, most_steps=steps)
    return rides(about.name, tracks, act, terms)
