"""Whether an input is unlike the data that a network learned from, told by the network's own features.

An input is as far away as its k-th nearest training sample (Y. Sun, Y. Ming, X. Zhu, Y. Li, "Out-of-distribution
detection with deep nearest neighbors", ICML 2022), among features that are made to vary alike in all directions, as in
a Mahalanobis distance (K. Lee, K. Lee, H. Lee, J. Shin, "A simple unified framework for detecting out-of-distribution
samples", NeurIPS 2018), by a covariance that is shrunk (O. Ledoit, M. Wolf, "A well-conditioned estimator for
large-dimensional covariance matrices", Journal of Multivariate Analysis 88, 2004). How far is too far is told by the
validation side: as far as all but the promised share of its samples, counted as conformal prediction counts them.
`docs/log.md` tells what else was tried.

It says nothing about inputs that lie among the training data and are answered wrongly all the same.

Shapes: U units, W windows, N training samples that are kept, F features, K directions.
"""

from __future__ import annotations

import io
import math
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import RunError
from assay.run import DAMAGE, write_bytes
from assay.serving.features import noted_features

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.samples.samples import Samples, View
    from assay.serving.predictor import Predictor

Array = np.ndarray[Any, Any]
FILE = "likeness.npz"
#: The nearest sample that counts.
NEIGHBOUR = 5
#: Training samples that are kept, and validation samples that are looked at.
_KEPT, _LOOKED_AT = 1000, 2000
#: More features than this are too many, and so many directions of them are kept, those in which they vary most.
_MOST_FEATURES, _DIRECTIONS = 4096, 256
#: The share of samples like the validation side's that is told unlike, by the number of them that it takes: so many
#: that the limit does not rest on a single one, but where there are very few.
_SHARES = {0.01: 500, 0.02: 100, 0.05: 19}
#: Distances that are computed at once.
_AT_ONCE = 512
_MOST_BYTES = 64 << 20


@dataclass(frozen=True)
class Likeness:
    """What the training data looks like to a network.

    Attributes:
        centre: (F,) the mean of the training samples' features.
        whitening: (F, K) directions in which they then vary alike.
        known: (N, K) training samples along these.
        limit: the distance from which on an input is told unlike.
        promised: the share of samples like the validation side's that is told so.
    """

    centre: Array
    whitening: Array
    known: Array
    limit: float
    promised: float

    def ratios(self, features: Array) -> Array:
        """(W,) how far windows are by their features (W, F), in units of the limit: above 1 they are unlike."""
        return _distances(_along(features, self.centre, self.whitening), self.known) / self.limit

    def write(self, folder: Path) -> None:
        """Put it beside a model."""
        content = io.BytesIO()
        limits = {"limit": np.float64(self.limit), "promised": np.float64(self.promised)}
        known = self.known.astype(np.float16)
        np.savez(content, centre=self.centre, whitening=self.whitening, known=known, **limits)  # type: ignore[arg-type]
        write_bytes(folder / FILE, content.getvalue())


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
            centre, whitening, known = (held[name].astype(np.float32) for name in ("centre", "whitening", "known"))
            found = Likeness(centre, whitening, known, float(held["limit"]), float(held["promised"]))
        fitting = found.whitening.shape == (*found.centre.shape, found.known.shape[1])
        if not fitting or not 0 < found.limit < math.inf:
            raise ValueError("its shapes do not fit together")
        return found
    except (*DAMAGE, EOFError, zipfile.BadZipFile) as error:
        raise RunError(f"{file} is damaged ({error})", "Delete it, or restore it from a copy.") from error


def fit_likeness(predictor: Predictor, samples: Samples) -> Likeness | None:
    """What the training side looks like to a network, with the limit that the validation side sets.

    Returns:
        None where the network has no features of a whole input, or the validation side is too small.
    """
    from assay.samples.split import TRAIN, VALIDATION

    judged = samples.view(VALIDATION)
    share = next((share for share, fewest in _SHARES.items() if len(judged) >= fewest), None)
    if share is None or predictor.task.in_loop(predictor.spec):
        return None
    first = _features(predictor, judged.sample(1))
    if first is None or first[0].shape[1] > _MOST_FEATURES:
        return None
    learned = _features(predictor, samples.view(TRAIN).sample(_KEPT))
    held = _features(predictor, judged.sample(_LOOKED_AT))
    if learned is None or held is None or len(learned[0]) <= NEIGHBOUR:
        return None
    rows = np.linspace(0, len(learned[0]) - 1, min(_KEPT, len(learned[0]))).astype(np.int64)  # units may have many
    values = learned[0][rows]
    centre, whitening = _whitening(values)
    known = _along(values, centre, whitening).astype(np.float16).astype(np.float32)  # as it is stored
    return _limited(Likeness(centre, whitening, known, 1.0, share), held)


