"""What a step of a policy takes while it drives."""

from __future__ import annotations

import time

import numpy as np

from assay.evaluation.drive_loop import Answer, one_thread
from assay.evidence.finding import Number
from assay.samples.drive_spec import DriveSpec
from assay.task_parts import InUse

_WARM, _TIMED = 20, 200


def step_ms(answer: Answer, spec: DriveSpec) -> float:
    """The median milliseconds of a step on one core: from the frames that are seen to the controls."""
    frames = np.random.default_rng(0).integers(0, 256, (1, 3 * spec.frames, spec.height, spec.width), dtype=np.uint8)
    taken: list[float] = []
    with one_thread():
        for number in range(_WARM + _TIMED):
            begun = time.perf_counter()
            answer(frames, number)
            taken.append(1000 * (time.perf_counter() - begun))
    return float(np.median(taken[_WARM:]))


def drive_in_use(answer: Answer, spec: DriveSpec) -> InUse:
    """See the module."""
    took = step_ms(answer, spec)
    words = f"A step, from frame to controls, takes {took:.2g} ms on one core."
    return InUse(words, {"a step on one core": Number(round(took, 3), unit="ms")}, "")
