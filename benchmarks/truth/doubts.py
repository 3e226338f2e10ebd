"""`labels` of boxes, masks and cells: 5 % of the labels of real pictures are made wrong, and looked for.

Planted: labels removed, moved, added where nothing is, and of another class where there are classes, in equal shares.
Blood cells in boxes (BCCD), nuclei as points of four classes (CRCHistoPhenotypes), outlined nuclei in stained tissue
(Data Science Bowl 2018) as cells and as masks. What is wrong in the labels as they came counts as if it were right.
"""

from __future__ import annotations

import argparse
import threading
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import _path  # noqa: F401
import numpy as np
from _common import Bench, Json, Target, numbers, open_bench
from _data import pretrained_folder
from _instances import Source, Wrong, blood, outlines, points
from _runs import own_cache

Array = np.ndarray[Any, Any]
_SHARE = 0.05
#: Sides by group or by hash: the first half learns what the second is judged by, and the other way round.
MAKERS = {
    "boxes": lambda folder, seed: blood(folder, _SHARE, seed),
    "points": lambda folder, seed: points(folder, _SHARE, seed),
    "outlines": lambda folder, seed: outlines(folder, _SHARE, seed, "cell-detection"),
    "masks": lambda folder, seed: outlines(folder, _SHARE, seed, "segmentation"),
}
_NETWORKS = {"boxes": "detector", "points": "timm", "outlines": "timm", "masks": "timm"}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--draws", default="0", help="seeds of the errors and the trainings")
    parser.add_argument("--kinds", default=",".join(MAKERS), help="which data")
    parser.add_argument("--budget", type=float, default=900.0, help="seconds of fitting")


def measure(bench: Bench, kind: str, draw: int) -> Json:
    """Precision and recall of the list of doubts."""
    source = MAKERS[kind](bench.work / f"{kind}-{draw}", draw)
    network = "unet" if bench.smoke else f"{_NETWORKS[kind]}/{pretrained_folder().resolve()}"
    found, seconds = doubted(source, network, 1.0 if bench.smoke else bench.options.budget, draw)
    if found is None:
        return {"kind": kind, "draw": draw, "fit_s": seconds}
    names, doubts = found
    return {"kind": kind, "draw": draw, "fit_s": seconds, "labels": doubts.labels, "agreed": doubts.agreed,
            **scores(names, doubts, source)}  # fmt: skip


def scores(names: list[str], doubts: Any, source: Source) -> Json:
    """How much of the list was planted, and how much of what was planted is in it, by kind."""
    hit: set[tuple[str, int]] = set()
    right: Counter[str] = Counter()
    for one in doubts.found:
        name = names[one.row]
        about = [number for number, wrong in enumerate(source.wrong[name]) if _about(one.place, wrong)]
        hit |= {(name, number) for number in about}
        right[one.kind] += bool(about)
    told = Counter(one.kind for one in doubts.found)
    looked = {name: source.wrong[name] for name in set(names)}
    planted = Counter(wrong.kind for some in looked.values() for wrong in some)
    named = Counter(source.wrong[name][number].kind for name, number in hit)
    return {
        "told": len(doubts.found), "planted": planted.total(), "precision": right.total() / max(1, len(doubts.found)),
        "recall": len(hit) / max(1, planted.total()),
        "by_doubt": {name: {"told": count, "planted": right[name]} for name, count in told.items()},
        "by_planted": {name: {"planted": count, "named": named[name]} for name, count in planted.items()},
    }  # fmt: skip


def _about(place: Any, wrong: Wrong) -> bool:
    """Whether a doubt's place is that of an error: boxes that share half of the smaller, or a point in or near one."""
    boxes = np.asarray(wrong.boxes)
    if np.isscalar(place[0]):  # a part of a mask
        return _share(place, boxes)
    told = [np.asarray(one) for one in place if one is not None]  # of a mark and of a find
    return any(_near(one, boxes) if len(one) == 2 else _share(one, boxes) for one in told)