def limited_anew(predictor: Predictor, samples: Samples) -> Likeness | None:
    """A predictor's likeness with the limit that the validation side sets by its own features.

    Weights of eight bits say the same a little differently, which whitened features show.
    """
    from assay.samples.split import VALIDATION

    judged = samples.view(VALIDATION)
    if predictor.likeness is None or not len(judged):
        return predictor.likeness
    held = _features(predictor, judged.sample(_LOOKED_AT))
    return None if held is None else _limited(replace(predictor.likeness, limit=1.0), held)


def _limited(likeness: Likeness, held: tuple[Array, Array]) -> Likeness | None:
    """With the limit that all but the promised share of some samples keep; None where they are all the same."""
    distances = _by_unit(likeness.ratios(held[0]), held[1])
    rank = min(len(distances), math.ceil((len(distances) + 1) * (1 - likeness.promised)))
    limit = float(np.sort(distances)[rank - 1])
    return replace(likeness, limit=limit) if 0 < limit < math.inf else None


def answered(predictor: Predictor, view: View) -> tuple[Values, Array | None]:
    """The outputs of a view's units, and how far each is away (U,), above 1 if it is unlike the training data.

    Of several windows of a unit the middle one counts, by distance. Distances are None where they are not known.
    """
    likeness = predictor.likeness
    if likeness is None:
        return predictor.outputs(view), None
    with noted_features(predictor) as noted:
        outputs = predictor.outputs(view)
    features = _in_order(noted.of(len(view.windows)), view)
    if features is None or features.shape[1] != len(likeness.centre):
        return outputs, None
    return outputs, _by_unit(likeness.ratios(features), _units(view))


def _features(predictor: Predictor, view: View) -> tuple[Array, Array] | None:
    """(W, F) features of a view's windows, and (W,) which of its units each belongs to."""
    with noted_features(predictor) as noted:
        predictor.outputs(view)
    features = _in_order(noted.of(len(view.windows)), view)
    return None if features is None or not np.isfinite(features).all() else (features, _units(view))


def _in_order(features: Array | None, view: View) -> Array | None:
    """Features in the order of a view's windows: they are answered by length."""
    places = view.by_length()
    return features if features is None or places is None else features[np.argsort(places)]


def _units(view: View) -> Array:
    unit = view.samples.unit[view.windows]
    return np.cumsum(np.r_[False, unit[1:] != unit[:-1]])


def _by_unit(distances: Array, unit: Array) -> Array:
    """(U,) the middle of the distances of each unit's windows."""
    if len(distances) == 0 or unit[-1] + 1 == len(unit):
        return distances
    starts = np.flatnonzero(np.r_[True, unit[1:] != unit[:-1]])
    return np.asarray([np.median(part) for part in np.split(distances, starts[1:])])


def _whitening(features: Array) -> tuple[Array, Array]:
    """(F,) the mean, and (F, K) the directions along which features vary by one; the widest of very many alone."""
    from sklearn.covariance import LedoitWolf

    centre = features.mean(axis=0, dtype=np.float64)
    away = features - centre
    axes = np.eye(len(centre))
    if len(centre) > _DIRECTIONS:
        axes = np.linalg.svd(away, full_matrices=False)[2][:_DIRECTIONS].T
    sizes, directions = np.linalg.eigh(LedoitWolf(assume_centered=True).fit(away @ axes).covariance_)
    real = sizes > 1e-9 * max(float(sizes[-1]), 1e-30)
    whitening = axes @ (directions[:, real] / np.sqrt(sizes[real]))
    return centre.astype(np.float32), whitening.astype(np.float32)


def _along(features: Array, centre: Array, whitening: Array) -> Array:
    return np.asarray((features.astype(np.float32) - centre) @ whitening, np.float32)


def _distances(asked: Array, known: Array) -> Array:
    """(W,) how far the k-th nearest of what is known is."""
    place, sizes = min(NEIGHBOUR, len(known)) - 1, (known**2).sum(axis=1)
    found = []
    for first in range(0, len(asked), _AT_ONCE):
        some = asked[first : first + _AT_ONCE]
        squares = (some**2).sum(axis=1)[:, None] - 2 * some @ known.T + sizes
        found.append(np.sqrt(np.maximum(np.partition(squares, place, axis=1)[:, place], 0)))
    return np.concatenate(found) if found else np.zeros(0, np.float32)
