"""Images: which of the training images are looked at before the rest is decoded."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from assay.errors import SettingError
from assay.samples.image_form import image_size
from assay.sources import decode
from assay.sources.source import DataOptions
from assay.tasks import image_classification as images


@pytest.mark.parametrize("rows", [10, 512, 1000, 5000])
def test_the_images_looked_at_are_spread_over_all(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    """Folders of classes are read one after another: the first images alone would be of the first classes."""
    monkeypatch.setattr(decode, "decode_values", lambda place: np.full((2, 2, 1), int(place)))
    index = pa.table({"location": [str(place) for place in range(rows)]})
    records: Any = SimpleNamespace(index=lambda: index, loader=lambda location: location)
    _, found = images._look_at(records, np.ones(rows, bool))
    places = np.asarray([image[0, 0, 0] for image in found])
    assert len(places) == len(set(places.tolist())) == min(rows, 512)
    assert (places[0], places[-1]) == (0, rows - 1)
    assert np.diff(places).max() <= -(-rows // 511)


@pytest.mark.parametrize("asked", ["²", "7", "wide", "-32"])
def test_an_image_size_that_is_none_is_refused(asked: str) -> None:
    with pytest.raises(SettingError, match="not a number of pixels"):
        image_size([(28, 28, 1)], DataOptions(extra={"image_size": asked}))


@pytest.mark.parametrize("kind", ["class", "number"])
def test_what_holds_memorising_back_does_nothing_at_one_value_and_something_at_the_other(kind: str) -> None:
    import dataclasses

    import torch

    from assay.samples.draws import Draws
    from assay.samples.image_spec import ImageSpec
    from assay.targets.class_target import ClassTarget
    from assay.targets.number_target import NumberTarget
    from assay.training.plan import Plan

    target: Any = ClassTarget(("a", "b", "c")) if kind == "class" else NumberTarget(0.0, 1.0)
    spec = ImageSpec(1, 16, 16, (100.0,), (50.0,), "squash", target)
    task, network = images.ImageClassification(), torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(256, 3))
    pixels = torch.randint(0, 256, (8, 1, 16, 16), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    labels: Any = torch.arange(8) % 3 if kind == "class" else torch.arange(8.0)
    batch = images.ImageBatch(index=torch.arange(8), image=pixels, target=labels)

    def loss(name: str, value: float) -> Any:
        short = name.removeprefix("augment.")
        plan = Plan(augment={short: value}) if short != name else dataclasses.replace(Plan(), **{name: value})
        changed = task.augment(batch, Draws(0, 0, np.arange(8)), plan, spec)
        changed = dataclasses.replace(changed, image=changed.image.float() / 255)
        return task.objective(network, changed, plan, spec).detach()

    known = task.regularisation(spec)
    assert ("label_smoothing" in known) == (kind == "class")
    plain = loss("label_smoothing", 0.0)
    for name, (off, on) in known.items():
        assert torch.equal(loss(name, off), plain), name
        assert not torch.equal(loss(name, on), plain), name
