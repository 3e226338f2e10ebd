"""Several classical models, of which one is kept and stands for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.baselines._fitting import require_fitted
from assay.baselines._storage import read_json, require, write_json
from assay.baselines.baseline import Baseline
from assay.errors import SettingError

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.samples.samples import View


class OneOf(Baseline):
    """What answers, is saved and is loaded once `fit` has kept a candidate (`_keep`).

    After `fit` or `load` its name, features, reading and hardware are those of the one that was kept.

    Args:
        candidates: fresh models.

    Raises:
        SettingError: there is none.
    """

    features = "made by hand"
    reading = "as that of the one that was kept"

    def __init__(self, candidates: Sequence[Baseline]) -> None:
        if not candidates:
            raise SettingError("no candidate was given to choose from", "Give at least one baseline.")
        self.candidates = tuple(candidates)
        self._chosen: int | None = None

    @property
    def chosen(self) -> Baseline:
        """The candidate that was kept."""
        return self.candidates[require_fitted(self._chosen)]

    def load_libraries(self) -> None:
        """See `Baseline.load_libraries`."""
        for candidate in self.candidates:
            candidate.load_libraries()

    def predict(self, view: View) -> Values:
        """See `Baseline.predict`."""
        return self.chosen.predict(view)

    def respond(self, batch: Any) -> Values:
        """See `Baseline.respond`."""
        return self.chosen.respond(batch)

    def save(self, folder: Path) -> None:
        """See `Baseline.save`."""
        write_json(folder / "best.json", {"chosen": require_fitted(self._chosen), "name": self.chosen.name})
        self.chosen.save(folder / "best")

    def load(self, folder: Path) -> None:
        """See `Baseline.load`."""
        path = folder / "best.json"
        place = read_json(path, chosen=int)["chosen"]
        require(0 <= place < len(self.candidates), path, "another number of candidates")
        self.candidates[place].load(folder / "best")
        self._keep(place)

    def _keep(self, place: int) -> None:
        self._chosen = place
        kept = self.candidates[place]
        self.name, self.features = kept.name, kept.features  # type: ignore[misc]
        self.reading, self.hardware = kept.reading, kept.hardware  # type: ignore[misc]
