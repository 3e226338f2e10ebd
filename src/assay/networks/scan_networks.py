"""The networks that suit scans: those for pictures, trained as X-rays want it, and a residual one for volumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from assay.networks.image_networks import image_networks
from assay.networks.scan_ensemble import ensemble_kind
from assay.networks.volume_net import volume_kind
from assay.samples.scan_spec import ScanSpec
from assay.task import NetworkKind, Situation
from assay.training.plan import Plan


def scan_networks(spec: ScanSpec) -> Sequence[NetworkKind]:
    """The networks for scans of this form, the default first."""
    return [volume_kind()] if spec.depth else [ensemble_kind(), *map(_for_scans, image_networks(spec.image))]


def _for_scans(kind: NetworkKind) -> NetworkKind:
    """A network for pictures that takes the spec of a scan, with the augmentations that scans bear.

    Nothing is mirrored: a heart on the right is a finding. Light and place differ from one device to the next.
    """

    def build(spec: ScanSpec, settings: Any) -> nn.Module:
        return kind.build(spec.image, settings)

    def recipe(situation: Situation) -> tuple[Any, Plan]:
        spec: ScanSpec = situation.spec
        settings, plan = kind.recipe(replace(situation, spec=spec.image))
        changed = {"flip": 0.0, "shift": 0.08, "crop": 0.7, "turn": 10.0, "jitter": 0.2, "erase": 0.0}
        return settings, replace(plan, augment=changed, averaging=plan.averaging or 0.98)

    return replace(kind, build=build, recipe=recipe)
