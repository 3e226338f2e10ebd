"""Why does it answer so?"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from assay.errors import SettingError
from assay.evaluation.faithfulness import (
    ORDERS,
    STEPS,
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
#: As few will do where one takes long.
_FEWEST = 6
#: What share of the training's time it may take, what it may take at least, and how far it may run over for `_FEWEST`.
_SHARE, _LEAST_S, _OVER = 0.04, 2.0, 6.0
#: How curves are measured, the longer that takes the more briefly: in so many steps, beside so many random orders.
_HOW = ({"most": STEPS, "orders": ORDERS}, {"most": 6, "orders": 2}, {"most": 4, "orders": 1})
#: Networks of random weights at most and at least, and how many samples each explains, at most and where that is brief.
_RANDOM, _FEW_RANDOM, _EACH, _BRIEF_EACH = 8, 3, 4, 1
#: From which correlation on, beyond doubt, an explanation says more about the input than about the network. It is not
#: 0 with any faithful one: a large value weighs more than a small one whatever the weights (J. Adebayo et al., "Sanity
#: checks for saliency maps", NeurIPS 2018).
_ALIKE = 0.6

_ASK = "Ask about single answers: `assay explain RUN INPUT`."
_TOO_SLOW, _TOO_FEW = "Explaining one answer takes", "Too few test samples to say"
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
        return _unknown(f"Its answers cannot be explained: {error.message}.", error.hint)
    if isinstance(looked, str):
        return _unknown(looked, _steps(looked))
    groups = np.asarray(context.test.groups)[looked.places]
    gains = {
        "deletion": mean(looked.curves.deletion_gains, groups),
        "insertion": mean(looked.curves.insertion_gains, groups),
    }
    alike = _against_random_weights(context, looked, budget / 3)
    status, verdict, step = _judge(gains["deletion"], gains["insertion"], alike, looked.unit)
    unit = "points" if looked.unit == "%" else ""
    numbers = {f"{name} gain over chance": number(found, unit) for name, found in gains.items()}
    numbers["correlation with a network of random weights"] = Number(None) if alike is None else number(alike)
    sequences = context.task.traits.variable_length and looked.weights.ndim == 2
    if sequences:
        for name in ("comprehensiveness", "sufficiency"):
            numbers[name] = number(mean(getattr(looked.curves, name), groups), unit)
    certainty = _certainty(looked, sequences)
    certainty += " There was no time to compare them with those of random weights." if alike is None else ""
    figures = tuple(drawn.figures(context, looked))
    return Finding("explanation", QUESTION, status, verdict, numbers, figures, step, certainty)


def _certainty(looked: Looked, sequences: bool) -> str:
    counts = count_parts(looked.weights)
    least, most = int(counts.min()), int(counts.max())
    parts = f"{most:,} parts each" if least == most else f"{least:,} to {most:,} parts each"
    told = (
        f"{len(looked.places):,} test samples in {parts}; beside the order of the explanation, parts were "
        f"taken away in {_orders(len(looked.curves.random))}."
    )
    if sequences:
        told += (
            " Comprehensiveness is what is lost on average as the heaviest parts go, and should be large; sufficiency "
            "what is lost as they alone stay, and should be small (DeYoung et al. 2020)."
        )
    return told


def _orders(count: int) -> str:
    return "one random order" if count == 1 else f"{count} random orders"


def _unknown(verdict: str, step: str) -> Finding:
    return Finding("explanation", QUESTION, "unknown", verdict, next=step)


def _steps(reason: str) -> str:
    """What to do where there is nothing to say."""
    if reason.startswith(_TOO_SLOW):
        return f"{_ASK} Or train with a longer --budget, on a machine that does nothing else."
    if reason.startswith(_TOO_FEW):
        return "Collect more samples, or set more of them aside for testing: --split 70/15/15."
    return "" if reason == ONE_PART else _ASK


def _look(context: Context, budget_s: float) -> Looked | str:
    """As many test samples as the time allows, in random order; or the reason why there is nothing to say."""
    places = order(np.arange(len(context.test)), "explained")
    if len(places) < _FEW:
        return f"{_TOO_FEW} ({len(places)})."
    begun, pace = time.monotonic(), _pace(context, places[:1], budget_s)
    planned = _planned(pace, budget_s)
    if planned is None:
        return (
            f"{_TOO_SLOW} about {pace[0]:.1f} s, and each look at a changed input {pace[1]:.1f} s: there was no time."
        )
    how, count = planned
    found: list[Looked] = []
    for start in range(0, min(count, len(places)), _AT_ONCE):
        one = _explained(context, places[start : min(start + _AT_ONCE, count)], how)
        if isinstance(one, str):
            return one
        found.append(one)
        if start + _AT_ONCE >= _FEW and time.monotonic() - begun > budget_s:
            break
    looked = _joined(found)
    several = count_parts(looked.weights) > 1
    return _only(looked, several) if several.any() else ONE_PART


def _pace(context: Context, places: Array, budget_s: float) -> tuple[float, float]:
    """Seconds that one explanation takes, and one answer to a changed input."""
    view = context.samples.view_of(np.asarray(context.test.units, np.int64)[places])
    batch = context.samples.batch(deciding_windows(context.predictor, view))
    context.predictor.respond(batch)  # the first of a process takes far longer than those after it
    respond_s = _seconds(lambda: context.predictor.respond(batch))
    explain_s = _seconds(lambda: context.task.explain(context.predictor, batch))
    if explain_s < budget_s / _FEW:  # as does the first that asks for gradients
        explain_s = _seconds(lambda: context.task.explain(context.predictor, batch))
    return explain_s, respond_s


def _seconds(call: Callable[[], Any]) -> float:
    begun = time.monotonic()
    call()
    return time.monotonic() - begun


def _planned(pace: tuple[float, float], budget_s: float) -> tuple[Mapping[str, int], int] | None:
    """How curves are measured and of how many samples, so that it fits the time; None where even the least does not."""
    explain_s, respond_s = pace
    for how in _HOW:
        each = explain_s + respond_s * (2 + (how["most"] - 1) * (2 + how["orders"]))
        if each * _FEW <= budget_s:
            return how, int(min(_MOST, budget_s / max(each, 1e-9)))
    return (_HOW[-1], _FEWEST) if each * _FEWEST <= _OVER * budget_s else None


def _explained(context: Context, places: Array, how: Mapping[str, int]) -> Looked | str:
    """Some test samples, given by their positions; or the reason why they cannot be explained.

    `how` is passed on to `curves`.
    """
    view = context.samples.view_of(np.asarray(context.test.units, np.int64)[places])
    windows = deciding_windows(context.predictor, view)
    one = explain_and_measure(context.task, context.predictor, context.samples.batch(windows), **how)
    return one if isinstance(one, str) else Looked(places, windows, *one)


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
    each = _EACH if len(looked.curves.random) > 1 else _BRIEF_EACH
    for seed in range(_RANDOM):
        other = replace(context.predictor, network=randomised(context.predictor.network, seed))
        rows = np.arange(seed * each, (seed + 1) * each) % len(looked.windows)
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
