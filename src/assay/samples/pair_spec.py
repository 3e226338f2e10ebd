"""What a pair of a sentence and its translation is, learned from the training pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.samples.tokens import Tokenizer
from assay.task_export import Preparation


@dataclass(frozen=True)
class PairSpec:
    """The form in which sentences reach a network that translates.

    Attributes:
        tokenizer: how text of both languages becomes tokens.
        longest: the most tokens of a sentence; a longer one is translated in pieces.
        growth: the most target tokens for each source token that training pairs have, but for the oddest.
        languages: such as "en-de"; empty where the data does not say.
    """

    tokenizer: Tokenizer
    longest: int
    growth: float
    languages: str = ""

    def preparation(self) -> Preparation:
        """See `TaskExport.preparation`."""
        outside = f"cut sentences into tokens, {self.longest} at most"
        return Preparation(("embed tokens",), (outside, "around it: a beam search, one step of the graph at a time"))

    def to_json(self) -> dict[str, Any]:
        """For `model.json`."""
        return {**vars(self), "tokenizer": self.tokenizer.to_json()}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> PairSpec:
        """The inverse of `to_json`."""
        return PairSpec(**{**data, "tokenizer": Tokenizer.from_json(data["tokenizer"])})
