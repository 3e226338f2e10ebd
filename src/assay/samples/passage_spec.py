"""What a passage of text is that a network learns to go on with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.samples.tokens import Tokenizer


@dataclass(frozen=True)
class PassageSpec:
    """The form in which text reaches a language model.

    Attributes:
        tokenizer: how text becomes tokens.
        longest: the most tokens that the network reads at once.
    """

    tokenizer: Tokenizer
    longest: int

    def to_json(self) -> dict[str, Any]:
        """For `model.json`."""
        return {"tokenizer": self.tokenizer.to_json(), "longest": self.longest}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> PassageSpec:
        """The inverse of `to_json`."""
        return PassageSpec(Tokenizer.from_json(data["tokenizer"]), int(data["longest"]))
