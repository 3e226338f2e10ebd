"""The networks that suit tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from assay.networks.mlp import MlpSettings
from assay.networks.tabular import TableMlp, Tabular, TabularSettings, mlp_recipe, recipe
from assay.samples.table_spec import TableSpec
from assay.task import NetworkKind


def table_networks(spec: TableSpec) -> Sequence[NetworkKind]:
    """The networks for tables of this form, the default first."""

    def tabular(spec: TableSpec, settings: Any) -> nn.Module:
        return Tabular(spec, settings)

    def mlp(spec: TableSpec, settings: Any) -> nn.Module:
        return TableMlp(spec, settings)

    return (
        NetworkKind(
            "tabular", TabularSettings, tabular, recipe, "an ensemble of small networks that share their weights"
        ),
        NetworkKind("mlp", MlpSettings, mlp, mlp_recipe, "layers of neurons"),
    )
