"""What every kind of network over one of timm's has in common."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assay.networks.cell_networks import CellTimmSettings
from assay.networks.detector_networks import TimmDetectorSettings
from assay.networks.segmentation_networks import TimmUNetSettings
from assay.networks.timm_networks import TimmSettings, portable, timm_features

ALL = (TimmSettings, TimmUNetSettings, TimmDetectorSettings, CellTimmSettings)


@pytest.mark.parametrize("kind", ALL)
def test_a_folder_becomes_its_architecture_so_that_a_run_can_be_moved(kind: Any, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "resnet18"}))
    settings = kind(architecture=str(tmp_path))
    plain = portable(settings)
    assert (type(plain), plain.architecture, plain.pretrained) == (kind, "resnet18", False)
    assert portable(kind(architecture="resnet18")) == plain
    assert timm_features(settings) != timm_features(plain)
