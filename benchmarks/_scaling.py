"""What many workers would do, modelled from what one machine measured; pure functions of numbers.

A step of synchronous training takes as long as its slowest worker's gradient, and then the sum of all gradients:

    step(N) = max over N workers of compute(b) · spread  +  ring(N, messages, bytes)

compute(b) = fixed + each · b is a line through measured times by windows a worker; `spread` is drawn from measured
steps, each over its median; ring(N, M, S) = M · 2 (N - 1) · latency + 2 (N - 1) / N · S / bandwidth. None of it is
hidden behind the backward pass: that is an upper bound.

Sources: R. Thakur, R. Rabenseifner, W. Gropp, "Optimization of collective communication operations in MPICH", IJHPCA
2005 (the model of latency and bandwidth, the ring); J. Dean, L. A. Barroso, "The tail at scale", CACM 2013 (the slowest
of many); S. McCandlish et al., "An empirical model of large-batch training", 2018 (the noise scale, steps by batch).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Json = dict[str, Any]
#: Workers that are asked about.
WORKERS = (1, 8, 64, 1024)
#: Steps that are drawn for each.
_DRAWN = 2000


@dataclass(frozen=True)
class Links:
    """How processes reach each other.

    Attributes:
        latency_s: of a message.
        bytes_per_s: of each direction.
    """

    latency_s: float
    bytes_per_s: float


#: Between machines; assumed, not measured.
ASSUMED = {"10 Gbit/s": Links(50e-6, 1.25e9), "100 Gbit/s": Links(10e-6, 12.5e9)}


@dataclass(frozen=True)
class Measured:
    """A network's training step on one core.

    Attributes:
        batch_size: windows of a step as the recipe proposes.
        gradient_bytes: of all gradients.
        fixed_s: of a step, whatever its windows.
        window_s: of each window.
        ratios: of measured steps over their median.
        noise_scale: the batch size at which noise and gradient are of one size.
        messages: sums over all workers in a step, that of the gradients and small ones.
    """

    batch_size: int
    gradient_bytes: float
    fixed_s: float
    window_s: float
    ratios: Sequence[float]
    noise_scale: float | None
    messages: int = 1

    def compute_s(self, windows: float) -> float:
        """The median step on so many windows, without the others."""
        return self.fixed_s + self.window_s * windows


def line(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float]:
    """(at 0, slope) of the line with the least relative errors; neither is below 0.

    Args:
        xs: (n,) where.
        ys: (n,) what, above 0.
    """
    x, y = np.asarray(xs, float), np.asarray(ys, float)
    columns = np.stack([1 / y, x / y], 1)
    best = np.linalg.lstsq(columns, np.ones(len(y)), rcond=None)[0]
    if best[0] < 0:
        return 0.0, float(np.mean(y / x))
    if best[1] < 0:
        return float(np.mean(y)), 0.0
    return float(best[0]), float(best[1])


def links_of(seconds: Mapping[int, float]) -> Links:
    """What all-reduces by two processes say, by bytes: 2 messages of half of them each way."""
    fixed, each = line(list(map(float, seconds)), list(seconds.values()))
    return Links(fixed / 2, 1 / max(each, 1e-15))


def ring_s(workers: int, size: float, links: Links, messages: int = 1) -> float:
    """Seconds of so many ring all-reduces of together so many bytes."""
    if workers < 2:
        return 0.0
    return messages * 2 * (workers - 1) * links.latency_s + 2 * (workers - 1) / workers * size / links.bytes_per_s


def simulated(one: Measured, workers: int, windows: float, links: Links, seed: int = 0, steps: int = _DRAWN) -> Json:
    """Steps of so many workers with so many windows each, drawn by lot: the mean, and its parts, in seconds."""
    random = np.random.default_rng(seed)
    ratios, slowest = np.asarray(one.ratios, float), np.zeros(steps)
    for start in range(0, workers, 64):  # (steps, workers) at once would be much for a thousand
        drawn = random.choice(ratios, (steps, min(64, workers - start)))
        slowest = np.maximum(slowest, drawn.max(1))
    compute, shared = one.compute_s(windows), ring_s(workers, one.gradient_bytes, links, one.messages)
    whole = compute * slowest + shared
    return {
        "step_s": float(whole.mean()),
        "compute_s": compute,
        "waiting_s": float(compute * (slowest.mean() - 1)),
        "all_reduce_s": shared,
        "step_p95_s": float(np.quantile(whole, 0.95)),
    }


def slowest_of(ratios: Sequence[float], workers: int) -> float:
    """The mean of the slowest of so many draws, exactly; what `simulated` finds by lot."""
    ordered = np.sort(np.asarray(ratios, float))
    below = (np.arange(1, len(ordered) + 1) / len(ordered)) ** workers
    return float(np.sum(ordered * np.diff(np.concatenate([[0.0], below]))))


def same_batch(one: Measured, links: Links) -> list[Json]:
    """A step of the same batch divided among workers, as `--devices` and `--cluster` do."""
    found, alone = [], simulated(one, 1, one.batch_size, links)["step_s"]
    for workers in WORKERS:
        if workers > one.batch_size:
            found.append({"workers": workers, "limit": f"a step has {one.batch_size} windows"})
            continue
        drawn = simulated(one, workers, one.batch_size / workers, links)
        faster = alone / drawn["step_s"]
        found.append({"workers": workers, **drawn, "faster": faster, "efficiency": faster / workers,
                      "limit": limit_of(drawn, one)})  # fmt: skip
    return found


def grown_batch(one: Measured, links: Links) -> list[Json]:
    """Steps whose batch grows with the workers, and the time to the same loss by the noise scale.

    To come to a loss takes S · (1 + noise scale / batch) steps (McCandlish et al. 2018, equation 2.11).
    """
    found = []
    alone = simulated(one, 1, one.batch_size, links)["step_s"]
    for workers in WORKERS:
        drawn = simulated(one, workers, one.batch_size, links)
        batch = workers * one.batch_size
        row = {"workers": workers, "batch": batch, **drawn, "windows_per_s": batch / drawn["step_s"],
               "limit": limit_of(drawn, one)}  # fmt: skip
        if one.noise_scale is not None:
            fewer = (1 + one.noise_scale / one.batch_size) / (1 + one.noise_scale / batch)
            row |= {"fewer_steps": fewer, "sooner": fewer * alone / drawn["step_s"]}
            if batch > one.noise_scale and fewer < 0.5 * workers:
                row["limit"] = f"the batch: it is beyond the noise scale of {one.noise_scale:.0f}"
        found.append(row)
    return found


def limit_of(drawn: Mapping[str, float], one: Measured) -> str:
    """What takes the largest part of a step."""
    parts = {
        "computing": drawn["compute_s"] - one.fixed_s,
        "what a step costs whatever its windows": one.fixed_s,
        "waiting for the slowest": drawn["waiting_s"],
        "summing gradients": drawn["all_reduce_s"],
    }
    return max(parts, key=lambda name: parts[name])


def noise_scale(small: float, large: float, small_batch: int, large_batch: int) -> float | None:
    """The simple noise scale out of the mean squared norms of gradients of two batch sizes; None where noise is all.

    Source: S. McCandlish et al. 2018, appendix A.1.
    """
    squared = (large_batch * large - small_batch * small) / (large_batch - small_batch)
    noise = (small - large) / (1 / small_batch - 1 / large_batch)
    return float(noise / squared) if squared > 0 and noise > 0 else None


def data_costs(read: Mapping[str, float], counts: Sequence[float]) -> list[Json]:
    """What so many samples take, each as large as those that were measured.

    Args:
        read: `sample_bytes` on disk as shards, `decoded_bytes` in the cache, `memory_fixed`, `memory_each`,
            `inspect_fixed_s`, `inspect_each_s`, `bytes_per_s` of reading, `decoded_per_s` a core.
        counts: how many samples.
    """
    found = []
    for count in counts:
        disk = count * read["sample_bytes"]
        found.append({
            "samples": count,
            "shards_bytes": disk,
            "decoded_bytes": count * read["decoded_bytes"],
            "memory_bytes": read["memory_fixed"] + count * read["memory_each"],
            "inspect_s": read["inspect_fixed_s"] + count * read["inspect_each_s"],
            "read_s": disk / read["bytes_per_s"],
            "decode_core_s": count / read["decoded_per_s"],
        })  # fmt: skip
    return found
