"""Does the exported network answer as the trained one?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.evidence.finding import Figure, Finding, Number
from assay.evidence.words import duration, size

QUESTION = "Does the export answer as the network does?"
_NAMES = {"trained": "PyTorch", "float": "ONNX", "int8": "ONNX, int8"}


def find(facts: Mapping[str, Any]) -> Finding:
    """Parity on the test side, latency and size before and after, out of what `export.json` holds."""
    kind = facts["precision"]
    parity = facts["parity"][kind]
    before, after = facts["latency"]["trained"]["alone_ms"], facts["latency"][kind]["alone_ms"]
    gain = parity["difference"]
    numbers = {
        f"{parity['metric']} of the export": Number(parity["exported"]),
        "difference from the network": Number(gain["value"], gain["low"], gain["high"], parity["unit"]),
        "equal answers": Number(parity["equal"], unit="%"),
        "largest difference of an output": Number(parity["largest"], unit="deviations"),
        "one answer alone, before": Number(before, unit="ms"),
        "one answer alone, after": Number(after, unit="ms"),
        "on disk, before": Number(facts["bytes"]["trained"], unit="bytes"),
        "on disk, after": Number(facts["bytes"][kind], unit="bytes"),
    }
    quicker = after <= before
    left = _left(facts)
    status = "good" if (quicker or kind == "float") and not left else "watch"
    next_ = "" if quicker or kind == "float" else "Export in float: int8 is no quicker on this processor."
    next_ = next_ or ("Export again with all of the run's data, by --source where it was moved." if left else "")
    certainty = (
        f"{left}Compared on the {parity['answers']:,} answers of the test side; timed here, with as many threads for "
        f"both; a difference of an output is told in deviations of that output."
    )
    return Finding("export", QUESTION, status, _verdict(facts), numbers, (_table(facts),), next_, certainty)  # type: ignore[arg-type]


def _left(facts: Mapping[str, Any]) -> str:
    """What is to be known where the run's test side is not there as a whole; else empty."""
    test, there = facts["proven_on"]["test_samples"], facts["proven_on"]["there"]
    if there == test:
        return ""
    return f"The data has changed since the training: {there:,} of {test:,} test samples are left. "


def lines(facts: Mapping[str, Any]) -> list[str]:
    """What a person is told after an export."""
    told = [_verdict(facts), *filter(None, [_left(facts).strip()]), f"opset {facts['opset']}"]
    told += [f"in the graph: {text}" for text in facts["preprocessing"].inside]
    return told + [_beside(text) for text in facts["preprocessing"].outside]


def _beside(text: str) -> str:
    """Where what is not in the graph has its place, and what it is."""
    place, mark, what = text.partition(" it: ")
    return f"{place} the graph: {what}" if mark and place in ("after", "around") else f"before the graph: {text}"


def _verdict(facts: Mapping[str, Any]) -> str:
    kind = facts["precision"]
    parity, latency, sizes = facts["parity"][kind], facts["latency"], facts["bytes"]
    return (
        f"{100 * parity['equal']:.4g} % of {parity['answers']:,} test answers equal the network's; {parity['metric']} "
        f"{parity['trained']:.4g} before and {parity['exported']:.4g} after; one answer takes "
        f"{duration(latency['trained']['alone_ms'] / 1000)} before and {duration(latency[kind]['alone_ms'] / 1000)} "
        f"after; {size(sizes['trained'])} before and {size(sizes[kind])} after."
    )


def _table(facts: Mapping[str, Any]) -> Figure:
    rows = []
    for kind, latency in facts["latency"].items():
        parity = facts["parity"].get(kind)
        rows.append(
            [
                _NAMES[kind],
                f"{latency['alone_ms']:.4g} ms",
                f"{latency['each_ms']:.4g} ms",
                size(facts["bytes"][kind]),
                "" if parity is None else f"{100 * parity['equal']:.4g} %",
            ]
        )
    columns = ["", "one answer alone", "one in a batch", "on disk", "equal answers"]
    caption = f"Opset {facts['opset']}. Before the graph: {'; '.join(facts['preprocessing'].outside) or 'nothing'}."
    return Figure("table", "Before and after the export", {"columns": columns, "rows": rows}, caption)
