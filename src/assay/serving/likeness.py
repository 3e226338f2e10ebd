"""Whether an input is unlike the data that a network learned from.

How far away it is, is told by the network's own features (`_neighbours.py`), or of texts by their wording
(`_wording.py`). How far is too far is told by the validation side: as far as all but the promised share of its samples,
counted as conformal prediction counts them.

It says nothing about inputs that lie among the training data and are answered wrongly all the same.

Shapes: U units, W windows, F features.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import RunError
from assay.run import DAMAGE, write_bytes
from assay.serving._neighbours import Neighbours, neighbours_of
from assay.serving._wording import Wording, worded, wording_of
from assay.serving.features import noted_features

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.samples.samples import Samples, View
    from assay.serving.predictor import Predictor

Array = np.ndarray[Any, Any]
FILE = "likeness.npz"
#: What is told of it.
FACTS = "likeness.json"
#: The share of samples like the validation side's that is told unlike, by the number of them that it takes: so many
#: that the limit does not rest on a single one, but where there are very few.
SHARES = {0.01: 500, 0.02: 100, 0.05: 19}
#: Validation samples by which an export's limit is measured anew.
_ANEW = 500
_MOST_BYTES = 64 << 20


@dataclass(frozen=True)
class Likeness:
    """What the training data looks like.

    Attributes:
        known: what training samples look like, and how far others are from them.
        limit: the distance from which on an input is told unlike.
        promised: the share of samples like the validation side's that is told so.
        learned: how many training samples are known.
        judged: by how many validation samples the limit was set; 0 where that is not known.
    """

    known: Neighbours | Wording
    limit: float
    promised: float
    learned: int = 0
    judged: int = 0

    @property
    def by(self) -> str:
        """What tells it: "features" of the network, or the "wording" of texts."""
        return "wording" if isinstance(self.known, Wording) else "features"

    def limited(self, distances: Array) -> Likeness | None:
        """With the limit that all but the promised share of samples (U,) keep; None where all are the same."""
        if not len(distances):
            return None
        rank = min(len(distances), math.ceil((len(distances) + 1) * (1 - self.promised)))
        limit = float(np.sort(distances)[rank - 1])
        return replace(self, limit=limit, judged=len(distances)) if 0 < limit < math.inf else None

    def write(self, folder: Path) -> None:
        """Put it beside a model."""
        content = io.BytesIO()
        numbers = {"limit": np.float64(self.limit), "promised": np.float64(self.promised),
                   "learned": np.int64(self.learned), "judged": np.int64(self.judged)}  # fmt: skip
        np.savez_compressed(content, **{**self.known.arrays(), **numbers})  # type: ignore[arg-type]
        write_bytes(folder / FILE, content.getvalue())


def write_facts(folder: Path, likeness: Likeness | None, why: str) -> None:
    """Put beside a model by what, and on how many samples, it was learned what is unlike them; or why it was not."""
    facts: dict[str, Any] = {"by": None, "why": why}
    if likeness is not None:
        facts = {"by": likeness.by, "train": likeness.learned, "validation": likeness.judged,
                 "told_falsely": likeness.promised}  # fmt: skip
    write_bytes(folder / FACTS, (json.dumps(facts) + "\n").encode())


def read_likeness(folder: Path) -> Likeness | None:
    """What lies beside a model; None where nothing does, as in one of the time before there was such."""
    file = folder / FILE
    if not file.exists():
        return None
    try:
        with zipfile.ZipFile(file) as archive:
            if sum(member.file_size for member in archive.infolist()) > _MOST_BYTES:
                raise ValueError("it is too large")
        with np.load(file, allow_pickle=False) as held:
            known: Neighbours | Wording = wording_of(held) if "discounts" in held else neighbours_of(held)
            learned = int(held["learned"]) if "learned" in held else len(held["known"])  # of a time before it was told
            judged = int(held["judged"]) if "judged" in held else 0
            found = Likeness(known, float(held["limit"]), float(held["promised"]), learned, judged)
        if not 0 < found.limit < math.inf:
            raise ValueError("its limit is none")
        return found
    except (*DAMAGE, EOFError, zipfile.BadZipFile) as error:
        raise RunError(f"{file} is damaged ({error})", "Delete it, or restore it from a copy.") from error


def limited_anew(predictor: Predictor, samples: Samples) -> Likeness | None:
    """A predictor's likeness with the limit that the validation side sets by its own features.

    Weights of eight bits say the same a little differently, which whitened features show.
    """
    from assay.samples.split import VALIDATION

    likeness, judged = predictor.likeness, samples.view(VALIDATION)
    if likeness is None or isinstance(likeness.known, Wording) or not len(judged):
        return likeness
    far = answered(replace(predictor, likeness=replace(likeness, limit=1.0)), judged.sample(_ANEW))[1]
    return None if far is None or not np.isfinite(far).all() else likeness.limited(far)


def answered(predictor: Predictor, view: View) -> tuple[Values, Array | None]:
    """The outputs of a view's units, and how far each is away (U,), above 1 if it is unlike the training data.

    Of several windows of a unit the middle one counts, by distance. Distances are None where they are not known.
    """
    likeness = predictor.likeness
    if likeness is None:
        return predictor.outputs(view), None
    if isinstance(likeness.known, Wording):
        fields = predictor.task.traits.worded
        far = likeness.known.distances(worded(view, fields)) / likeness.limit if fields else None
        return predictor.outputs(view), far
    with noted_features(predictor) as noted:
        outputs = predictor.outputs(view)
    features = in_order(noted.of(len(view.windows)), view)
    if features is None or features.shape[1] != len(likeness.known.centre):
        return outputs, None
    return outputs, by_unit(likeness.known.distances(features) / likeness.limit, units_of(view))


def in_order(features: Array | None, view: View) -> Array | None:
    """Features in the order of a view's windows: they are answered by length."""
    places = view.by_length()
    return features if features is None or places is None else features[np.argsort(places)]


def units_of(view: View) -> Array:
    """(W,) which of a view's units each of its windows belongs to."""
    unit = view.samples.unit[view.windows]
    return np.cumsum(np.r_[False, unit[1:] != unit[:-1]])


def by_unit(distances: Array, unit: Array) -> Array:
    """(U,) the middle of the distances of each unit's windows; numbers of units may be left out."""
    starts = np.flatnonzero(np.r_[True, unit[1:] != unit[:-1]])
    if len(distances) == 0 or len(starts) == len(unit):
        return distances
    return np.asarray([np.median(part) for part in np.split(distances, starts[1:])])
