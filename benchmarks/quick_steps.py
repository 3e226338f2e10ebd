"""A training step of EfficientNet-Lite0 in bfloat16 with Assay's convolutions and with PyTorch's, in turn.

The statistics of its normalisation are kept, as in every fine-tuning here; the weights are drawn by lot, which changes
no time.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from _common import Bench, Json, Target, interleaved, open_bench, spread
from torch import Tensor, nn

#: Pictures of a step and their side, as classifiers, and detectors and U-Nets, meet them.
SIZES = {"224 px": (32, 224), "352 px": (16, 352)}
_ROUNDS = 7


def measure(bench: Bench, batch: int, side: int) -> Json:
    """Seconds of a step of both."""
    import timm

    from assay.networks.quick_convolutions import quicken
    from assay.training.buffers import keep_buffers

    keep_buffers()
    torch.manual_seed(0)
    plain: Any = timm.create_model("tf_efficientnet_lite0", num_classes=10).to(memory_format=torch.channels_last)
    quick = copy.deepcopy(plain)
    quicken(quick, 3, True)
    networks = {"pytorch": plain, "assay": quick}
    images = torch.randn(batch, 3, side, side).contiguous(memory_format=torch.channels_last)
    taken: dict[str, list[float]] = {name: [] for name in networks}
    for number, name in interleaved(tuple(networks), 1 + (1 if bench.smoke else _ROUNDS)):
        seconds = step(networks[name], images)
        if number:  # the first warms up
            taken[name].append(seconds)
    ratios = [one / other for one, other in zip(taken["assay"], taken["pytorch"], strict=True)]
    return {"pictures": batch, "side": side, **{name: spread(values) for name, values in taken.items()},
            "ratio": spread(ratios)}  # fmt: skip


def step(network: nn.Module, images: Tensor) -> float:
    """Seconds of a forward and a backward pass."""
    from assay.networks.timm_networks import normalise_by_statistics

    network.train()
    normalise_by_statistics(network)
    network.zero_grad()
    begun = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16):
        loss = network(images).float().square().mean()
    loss.backward()
    return time.perf_counter() - begun


def main() -> None:
    bench = open_bench("quick_steps", __doc__)
    sizes: dict[str, Sequence[int]] = {"64 px": (4, 64)} if bench.smoke else SIZES
    found = {name: bench.piece(name, partial(measure, bench, *size)) for name, size in sizes.items()}
    targets = [Target(f"{name}: a step's time as a share of PyTorch's", one["ratio"]["median"], "<", 1.0)
               for name, one in found.items()]  # fmt: skip
    bench.settings = {"precision": "bfloat16 by autocast", "statistics": "kept"}
    bench.finish(found, targets, packages=["timm"])


if __name__ == "__main__":
    main()
