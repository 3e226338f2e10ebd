"""Which unlabelled samples to label next: those that the network can decide least, of as many kinds as are wanted.

Candidates are divided by k-means into as many groups as samples are wanted, by what the network's last layer is given;
a candidate counts as much as the network is in doubt between its two likeliest classes (the margin: T. Scheffer,
C. Decomain, S. Wrobel, "Active hidden Markov models for information extraction", 2001). Of each group the one is named
that is near its middle and doubtful. Source: F. Zhdanov, "Diverse mini-batch active learning", 2019; `docs/log.md`
tells what else was tried.

Where answers are no classes (boxes, masks, cells), a candidate counts as much as its answer says that it may be wrong,
and groups are of pictures that look alike: the frames of a video are not to be labelled one after the other.

Shapes: N samples, C classes, F features.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.arrow import pa
from assay.errors import SettingError
from assay.serving.features import noted_features
from assay.serving.predictor import Predictor, inputs, window_bounds

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.samples.samples import View
    from assay.sources.records import Problem, Records

Array = np.ndarray[Any, Any]
_BATCH = 256
#: More candidates than this are a sample drawn by hash: their features have to fit in memory.
_MOST = 20_000
#: Of videos so many frames, evenly spaced: they are decoded before any is looked at.
_MOST_FRAMES = 1000
#: What the surest sample counts, beside 1 for one that could as well be another class.
_LEAST_DOUBT = 1e-3


@dataclass(frozen=True)
class Suggestion:
    """A sample worth labelling.

    Attributes:
        id: its name.
        reason: why, in a sentence.
        uncertainty: one minus the probability of the likeliest class, or minus how sure the answer says that it is.
    """

    id: str
    reason: str
    uncertainty: float


@dataclass(frozen=True)
class Suggestions:
    """What to label next.

    Attributes:
        chosen: the most telling first.
        looked: how many samples were looked at.
        of: how many there are.
        problems: what could not be read.
    """

    chosen: list[Suggestion]
    looked: int
    of: int
    problems: tuple[Problem, ...]


def suggest(predictor: Predictor, records: Records, count: int, seed: int = 0) -> Suggestions:
    """The samples to label next.

    Args:
        predictor: the network.
        records: unlabelled samples.
        count: how many are wanted; fewer come where there are fewer.
        seed: of the draw of candidates, where there are very many.

    Raises:
        SettingError: answers of this kind do not say how sure they are; a count below 1.
    """
    if count < 1:
        raise SettingError(f"--count {count} suggests nothing", "Give a number from 1 on.")
    frames = int(records.facts.get("frames", 0))
    with inputs(predictor.task, _thinned(records, frames), predictor.spec) as (samples, problems):
        whole = samples.view_of(np.arange(len(samples.side)))
        view = whole.sample(_MOST, seed)
        no_classes = predictor.task.sureness([], predictor.spec) is not None
        chosen = (_by_answer if no_classes else _by_class)(predictor, view, count)
    return Suggestions(chosen, len(view), max(frames, len(whole)), problems)


def _thinned(records: Records, frames: int) -> Records:
    """Records of all frames of videos with no more of them than can be decoded, evenly spaced."""
    if frames <= _MOST_FRAMES:
        return records
    step = math.ceil(frames / _MOST_FRAMES)

    def batches() -> Iterator[pa.RecordBatch]:
        first = 0
        for batch in records.batches():
            yield batch.take(pa.array(np.flatnonzero((first + np.arange(batch.num_rows)) % step == 0)))
            first += batch.num_rows

    return replace(records, batches=batches)


def _by_class(predictor: Predictor, view: View, count: int) -> list[Suggestion]:
    probabilities, features = look(predictor, view)
    names, places = view.ids(), choose(probabilities, features, count)
    return [_told(predictor, names[place], probabilities[place], turn) for turn, place in enumerate(places)]


def _by_answer(predictor: Predictor, view: View, count: int) -> list[Suggestion]:
    from assay.samples.thumbnails import thumbnails_of

    task, spec, names = predictor.task, predictor.spec, view.ids()
    outputs = predictor.outputs(view)
    sure = np.asarray(task.sureness(outputs, spec), float)
    first = view.windows[[begin for begin, _ in window_bounds(view)]]
    steps = range(0, len(first), _BATCH)
    looks = [thumbnails_of(np.asarray(view.samples.field("image", first[at : at + _BATCH]))) for at in steps]
    seen = np.concatenate(looks).reshape(len(first), -1) / 255
    told = [f"it says {task.words(output, spec)}, and is {100 * one:.0f} % sure"
            for output, one in zip(outputs, sure, strict=True)]  # fmt: skip
    places = _most_telling(1 + _LEAST_DOUBT - sure, seen, count)
    return [Suggestion(names[place], told[place] if turn else f"{told[place]}; the one that would teach most",
                       1 - float(sure[place])) for turn, place in enumerate(places)]  # fmt: skip


def look(predictor: Predictor, view: View) -> tuple[Array, Array]:
    """(N, C) probabilities and (N, F) what the last layer before the logits is given, for each unit of a view.

    Of a unit of several windows the features are those of the window that its answer rests on most.
    """
    outputs: list[Any] = []
    with noted_features(predictor) as noted:
        for batch in view.batches(_BATCH):
            outputs.extend(predictor.respond(batch))
            if len(outputs) == len(batch.index):
                _probabilities(predictor, outputs)  # raises at once where there are none
    scores, windows = _by_unit(predictor, view, outputs)
    features = noted.of(len(outputs))
    return scores, np.ones((len(scores), 1)) if features is None else features[windows]


def _by_unit(predictor: Predictor, view: View, outputs: list[Any]) -> tuple[Array, Array]:
    """(N, C) probabilities of each unit, and (N,) the position of the window among the view's that decides."""
    task, spec = predictor.task, predictor.spec
    if not task.traits.several_windows:
        return _probabilities(predictor, outputs), np.arange(len(outputs))
    bounds = window_bounds(view)
    merged = predictor.scaled([task.merge(outputs[first:end], spec) for first, end in bounds])
    places = [first + (task.deciding(outputs[first:end], spec) if end - first > 1 else 0) for first, end in bounds]
    return _probabilities(predictor, merged), np.asarray(places, np.int64)


