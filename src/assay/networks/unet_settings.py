"""Hyper-parameters that all U-Nets have, whatever they answer, and the encoders that follow from them."""

from __future__ import annotations

from dataclasses import dataclass

from assay.networks.unet import Normalisation, SmallEncoder, TimmEncoder
from assay.training.ranges import BODY_RATE, DEPTH, SHARE, SKIPPED, WIDTH, searched


@dataclass(frozen=True)
class OwnEncoderSettings:
    """Hyper-parameters of a U-Net of ours.

    Attributes:
        width: channels at half of the resolution; each further map has twice as many, up to eight times. Multiples
            of 8.
        levels: maps, each of half the resolution of the one before.
        depth: residual convolutions in each map of the encoder beside the one that halves the resolution.
        activation: as in `ConvNetSettings`.
        dropout: the share of channels of the coarsest map silenced at each training step.
    """

    width: int = searched(16, WIDTH)
    levels: int = 4
    depth: int = searched(1, DEPTH)
    activation: str = "relu"
    dropout: float = searched(0.0, SHARE)

    def encoder(self, normalisation: Normalisation) -> SmallEncoder:
        """Of pictures in colour."""
        widths = [self.width * min(2**level, 8) for level in range(self.levels)]
        return SmallEncoder(3, widths, self.depth, self.activation, normalisation)

    def decoder_widths(self) -> list[int]:
        """Of as many steps as the encoder has maps, from the coarsest."""
        return [*(self.width * min(2**level, 8) for level in reversed(range(self.levels - 1))), self.width]


@dataclass(frozen=True)
class TimmEncoderSettings:
    """Hyper-parameters of a U-Net whose encoder is a network of timm's.

    Attributes:
        architecture: what follows `timm/`: a name of timm's, or a folder.
        pretrained: start from trained weights.
        dropout: the share of channels of the coarsest map silenced at each training step.
        stochastic_depth: the share of the encoder's blocks skipped at each training step, where it knows it.
        body_rate: the encoder's learning rate as a share of the decoder's, where the weights are pretrained.
        keep_statistics: keep the means and variances of pretrained batch normalisation.
    """

    architecture: str = ""
    pretrained: bool = True
    dropout: float = searched(0.0, SHARE)
    stochastic_depth: float = searched(0.0, SKIPPED)
    body_rate: float = searched(0.3, BODY_RATE)
    keep_statistics: bool = True

    def encoder(self) -> TimmEncoder:
        """Of pictures in colour."""
        return TimmEncoder(
            self.architecture,
            self.pretrained,
            3,
            learning_rate_scale=self.body_rate,
            keep_statistics=self.keep_statistics,
            stochastic_depth=self.stochastic_depth,
        )
