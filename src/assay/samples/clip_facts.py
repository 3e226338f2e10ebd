"""What clips of commands look like: which can be used, their rate, and the seconds in which a command fits."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import SettingError
from assay.samples.sound_spec import OTHER
from assay.sources._audio_files import SHORTEST_S
from assay.task import number_of

if TYPE_CHECKING:
    from assay.sources.audio import Sound
    from assay.sources.records import ProblemLog, Records
    from assay.sources.source import DataOptions

#: Training clips that are looked at to learn their rate and how long they are.
_LOOK_AT = 256
_RATES = (8000, 16000)
#: Seconds of a window, where the user says nothing: so many of the clips fit, within bounds.
_FITTING, _SHORTEST_S, _LONGEST_S = 0.98, 0.4, 2.0
#: No more of a file is decoded.
DECODED_S = 120.0


def is_clip(sound: Sound | None, name: str, log: ProblemLog) -> bool:
    """Whether a clip can be used; what is odd about it is noted."""
    if sound is None:
        log.add("undecodable-sound", "skipped", name)
        return False
    if len(sound.samples) < 2 or sound.seconds < SHORTEST_S:
        log.add("too-short-sound", "skipped", name)
        return False
    if sound.facts.cut:  # by its header it was shorter, or that did not say
        log.add("long-recording", "skipped", name)
        return False
    for kind, action in sound.problems():
        log.add(kind, action, name)
    return True


def look_at(records: Records, train: np.ndarray[Any, Any]) -> list[Sound]:
    """Up to `_LOOK_AT` training clips of commands, evenly spread."""
    from assay.arrow import pc
    from assay.sources.other_clips import sound_at

    index = records.index()
    locations, commands = index.column("location"), pc.not_equal(index.column("target"), OTHER)
    rows = np.flatnonzero(train & pc.fill_null(commands, True).to_numpy())
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), _LOOK_AT)).astype(np.int64)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda row: sound_at(records, locations[int(row)].as_py(), _RATES[0], DECODED_S), rows)
        sounds = [sound for sound in found if sound is not None]
    if not sounds:
        hint = "See the problems that assay inspect lists."
        raise SettingError("none of the training clips of commands can be decoded", hint)
    return sounds


def rate_of(seen: Sequence[Sound], options: DataOptions) -> int:
    """As asked for; else 16,000 where most clips hold more than 8,000 values a second."""
    asked = options.extra.get("rate")
    if asked is None:
        return _RATES[int(np.median([sound.facts.rate for sound in seen]) > _RATES[0])]
    if str(asked) not in [str(rate) for rate in _RATES]:
        raise SettingError(f"--rate {asked} is not 8000 or 16000", "Give one of the two, or leave it out.")
    return int(asked)


def seconds_of(seen: Sequence[Sound], options: DataOptions) -> float:
    """As asked for; else what most training clips fit in, in tenths."""
    if "seconds" in options.extra:
        return number_of(options.extra, "seconds", 1.0, 0.2, 10.0)
    longest = float(np.quantile([sound.seconds for sound in seen], _FITTING))
    return min(max(math.ceil(10 * longest - 1e-6) / 10, _SHORTEST_S), _LONGEST_S)
