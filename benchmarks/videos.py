"""Objects followed through a video: speed, memory against length, and whether identities are kept.

There is no filmed traffic in the data, so that motion is MADE UP: a window of the size of a photo pans over photos of
road signs side by side, which the network did not learn from. Pixels are real, and where each sign is, and which it is,
is known. Signs neither overlap nor turn, so that this says nothing about crowds.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _boxes import invented, network_of, road_signs
from _command import run_assay
from _common import Bench, Json, Target, open_bench

Array = np.ndarray[Any, Any]
#: Pixels that the window moves in a frame, and how often the same way is gone to make the video longer.
_STEPS, _TIMES = (2.0, 5.0, 12.0), 5
_RATE_HZ = 25.0
_SEEN = 0.5  # the share of a sign in the window from which on it has to be found
_HIT = 0.5  # intersection over union


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--budget", default="15m", help="the time of fitting")
    parser.add_argument("--photos", default="20", help="photos that are panned over")


def train(bench: Bench) -> tuple[Path, Path]:
    """The run, and the folder that it learned from."""
    source, run = invented(bench.work) if bench.smoke else road_signs(bench.work, 0), bench.work / "run"
    if not (run / "summary.json").exists():
        small = ("--set", "width=16", "--set", "depth=0", "--set", "neck=32", "--set", "head=1") if bench.smoke else ()
        how = ("--network", network_of(bench), "--budget", "1s" if bench.smoke else bench.options.budget)
        run_assay("train", source, "--task", "object-detection", *how, "--evidence", "none", "--json", *small,
                  "--out", run)  # fmt: skip
    return run, source


def panorama(source: Path, most: int) -> tuple[Array, list[tuple[float, ...]], tuple[int, int]]:
    """Test photos of the commonest size side by side (H, W, 3), their boxes x0, y0, x1, y1, and that size (H, W)."""
    from PIL import Image

    names = (source / "ImageSets" / "Main" / "test.txt").read_text().split()
    photos = {name: np.asarray(Image.open(source / "JPEGImages" / f"{name}.jpg").convert("RGB")) for name in names}
    shape = Counter(photo.shape for photo in photos.values()).most_common(1)[0][0]
    chosen = [name for name in names if photos[name].shape == shape][:most]
    boxes: list[tuple[float, ...]] = []
    for place, name in enumerate(chosen):
        for one in ET.parse(source / "Annotations" / f"{name}.xml").iter("bndbox"):
            x0, y0, x1, y1 = (float(one.findtext(side, "nan")) for side in ("xmin", "ymin", "xmax", "ymax"))
            boxes.append((x0 - 1 + place * shape[1], y0 - 1, x1 + place * shape[1], y1))
    return np.concatenate([photos[name] for name in chosen], axis=1), boxes, shape[:2]


def frames(
    whole: Array, boxes: list[tuple[float, ...]], size: tuple[int, int], step: float
) -> Iterator[tuple[Array, Array]]:
    """Each frame (H, W, 3), and its signs (n, 6): x0, y0, x1, y1, number, the share that is seen."""
    import cv2

    height, width = size
    for number in range(int((whole.shape[1] - width) / step) + 1):
        left = number * step
        moved = np.asarray([[1, 0, -left], [0, 1, 0]], np.float32)
        rows = [(max(x0 - left, 0), y0, min(x1 - left, width), y1, sign) for sign, (x0, y0, x1, y1) in enumerate(boxes)]
        seen = [(*row, (row[2] - row[0]) / (boxes[row[4]][2] - boxes[row[4]][0])) for row in rows if row[2] > row[0]]
        yield cv2.warpAffine(whole, moved, (width, height)), np.asarray(seen).reshape(-1, 6)


def film(file: Path, source: Path, photos: int, step: float, times: int = 1) -> list[Array]:
    """Write the video; the signs of each frame."""
    import cv2

    whole, boxes, size = panorama(source, photos)
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter_fourcc(*"mp4v"), _RATE_HZ, size[::-1])
    truths = []
    for _ in range(times):
        for pixels, signs in frames(whole, boxes, size, step):
            writer.write(np.ascontiguousarray(pixels[:, :, ::-1]))
            truths.append(signs)
    writer.release()
    return truths


def identities(told: Json, truths: list[Array]) -> Json:
    """How often the identity of a sign changes, and IDF1 (Ristani et al. 2016)."""
    from scipy.optimize import linear_sum_assignment

    from assay.evaluation.box_matching import overlaps

    last: dict[int, int] = {}
    together: Counter[tuple[int, int]] = Counter()
    switches = found = wanted = given = 0
    for frame, signs in zip(told["frames"], truths, strict=True):
        due, objects = signs[signs[:, 5] >= _SEEN], frame["objects"]
        wanted, given = wanted + len(due), given + len(objects)
        overlap = overlaps(due[:, :4], np.asarray([one["box"] for one in objects]).reshape(-1, 4))
        for row, column in zip(*linear_sum_assignment(-overlap), strict=True):
            if overlap[row, column] >= _HIT:
                sign, name = int(due[row, 4]), objects[column]["id"]
                switches += last.get(sign, name) != name
                last[sign] = name
                together[sign, name] += 1
                found += 1
    signs_found, names = sorted({sign for sign, _ in together}), sorted({name for _, name in together})
    table = np.asarray([[together[sign, name] for name in names] for sign in signs_found] or np.zeros((0, 0), int))
    kept = int(table[linear_sum_assignment(-table)].sum())
    return {"signs": len({int(row[4]) for signs in truths for row in signs if row[5] >= _SEEN}),
            "signs_found": len(signs_found), "tracks": len(told["tracks"]), "recall": found / max(wanted, 1),
            "precision": found / max(given, 1), "switches": switches,
            "idf1": 2 * kept / max(wanted + given, 1)}  # fmt: skip


def measure(bench: Bench, step: float, times: int = 1) -> Json:
    """One `assay predict` of a video, watched."""
    run, source = train(bench)
    with tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder) / "pan.mp4", Path(folder) / "found.json"
        truths = film(file, source, 5 if bench.smoke else int(bench.options.photos), step, times)
        done = run_assay("predict", run, file, "--out", out, watch=True)
        (told,) = json.loads(out.read_text(encoding="utf-8"))
    most = max((kinds.get("VmRSS", 0) for kinds in done.peaks.values()), default=0)
    known = {"frames": len(truths), "wall_s": done.wall_s, "a_second": len(truths) / done.wall_s}
    return {**known, "most_memory_bytes": most, **({} if times > 1 else identities(told, truths))}


def main() -> None:
    bench = open_bench("videos", __doc__, add_options)
    pans = {f"{step:g}": bench.piece(f"pan-{step:g}", partial(measure, bench, step)) for step in _STEPS}
    long = bench.piece("long", partial(measure, bench, _STEPS[0], _TIMES))
    short = pans[f"{_STEPS[0]:g}"]
    grown = long["most_memory_bytes"] / short["most_memory_bytes"] if short["most_memory_bytes"] else None
    summary = {"by_step": pans, "long": long, "memory_grown": grown}
    targets = [Target(f"memory of a video {_TIMES} times as long, by that of the short one", grown, "<=", 1.05)]
    bench.settings = {"budget": bench.options.budget, "photos": bench.options.photos, "rate_hz": _RATE_HZ,
                      "motion": "made up: a window pans over photos"}  # fmt: skip
    bench.finish(summary, targets, packages=["timm", "torchvision", "opencv-python-headless"])


if __name__ == "__main__":
    main()
