"""The export of a network that finds cells: its graph says what is at each place; peaks and outlines come after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from assay.errors import SettingError
from assay.networks.cell_decoding import CellReadings
from assay.serving.stand_in import StandIn

if TYPE_CHECKING:
    from torch import nn

    from assay.serving.stand_in import Graph
    from assay.task_export import Step

#: See `Traits.asked`.
ASKED = ("threshold", "views", "neighbours", "count_slope", "count_offset", "stride")


def steps(network: nn.Module, batches: Sequence[Any]) -> list[Step]:
    """One step: pictures to `CellReadings`, the mean of as many views as the network is used to."""
    import torch

    from assay.serving.steps import Called, free_axes, output_names
    from assay.task_export import Step

    known: Any = network
    first, second = ({"image": batch.image} for batch in batches)
    constants = {"views": int(known.views)}
    with torch.no_grad():
        found = known.readings(**first, **constants)
    module = Called(network, ("image",), constants, "readings").eval()
    return [Step("model", module, first, free_axes(first, second), output_names(found))]


class CellStandIn(StandIn):
    """In the place of a `CellNetwork`."""

    def maps(self, image: Any, views: int | None = None) -> CellReadings:
        """See `CellNetwork.readings`; raises `SettingError` for another number of views than the graph's."""
        if views not in (None, self.views):
            raise SettingError(f"the export takes the mean of {self.views} views, not of {views}", "Leave out --views.")
        graph: Any = self.graphs["model"]
        return CellReadings(**dict(zip(graph.outputs, graph(image), strict=True)), stride=int(self.stride))


def stand_in(graphs: Mapping[str, Graph], asked: Mapping[str, Any]) -> StandIn:
    """See `TaskExport.stand_in`."""
    return CellStandIn(graphs, asked)
