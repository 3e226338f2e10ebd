"""The last layer of a pretrained network, fitted to the features of its body before the first step.

A fresh head sends large gradients into a good body and spoils it; a fitted one does not (A. Kumar et al., "Fine-tuning
can distort pretrained features and underperform out-of-distribution", ICLR 2022).

Shapes: N samples, F features, C classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

Array = np.ndarray[Any, Any]
#: The deviation of all features together counts as much as so many samples.
_COMMON = 100
#: How far below all others the logit of a class lies that training does not show.
_NEVER = 5.0


@torch.no_grad()
def set_head(head: nn.Linear, features: Array, targets: Array) -> None:
    """Give a linear layer the weights of a logistic regression; fewer than two classes leave it as it is.

    Args:
        head: (F) to (C).
        features: (N, F).
        targets: (N,) the numbers of the classes.
    """
    from sklearn.linear_model import LogisticRegression

    present = np.unique(targets)
    if len(present) < 2:
        return
    mean, scale = features.mean(axis=0), deviations(features)
    fitted = LogisticRegression(C=0.01, max_iter=500).fit((features - mean) / scale, targets)
    weight, bias = fitted.coef_ / scale, fitted.intercept_
    if len(present) == 2:
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    bias = bias - weight @ mean
    head.weight.zero_()
    head.bias.fill_(float(bias.min()) - _NEVER)
    head.weight[torch.from_numpy(present)] = torch.from_numpy(weight).float()
    head.bias[torch.from_numpy(present)] = torch.from_numpy(bias).float()


def deviations(features: Array) -> Array:
    """(F,) what stands for the deviation of each feature (N, F): its own, drawn towards that of all.

    A handful of samples says little of a feature's own deviation: one that hardly varies among them would count many
    times too much in all others.
    """
    own = features.var(axis=0)
    return np.asarray(np.sqrt((len(features) * own + _COMMON * own.mean()) / (len(features) + _COMMON)) + 1e-6)
