"""All findings, in the order in which the page tells them."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from assay.evidence.context import Context
from assay.evidence.finding import Finding
from assay.progress import Progress

#: Where each finding stands, `module:function` by name.
FINDINGS = {
    "accuracy": "assay.evidence.accuracy:find",
    "baseline": "assay.evidence.baseline:find",
    "overfitting": "assay.evidence.overfitting:find",
    "network": "assay.evidence.network:find",
    "cost": "assay.evidence.cost:find",
}


def find_all(
    context: Context,
    progress: Progress,
    known: Iterable[Finding] = (),
    keep: Callable[[list[Finding]], None] | None = None,
) -> list[Finding]:
    """Every finding; those already known are not looked for again.

    Args:
        context: the finished training.
        progress: is told how far it is.
        known: findings of an earlier, interrupted call.
        keep: takes the findings so far after each new one, to write them down.
    """
    found = {finding.name: finding for finding in known}
    progress.stage("Evidence", len(FINDINGS))
    for number, (name, place) in enumerate(FINDINGS.items(), 1):
        if name not in found:
            module, _, attribute = place.partition(":")
            find: Callable[[Context], Finding] = getattr(importlib.import_module(module), attribute)
            begun = time.perf_counter()
            found[name] = replace(find(context), seconds=round(time.perf_counter() - begun, 3))
            if keep is not None:
                keep(list(found.values()))
        progress.advance(number, name)
    return [found[name] for name in FINDINGS]
