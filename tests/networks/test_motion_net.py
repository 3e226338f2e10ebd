"""The motion network: what it is before it learned, in pieces as at once, and that it learns what it should."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from assay.networks.motion_loss import motion_losses
from assay.networks.motion_net import Motion, MotionNet, MotionSettings
from assay.networks.running_fit import FadingSums, RunningFit
from assay.samples.route_calibration import calibrated
from assay.samples.route_spec import RouteSpec
from assay.samples.route_steps import steps_of
from route_examples import made_drive

CHANNELS = ("wheel_rl", "wheel_rr", "gyro_z")


def spec_of(count: int = 4, noise: float = 1.0) -> tuple[RouteSpec, torch.Tensor]:
    drives = [steps_of(made_drive(seconds=60.0, seed=seed, noise=noise), CHANNELS, 10.0) for seed in range(count)]
    sensors = np.stack([one.sensors[:590] for one in drives])
    deviation = tuple(sensors.std(axis=(0, 1)).tolist())
    return RouteSpec(CHANNELS, deviation, calibrated(drives, CHANNELS, 10.0)), torch.from_numpy(sensors)


def test_fading_sums_are_what_a_loop_gives() -> None:
    torch.manual_seed(0)
    sums, frames = FadingSums((3.0, 50.0, torch.inf), 1.0), torch.randn(2, 300, 4)
    found, left = sums(frames, None)
    keeps = sums.keeps()
    state = torch.zeros(2, 3, 4)
    for frame in range(300):
        assert torch.allclose(found[:, frame], state, atol=1e-3)
        state = state * keeps[None, :, None] + frames[:, frame, None]
    assert torch.allclose(left.values, state, atol=1e-3)
    first, between = sums(frames[:, :77], None)
    second, _ = sums(frames[:, 77:], between)
    assert torch.allclose(torch.cat([first, second], 1), found, atol=1e-3)


def test_the_running_fit_is_ridge_regression() -> None:
    torch.manual_seed(1)
    fit = RunningFit((0.5, 2.0), (torch.inf,), 1.0)
    rows, wanted, weight = torch.randn(1, 40, 5, 2), torch.randn(1, 40, 5), torch.rand(1, 40, 5)
    found, variance, _ = fit(rows, wanted, weight, None)
    a, y, w = (one[0, :25].flatten(0, 1).double() for one in (rows, wanted, weight))
    matrix = a.T @ (w[:, None] * a) + torch.diag(torch.tensor([0.5, 2.0], dtype=torch.float64))
    assert torch.allclose(found[0, 25, 0].double(), torch.linalg.solve(matrix, a.T @ (w * y)), atol=1e-5)
    assert torch.allclose(variance[0, 25, 0].double(), torch.linalg.inv(matrix).diagonal(), atol=1e-6)
    assert found[0, 0].abs().max() == 0


def test_before_it_learned_it_follows_scale_and_bias() -> None:
    spec, sensors = spec_of()
    made = [made_drive(seconds=60.0, seed=seed) for seed in range(4)]
    net = MotionNet(spec, MotionSettings()).eval()
    with torch.no_grad():
        motion, _ = net(sensors, torch.ones_like(sensors, dtype=torch.bool))
    off, gyro_off = 0.0, 0.0
    for row, drive in enumerate(made):
        path = drive.reference
        assert path is not None
        true = float(np.interp(59.0, path.time, path.heading) - np.interp(40.0, path.time, path.heading))
        off += abs((motion.moved[row, 400:, 2].sum() * 0.1).item() - true)
        gyro_off += abs((sensors[row, 400:, 2].sum() * 0.1).item() - true)
    assert off < 0.7 * gyro_off
    assert (motion.noise > 0).all() and (motion.lasting > 0).all()


def test_pieces_of_whole_frames_give_what_the_whole_gives() -> None:
    spec, sensors = spec_of(2)
    torch.manual_seed(2)
    net = MotionNet(spec, MotionSettings(width=16)).eval()
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.1) if parameter.dim() > 1 else None
    present = torch.rand(sensors.shape[:2]) > 0.2
    present = present[..., None].expand_as(sensors)
    sensors = torch.where(present, sensors, torch.zeros(()))
    with torch.no_grad():
        whole, _ = net(sensors, present)
        memory, parts = None, []
        for start, end in ((0, 10), (10, 200), (200, 590)):
            part, memory = net(sensors[:, start:end], present[:, start:end], memory)
            parts.append(part)
    for name in ("moved", "local", "noise", "lasting", "checks"):
        joined = torch.cat([getattr(one, name) for one in parts], 1)
        assert torch.allclose(joined, getattr(whole, name), rtol=1e-3, atol=1e-4), name


def test_nothing_that_comes_later_changes_what_came_before() -> None:
    spec, sensors = spec_of(1)
    net = MotionNet(spec, MotionSettings(width=16)).eval()
    there = torch.ones_like(sensors, dtype=torch.bool)
    other = sensors.clone()
    other[:, 300:] += 1.0
    with torch.no_grad():
        first, second = net(sensors, there)[0], net(other, there)[0]
    assert torch.equal(first.moved[:, :300], second.moved[:, :300])


def exact(moved: torch.Tensor, sigma: float) -> Motion:
    size = torch.full_like(moved, sigma)
    return Motion(moved, moved, size, size[..., :2] * 0.1, moved)


def test_the_loss_likes_the_truth_and_honest_deviations() -> None:
    torch.manual_seed(3)
    true = torch.tensor([1.0, 0.0, 0.01]).expand(2, 400, 3).clone()
    known = torch.ones(2, 400, dtype=torch.bool)
    off = true * 10 + torch.tensor([0.1, 0.0, 0.0])
    right, wrong = (motion_losses(exact(one, 0.01), true, known, 0.1) for one in (true * 10, off))
    assert (right < wrong).all()
    sure, unsure = (motion_losses(exact(true * 10, one), true, known, 0.1) for one in (0.01, 1.0))
    assert (sure < unsure).all()
    rash, careful = (motion_losses(exact(off, one), true, known, 0.1) for one in (0.001, 0.1))
    assert (careful < rash).all()


def test_steps_without_a_reference_count_for_nothing() -> None:
    true = torch.tensor([1.0, 0.0, 0.0]).expand(1, 300, 3).clone()
    known = torch.ones(1, 300, dtype=torch.bool)
    known[:, 200:] = False
    spoilt = true.clone()
    spoilt[:, 200:] = torch.nan
    found = motion_losses(exact(true * 10, 0.01), spoilt, known, 0.1)
    assert torch.isfinite(found).all()
    nothing = motion_losses(exact(true * 10, 0.01), spoilt, torch.zeros_like(known), 0.1)
    assert nothing.tolist() == [0.0]


def test_it_learns_slip_that_no_filter_is_told() -> None:
    """Wheels of an axle that differ by more the harder the car turns: after a few steps drift is smaller."""
    torch.manual_seed(4)
    spec, sensors = spec_of(8)
    moved = np.stack([steps_of(made_drive(seconds=60.0, seed=seed), CHANNELS, 10.0).moved[:590] for seed in range(8)])
    speed, turning = sensors[..., :2].mean(-1), sensors[..., 2]
    slip = 0.004 * speed**2 * turning
    sensors = sensors + torch.stack([-slip / 2, slip / 2, 0 * slip], -1)
    true, known = torch.from_numpy(moved), torch.ones(8, 590, dtype=torch.bool)
    net = MotionNet(spec, MotionSettings(width=16))
    optimizer = torch.optim.Adam(net.parameters(), 5e-3)
    losses = []
    for _ in range(25):
        motion, _ = net(sensors, torch.ones_like(sensors, dtype=torch.bool))
        loss = motion_losses(motion, true, known, 0.1).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.3
    assert losses[-1] == pytest.approx(min(losses), abs=1.0)
