"""Why does it answer so?"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from assay.errors import SettingError
from assay.evaluation.faithfulness import (
    Curves,
    blocks,
    count_parts,
    curves,
    mean,
    padded,
    pool,
    rank_correlation,
)
from assay.evaluation.intervals import Estimate
from assay.evidence import _explanation_figures as drawn
from assay.evidence.attribution import randomised
from assay.evidence.context import Context
from assay.evidence.finding import Finding, Number, Status
from assay.evidence.words import number, three_digits
from assay.samples.draws import order
from assay.serving.predictor import Answering, deciding_windows

QUESTION = "Why does it answer so?"
#: Test samples: fewer show nothing, more show nothing new; so many are explained at once.
_FEW, _MOST, _AT_ONCE = 10, 200, 8
#: What share of the training's time it may take, what it may take at least, and how far it may run over for `_FEW`.
_SHARE, _LEAST_S, _OVER = 0.04, 2.0, 3.0
#: How curves are measured where that takes long: in so many steps, and beside so many random orders. It takes about so
#: much of the time that it takes else.
_BRIEF = {"most": 6, "orders": 2}
_BRIEF_TAKES = 0.35
#: Networks of random weights at most and at least, and how many samples each explains.
_RANDOM, _FEW_RANDOM, _EACH = 8, 3, 4
#: From which correlation on, beyond doubt, an explanation says more about the input than about the network. It is not
#: 0 with any faithful one: a large value weighs more than a small one whatever the weights (J. Adebayo et al., "Sanity
#: checks for saliency maps", NeurIPS 2018).
_ALIKE = 0.6

_TOO_SLOW = "Explaining one answer takes so long that too few could be explained."
ONE_PART = "The input has one part alone, which decides everything."

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Looked:
    """Explained test samples.

    Attributes:
        places: (B,) their positions on the test side.
        windows: (B,) the window of each that was explained.
        weights: (B, ...) of its parts, NaN where another's has more of them.
        curves: what is left of the answers as parts go.
        unit: of the curves, as `Support` has it.
    """

    places: Array
    windows: Array
    weights: Array
    curves: Curves
    unit: str


def find(context: Context) -> Finding:
    """Attributions of test samples, whether they mark what decides, and whether they depend on the weights."""
    budget = max(_LEAST_S, _SHARE * context.fit_seconds)
    try:
        looked = _look(context, budget)
    except SettingError as error:
        return _unknown(f"Its answers cannot be explained: {error.message}.")
    if isinstance(looked, str):
        return _unknown(looked)
    groups = np.asarray(context.test.groups)[looked.places]
    gains = {
        "deletion": mean(looked.curves.deletion_gains, groups),
        "insertion": mean(looked.curves.insertion_gains, groups),
    }
    alike = _against_random_weights(context, looked, budget / 4)
    status, verdict, step = _judge(gains["deletion"], gains["insertion"], alike, looked.unit)
    unit = "points" if looked.unit == "%" else ""
    numbers = {f"{name} gain over chance": number(found, unit) for name, found in gains.items()}
    numbers["correlation with a network of random weights"] = Number(None) if alike is None else number(alike)
    sequences = context.task.traits.variable_length and looked.weights.ndim == 2
    if sequences:
        for name in ("comprehensiveness", "sufficiency"):
            numbers[name] = number(mean(getattr(looked.curves, name), groups), unit)
    certainty = _certainty(looked, sequences)
    figures = tuple(drawn.figures(context, looked))
    return Finding("explanation", QUESTION, status, verdict, numbers, figures, step, certainty)


def _certainty(looked: Looked, sequences: bool) -> str:
    counts = count_parts(looked.weights)
    least, most = int(counts.min()), int(counts.max())
    parts = f"{most:,} parts each" if least == most else f"{least:,} to {most:,} parts each"
    told = (
        f"{len(looked.places):,} test samples in {parts}; beside the order of the explanation, parts were "
        f"taken away in {len(looked.curves.random)} random orders."
    )
    if sequences:
        told += (
            " Comprehensiveness is what is lost on average as the heaviest parts go, and should be large; sufficiency "
            "what is lost as they alone stay, and should be small (DeYoung et al. 2020)."
        )
    return told


def _unknown(verdict: str) -> Finding:
    return Finding("explanation", QUESTION, "unknown", verdict)


def _look(context: Context, budget_s: float) -> Looked | str:
    """As many test samples as the time allows, in random order; or the reason why there is nothing to say."""
    places = order(np.arange(len(context.test)), "explained")
    if len(places) < _FEW:
        return f"Too few test samples to say ({len(places)})."
    begun, how = time.monotonic(), dict[str, int]()
    found: list[Looked] = []
    first, spent, done = 0.0, 0.0, 0
    for chunk in _chunks(places[:_MOST]):
        if done == 2 and (spent - first) * _FEW > budget_s:
            if (spent - first) * _FEW * _BRIEF_TAKES > _OVER * budget_s:
                return _TOO_SLOW
            found, how, chunk = [], _BRIEF, places[: 2 + _AT_ONCE]
        one = _explained(context, chunk, how)
        if isinstance(one, str):
            return one
        found.append(one)
        done, spent = sum(len(part.places) for part in found), time.monotonic() - begun
        if done == 1:
            first = spent  # the first of a process takes far longer than those after it
        elif done >= _FEW and spent * (1 + _AT_ONCE / done) > 0.75 * budget_s:
            break
    looked = _joined(found)
    several = count_parts(looked.weights) > 1
    return _only(looked, several) if several.any() else ONE_PART


def _explained(context: Context, places: Array, how: Mapping[str, int]) -> Looked | str:
    """Some test samples, given by their positions; or the reason why they cannot be explained.

    `how` is passed on to `curves`.
    """
    view = context.samples.view_of(np.asarray(context.test.units, np.int64)[places])
    windows = deciding_windows(context.predictor, view)
    one = explain_and_measure(context.task, context.predictor, context.samples.batch(windows), **how)
    return one if isinstance(one, str) else Looked(places, windows, *one)


def _chunks(places: Array) -> Iterator[Array]:
    """Two single ones to see how long it takes, then several at once."""
    yield places[:1]
    yield places[1:2]
    for start in range(2, len(places), _AT_ONCE):
        yield places[start : start + _AT_ONCE]


def explain_and_measure(task: Any, predictor: Answering, batch: Any, **how: Any) -> tuple[Array, Curves, str] | str:
    """The weights of a batch, what is left of its answers as parts go, and in which unit; or why that is not known.

    The answers are those of the windows in the batch, whatever a unit's others say.

    Args:
        task: the application.
        predictor: what answers.
        batch: the inputs.
        how: passed on to `curves`.
    """
    import torch

    spec = predictor.spec
    answered = predictor.respond(batch)
    support = task.support(answered, answered, spec)
    if support is None:
        return "How much of an answer of this kind is left cannot be measured."
    weights = np.nan_to_num(np.asarray(task.explain(predictor, batch), float), nan=np.nan)
    ragged = task.traits.variable_length
    if not ragged and count_parts(weights).max() < 2:
        return ONE_PART

    def left(kept: Array) -> Array:
        outputs = predictor.respond(task.masked(batch, torch.from_numpy(kept), spec))
        return np.asarray(task.support(outputs, answered, spec).values)

    return weights, curves(left, weights, support.by_size, ragged=ragged, **how), support.unit


def _joined(parts: list[Looked]) -> Looked:
    """All chunks together."""
    kept = [part.curves for part in parts]
    joined = Curves(
        kept[0].shares,
        np.concatenate([one.deletion for one in kept]),
        np.concatenate([one.insertion for one in kept]),
        np.concatenate([one.random for one in kept], axis=1),
    )
    places, windows = (np.concatenate([getattr(part, name) for part in parts]) for name in ("places", "windows"))
    return Looked(places, windows, padded([part.weights for part in parts]), joined, parts[0].unit)


def _only(looked: Looked, rows: Array) -> Looked:
    """Some of the samples (B,) bool."""
    if rows.all():
        return looked
    return Looked(
        looked.places[rows], looked.windows[rows], looked.weights[rows], looked.curves.only(rows), looked.unit
    )


def _against_random_weights(context: Context, looked: Looked, budget_s: float) -> Estimate | None:
    """The rank correlation with what networks of random weights mark; None where there is no time for three."""
    block = blocks(looked.weights.shape[1:])
    begun, found = time.monotonic(), []
    for seed in range(_RANDOM):
        other = replace(context.predictor, network=randomised(context.predictor.network, seed))
        rows = np.arange(seed * _EACH, (seed + 1) * _EACH) % len(looked.windows)
        weights = np.asarray(context.task.explain(other, context.samples.batch(looked.windows[rows])), float)
        own, weights = _alike_in_shape(looked.weights[rows], np.nan_to_num(weights, nan=np.nan))
        alike = rank_correlation(pool(own, block), pool(weights, block))
        found.append(float(alike.mean()))
        spent = time.monotonic() - begun
        if len(found) < _FEW_RANDOM and spent / len(found) * _FEW_RANDOM > _OVER * budget_s:
            return None
        if len(found) >= _FEW_RANDOM and spent * (1 + 1 / len(found)) > budget_s:
            break
    return mean(np.asarray(found), np.arange(len(found)))


def _alike_in_shape(first: Array, second: Array) -> tuple[Array, Array]:
    """Weights of the same inputs, padded alike."""
    both = padded([first, second])
    return both[: len(first)], both[len(first) :]


def _judge(deletion: Estimate, insertion: Estimate, alike: Estimate | None, unit: str) -> tuple[Status, str, str]:
    """Status, verdict and next step, from the gains over chance and the correlation with random weights."""
    if alike is not None and alike.low is not None and alike.low > _ALIKE:
        verdict = (
            f"Its explanations hardly depend on what it has learned: with random weights they are much the same "
            f"(rank correlation {alike.value:.2f})."
        )
        return "act", verdict, "Do not rely on them; compare with another network."
    proven = [found.low is not None and found.low > 0 for found in (deletion, insertion)]
    lost, back = _told(deletion.value, unit), _told(insertion.value, unit)
    costs = "costs {} more confidence" if unit == "%" else "moves the answer {} further"
    brings = "brings back {} more" if unit == "%" else "brings it {} nearer"
    if all(proven):
        verdict = (
            f"Its explanations are faithful: taking away what they mark {costs.format(lost)} than taking away as much "
            f"at random, and showing it {brings.format(back)}."
        )
        return "good", verdict, "Ask about a single answer: `assay explain RUN INPUT`."
    if any(proven):
        which, other = ("taking away", "showing") if proven[0] else ("showing", "taking away")
        done = costs.format(lost) if proven[0] else brings.format(back)
        verdict = (
            f"Its explanations are faithful in part: {which} what they mark {done} than doing so at random, but "
            f"{other} it makes no difference that could be shown."
        )
        return "watch", verdict, "Take a single explanation as a hint, and look at its faithfulness."
    verdict = "It cannot be shown that its explanations mark what decides: parts chosen at random matter as much."
    return "watch", verdict, "Do not rely on single explanations of this network."


def _told(gain: float, unit: str) -> str:
    return f"{100 * gain:.1f} points" if unit == "%" else f"{three_digits(gain)} {unit}"
