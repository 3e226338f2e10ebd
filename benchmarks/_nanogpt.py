"""nanoGPT's published setting for a CPU, rebuilt in plain PyTorch: what text generation is measured against.

    python benchmarks/_nanogpt.py '{"seed": 0, "smoke": false}'

Tiny Shakespeare in characters, the first nine tenths to train and the last tenth to validate. The network is a GPT-2 of
4 layers, 4 heads and 128 channels over blocks of 64 characters, without biases and dropout; 2,000 steps of 12 blocks
with AdamW (betas .9 and .99, weight decay .1 on matrices), 100 steps up to a rate of 1e-3, then a cosine down to 1e-4,
gradients clipped to a norm of 1. Published for it: a validation loss of 1.88 nats a character.

`train_s` holds the steps alone, without any look at the validation part. `loss` is the mean over the whole validation
part in blocks of 64; `sampled_loss` over as many random blocks as nanoGPT itself looks at.
"""

from __future__ import annotations

import json
import math
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from _common import data_root
from torch import Tensor, nn
from torch.nn import functional

Json = dict[str, Any]


@dataclass(frozen=True)
class Setting:
    layers: int = 4
    heads: int = 4
    width: int = 128
    block: int = 64
    batch: int = 12
    steps: int = 2000
    rate: float = 1e-3
    least_rate: float = 1e-4
    warmup: int = 100
    weight_decay: float = 0.1


class Layer(nn.Module):
    """Attention to what came before, then two linear layers, each after a normalisation and beside a shortcut."""

    def __init__(self, setting: Setting) -> None:
        super().__init__()
        width = setting.width
        self.heads = setting.heads
        self.before_attention = nn.LayerNorm(width, bias=False)
        self.queries_keys_values = nn.Linear(width, 3 * width, bias=False)
        self.mix = nn.Linear(width, width, bias=False)
        self.before_feed_forward = nn.LayerNorm(width, bias=False)
        self.widen = nn.Linear(width, 4 * width, bias=False)
        self.narrow = nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        b, t, c = x.shape
        parts = self.queries_keys_values(self.before_attention(x)).split(c, dim=2)
        q, k, v = (part.view(b, t, self.heads, c // self.heads).transpose(1, 2) for part in parts)
        seen = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.mix(seen.transpose(1, 2).contiguous().view(b, t, c))
        return x + self.narrow(functional.gelu(self.widen(self.before_feed_forward(x))))


class Gpt(nn.Module):
    """Characters (B, T) to logits (B, T, vocabulary); the matrix of the characters is that of the logits, too."""

    def __init__(self, vocabulary: int, setting: Setting) -> None:
        super().__init__()
        self.characters = nn.Embedding(vocabulary, setting.width)
        self.places = nn.Embedding(setting.block, setting.width)
        self.layers = nn.ModuleList(Layer(setting) for _ in range(setting.layers))
        self.last = nn.LayerNorm(setting.width, bias=False)
        self.logits = nn.Linear(setting.width, vocabulary, bias=False)
        self.logits.weight = self.characters.weight
        for name, weight in self.named_parameters():
            if weight.dim() >= 2:
                ends = name.endswith(("mix.weight", "narrow.weight"))
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * setting.layers) if ends else 0.02)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.characters(ids) + self.places(torch.arange(ids.shape[1]))
        for layer in self.layers:
            x = layer(x)
        logits: Tensor = self.logits(self.last(x))
        return logits


def shakespeare(smoke: bool) -> tuple[Tensor, Tensor, int]:
    """The characters' numbers of the training and of the validation part, and how many characters there are."""
    text = (data_root() / "tiny_shakespeare" / "input.txt").read_text(encoding="utf-8")
    text = text[:20_000] if smoke else text
    known, codes = np.unique(np.array(list(text)), return_inverse=True)
    ids, cut = torch.from_numpy(codes.astype(np.int64)), int(0.9 * len(text))
    return ids[:cut], ids[cut:], len(known)


def optimizer_of(network: nn.Module, setting: Setting) -> torch.optim.Optimizer:
    matrices = [weight for weight in network.parameters() if weight.dim() >= 2]
    vectors = [weight for weight in network.parameters() if weight.dim() < 2]
    groups = [
        {"params": matrices, "weight_decay": setting.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=setting.rate, betas=(0.9, 0.99))


def rate_at(step: int, setting: Setting) -> float:
    if step < setting.warmup:
        return setting.rate * (step + 1) / (setting.warmup + 1)
    share = (step - setting.warmup) / (setting.steps - setting.warmup)
    return setting.least_rate + 0.5 * (1 + math.cos(math.pi * share)) * (setting.rate - setting.least_rate)


def blocks(ids: Tensor, setting: Setting) -> tuple[Tensor, Tensor]:
    """A batch of random blocks and what follows each of their characters, (B, T) each."""
    starts = torch.randint(len(ids) - setting.block, (setting.batch,)).tolist()
    inputs = torch.stack([ids[start : start + setting.block] for start in starts])
    return inputs, torch.stack([ids[start + 1 : start + 1 + setting.block] for start in starts])


def train(network: nn.Module, ids: Tensor, setting: Setting) -> float:
    """Train the network; seconds of the steps alone."""
    optimizer = optimizer_of(network, setting)
    network.train()
    begun = time.perf_counter()
    for step in range(setting.steps):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, setting)
        inputs, targets = blocks(ids, setting)
        loss = functional.cross_entropy(network(inputs).flatten(0, 1), targets.flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    return time.perf_counter() - begun


@torch.inference_mode()
def whole_loss(network: nn.Module, ids: Tensor, block: int) -> float:
    """Nats a character over a whole text, cut into blocks."""
    count = (len(ids) - 1) // block
    inputs, targets = ids[: count * block].view(count, block), ids[1 : count * block + 1].view(count, block)
    network.eval()
    pieces = zip(inputs.split(128), targets.split(128), strict=True)
    sums = [functional.cross_entropy(network(x).flatten(0, 1), y.flatten(), reduction="sum") for x, y in pieces]
    return float(torch.stack(sums).double().sum()) / (count * block)


@torch.inference_mode()
def sampled_loss(network: nn.Module, ids: Tensor, setting: Setting, count: int = 20) -> float:
    network.eval()
    pairs = [blocks(ids, setting) for _ in range(count)]
    losses = [functional.cross_entropy(network(x).flatten(0, 1), y.flatten()) for x, y in pairs]
    return float(torch.stack(losses).mean())


def measure(asked: Json) -> Json:
    """Train once; seconds and losses."""
    torch.manual_seed(asked["seed"])
    smoke = bool(asked["smoke"])
    setting = Setting(steps=5) if smoke else Setting()
    ids, validation, vocabulary = shakespeare(smoke)
    network = Gpt(vocabulary, setting)
    train_s = train(network, ids, setting)
    return {
        "train_s": train_s,
        "loss": whole_loss(network, validation, setting.block),
        "sampled_loss": sampled_loss(network, validation, setting),
        "steps": setting.steps,
        "parameters": sum(weight.numel() for weight in network.parameters()),
    }


if __name__ == "__main__":
    print(json.dumps(measure(json.loads(sys.argv[1]))))
