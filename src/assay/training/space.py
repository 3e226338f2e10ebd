"""The hyper-parameters that a search varies for one network, and between which ends.

They come from three places: the fields of the network's settings and of the plan that declare a range
(`training/ranges.py`), and what the application says can hold it back from memorising (`Task.regularisation`), which
knows the plan's augmentations. What a recipe proposes is always within the ends, so that a search can begin there.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.errors import SettingError
from assay.training.plan import Plan
from assay.training.ranges import Choice, DecayRange, Range, Searched, range_of

#: How far beyond its moderate strength a regularisation is searched.
_BEYOND = 1.5
_AUGMENT = "augment."


@dataclass(frozen=True)
class Dimension:
    """One hyper-parameter of a search.

    Attributes:
        name: as `--set` calls it: of the network's settings, of the plan, or `augment.NAME`.
        default: where a search begins: what the recipe proposes.
        low: the lower end; None for a choice.
        high: the upper end; None for a choice.
        log: equal ratios count alike.
        step: whole numbers, so far apart; 0 for any number.
        choices: the values of a choice; empty for a range.
        floor: below the lower end it does nothing, so that there is nothing to search there.
    """

    name: str
    default: Any
    low: float | None = None
    high: float | None = None
    log: bool = False
    step: int = 0
    choices: tuple[Any, ...] = ()
    floor: bool = False

    @property
    def changes_cost(self) -> bool:
        """Whether a training step takes longer or shorter with it: sizes and kinds of parts do, strengths do not."""
        return bool(self.step or self.choices)

    @property
    def words(self) -> str:
        """The range as the page tells it."""
        if self.choices:
            return " | ".join(str(value) for value in self.choices)
        return f"{self.low:.3g} to {self.high:.3g}{' (ratios)' if self.log else ''}"


def dimensions(
    settings: Any, plan: Plan, regularisation: Mapping[str, tuple[float, float]], steps: int, fixed: Collection[str]
) -> list[Dimension]:
    """What is searched around a proposal.

    Args:
        settings: of the network, as its recipe proposes them.
        plan: likewise.
        regularisation: as `Task.regularisation` gives it.
        steps: of a trial.
        fixed: names that the user sets by hand.
    """
    found: list[Dimension] = []
    for owner in (plan, settings):
        for item in dataclasses.fields(owner):
            declared = range_of(item)
            if declared is not None and item.name not in fixed:
                found.append(_resolved(item.name, declared, getattr(owner, item.name), plan, steps))
    own = {item.name for item in dataclasses.fields(settings)}
    for name, (off, on) in regularisation.items():
        if name in fixed or name in own or (value := _value_in(plan, name)) is None:
            continue
        found.append(_strength(name, off, on, value))
    return [one for one in found if one.choices or one.low != one.high]


def chosen(found: Sequence[Dimension], names: Mapping[str, str]) -> list[Dimension]:
    """Those of the dimensions that the user names, with the range given where there is one; all where none is named.

    Args:
        found: what can be searched.
        names: by name, a range as `LOW..HIGH`, or "" for the declared one; those of other networks are passed over.

    Raises:
        SettingError: a range that is none.
    """
    if not names:
        return list(found)
    return [_narrowed(one, names[one.name]) if names[one.name] else one for one in found if one.name in names]


def applied(settings: Any, plan: Plan, values: Mapping[str, Any]) -> tuple[Any, Plan]:
    """Settings and plan with the values of a trial, by name."""
    own = {item.name for item in dataclasses.fields(settings)}
    augment = {name.removeprefix(_AUGMENT): value for name, value in values.items() if name.startswith(_AUGMENT)}
    settings = dataclasses.replace(settings, **{name: value for name, value in values.items() if name in own})
    shared = {name: value for name, value in values.items() if name not in own and not name.startswith(_AUGMENT)}
    return settings, dataclasses.replace(plan, **shared, augment={**plan.augment, **augment})


def proposed_value(settings: Any, plan: Plan, name: str) -> Any:
    """What settings and plan say by the name that `--set` knows."""
    return getattr(settings, name) if hasattr(settings, name) else _value_in(plan, name)


def _value_in(plan: Plan, name: str) -> float | None:
    if name.startswith(_AUGMENT):
        return plan.augment.get(name.removeprefix(_AUGMENT))
    value: float | None = getattr(plan, name, None)
    return value


def _resolved(name: str, declared: Searched, value: Any, plan: Plan, steps: int) -> Dimension:
    if isinstance(declared, Choice):
        values = declared.values if value in declared.values else (value, *declared.values)
        return Dimension(name, value, choices=values)
    if isinstance(declared, DecayRange):
        moderate = 2 / max(1e-9, plan.learning_rate * max(1, steps))
        low, high = declared.low * moderate, max(declared.high * moderate, 1.5 * value)
        return Dimension(name, max(value, low), low, high, log=True, floor=True)
    low, high = (end * value if declared.relative else end for end in (declared.low, declared.high))
    if declared.step or declared.share:
        return _whole(name, declared, value, low, high)
    if declared.log and not value > 0:
        return Dimension(name, value, value, value)  # no ratio leads away from zero
    return Dimension(name, value, min(low, value), max(high, value), declared.log)


def _whole(name: str, declared: Range, value: int, low: float, high: float) -> Dimension:
    step = declared.step or max(1, round(declared.share * value))
    step = math.gcd(step, value) if value else step
    least = min(value, max(step, math.ceil(low / step) * step))
    return Dimension(name, value, least, max(value, math.floor(high / step) * step), step=step)


def _strength(name: str, off: float, on: float, value: float) -> Dimension:
    far = off + _BEYOND * (on - off)
    if 0 <= off <= 1 and 0 <= on <= 1:
        far = min(1.0, max(0.0, far))
    return Dimension(name, value, _tidy(min(off, far, value)), _tidy(max(off, far, value)))


def _tidy(value: float) -> float:
    """Three digits are enough for an end."""
    return float(f"{value:.12g}")


def _narrowed(one: Dimension, text: str) -> Dimension:
    """The same with the user's range, `LOW..HIGH`; values of a choice are separated by bars."""
    if one.choices:
        wanted = text.split("|")
        values = tuple(value for value in one.choices if str(value) in wanted)
        if len(values) != len(wanted):
            raise SettingError(f"--search {one.name}={text} is not possible", f"Choose among {one.words}.")
        return dataclasses.replace(one, choices=values, default=one.default if one.default in values else values[0])
    try:
        low, high = (float(end) for end in text.split(".."))
    except ValueError:
        low = high = math.nan
    if not low < high or (one.log and low <= 0) or math.isinf(high - low):
        raise SettingError(f"--search {one.name}={text} is no range", f"Write it as --search {one.name}=LOW..HIGH.")
    if one.step:
        low, high = math.ceil(low / one.step) * one.step, math.floor(high / one.step) * one.step
        if low > high:
            raise SettingError(f"there is no multiple of {one.step} in {text}", f"Searched is {one.words}.")
    default = min(max(one.default, low), high)
    return dataclasses.replace(one, low=low, high=high, default=int(default) if one.step else default)
