"""All findings, in the order in which the page tells them."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from assay.errors import AssayError
from assay.evidence.ahead import train_ahead
from assay.evidence.context import Context
from assay.evidence.finding import Finding
from assay.progress import Progress

#: Where each finding stands, `module:function` by name.
FINDINGS = {
    "accuracy": "assay.evidence.accuracy:find",
    "baseline": "assay.evidence.baseline:find",
    "data": "assay.evidence.data:find",
    "tuning": "assay.evidence.tuning:find",
    "overfitting": "assay.evidence.overfitting:find",
    "calibration": "assay.evidence.calibration:find",
    "labels": "assay.evidence.labels:find",
    "leakage": "assay.evidence.leakage:find",
    "explanation": "assay.evidence.explanation:find",
    "shortcuts": "assay.evidence.shortcuts:find",
    "robustness": "assay.evidence.robustness:find",
    "network": "assay.evidence.network:find",
    "cost": "assay.evidence.cost:find",
}

#: What takes too long for quick evidence, and the question that then stays open.
THOROUGH = {
    "data": "Is there enough data?",
    "labels": "Which labels look wrong?",
    "explanation": "Why does it answer so?",
    "shortcuts": "Does it look at the right thing?",
    "robustness": "Does it hold when the input is worse?",
}


def find_all(
    context: Context,
    progress: Progress,
    known: Iterable[Finding] = (),
    keep: Callable[[list[Finding]], None] | None = None,
) -> list[Finding]:
    """Every finding; those already known are not looked for again, and one that fails does not hold up the others.

    Args:
        context: the finished training.
        progress: is told how far it is.
        known: findings of an earlier, interrupted call.
        keep: takes the findings so far after each new one, to write them down.
    """
    found = {finding.name: finding for finding in known}
    wanted = {name: place for name, place in FINDINGS.items() if name != "tuning" or context.tuned is not None}
    progress.stage("Evidence", len(wanted))
    if len(found) < len(wanted):
        train_ahead(context)
    for number, (name, place) in enumerate(wanted.items(), 1):
        if name not in found:
            begun = time.perf_counter()
            finding = _find(name, place, context)
            found[name] = replace(finding, seconds=round(time.perf_counter() - begun, 3))
            if keep is not None:
                keep(list(found.values()))
        progress.advance(number, name)
    return [found[name] for name in wanted]


def _find(name: str, place: str, context: Context) -> Finding:
    if name in THOROUGH and not context.thorough:
        verdict = "Not looked for: quick evidence was asked for."
        return Finding(name, THOROUGH[name], "unknown", verdict, next="Train with --evidence full.")
    path, _, attribute = place.partition(":")
    module = importlib.import_module(path)
    find: Callable[[Context], Finding] = getattr(module, attribute)
    try:
        return find(context)
    except AssayError as error:
        reason, step = error.message, error.hint
    except MemoryError:
        reason, step = "there was not enough memory.", "Close other programs, then train again."
    return Finding(name, module.QUESTION, "unknown", f"This could not be found out: {reason}", next=step)
