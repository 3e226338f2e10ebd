"""The networks that suit tables."""

from __future__ import annotations

from collections.abc import Sequence

from assay.networks.mlp import MlpSettings
from assay.networks.tabular import TableMlp, Tabular, TabularSettings, mlp_recipe, recipe
from assay.samples.table_spec import TableSpec
from assay.task import NetworkKind


def table_networks(spec: TableSpec) -> Sequence[NetworkKind]:
    """The networks for tables of this form, the default first."""
    ensemble = "an ensemble of small networks that share their weights"
    return (
        NetworkKind("tabular", TabularSettings, Tabular, recipe, ensemble),
        NetworkKind("mlp", MlpSettings, TableMlp, mlp_recipe, "layers of neurons"),
    )
