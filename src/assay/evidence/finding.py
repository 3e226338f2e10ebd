"""A finding: one question about a trained network, answered with numbers, a figure and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Status = Literal["good", "watch", "act", "unknown"]


@dataclass(frozen=True)
class Number:
    """A measured value with its 95 % interval (None where there is none) and its unit.

    The unit `%` marks a share from 0 to 1 or a rate of which 1 is 100 %, `points` a difference of two of these, which
    the page both shows times 100; "" a plain number.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    unit: str = ""


@dataclass(frozen=True)
class Figure:
    """What a figure shows, not how: `report/figures.py` draws it.

    Attributes:
        kind: one of the kinds that `report/figures.py` knows (`intervals`, `lines`, `matrix`, `gallery`, `table`,
            `scatter`, `bars`, `layers`, `heat`, `paths`).
        title: a short title that says what is to be seen.
        data: JSON-able data of that kind; its shape is documented beside the drawing function.
        caption: one sentence of how to read it; may be empty.
    """

    kind: str
    title: str
    data: Mapping[str, Any]
    caption: str = ""


@dataclass(frozen=True)
class Finding:
    """The answer to one question.

    Attributes:
        name: the finding's name, which is its file's name in `evidence/`.
        question: the question in plain words.
        status: `good`, `watch` (know this), `act` (do something), `unknown` (too little to say).
        verdict: one plain sentence.
        numbers: by name, each with its interval.
        figures: the main figure first.
        next: what to do now; may be empty.
        certainty: how sure the verdict is, in one short sentence.
        seconds: what it took to find out.
    """

    name: str
    question: str
    status: Status
    verdict: str
    numbers: Mapping[str, Number] = field(default_factory=dict)
    figures: tuple[Figure, ...] = ()
    next: str = ""
    certainty: str = ""
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """All of it, as `evidence.json` holds it."""
        return asdict(self)

    def summary(self) -> dict[str, Any]:
        """The part that `summary.json` holds."""
        numbers = {name: asdict(number) for name, number in self.numbers.items()}
        return {"status": self.status, "verdict": self.verdict, "numbers": numbers, "next": self.next}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Finding:
        """The inverse of `to_json`."""
        values = dict(data)
        values["numbers"] = {name: Number(**number) for name, number in values.get("numbers", {}).items()}
        values["figures"] = tuple(Figure(**figure) for figure in values.get("figures", ()))
        return Finding(**values)
