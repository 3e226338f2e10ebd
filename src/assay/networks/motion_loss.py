"""The loss of motion: how far the ways over several times are off, beside how far they were said to be.

Shapes: B windows, T steps, H starts.
"""

from __future__ import annotations

import torch
from torch import Tensor

from assay.networks.motion_net import Motion

#: Seconds of the ways that are compared, and how many begin in each window at most.
HORIZONS_S, _STARTS = (1.0, 5.0, 20.0, 60.0), 48
#: What a car may be off by in any case: metres, radians.
_FLOOR_M, _FLOOR = 0.02, 1e-3
#: By how much the error of the way itself, as a share of its length, counts beside its likelihood.
_DRIFT = 30.0


def motion_losses(motion: Motion, moved: Tensor, known: Tensor, step_s: float) -> Tensor:
    """(B,) the mean loss of each window, nats and shares.

    Args:
        motion: what the network says.
        moved: (B, T, 3) how the car truly moved in each step, metres and radians.
        known: (B, T) bool, where that is known and the step is real.
        step_s: seconds of a step.
    """
    true = torch.where(known[..., None], moved, torch.zeros_like(moved))
    guess = motion.moved * step_s
    total, count = guess.new_zeros(len(guess)), guess.new_zeros(len(guess))
    paths = [_path(one) for one in (guess, true)]
    gaps = torch.cat([known.new_zeros(len(known), 1, dtype=torch.int64), (~known).cumsum(1)], 1)
    for seconds in HORIZONS_S:
        steps = round(seconds / step_s)
        if steps >= guess.shape[1]:
            continue
        first = torch.arange(0, guess.shape[1] - steps, max(1, (guess.shape[1] - steps) // _STARTS))
        whole = gaps[:, first + steps] == gaps[:, first]
        found = _of_ways(motion, paths, first, steps, step_s)
        total = total + torch.where(whole, found, torch.zeros_like(found)).sum(1)
        count = count + whole.sum(1)
    return total / count.clamp_min(1)


def _path(moved: Tensor) -> tuple[Tensor, Tensor]:
    """(B, T + 1, 2) places and (B, T + 1) headings."""
    heading = torch.cat([moved.new_zeros(len(moved), 1), moved[..., 2].cumsum(1)], 1)
    middle = (heading[:, 1:] + heading[:, :-1]) / 2
    cosine, sine = torch.cos(middle), torch.sin(middle)
    east = moved[..., 0] * cosine - moved[..., 1] * sine
    north = moved[..., 0] * sine + moved[..., 1] * cosine
    place = torch.stack([east, north], -1)
    return torch.cat([place.new_zeros(len(place), 1, 2), place.cumsum(1)], 1), heading


def _of_ways(motion: Motion, paths: list[tuple[Tensor, Tensor]], first: Tensor, steps: int, step_s: float) -> Tensor:
    """(B, H) the loss of the ways that begin with some steps."""
    (ahead, left, turned), (true_ahead, true_left, true_turned) = (_way(*path, first, steps) for path in paths)
    way = torch.hypot(true_ahead, true_left)
    seconds = steps * step_s
    begin = slice(None), first
    noise, lasting = motion.noise[begin], motion.lasting[begin]
    turning = (lasting[..., 1] * seconds) ** 2 + noise[..., 2] ** 2 * seconds
    along = (lasting[..., 0] * way) ** 2 + noise[..., 0] ** 2 * seconds + _FLOOR_M**2
    # A heading that drifts evenly moves the end of the way by half of what it drifts, one that walks by a third.
    drifted = (lasting[..., 1] * seconds / 2) ** 2 + noise[..., 2] ** 2 * seconds / 3
    across = way**2 * drifted + noise[..., 1] ** 2 * seconds + _FLOOR_M**2
    off = (ahead - true_ahead, left - true_left)
    # A way that turned mixes the two: each direction may be off by what either may.
    share = (true_ahead / way.clamp_min(0.1)) ** 2
    straight = torch.where(way > 0.1, share, torch.ones_like(share)).clamp(0.0, 1.0)
    one, other = along * straight + across * (1 - straight), across * straight + along * (1 - straight)
    likely = _nats(off[0], one) + _nats(off[1], other) + _nats(turned - true_turned, turning + _FLOOR**2)
    distance = (off[0] ** 2 + off[1] ** 2 + 1e-6).sqrt() / (way + 1.0)
    return likely / 3 + _DRIFT * distance


def _way(place: Tensor, heading: Tensor, first: Tensor, steps: int) -> tuple[Tensor, Tensor, Tensor]:
    """Metres ahead and to the left and radians turned, as seen from where each way begins."""
    moved = place[:, first + steps] - place[:, first]
    begun = heading[:, first]
    cosine, sine = torch.cos(begun), torch.sin(begun)
    ahead = moved[..., 0] * cosine + moved[..., 1] * sine
    left = moved[..., 1] * cosine - moved[..., 0] * sine
    return ahead, left, heading[:, first + steps] - begun


def _nats(off: Tensor, variance: Tensor) -> Tensor:
    return 0.5 * (off**2 / variance + variance.log())
