"""What a network that names pictures sees in frames of a camera."""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.errors import SettingError
from assay.samples.image_form import bring
from assay.serving.predictor import Predictor
from assay.serving.watching import Sight


def sight(predictor: Predictor) -> Sight:
    """See `Traits.watched_by`; raises `SettingError` where the network gives a number."""
    task, spec = predictor.task, predictor.spec
    names = task.classes(spec)
    if not names:
        raise SettingError("this run answers with a number, which nothing can follow from", "Train it with classes.")

    def shares(frames: np.ndarray[Any, Any]) -> Any:
        image = np.stack([bring(frame, spec) for frame in frames])
        fields = {"index": np.arange(len(frames)), "image": image}
        return predictor.respond(task.batch_type(**{name: predictor.given(value) for name, value in fields.items()}))

    return Sight(names, shares)
