"""The classical model that a network has to beat: the interface that all of them fulfil."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from assay.errors import SettingError

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.samples.samples import View


class Baseline(ABC):
    """A classical model over the same samples; it gives the same kind of output as the task's `predict`.

    Attributes:
        name: how the page calls it, such as "HOG with a least-squares SVM".
        features: where its features come from: "made by hand", "the columns as they are", "none".
        reading: how a person can read what it has learned, in a few words.
        hardware: what it runs on.
        floor: True for the dummy model that marks what guessing reaches.
        libraries: the modules that `fit` imports; whoever times it loads them before, see `load_libraries`.
    """

    name: ClassVar[str]
    features: ClassVar[str]
    reading: ClassVar[str]
    hardware: ClassVar[str] = "a processor; it has no use for a GPU"
    floor: ClassVar[bool] = False
    libraries: ClassVar[tuple[str, ...]] = ()

    def load_libraries(self) -> None:
        """Import what fitting needs: it takes a second, which is not the model's."""
        for name in self.libraries:
            importlib.import_module(name)

    @abstractmethod
    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        """Fit on the training side, choosing on the validation side, in about `budget_s` seconds.

        Returns:
            How it was fitted, in a phrase, such as "1,200 training samples, 80 rounds of trees".

        Raises:
            DataError: no training sample has a known target.
        """

    @abstractmethod
    def predict(self, view: View) -> Values:
        """One output for each unit of the view, in its order."""

    def respond(self, batch: Any) -> Values:
        """One output for each window of a batch; needed where a closed-loop task drives with it, or it is explained."""
        raise SettingError(f"{self.name} cannot answer step by step", "Ask it for whole inputs, or ask the network.")

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the fitted model without pickle (LightGBM's text, skops, JSON, npz)."""

    @abstractmethod
    def load(self, folder: Path) -> None:
        """Read back what `save` wrote; raises `RunError` where it is damaged or holds what it should not."""
