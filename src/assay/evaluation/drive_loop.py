"""Closed loop: whoever answers frames drives the tracks of a view.

Shapes: K frames seen at once, H, W of a frame, A controls.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import SettingError
from assay.evaluation.evaluation import Evaluation
from assay.samples.draws import Draws
from assay.samples.drive_corruptions import drive_corruptions, worse_terms
from assay.samples.drive_encoding import brought_frame, recent
from assay.samples.drive_spec import DriveSpec
from assay.simulators.rides import Driver, Ride, Scene, Terms, rides
from assay.simulators.simulator import open_simulator
from assay.simulators.teaching import due, taught, tracks_of
from assay.sources.drive_records import Drive, drive_records
from assay.sources.simulator_drives import held_frames, recorded_drive, track_of

if TYPE_CHECKING:
    from assay.samples.samples import View
    from assay.sources.records import Records

Array = np.ndarray[Any, Any]
#: Takes what is seen, (1, 3K, H, W) uint8, and a number that keys chance; gives an action (A,).
Answer = Callable[[Array, int], Any]
#: A track's steps are numbered from its number times this.
_STEPS = 100_000


def driver_of(answer: Answer, spec: DriveSpec) -> Driver:
    """Who drives as `answer` says."""
    back = spec.back(loop_rate(spec))

    def act(scene: Scene) -> Any:
        seen = recent(len(scene.frames), spec.frames, back)[-1]
        image = np.concatenate([brought_frame(scene.frames[place], spec) for place in seen])
        return answer(image[None], scene.track * _STEPS + scene.step)

    return act


def drive_tracks(answer: Answer, spec: DriveSpec, tracks: Sequence[int], terms: Terms | None = None) -> Iterator[Ride]:
    """The rides of whoever answers, on each track, with the expert's advice unless `terms` say otherwise.

    Raises:
        SettingError: the policy was learned from records and has no simulator.
    """
    if spec.loop is None:
        raise SettingError("this policy was learned from records, not in a simulator", "assay predict answers frames.")
    terms = replace(terms or Terms(advised=True), remembered=_remembered(spec), most_steps=spec.loop.steps)
    with one_thread():
        yield from rides(spec.loop.simulator, tracks, driver_of(answer, spec), terms)


def evaluate_loop(answer: Answer, view: View, spec: DriveSpec, terms: Terms | None = None) -> Evaluation:
    """A ride on the track of each unit of a view; the loss of a ride is what lacks to the expert's mean score."""
    begun = time.perf_counter()
    found = list(drive_tracks(answer, spec, [track_of(name) for name in view.ids()], terms))
    return Evaluation(
        view.units, found, view.truths(), view.groups(), ride_losses(found, spec), time.perf_counter() - begun
    )


def worse_rides(
    answers: Callable[[Callable[[Any], Any]], Answer], view: View, spec: DriveSpec, name: str, strength: int, seed: int
) -> Sequence[Ride]:
    """Rides on the tracks of a view under a corruption: of frames, of the world, or of time.

    Args:
        answers: gives who answers, out of what changes each batch before.
        view: says on which tracks.
        spec: what a drive is.
        name: of the corruption.
        strength: from 1 to 5.
        seed: of what is random in it.
    """
    change = drive_corruptions(spec)[name].change

    def changed(batch: Any) -> Any:
        return batch if change is None else change(batch, strength, Draws(seed, strength, batch.index.numpy()))

    terms = worse_terms(name, strength, loop_rate(spec), Terms())
    return list(evaluate_loop(answers(changed), view, spec, terms).outputs)


def collected_drives(answer: Answer, spec: DriveSpec, round_before: int, seed: int, done: float) -> Records | None:
    """DAgger's next round: drives of whoever answers, with the expert's advice at each frame.

    Args:
        answer: drives.
        spec: says in which simulator, and how many drives are wanted in all.
        round_before: rounds so far.
        seed: of the tracks.
        done: the share of the training that is done.

    Returns:
        None where no round is due.
    """
    if spec.loop is None or due(spec.loop.collect, done) <= round_before:
        return None
    simulator, number = open_simulator(spec.loop.simulator), round_before + 1
    tracks = tracks_of(spec.loop.collect, number, seed)
    drives: list[Drive] = []
    frames: dict[str, Array] = {}
    with one_thread():
        driver = driver_of(answer, spec)
        for ride in taught(simulator, driver, tracks, number, _remembered(spec), spec.loop.steps):
            if ride.recorded is not None:
                id = f"round-{number}/track-{ride.track}"
                drives.append(recorded_drive(ride, simulator, id, group=f"track-{ride.track}"))
                frames[id] = ride.recorded
    return drive_records(drives, spec.controls, held_frames(frames), {"rate_hz": spec.rate_hz})


def ride_losses(found: Sequence[Ride], spec: DriveSpec) -> Array:
    """(U,) what lacks to the expert's mean score."""
    best = spec.loop.expert if spec.loop is not None else 0.0
    return np.asarray([best - ride.score for ride in found], float)


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch on one thread: a step's network is small, and the simulators need the other cores."""
    if "torch" not in sys.modules:  # an export drives
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _remembered(spec: DriveSpec) -> int:
    return 1 + (spec.frames - 1) * spec.back(loop_rate(spec))


def loop_rate(spec: DriveSpec) -> float:
    """Steps a second of the simulator; of records frames a second."""
    return spec.rate_hz if spec.loop is None else open_simulator(spec.loop.simulator).rate_hz
