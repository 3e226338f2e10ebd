"""Whether what was last said stands alone: quiet before it, and quiet since.

A command is said by itself; a syllable of a sentence that sounds like one has others beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
#: Seconds of the loudest frames whose mean is how loud it is.
_LOUD_S = 0.1


@dataclass(frozen=True)
class Alone:
    """What counts as alone.

    Attributes:
        before_s: seconds of quiet before it; what is parted by less belongs together.
        after_s: seconds of quiet behind it.
        apart_db: how much softer quiet is.
    """

    before_s: float = 0.8
    after_s: float = 0.12
    apart_db: float = 10.0

    def holds(self, powers: Array, frame_s: float) -> bool:
        """Whether what was last said in frames of these powers (F,) stands alone.

        They reach as far back as the longest command with the quiet before it.
        """
        loud = np.sort(powers)[-max(1, round(_LOUD_S / frame_s)) :].mean()
        places = np.flatnonzero(powers >= loud * 10 ** (-self.apart_db / 10))
        if (len(powers) - 1 - places[-1]) * frame_s < self.after_s - frame_s / 2:
            return False
        quiet = np.diff(places, prepend=-1) - 1  # frames before each that is loud
        return bool(quiet.max() * frame_s >= self.before_s - frame_s / 2)
