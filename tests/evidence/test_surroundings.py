"""Things that are covered: networks that look at them, beside them, or at flat patches, are told apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from evidence_examples import NOTHING, Application, Floor, context, evaluation, fitted

from assay.evaluation.metrics import Accuracy
from assay.evidence.context import Context
from assay.evidence.shortcuts import find
from assay.report.figures import draw
from assay.task_parts import Drawing, Things

Array = np.ndarray[Any, Any]
_SIDE, _INPUTS, _THING, _MEAN = 48, 40, 6, 0.25
#: How far to the right of a thing its mark lies.
_BESIDE = 14


class Squares(Things):
    """Two squares an input, whose corners are known."""

    def places(self, batch: Any) -> Array:
        found = np.zeros((len(batch.index), _SIDE, _SIDE), np.int32)
        for canvas, corners in zip(found, batch.corners, strict=True):
            for number, (row, column) in enumerate(corners, 1):
                canvas[row : row + _THING, column : column + _THING] = number
        return found

    def names(self, batch: Any) -> list[list[str]]:
        return [["square"] * 2 for _ in batch.corners]

    def found(self, batch: Any, outputs: Any) -> list[Array]:
        return [np.asarray([bool(output[row, column]) for row, column in corners])
                for corners, output in zip(batch.corners, outputs, strict=True)]  # fmt: skip

    def sizes(self, batch: Any) -> list[str]:
        return [f"{_SIDE} x {_SIDE}"] * len(batch.corners)


class Scenes(Application):
    """An application whose outputs (H, W) say where a thing has its corner."""

    def __init__(self) -> None:
        super().__init__(Accuracy())
        self.traits = SimpleNamespace(several_windows=False, closed_loop=False)

    def things(self, spec: Any) -> Things:
        return Squares()

    def masked(self, batch: Any, kept: Any, spec: Any, instead: Any = None) -> Any:
        other = torch.tensor(_MEAN) if instead is None else instead.image
        return SimpleNamespace(**{**vars(batch), "image": torch.where(kept, batch.image, other)})

    def draw_explained(self, samples: Any, unit: int, weights: Any, spec: Any, window: Any = None) -> Drawing:
        assert weights.shape == (_SIDE, _SIDE) and window is not None
        return Drawing(lines=(str(unit),))


def scenes() -> tuple[Array, Array]:
    """Images (N, H, W) of noise with two bright squares, each with a dark mark beside it; their corners (N, 2, 2)."""
    random = np.random.default_rng(0)
    images = random.uniform(0.2, 0.3, (_INPUTS, _SIDE, _SIDE))
    corners = np.stack([random.integers(2, 14, (_INPUTS, 2)), random.integers(2, 14, (_INPUTS, 2))], axis=1)
    corners[:, 1, 0] += 28
    for image, both in zip(images, corners, strict=True):
        for row, column in both:
            image[row : row + _THING, column : column + _THING] = 1.0
            image[row : row + 2, column + _BESIDE : column + _BESIDE + 2] = 0.0
    return images, corners


def trained(rule: Callable[[Array], Array], count: int = _INPUTS) -> Context:
    """A network that answers by rule, asked about inputs that it has not seen."""
    images, corners = scenes()

    def batch(windows: Any) -> Any:
        index = np.asarray(windows)
        return SimpleNamespace(index=torch.from_numpy(index), image=torch.from_numpy(images[index]),
                               corners=corners[index])  # fmt: skip

    view = SimpleNamespace(windows=np.arange(count), sample=lambda most: view)
    samples = SimpleNamespace(view_of=lambda units: view, view=lambda side: view, batch=batch, id=str,
                              unit=np.arange(_INPUTS), side=np.zeros(_INPUTS))  # fmt: skip
    predictor = SimpleNamespace(respond=lambda asked: [rule(image) for image in asked.image.numpy()])
    test = evaluation(np.eye(2)[np.zeros(count, int)], np.zeros(count, int))
    made = context(NOTHING, NOTHING, test, samples=samples, predictor=predictor)
    return Context(**{**vars(made), "task": Scenes()})


def bright(image: Array) -> Array:
    """Where the place itself is bright."""
    return image > 0.8


def marked(image: Array) -> Array:
    """Where a dark mark lies to the right."""
    return np.roll(image, -_BESIDE, axis=1) < 0.05


def bright_among_noise(image: Array) -> Array:
    """Where it is bright and what lies some way above is no flat ground."""
    return bright(image) & (np.roll(image, 5, axis=0) != _MEAN)


def bright_or_flat(image: Array) -> Array:
    """Bright squares, and flat patches."""
    return bright(image) | (image == _MEAN)


@pytest.mark.parametrize(
    ("rule", "status", "covered", "words"),
    [(bright, "good", 0.0, "It looks at the things"), (marked, "act", 1.0, "what lies around them decides"),
     (bright_or_flat, "unknown", 1.0, "flat patches"), (bright_among_noise, "watch", 0.0, "around them, too")],
)  # fmt: skip
def test_what_it_looks_at(rule: Callable[[Array], Array], status: str, covered: float, words: str) -> None:
    found = find(trained(rule))
    assert (found.status, found.numbers["found though covered"].value) == (status, covered)
    assert words in found.verdict and (status == "good") == (not found.next)
    empty = found.numbers["found where nothing is, covered alike"].value
    assert empty == (1.0 if rule is bright_or_flat else 0.0)
    bars, gallery = found.figures
    assert len(bars.data["rows"]) == 3 and gallery.data["items"]
    assert all(len(draw(figure)) > 100 for figure in found.figures)


def test_a_network_that_is_no_better_than_guessing_looks_at_nothing() -> None:
    made = trained(bright)
    found = find(replace(made, floor=fitted(Floor(), made.test)))
    assert found.status == "unknown" and "hardly better than guessing" in found.verdict and found.next


def test_too_few_things_say_nothing() -> None:
    found = find(trained(bright, count=12))
    assert found.status == "unknown" and "Only 24 labelled things" in found.verdict and found.next


def test_things_that_are_not_found_say_nothing() -> None:
    found = find(trained(lambda image: image > 2))
    assert found.status == "unknown" and "Only 0 labelled things" in found.verdict
