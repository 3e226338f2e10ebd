"""What guessing reaches: the same boxes for every picture, those that most training pictures have an object at.

Shapes: n boxes, N training objects of a class.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.baselines._fitting import require_fitted, require_training
from assay.baselines._storage import read_arrays, require, write_arrays
from assay.baselines.baseline import Baseline
from assay.evaluation.box_matching import overlaps
from assay.evaluation.box_threshold import centred, choose_threshold
from assay.samples.box_frames import out_of_frame
from assay.samples.draws import order

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.samples.box_spec import BoxSpec
    from assay.samples.samples import View

Array = np.ndarray[Any, Any]
#: Boxes of a class that are answered at most, training objects that are looked at, and what is one and the same box.
_EACH, _MOST, _SAME = 20, 2000, 0.5


class UsualBoxes(Baseline):
    """Answers the same boxes for every picture, in shares of its field; see the module.

    Args:
        spec: the field and the classes.
    """

    name = "always the same boxes"
    features = "none"
    reading = "the commonest boxes"
    floor = True

    def __init__(self, spec: BoxSpec) -> None:
        self.spec = spec
        self._boxes: Array | None = None  # (n, 6) in pixels of the field, score, class

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        """See `Baseline.fit`."""
        held = train.samples.field("objects", train.windows)
        require_training(sum(map(len, held)))
        owner = np.repeat(np.arange(len(held)), [len(one) for one in held])
        objects = np.concatenate([np.asarray(one, float) for one in held])
        parts = [_commonest(objects, owner, number, len(held)) for number in range(len(self.spec.classes))]
        boxes = np.concatenate(parts)
        self._boxes = boxes[np.argsort(-boxes[:, 4], kind="stable")]
        judged = validation if len(validation) else train
        threshold = choose_threshold(self.predict(judged), judged.truths(), 0.5)
        self._boxes[:, 4] = centred(self._boxes[:, 4], threshold)
        return f"{len(boxes)} boxes out of {len(objects):,} training objects"

    def predict(self, view: View) -> Values:
        """See `Baseline.predict`."""
        return self._framed(view.samples.field("frame", view.windows))

    def respond(self, batch: Any) -> Values:
        """See `Baseline.respond`."""
        return self._framed(batch.frame.numpy())

    def _framed(self, frames: Any) -> Values:
        """The boxes in pictures of these sizes (B, 2)."""
        boxes = require_fitted(self._boxes)
        return [out_of_frame(boxes, frame, self.spec) for frame in frames]

    def save(self, folder: Path) -> None:
        """See `Baseline.save`."""
        write_arrays(folder / "usual-boxes.npz", {"boxes": require_fitted(self._boxes)})

    def load(self, folder: Path) -> None:
        """See `Baseline.load`."""
        path = folder / "usual-boxes.npz"
        boxes = read_arrays(path, boxes=2)["boxes"]
        require(boxes.shape[1] == 6, path, "boxes of another form")
        require(bool((boxes[:, 5] < len(self.spec.classes)).all()), path, "more classes than the data has")
        self._boxes = boxes


def _commonest(objects: Array, owner: Array, number: int, pictures: int) -> Array:
    """(n, 6) the boxes of a class that most pictures have an object at, none like another, with that share as score."""
    own = np.flatnonzero((objects[:, 4] == number) & (objects[:, 5] == 0))
    own = np.sort(order(own, "usual boxes")[:_MOST])
    boxes, owner = objects[own], owner[own]
    alike = overlaps(boxes, boxes) >= _SAME
    left, chosen = np.ones(len(own), bool), []
    for _ in range(min(_EACH, len(own))):
        hits = np.where(left, alike.sum(axis=1), 0)
        best = int(hits.argmax())
        if not hits[best]:
            break
        share = min(0.999, len(np.unique(owner[alike[best]])) / pictures)
        chosen.append([*boxes[best, :4], share, number])
        left &= ~alike[best]
    return np.asarray(chosen, float).reshape(-1, 6)
