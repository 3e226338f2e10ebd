"""A small place that decides by itself is named; a network that looks at the thing, or at all of it, is not accused."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from evidence_examples import NOTHING, Application, context, evaluation

from assay.evaluation.metrics import Accuracy
from assay.evidence.context import Context
from assay.evidence.shortcuts import find
from assay.samples.image_places import image_parts
from assay.task import Drawing

_SIDE, _UNITS = 24, 240
_CORNER = (slice(0, 4), slice(0, 4))
_MIDDLE = (slice(9, 15), slice(9, 15))

Array = np.ndarray[Any, Any]


class Pictures(Application):
    """An application whose windows are grey images (H, W) and whose outputs are probabilities of two classes."""

    def __init__(self) -> None:
        super().__init__(Accuracy())
        self.traits = SimpleNamespace(several_windows=False, closed_loop=False)

    def probabilities(self, outputs: Any, spec: Any) -> Any:
        return np.asarray(outputs)

    def parts(self, spec: Any) -> dict[str, Array]:
        return dict(image_parts(SimpleNamespace(height=_SIDE, width=_SIDE)))  # type: ignore[arg-type]

    def masked(self, batch: Any, kept: Any, spec: Any, donor: Any) -> Any:
        return SimpleNamespace(image=torch.where(kept, batch.image, donor.image))

    def draw_explained(self, samples: Any, unit: int, weights: Any, spec: Any) -> Any:
        return Drawing()


def trained(images: Array, answer: Callable[[Array], Array], truths: Array) -> Context:
    """A network that answers by rule, asked about images (N, H, W) that it has not seen."""
    samples = SimpleNamespace(
        view_of=lambda units: SimpleNamespace(windows=units),
        batch=lambda windows: SimpleNamespace(image=torch.from_numpy(images[windows])),
        id=lambda unit: f"{unit}.png",
        side=np.zeros(len(images)),
    )

    def respond(batch: Any) -> Array:
        return np.eye(2)[answer(batch.image.numpy()).astype(int)]

    test = evaluation(respond(SimpleNamespace(image=torch.from_numpy(images))), truths)
    made = context(NOTHING, NOTHING, test, samples=samples, predictor=SimpleNamespace(respond=respond))
    return Context(**{**vars(made), "task": Pictures()})


def things(count: int = _UNITS) -> tuple[Array, Array]:
    """Noise with a light middle in one of two classes."""
    truths = np.arange(count) % 2
    images = np.random.default_rng(0).uniform(0.0, 0.2, (count, _SIDE, _SIDE))
    images[(truths == 1, *_MIDDLE)] += 0.7
    return images, truths


def marked(images: Array) -> Array:
    return np.asarray(images[(slice(None), *_CORNER)].mean(axis=(1, 2)) > 0.5)


def test_a_mark_in_the_corner_is_named_with_its_place() -> None:
    images, truths = things()
    images[(truths == 1, *_CORNER)] = 1.0
    found = find(trained(images, marked, truths))
    assert found.status == "act" and "\u201ctop left" in found.verdict
    assert "turns 100 % of the answers" in found.verdict
    assert found.numbers["answers that follow the strongest place"].value == 1.0
    assert found.next and [figure.kind for figure in found.figures] == ["intervals", "gallery"]


def test_the_thing_in_the_middle_is_no_shortcut() -> None:
    images, truths = things()
    found = find(trained(images, lambda x: x[(slice(None), *_MIDDLE)].mean(axis=(1, 2)) > 0.4, truths))
    assert found.status == "good"


def test_a_texture_that_tells_the_class_everywhere_is_not_accused() -> None:
    truths = np.arange(_UNITS) % 2
    images = np.random.default_rng(0).uniform(0.0, 0.2, (_UNITS, _SIDE, _SIDE)) + 0.5 * truths[:, None, None]
    found = find(trained(images, lambda x: x.mean(axis=(1, 2)) > 0.35, truths))
    assert found.status == "good"


def test_too_few_right_answers_say_nothing() -> None:
    images, truths = things(40)
    assert find(trained(images, marked, truths)).status == "unknown"
