"""What a passage of text is that a network learns to go on with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.samples.tokens import Tokenizer
from assay.task_export import Preparation


@dataclass(frozen=True)
class PassageSpec:
    """The form in which text reaches a language model.

    Attributes:
        tokenizer: how text becomes tokens.
        longest: the most tokens that the network reads at once.
    """

    tokenizer: Tokenizer
    longest: int

    def preparation(self) -> Preparation:
        """See `TaskExport.preparation`."""
        outside = f"cut text into tokens, {self.longest} at most"
        return Preparation(("embed tokens",), (outside, "around it: draws of tokens, one step at a time"))

    def to_json(self) -> dict[str, Any]:
        """For `model.json`."""
        return {"tokenizer": self.tokenizer.to_json(), "longest": self.longest}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> PassageSpec:
        """The inverse of `to_json`."""
        return PassageSpec(Tokenizer.from_json(data["tokenizer"]), int(data["longest"]))