def _probabilities(predictor: Predictor, outputs: Values) -> Array:
    found = predictor.task.probabilities(outputs, predictor.spec)
    if found is None:
        raise SettingError(
            f"{predictor.task.name} does not say how sure it is of such an answer",
            "label-next needs answers that do: classes, boxes, masks or cells.",
        )
    return np.asarray(found)


def choose(probabilities: Array, features: Array, count: int) -> Array:
    """(count,) places of the samples to label, the most doubtful first; fewer where there are fewer.

    Args:
        probabilities: (N, C).
        features: (N, F) what the last layer is given.
        count: how many.
    """
    scores = np.sort(np.asarray(probabilities, float), axis=1)
    doubt = 1 + _LEAST_DOUBT - (scores[:, -1] - (scores[:, -2] if scores.shape[1] > 1 else 0.0))
    return _most_telling(doubt, np.asarray(features, float), count)


def _most_telling(doubt: Array, seen: Array, count: int) -> Array:
    """As `choose`, by how doubtful each is (N,), and what is seen of it (N, F)."""
    ranked = np.argsort(-doubt, kind="stable")
    if count >= len(ranked):
        return ranked
    first = ranked[np.isin(ranked, _of_each_kind(seen, doubt, count))]
    left = ranked[~np.isin(ranked, first)]
    return np.concatenate([first, left[: count - len(first)]])


def _of_each_kind(features: Array, doubt: Array, count: int) -> Array:
    """(count,) places, or fewer where there are fewer kinds: of each group the one near its middle and doubtful."""
    from sklearn.cluster import KMeans

    kinds = min(count, len(np.unique(features, axis=0)))
    groups = KMeans(kinds, n_init=1, random_state=0).fit(features, sample_weight=doubt)
    far = ((features - groups.cluster_centers_[groups.labels_]) ** 2).sum(axis=1)
    order = np.lexsort((far / doubt, groups.labels_))
    return np.asarray(order[np.unique(groups.labels_[order], return_index=True)[1]])


def _told(predictor: Predictor, name: str, scores: Array, turn: int) -> Suggestion:
    first, second = np.argsort(-scores, kind="stable")[:2] if len(scores) > 1 else (0, 0)
    task, spec = predictor.task, predictor.spec
    words = [f"{task.truth_words(int(place), spec)} {100 * scores[place]:.0f} %" for place in (first, second)]
    unsure = scores[first] < 0.9
    reason = f"unsure between {words[0]} and {words[1]}" if unsure else f"less sure than of others; it says {words[0]}"
    return Suggestion(name, reason if turn else f"{reason}; the one that would teach most", 1 - float(scores[first]))
