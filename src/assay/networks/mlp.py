"""A multi-layer perceptron: layers of neurons, each connected to all of the layer before."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from assay.networks.activations import activation
from assay.training.ranges import SHARE, WIDTH, Range, searched


@dataclass(frozen=True)
class MlpSettings:
    """Hyper-parameters of `Mlp`.

    Attributes:
        depth: hidden layers; 0 gives a linear model.
        width: neurons of a hidden layer.
        activation: `relu`, `gelu`, `silu`, `mish`, `selu`, `tanh`, `leaky-relu`.
        dropout: the share of neurons silenced at each training step.
        normalise: batch normalisation before each activation.
    """

    depth: int = searched(2, Range(1, 4, step=1))
    width: int = searched(256, WIDTH)
    activation: str = "relu"
    dropout: float = searched(0.0, SHARE)
    normalise: bool = True


class Mlp(nn.Module):
    """Numbers (B, inputs) to logits (B, outputs); inputs of more dimensions are flattened."""

    def __init__(self, inputs: int, outputs: int, settings: MlpSettings) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = inputs
        for _ in range(settings.depth):
            layers.append(nn.Linear(width, settings.width, bias=not settings.normalise))
            if settings.normalise:
                layers.append(nn.BatchNorm1d(settings.width))
            layers += [activation(settings.activation), nn.Dropout(settings.dropout)]
            width = settings.width
        self.hidden = nn.Sequential(*layers)
        self.head = nn.Linear(width, outputs)

    def features(self, x: Tensor) -> Tensor:
        """(B, width): what the last hidden layer says."""
        hidden: Tensor = self.hidden(x.flatten(1))
        return hidden

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs) or (B, ...) to (B, outputs)."""
        logits: Tensor = self.head(self.features(x))
        return logits
