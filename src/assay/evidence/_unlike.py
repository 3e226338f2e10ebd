"""How often inputs are told unlike the training data (`assay.serving.likeness`): test samples, and foreign ones.

What is foreign to the network is made of the test samples themselves: each place of an input, such as a pixel or a
column, is taken from another sample at the same place. Every value is one that occurs there; nothing hangs together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.conformal import Mean
from assay.evaluation.intervals import estimate
from assay.evidence.context import Context
from assay.evidence.finding import Number
from assay.evidence.words import number

if TYPE_CHECKING:
    from torch import Tensor

#: Units of each kind that are looked at, and fewer than which say nothing.
_MOST, _FEWEST = 200, 20
OWN, MIXED = "test inputs told unlike the training data", "mixed-up inputs told unlike the training data"


def unlike_numbers(context: Context) -> dict[str, Number]:
    """The shares of test inputs and of mixed-up ones that are told unlike; none where that is not known."""
    from assay.samples.split import TEST
    from assay.serving.likeness import answered

    if context.predictor.likeness is None:
        return {}
    view = context.samples.view(TEST).sample(_MOST)
    if len(view) < _FEWEST:
        return {}
    mixed = partial(mixed_up, worded=context.task.traits.worded)
    found: dict[str, Number] = {}
    for name, asked in ((OWN, view), (MIXED, view.changed(mixed))):
        far = answered(context.predictor, asked)[1]
        if far is not None:
            told = np.asarray(far > 1, float)
            found[name] = number(estimate(Mean(), told, np.zeros(len(told)), view.groups()), "%")
    return found


def how_sure(context: Context) -> str:
    """A sentence on how many samples it was learned which inputs are unlike, or why it was not; "" where neither."""
    known = context.predictor.likeness
    if known is None:
        why = context.no_likeness
        return f"Which inputs are unlike the training data is not known: {why}." if why else ""
    judged = f"{known.judged:,} validation samples" if known.judged else "the validation side"
    return f"Inputs unlike the training data are told beside {known.learned:,} training samples, by {judged}."


def mixed_up(batch: Any, worded: Sequence[str] = ()) -> Any:
    """A batch each place of which comes from another of its samples; one of a single sample stays as it is.

    Args:
        batch: the inputs.
        worded: fields that are mixed, too, though a network does without them (`Traits.worded`).
    """
    known = {item.name for item in fields(batch)}
    inputs = {item.name for item in fields(batch) if item.default is MISSING and item.name != "index"}
    inputs |= {name for name in worded if getattr(batch, name) is not None}
    mixed = {}
    for turn, name in enumerate(sorted(name for name in inputs if not name.endswith("_mask"))):
        mask = getattr(batch, f"{name}_mask" if f"{name}_mask" in known else "mask")
        mixed[name] = _from_others(getattr(batch, name), mask, turn)
    return replace(batch, **mixed)


def _from_others(values: Tensor, mask: Tensor | None, seed: int) -> Tensor:
    """(B, …) whose every place is moved on by as many samples as is drawn for it, but where one of both is padded."""
    import torch

    count = len(values)
    if count < 2 or values.dim() < 2:
        return values
    ragged = mask is not None and mask.shape == values.shape[:2]
    flat = values[..., None].flatten(2) if ragged else values.flatten(1)[..., None]
    shifts = torch.from_numpy(np.random.default_rng(seed).integers(1, count, flat.shape[1]))
    rows = (torch.arange(count)[:, None] + shifts) % count
    mixed = flat.gather(0, rows[..., None].expand_as(flat))
    if ragged:
        mixed = torch.where((mask & mask.gather(0, rows))[..., None], mixed, flat)  # type: ignore[operator,union-attr]
    return mixed.view_as(values)
