"""Activation functions by name."""

from __future__ import annotations

from torch import nn

from assay.errors import SettingError, did_you_mean
from assay.networks.squared_relu import SquaredRelu

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "relu2": SquaredRelu,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "selu": nn.SELU,
    "tanh": nn.Tanh,
    "leaky-relu": nn.LeakyReLU,
}


def activation(name: str) -> nn.Module:
    """A new activation module; an unknown name is a `SettingError`."""
    if name not in ACTIVATIONS:
        raise SettingError(f"there is no activation {name!r}", did_you_mean(name, ACTIVATIONS))
    return ACTIVATIONS[name]()
