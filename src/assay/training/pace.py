"""Ends a training with its time: the number of steps is revised while it runs, the schedule is stretched to fit.

A step measured beforehand is a guess: other programs come and go, processors change their clock. So the steps that are
left are counted anew after every eighth of them, from how long the last ones took. The learning rate follows the share
of the schedule that is done, which such a revision never moves, only how fast it grows from there on.

When a revision is due follows from the position alone, and what it came to is written down, so that a training that is
resumed, or run again from its plan, ends with the same step and the same weights, however fast it is then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from assay.training.plan import Plan
from assay.training.state import Position

_REVISED_AFTER = 8


class Pace:
    """Counts the steps that still fit into the time.

    Args:
        seconds: for the whole loop, checks on the validation side among them.
        most: steps that are useful at most; None for no limit.
        check_steps: how many steps a check is guessed to cost, until one was timed.
        known: the last step that each revision came to, by the step at which it was made; these are made again.
        keep: takes each new revision, (step, last step), to write it down.
        first: the step after which the first revision is made at the latest; None for no such.
    """

    def __init__(
        self,
        seconds: float,
        most: int | None,
        check_steps: float,
        known: Mapping[int, int] | None = None,
        keep: Callable[[int, int], None] = lambda step, end: None,
        first: int | None = None,
    ) -> None:
        self._first = first
        self._seconds, self._most, self._check_steps = seconds, most, check_steps
        self._known, self._keep = dict(known or {}), keep
        self._step_s: float | None = None
        self._check_s: float | None = None
        self._from, self._began, self._aside = 0, 0.0, 0.0

    def start(self, position: Position, now: float) -> None:
        """Begin to measure here; `now` is the time spent in the loop, in seconds."""
        self._from, self._began, self._aside = position.step, now, 0.0

    def checked(self, seconds: float) -> None:
        """A look at the validation side took so long."""
        self._check_s = seconds
        self._aside += seconds

    def revise(
        self, position: Position, plan: Plan, now: float, agreed: Callable[[float], float] = lambda end: end
    ) -> None:
        """Count the steps that are left, where it is time to.

        Args:
            position: where the training stands; is turned towards its new end.
            plan: the plan.
            now: the time spent in the loop, in seconds.
            agreed: makes one of several processes' counts that of all.
        """
        after = max(1, (position.end - position.leg_step) // _REVISED_AFTER)
        if self._first is not None and position.leg_step == 0:
            after = min(after, self._first)
        due = position.leg_step + after
        if position.step < due or position.step >= position.end:
            return
        if position.step not in self._known:
            self._known[position.step] = int(agreed(self._count(position, plan, now)))
            self._keep(position.step, self._known[position.step])
        position.turn(self._known[position.step])
        self.start(position, now)

    def _count(self, position: Position, plan: Plan, now: float) -> int:
        """The step that would end the time, at the speed of the last steps and of those before them."""
        measured = max(0.0, now - self._began - self._aside) / max(1, position.step - self._from)
        self._step_s = measured if self._step_s is None else (self._step_s + measured) / 2
        check_s = self._check_steps * self._step_s if self._check_s is None else self._check_s
        left = self._seconds - now - (plan.checks - position.checks) * check_s
        end = position.step + max(1, round(left / max(self._step_s, 1e-9)))
        return min(end, max(self._most, position.step + 1)) if self._most else end
