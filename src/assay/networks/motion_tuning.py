"""How far a trained network's own uncertainty is taken, fitted to the validation drives.

First what is answered best with fixes, where there are any; then a factor for the deviations that are answered, so that
errors are as large as they say.

Shapes: none of its own.
"""

from __future__ import annotations

from dataclasses import astuple, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.track_metrics import PositionError
from assay.evaluation.tracks import Track, together

if TYPE_CHECKING:
    from torch import nn

    from assay.networks.motion_tracks import Trust
    from assay.samples.samples import Samples
    from assay.training.plan import Plan

Array = np.ndarray[Any, Any]
#: Drives that are looked at, at most, and trials.
_MOST, _TRIALS = 24, 40
_TRIED = ("noise", "checks", "bias_walk", "fix")
#: What is tried must be so much better, or few drives would choose by chance.
_BETTER = 0.99
#: Seconds between the places whose errors are compared with what was said of them.
_APART_S = 5.0


def trust_fitted(network: nn.Module, samples: Samples, plan: Plan) -> None:
    """Fit `Trust` in place: to the validation drives, and where these are few to training drives beside them."""
    import torch

    from assay.networks.motion_tracks import Trust, drives_of, fused, motion_of, odometry_of
    from assay.samples.split import TRAIN, VALIDATION

    spec = samples.spec
    units = samples.view(VALIDATION).sample(_MOST).units
    if len(units) < _MOST:
        units = np.concatenate([units, samples.view(TRAIN).sample(_MOST - len(units)).units])
    view = samples.view_of(units)
    network.eval()
    with torch.inference_mode():
        parts = [(odometry_of(network, motion_of(network, batch)), batch) for batch in view.batches(_MOST)]
    truths = view.truths()

    def tracks(trust: Trust, gnss: bool) -> list[Track]:
        return [track for odometry, batch in parts for track in fused(odometry, drives_of(batch, gnss), spec, trust)]

    known: Any = network.trust
    for gnss in (False, True) if spec.gnss else (False,):
        trust = Trust(*known[int(gnss)].tolist())
        if gnss:
            trust = _best(trust, lambda tried: PositionError().value(tracks(tried, True), truths))
        trust = replace(trust, spread=spread_factor(tracks(trust, gnss), truths))
        known[int(gnss)] = torch.tensor(astuple(trust))


def _best(trust: Trust, cost: Any) -> Trust:
    """One value after the other doubled or halved, as long as that helps; whether rows correct the pose."""
    least, trials = cost(trust), 1
    other = replace(trust, coupled=1.0 - trust.coupled)
    if (found := cost(other)) < _BETTER * least:
        trust, least = other, found
    for name in _TRIED:
        for factor in (2.0, 0.5):
            better = True
            while better and trials < _TRIALS:
                changed = replace(trust, **{name: getattr(trust, name) * factor})
                found, trials = cost(changed), trials + 1
                better = found < _BETTER * least
                if better:
                    trust, least = changed, found
    return trust


def spread_factor(tracks: list[Track], truths: Any) -> float:
    """By which factor errors of places are larger than was said, in the median; 1 where nothing can be said."""
    ratios = [normalised_errors(track, truth) for track, truth in zip(tracks, truths, strict=True)]
    known = np.concatenate(ratios) if ratios else np.zeros(0)
    # Squared distances in two dimensions have a median of 2 ln 2 where deviations are right.
    if len(known) < 10:
        return 1.0
    return float(np.clip(np.sqrt(np.median(known) / (2 * np.log(2))), 0.1, 10.0))


def normalised_errors(track: Track, truth: Track) -> Array:
    """(N,) squared errors of places in deviations (NEES), a few seconds apart, of a track that its start is laid on."""
    from assay.evaluation.trajectories import aligned, planar_poses

    at, true = together(track, truth)
    if len(true) < 2:
        return np.zeros(0)
    every = max(1, round(_APART_S / float(np.median(np.diff(true.time)))))
    poses = planar_poses(at.place, at.heading), planar_poses(true.place, true.heading)
    moved = aligned(*poses, "none" if track.anchored else "start")
    rows = np.arange(every, len(true), every)
    off = moved[rows, :2, 2] - true.place[rows]
    if not track.anchored:  # what is said of the spread is said in the track's own axes
        turn = true.heading[0] - at.heading[0]
        rotation = np.asarray([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        off = off @ rotation.T
    spread = at.spread[rows]
    a, b, c = spread[:, 0] + 1e-6, spread[:, 1] + 1e-6, spread[:, 2]
    squared = (b * off[:, 0] ** 2 - 2 * c * off[:, 0] * off[:, 1] + a * off[:, 1] ** 2) / np.maximum(
        a * b - c**2, 1e-12
    )
    return np.asarray(squared)
