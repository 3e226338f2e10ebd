"""The last step of a run: samples.parquet, evidence.json, report.html, summary.json."""

from __future__ import annotations

import datetime
import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.arrow import pa, pq
from assay.evidence.baseline import compare
from assay.evidence.context import Context
from assay.evidence.evidence import find_all
from assay.evidence.finding import Finding
from assay.evidence.words import unit_of
from assay.kept_samples import short_digests
from assay.progress import Progress
from assay.run import RunFolder, reading, to_json, write_text, writing
from assay.samples.split import SIDES
from assay.sources.privacy import MARK

if TYPE_CHECKING:
    from assay.planning import Made


def write_conclusion(context: Context, made: Made, run: RunFolder, progress: Progress) -> None:
    """Find everything out and write it down; findings of an interrupted call are taken over."""
    write_samples(context, run)
    problems = [to_json(problem) for problem in made.problems.problems()]
    known = _read_evidence(run)[0] if run.evidence.exists() else []
    findings: list[Finding] = []
    if made.options.evidence != "none":
        findings = find_all(context, progress, known, lambda found: _write_evidence(run, found, problems))
    _write_evidence(run, findings, problems)
    summary = summarise(context, made, run, findings)
    write_page(run, summary, findings, problems, run.read(run.plan))
    run.write(run.summary, summary)


def summarise(context: Context, made: Made, run: RunFolder, findings: list[Finding]) -> dict[str, Any]:
    """What `assay train --json` prints."""
    metric, test = context.metric, context.test
    own = test.measure(metric)
    counts = {name: int((context.samples.side == number).sum()) for number, name in enumerate(SIDES)}
    skipped = sum(problem.count for problem in made.problems.problems() if problem.action == "skipped")
    network = context.predictor.network
    baseline: dict[str, Any] | None = None
    if context.baseline is not None:
        other = context.baseline.test.measure(metric)
        baseline = {
            "name": context.baseline.model.name,
            **vars(other),
            "seconds": round(context.baseline.fit_seconds, 3),
        }
    metrics = {one.name: test.measure(one).value for one in context.task.metrics(context.spec)}
    summary = {
        "format": 1,
        "task": context.task.name,
        "run": str(run.path),
        "seconds": round(context.fit_seconds, 3),
        "seed": context.plan.seed,
        "network": {
            "name": context.network,
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
        },
        "samples": {**counts, "skipped": skipped},
        "metric": {
            "name": metric.name,
            **vars(own),
            "unit": unit_of(metric),
            "higher_is_better": metric.higher_is_better,
        },
        "metrics": metrics,
        "baseline": baseline,
        "verdict": compare(context)[0] if context.baseline is not None and len(test) else None,
        "findings": {finding.name: finding.summary() for finding in findings},
    }
    if context.task.traits.notice:
        summary["notice"] = context.task.traits.notice
    cleaned: dict[str, Any] = to_json(summary)
    return cleaned


def write_page(
    run: RunFolder, summary: dict[str, Any], findings: list[Finding], problems: list[Any], plan: dict[str, Any]
) -> None:
    """The evidence page."""
    from assay.report.page import render

    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes")
    hidden = (plan["source"] or "").startswith(MARK)
    more = {
        "plan": {**plan["network"]["settings"], **plan["plan"]},
        "source": "not told, since it can tell who people are" if hidden else plan["source"] or "data in memory",
        "created": created,
        "versions": plan["versions"],
    }
    name = os.path.basename(plan["source"]) if plan["source"] and not hidden else summary["task"]
    write_text(run.report, render({**summary, **more}, findings, problems, title=f"Assay of {name}"))


def write_page_again(run: RunFolder) -> None:
    """The evidence page out of what a finished run holds; raises `RunError` where that is missing or damaged."""
    summary, plan = run.read(run.summary), run.read(run.plan)
    findings, problems = _read_evidence(run)
    with reading(run.path):
        write_page(run, summary, findings, problems, plan)


def add_finding(run: RunFolder, finding: Finding) -> None:
    """Put a finding that was made after the training beside the others, in the place of one of its name."""
    summary, plan = run.read(run.summary, "findings"), run.read(run.plan)
    findings, problems = _read_evidence(run)
    findings = [*(one for one in findings if one.name != finding.name), finding]
    summary["findings"] = {**summary["findings"], finding.name: finding.summary()}
    _write_evidence(run, findings, problems)
    run.write(run.summary, summary)
    with reading(run.path):
        write_page(run, summary, findings, problems, plan)


def write_samples(context: Context, run: RunFolder) -> None:
    """`samples.parquet`: a row a sample: side, target, content, and where it was evaluated prediction and loss."""
    samples, index = context.samples, context.samples.index
    count = len(samples.side)
    predictions: list[str | None] = [None] * count
    losses = np.full(count, np.nan)
    for evaluation in (context.train, context.validation, context.test):
        losses[evaluation.units] = evaluation.losses
        for unit, output in zip(evaluation.units, evaluation.outputs, strict=True):
            predictions[unit] = json.dumps(to_json(context.task.answer(output, context.spec)), ensure_ascii=False)
    columns = {
        "id": index.column("id"),
        "split": pa.array([SIDES[side] for side in samples.side]),
        "group": index.column("group") if "group" in index.column_names else pa.nulls(count, pa.string()),
        "target": index.column("target"),
        "prediction": pa.array(predictions, pa.string()),
        "loss": pa.array(losses, pa.float64(), from_pandas=True),
        "digest": pa.array(short_digests(index), pa.string()),
    }
    file = run.samples
    work = file.with_name(file.name + ".partial")
    with writing(file):
        pq.write_table(pa.table(columns), work)
        os.replace(work, file)


def _read_evidence(run: RunFolder) -> tuple[list[Finding], list[Any]]:
    """What `_write_evidence` wrote: findings and problems; raises `RunError` where the file is damaged."""
    data = run.read(run.evidence, "findings")
    with reading(run.evidence):
        return [Finding.from_json(item) for item in data["findings"]], list(data.get("problems", []))


def _write_evidence(run: RunFolder, findings: list[Finding], problems: list[Any]) -> None:
    told = [finding.to_json() for finding in findings]
    run.write(run.evidence, {"format": 1, "findings": told, "problems": problems})
