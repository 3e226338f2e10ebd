"""What a text is, learned from the training texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.samples.tokens import Tokenizer
from assay.targets.target import Target, target_from_json
from assay.task_export import Preparation


@dataclass(frozen=True)
class TextSpec:
    """The form in which every text reaches the network.

    Attributes:
        tokenizer: how text becomes tokens.
        longest: the most tokens of a window, marks among them; a longer text is cut into several.
        target: what is predicted.
        columns: of tables, those whose text was learned from; empty where texts came otherwise.
    """

    tokenizer: Tokenizer
    longest: int
    target: Target
    columns: tuple[str, ...] = ()

    def preparation(self) -> Preparation:
        """See `TaskExport.preparation`."""
        return Preparation(("embed tokens",), (f"cut texts into tokens, windows of {self.longest} at most",))

    def to_json(self) -> dict[str, Any]:
        """For `model.json`."""
        own = {"longest": self.longest, "columns": list(self.columns)}
        return {"tokenizer": self.tokenizer.to_json(), "target": self.target.to_json(), **own}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> TextSpec:
        """The inverse of `to_json`."""
        tokenizer, target = Tokenizer.from_json(data["tokenizer"]), target_from_json(data["target"])
        return TextSpec(tokenizer, int(data["longest"]), target, tuple(data["columns"]))
