"""Optimisers by name, with weight decay on matrices and kernels alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.adamw import adamw

from assay.training.plan import Plan


def build_optimizer(network: nn.Module, plan: Plan) -> Optimizer:
    """The plan's optimiser over a network's parameters that want a gradient.

    A parameter may carry `learning_rate_scale` (float): its learning rate is that many times the schedule's; and
    `table` (bool): it is a list of vectors, such as the embeddings of tokens, which Muon leaves to AdamW; and `block`
    (rows, columns): it is many matrices of this shape side by side, such as those of the heads of an attention, and
    Muon takes each by itself.
    """
    groups = [_group(parameters, scale, plan) for scale, parameters in _by_scale_and_shape(network)]
    if plan.optimizer == "sgd":
        return SGD(groups, lr=plan.learning_rate, momentum=plan.momentum, nesterov=plan.momentum > 0)
    if plan.optimizer == "muon":
        return Muon(groups, lr=plan.learning_rate, momentum=plan.momentum)
    return AdamW(groups, lr=plan.learning_rate, betas=(plan.momentum, 0.99), fused=True)


def set_learning_rate(optimizer: Optimizer, learning_rate: float) -> None:
    """Set the schedule's learning rate on every group, times the group's own scale."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group["scale"]


def _by_scale_and_shape(network: nn.Module) -> Iterable[tuple[float, list[nn.Parameter]]]:
    groups: dict[tuple[float, bool, bool], list[nn.Parameter]] = {}
    for parameter in network.parameters():
        if parameter.requires_grad:
            scale = float(getattr(parameter, "learning_rate_scale", 1.0))
            groups.setdefault((scale, parameter.dim() >= 2, _is_table(parameter)), []).append(parameter)
    return [(scale, parameters) for (scale, _, _), parameters in groups.items()]


def _is_table(parameter: nn.Parameter) -> bool:
    return bool(getattr(parameter, "table", False))


def _group(parameters: list[nn.Parameter], scale: float, plan: Plan) -> dict[str, Any]:
    decays = parameters[0].dim() >= 2
    return {
        "params": parameters,
        "scale": scale,
        "matrix": decays and not _is_table(parameters[0]),
        "lr": plan.learning_rate * scale,
        "weight_decay": plan.weight_decay if decays else 0.0,
    }


class Muon(Optimizer):
    """Momentum orthogonalised by Newton-Schulz for matrices and kernels, AdamW for the rest.

    Sources: K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024; A. Khaled et al.,
    "MuonBP: faster Muon via block-periodic orthogonalization", 2025, for blocks. A kernel (out, in, h, w) is taken as a
    matrix (out, in*h*w). An update of n rows is as large as one of n orthogonal rows of length one, whatever its shape
    and blocks. Groups whose `matrix` is False take AdamW's step with a tenth of the learning rate.
    """

    def __init__(self, groups: list[dict[str, Any]], lr: float, momentum: float = 0.9) -> None:
        super().__init__(groups, {"lr": lr, "momentum": momentum, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step over every group."""
        for group in self.param_groups:
            moved = [parameter for parameter in group["params"] if parameter.grad is not None]
            if group["matrix"]:
                self._matrices(moved, group)
            else:
                self._vectors(moved, group)

    def _matrices(self, parameters: list[nn.Parameter], group: dict[str, Any]) -> None:
        stacks: dict[tuple[int, int], list[tuple[nn.Parameter, Tensor]]] = {}
        for parameter in parameters:
            gradient, (buffer,) = _gradient(parameter), self._held(parameter, "momentum")
            buffer.lerp_(gradient, 1 - group["momentum"])
            blocks = _blocks(gradient.lerp(buffer, group["momentum"]).flatten(1), getattr(parameter, "block", None))
            stacks.setdefault((blocks.shape[1], blocks.shape[2]), []).append((parameter, blocks))
        for shape, members in stacks.items():
            straight = orthogonalise(torch.cat([blocks for _, blocks in members]))
            counts = [len(blocks) for _, blocks in members]
            for (parameter, _), update in zip(members, straight.split(counts), strict=True):
                rows = parameter.shape[0]
                size = (rows / (len(update) * min(shape))) ** 0.5
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(_whole(update, rows).view_as(parameter), alpha=-group["lr"] * size)

    def _vectors(self, parameters: list[nn.Parameter], group: dict[str, Any]) -> None:
        """AdamW's step in one pass over the memory."""
        held = [self._held(parameter, "first", "second") for parameter in parameters]
        counts = [self.state[parameter].setdefault("count", torch.zeros(())) for parameter in parameters]
        adamw(
            list(parameters),
            [_gradient(parameter) for parameter in parameters],
            [first for first, _ in held],
            [second for _, second in held],
            [],
            counts,
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.99,
            lr=0.1 * group["lr"],
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )

    def _held(self, parameter: nn.Parameter, *names: str) -> list[Tensor]:
        """What is remembered of a parameter from step to step; zeros before the first."""
        state = self.state[parameter]
        for name in names:
            if name not in state:
                state[name] = torch.zeros_like(parameter)
        return [state[name] for name in names]


def _gradient(parameter: nn.Parameter) -> Tensor:
    return parameter.grad if parameter.grad is not None else torch.zeros_like(parameter)


def _blocks(matrix: Tensor, shape: tuple[int, int] | None) -> Tensor:
    """(n, m) as (blocks, *shape), row after row of them."""
    rows, columns = shape or matrix.shape
    tall, wide = matrix.shape[0] // rows, matrix.shape[1] // columns
    return matrix.view(tall, rows, wide, columns).transpose(1, 2).reshape(tall * wide, rows, columns)


def _whole(blocks: Tensor, rows: int) -> Tensor:
    """Blocks as `_blocks` makes them to the matrix (rows, m) that they come from."""
    tall = rows // blocks.shape[1]
    placed: Tensor = blocks.unflatten(0, (tall, -1))
    return placed.transpose(1, 2).reshape(rows, -1)


def orthogonalise(matrices: Tensor, rounds: int = 5) -> Tensor:
    """(S, n, m) to matrices of the same shape with singular values near one, by a quintic Newton-Schulz iteration.

    Each round multiplies X by a polynomial in its Gram matrix G = X X^T. Where X is no square the rounds are made on G
    alone, which is small, and X is multiplied once, by the product of all: two large products instead of two a round.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    x: Tensor = matrices / (matrices.norm(dim=(1, 2), keepdim=True) + 1e-7)
    flipped = x.shape[1] > x.shape[2]
    x = x.mT if flipped else x
    if x.shape[1] == x.shape[2]:
        for _ in range(rounds):
            gram = x @ x.mT
            x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
        return x
    gram = x @ x.mT
    whole: Tensor | None = None
    for number in range(rounds):
        step = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        step.diagonal(dim1=1, dim2=2).add_(a)
        whole = step if whole is None else step @ whole
        if number < rounds - 1:
            gram = step @ gram @ step
    x = x if whole is None else whole @ x
    return x.mT if flipped else x
