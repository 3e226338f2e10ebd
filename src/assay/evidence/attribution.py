"""How much each part of an input weighed in an answer.

Sources: integrated gradients (Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks", ICML 2017);
SmoothGrad (Smilkov et al., 2017); Shapley values by sampled permutations (Castro, Gómez and Tejada, Computers &
Operations Research 36, 2009), each beside its reverse (Mitchell et al., JMLR 23, 2022); the weights' randomisation
(Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018).

Shapes: B inputs, P parts of one.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor, nn

Array = np.ndarray[Any, Any]
Score = Callable[["Tensor"], "Tensor"]  # inputs (B, ...) to how strongly the network speaks for its answers (B,)


def integrated_gradients(
    score: Score, inputs: Tensor, baseline: Tensor, steps: int = 32, noise: Tensor | float = 0.0, seed: int = 0
) -> Tensor:
    """Gradients averaged on the way from inputs that say nothing to the inputs, times what changed on the way.

    Without noise the attributions of an input sum to the difference of the scores at the two ends, up to the error of
    the midpoint rule.

    Args:
        score: see `Score`.
        inputs: (B, ...) float.
        baseline: inputs that say nothing, of a shape that broadcasts.
        steps: points on the way.
        noise: the deviation of normal noise added at each point, which makes the gradients of neighbouring inputs count
            too (SmoothGrad); of a shape that broadcasts.
        seed: of the noise, which is the same for all inputs, so that none depends on its neighbours in the batch.

    Returns:
        (B, ...) as the inputs.
    """
    import torch

    random = torch.Generator().manual_seed(seed)
    change = inputs - baseline
    total = torch.zeros_like(inputs)
    for step in range(steps):
        point = baseline + (step + 0.5) / steps * change
        if isinstance(noise, torch.Tensor) or noise:
            point = point + noise * torch.randn(1, *inputs.shape[1:], generator=random)
        total += gradient(score, point)
    return change * total / steps


def pixel_weights(
    score: Callable[[Tensor], Score],
    image: Tensor,
    scale: tuple[Sequence[float], Sequence[float]],
    points: tuple[int, float],
    at_once: int,
) -> Array:
    """(B, H, W) how much each pixel of images (B, C, H, W) weighed, all channels of a pixel together.

    Integrated gradients from the mean image.

    Args:
        score: takes some of the images, (b, C, H, W) float, and gives the score of what they are answered.
        image: pixel values.
        scale: the mean and the deviation of each channel, in pixel values.
        points: how many on the way, and the noise at each as a share of the deviation.
        at_once: so many images go through the network together.
    """
    import torch

    mean, deviation = (torch.tensor(values).view(1, -1, 1, 1) for values in scale)
    steps, noise = points
    parts = [
        integrated_gradients(score(pixels), pixels, mean, steps, noise * deviation)
        for pixels in image.float().split(at_once)
    ]
    found: Array = torch.cat(parts).sum(dim=1).double().numpy()
    return found


def gradient(score: Score, inputs: Tensor) -> Tensor:
    """(B, ...) the gradient of each input's score."""
    import torch

    with torch.enable_grad():
        point = inputs.detach().clone().requires_grad_(True)
        (found,) = torch.autograd.grad(score(point).sum(), point)
    return found


def shapley_values(value: Callable[[Array], Array], parts: int, pairs: int, seed: int = 0) -> Array:
    """Shapley values: what a part adds to the value, averaged over random orders in which the parts join.

    They sum exactly to the value of the whole minus that of nothing; where the value is a sum over the parts, each is
    that part's own term whatever the orders.

    Args:
        value: takes which parts are kept, (M, P) bool; gives the value of each input with these parts alone, (M, B).
        parts: P.
        pairs: how many random orders, each of which is followed by its reverse.
        seed: of the orders.

    Returns:
        (B, P).
    """
    random = np.random.default_rng([seed, 17])
    total: Array | None = None
    for _ in range(pairs):
        forward = random.permutation(parts)
        for order in (forward, forward[::-1]):
            joined = np.zeros((parts + 1, parts), bool)
            for place, part in enumerate(order, 1):
                joined[place:, part] = True
            gains = np.diff(value(joined), axis=0).T  # (B, P) in the order of joining
            added = np.empty_like(gains)
            added[:, order] = gains
            total = added if total is None else total + added
    if total is None:
        raise ValueError("no order was asked for")
    return total / (2 * pairs)


def randomised(network: nn.Module, seed: int) -> nn.Module:
    """A copy whose weights are shuffled within each tensor: as large as before, but of nothing that was learned."""
    import torch

    random = torch.Generator().manual_seed(seed)
    other = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in other.parameters():
            flat = parameter.detach().reshape(-1)
            parameter.copy_(flat[torch.randperm(len(flat), generator=random)].view_as(parameter))
    return other
