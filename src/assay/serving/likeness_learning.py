"""What the training data looks like, learned while a trained network is evaluated anyway: no pass more through it.

The network's features are noted while the validation side and training samples are answered for the run's figures; of
texts the wording alone counts, for which no network is asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.serving._neighbours import NEIGHBOUR, fit_neighbours
from assay.serving._wording import fit_wording, training_bytes, worded
from assay.serving.features import Features, noted_features
from assay.serving.likeness import SHARES, Likeness, by_unit, units_of

if TYPE_CHECKING:
    from assay.samples.samples import Samples, View
    from assay.serving.predictor import Predictor

Array = np.ndarray[Any, Any]
#: Training samples that are kept, and validation samples that are looked at.
_KEPT, _LOOKED_AT = 1000, 2000


@dataclass
class LikenessLearner:
    """Takes note of a network's features while it is evaluated, and makes a `Likeness` of them.

    Attributes:
        predictor: the trained network, with the likeness that its run holds already, if it does.
        samples: all samples.
        why: why it learned none, as the end of a sentence; empty where it did.
    """

    predictor: Predictor
    samples: Samples
    why: str = ""
    _noted: dict[int, tuple[Array, Array, int]] = field(default_factory=dict)

    @contextmanager
    def noting(self, view: View, side: int) -> Iterator[None]:
        """While this lasts, the network answers a view, once for all of its windows; `side` of the samples it is."""
        if self.predictor.likeness is not None or self.predictor.task.traits.worded or self._share() is None:
            yield
            return
        from assay.samples.split import TRAIN

        chosen = _chosen(view, _KEPT if side == TRAIN else _LOOKED_AT)
        places = view.by_length()
        asked = np.arange(len(view.windows)) if places is None else places
        with noted_features(self.predictor, chosen[asked]) as noted:
            yield
        found = _features(noted, asked[chosen[asked]], len(view.windows))
        if found is not None:
            unit = units_of(view)[chosen]
            self._noted[side] = found, unit, len(np.unique(unit))

    def learned(self) -> Likeness | None:
        """What the training data looks like, with the limit that the validation side sets; None where `why` tells."""
        if self.predictor.likeness is not None:
            return self.predictor.likeness
        share = self._share()
        if share is None:
            return None
        found = self._by_wording(share) if self.predictor.task.traits.worded else self._by_features(share)
        self.why = self.why or ("" if found else "all validation samples look the same")
        return found

    def _share(self) -> float | None:
        """The share of samples like the validation side's that may be told unlike; None where nothing can be told."""
        from assay.samples.split import VALIDATION

        if self.predictor.task.in_loop(self.predictor.spec):
            self.why = "it is judged by what comes of its answers"
            return None
        count = len(self.samples.view(VALIDATION))
        share = next((share for share, fewest in SHARES.items() if count >= fewest), None)
        if share is None:
            self.why = f"the validation side has {count} samples, and {min(SHARES.values())} are needed"
        return share

    def _by_features(self, share: float) -> Likeness | None:
        from assay.samples.split import TRAIN, VALIDATION

        if not {TRAIN, VALIDATION} <= self._noted.keys():
            self.why = "the network has no features of an input as a whole, or too many"
            return None
        features, _, units = self._noted[TRAIN]
        held, unit, _ = self._noted[VALIDATION]
        if len(features) <= NEIGHBOUR:
            self.why = "there are too few training samples"
            return None
        rows = np.linspace(0, len(features) - 1, min(_KEPT, len(features))).astype(np.int64)  # units may have many
        known = fit_neighbours(features[rows])
        return Likeness(known, 1.0, share, units).limited(by_unit(known.distances(held), unit))

    def _by_wording(self, share: float) -> Likeness | None:
        from assay.samples.split import TRAIN, VALIDATION

        fields = self.predictor.task.traits.worded
        texts, units = training_bytes(self.samples.view(TRAIN), fields)
        known = fit_wording(texts)
        if known is None:
            self.why = "the training samples hold no text"
            return None
        held = worded(self.samples.view(VALIDATION).sample(_LOOKED_AT), fields)
        nats, sizes = known.nats([text for unit in held for text in unit if text])
        known = replace(known, usual=float(nats.sum() / max(1, sizes.sum())))
        return Likeness(known, 1.0, share, units).limited(known.distances(held))


def _chosen(view: View, most: int) -> Array:
    """(W,) bool, the windows of so many of a view's units, drawn as `View.sample` draws them."""
    return np.isin(view.samples.unit[view.windows], view.sample(most).units)


def _features(noted: Features, places: Array, windows: int) -> Array | None:
    """(W', F) what was noted in the order of the view's windows; None where that is none of one input each."""
    found = noted.of(windows)
    if found is None or not np.isfinite(found).all():
        return None
    return found[np.argsort(places)]
