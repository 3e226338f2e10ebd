"""A part of a step, computed by one process or in one of several rounds as if the whole step were computed at once.

Three things look beyond a part, and are dealt with here: random numbers, which are drawn for the whole step, so that a
window's are the same wherever it is computed; losses that are divided by what the whole step holds, such as tokens; and
batch normalisation, which takes its mean and variance over all processes where the plan says so.

Shapes: B windows of the whole step, b of the part.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

#: What losses are divided by, in the order in which it is summed over parts and processes.
COUNTED = ("tokens", "windows")


class Part(TorchFunctionMode):
    """Within it, a network's forward pass computes windows `rows` of a step of `whole` windows.

    The first dimension of a tensor is taken for that of the windows where it is a multiple of theirs. Random numbers
    for other tensors are drawn as ever: they are as good, but not those of a single process.

    Args:
        rows: the part.
        whole: B.
        shared_norm: batch normalisation takes its mean and variance over all processes.
    """

    _within: list[Part] = []  # noqa: RUF012 - what is computed at present, the innermost last

    def __init__(self, rows: slice, whole: int, shared_norm: bool = False) -> None:
        super().__init__()
        self._first, self._count, self._whole = rows.start, rows.stop - rows.start, whole
        self._shared_norm = shared_norm
        self._notes = dict.fromkeys(COUNTED, (0.0, 0.0))

    @staticmethod
    def current() -> Part | None:
        """The part that is computed at present; None where the whole step is."""
        return Part._within[-1] if Part._within else None

    def __enter__(self) -> Part:
        Part._within.append(self)
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *about: Any) -> None:
        super().__exit__(*about)  # type: ignore[no-untyped-call]
        Part._within.pop()

    def span(self, rows: int) -> tuple[int, int]:
        """Of a first dimension of so many rows in this part: how many the whole step has, and where this part begins.

        Only the part's own, from the first on, where rows are not those of windows.
        """
        if not rows or rows % self._count:
            return rows, 0
        return rows // self._count * self._whole, rows // self._count * self._first

    def note(self, of: str, rows: int, counted: int) -> None:
        """Take note of what a loss is to be divided by: see `mean_scale`."""
        self._notes[of] = (float(rows), float(counted))

    @property
    def notes(self) -> list[float]:
        """What `note` took, flat, in the order of `COUNTED`."""
        return [value for of in COUNTED for value in self._notes[of]]

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        changed: Callable[..., Any] | None = _CHANGED.get(func)
        if changed is None or (func is functional.batch_norm and not self._shared_norm):
            return func(*args, **(kwargs or {}))
        return changed(self, *args, **(kwargs or {}))


def of_whole(count: int) -> tuple[int, slice]:
    """For `count` windows of this part: how many the whole step has, and which of them these are.

    For random numbers of tensors that do not begin with the windows: they are drawn for the whole step.
    """
    part = Part.current()
    if part is None:
        return count, slice(0, count)
    whole, first = part.span(count)
    return whole, slice(first, first + count)


def mean_scale(of: str, rows: int, counted: int) -> float:
    """What makes a sum over a batch, divided by its `rows` windows, a mean over what is `counted` in it.

    In a part of a step that is not known yet: the counts are noted, and `noted_scale` gives what is left to multiply
    with when all parts are computed.

    Args:
        of: what is counted, of `COUNTED`.
        rows: windows.
        counted: tokens, say, in these windows.
    """
    part = Part.current()
    if part is None:
        return rows / max(1, counted)
    part.note(of, rows, counted)
    return 1.0


def noted_scale(notes: list[float]) -> float:
    """The factor that is left after all parts, out of the sum of their `Part.notes`; 1 where nothing was noted."""
    pairs = [(notes[place], notes[place + 1]) for place in range(0, len(notes), 2)]
    return math.prod(rows / max(1.0, counted) for rows, counted in pairs if rows)


def _rand(part: Part, *size: Any, **options: Any) -> Tensor:
    shape = tuple(size[0]) if len(size) == 1 and not isinstance(size[0], int) else tuple(size)
    if not shape:
        return torch.rand(*size, **options)
    rows, first = part.span(int(shape[0]))
    return torch.rand(rows, *shape[1:], **options)[first : first + int(shape[0])]


def _dropout(part: Part, x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    return _silenced(part, x, p, training, x.shape)


def _feature_dropout(part: Part, x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    return _silenced(part, x, p, training, torch.Size([*x.shape[:2], *[1] * (x.dim() - 2)]))


def _silenced(part: Part, x: Tensor, share: float, training: bool, shape: torch.Size) -> Tensor:
    """As PyTorch's dropout on a CPU, number for number, with one decision for each value of a tensor of this shape."""
    if not training or not share or not x.numel():
        return x
    rows, first = part.span(shape[0])
    layout = torch.channels_last if x.dim() == 4 and _is_channels_last(x) else torch.contiguous_format
    noise = torch.empty((rows, *shape[1:]), dtype=x.dtype, device=x.device, memory_format=layout)
    noise.bernoulli_(1 - share).div_(1 - share)
    return x * noise[first : first + shape[0]]


def _is_channels_last(x: Tensor) -> bool:
    return x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()


def _batch_norm(
    part: Part,
    x: Tensor,
    mean: Tensor | None,
    variance: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    if not training:
        return functional.batch_norm(x, mean, variance, weight, bias, training, momentum, eps)
    from assay.training.shared_norm import shared_batch_norm

    return shared_batch_norm(x, mean, variance, weight, bias, momentum, eps)


_CHANGED: dict[Any, Callable[..., Any]] = {
    torch.rand: _rand,
    functional.dropout: _dropout,
    functional.dropout2d: _feature_dropout,
    functional.batch_norm: _batch_norm,
}