def _near(point: Array, boxes: Array, reach: float = 6.0) -> bool:
    across = (point[0] > boxes[:, 0] - reach) & (point[0] < boxes[:, 2] + reach)
    return bool((across & (point[1] > boxes[:, 1] - reach) & (point[1] < boxes[:, 3] + reach)).any())


def _share(box: Any, boxes: Array) -> bool:
    x0, y0, x1, y1 = (float(value) for value in box[:4])
    wide = (np.minimum(x1, boxes[:, 2]) - np.maximum(x0, boxes[:, 0])).clip(0)
    high = (np.minimum(y1, boxes[:, 3]) - np.maximum(y0, boxes[:, 1])).clip(0)
    smaller = np.minimum((x1 - x0) * (y1 - y0), (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
    return bool((wide * high >= 0.5 * smaller).any())


def doubted(source: Source, network: str, budget_s: float, seed: int) -> tuple[Any, float]:
    """The names of the pictures that were looked at and the doubts, None where there are none; seconds of fitting."""
    from assay.evidence import evidence
    from assay.evidence import labels as finding
    from assay.fitting import finish
    from assay.flow import TrainOptions, prepare
    from assay.planning import choose
    from assay.progress import Progress
    from assay.registry import load_task
    from assay.run import RunFolder
    from assay.sources.source import DataOptions

    seen: list[Any] = []
    original, every = finding.doubted, dict(evidence.FINDINGS)

    def kept(context: Any, units: Array, doubts: Any, left: str = "") -> Any:
        seen.append(([Path(context.samples.id(int(unit))).stem for unit in units], doubts))
        return original(context, units, doubts, left)

    options = DataOptions(source.task, network=network, extra=source.options)
    task = load_task(source.task)
    setattr(task, "copied_rows", lambda records, progress: None)  # noqa: B010
    finding.doubted = kept
    evidence.FINDINGS.clear()
    evidence.FINDINGS["labels"] = every["labels"]
    try:
        with own_cache() as folder:
            prepared = grouped(prepare(source.path, options, task=task), source)
            run = RunFolder.create(folder / "run")
            made = choose(prepared, options, TrainOptions(budget_s, None, network, {}, seed, "full"), run, Progress())
            finish(made, run, Progress(), threading.Event())
            return seen[0] if seen else None, run.read(run.summary)["seconds"]
    finally:
        finding.doubted = original
        evidence.FINDINGS.clear()
        evidence.FINDINGS.update(every)


def grouped(prepared: Any, source: Source) -> Any:
    """The same data with sides by group, where there are groups: an eighth of them validates, another is tested."""
    from assay.samples.draws import order
    from assay.samples.split import Split

    if not source.group:
        return prepared
    names = [Path(name).stem for name in prepared.records.index()["id"].to_pylist()]
    groups = np.unique([source.group[name] for name in names], return_inverse=True)[1]
    ranked = order(np.arange(groups.max() + 1), "sides")
    rank = np.argsort(ranked)[groups] / (groups.max() + 1)
    side = np.where(rank < 0.125, 2, np.where(rank < 0.25, 1, 0)).astype(np.int8)
    return replace(prepared, split=Split(side, "given"))


def main() -> None:
    bench = open_bench("truth/doubts", __doc__, add_options)
    kinds = ["outlines"] if bench.smoke else bench.options.kinds.split(",")
    draws = [0] if bench.smoke else numbers(bench.options.draws)
    runs = [bench.piece(f"{kind}-{draw}", partial(measure, bench, kind, draw)) for kind in kinds for draw in draws]
    found = {kind: {name: float(np.mean([run[name] for run in runs if run["kind"] == kind and name in run] or [0.0]))
                    for name in ("precision", "recall")} for kind in kinds}  # fmt: skip
    targets = [Target(f"precision of the doubts, {kind}", one["precision"], ">=", 0.5) for kind, one in found.items()]
    bench.settings = {"wrong": "5 %, in equal shares", "budget_s": bench.options.budget}
    bench.finish({"mean": found, "runs": runs}, targets, seeds=draws, packages=["timm"])


if __name__ == "__main__":
    main()
