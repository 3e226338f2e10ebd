"""One training of a detector as a user runs it, and how fast it answers."""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _command import named, stages_of, train_or_resume
from _common import Bench, Json, data_root, mean_interval
from _data import pretrained_folder
from _speech import linked

FOLDS = 5
_METRICS = ("map", "map50", "f1", "precision", "recall")
_ROUNDS = 3


def network_of(bench: Bench) -> str:
    """The network that is trained: on pretrained weights, or a tiny one for --smoke."""
    return "detector" if bench.smoke else f"detector/{pretrained_folder().resolve()}"


def trained(bench: Bench, source: Path, key: str, budget: str, seed: int, *words: object) -> Json:
    """One `assay train` with quick evidence and everything else included; it goes on where it was stopped."""
    run = bench.work / f"run-{key}"
    small = ("--set", "width=16", "--set", "depth=0", "--set", "neck=32", "--set", "head=1") if bench.smoke else ()
    how = ("--task", "object-detection", "--network", network_of(bench), "--budget", budget, "--seed", seed,
           "--evidence", "quick", *small, *words)  # fmt: skip
    done, wall_s = train_or_resume(run, source, *how)
    summary = done.json
    numbers = summary["findings"]["accuracy"]["numbers"]
    return {"budget": budget, "seed": seed, "wall_s": wall_s, "fit_s": summary["seconds"],
            "network": named(summary["network"]), **{name: numbers[name] for name in _METRICS},
            "baseline": summary["baseline"], "verdict": summary["verdict"], "samples": summary["samples"],
            "stages": stages_of(done)}  # fmt: skip


def pace(bench: Bench, source: Path, pictures: Path, side: int) -> Json:
    """Pictures a second that a detector answers, decoding included; it is trained for seconds, which changes nothing.

    Args:
        bench: the benchmark.
        source: what it is trained on.
        pictures: a folder of pictures to answer.
        side: the longer side of the field in pixels.
    """
    import assay

    trained(bench, source, "pace", "2s" if bench.smoke else "30s", 0, "--image-size", side)
    model = assay.load(bench.work / "run-pace")
    taken = []
    for _ in range(_ROUNDS + 1):
        begun = time.perf_counter()
        answers, _ = model.predictions(pictures)
        taken.append(len(answers) / (time.perf_counter() - begun))
    return {"side": side, "pictures": len(answers), "a_second": statistics.median(taken[1:]), "rounds": taken[1:]}


def of_runs(runs: Sequence[Json]) -> Json:
    """The metrics of several trainings, and of the classical models beside them."""
    beside = [run["baseline"]["value"] for run in runs if run["baseline"]]
    return {**{name: mean_interval([run[name]["value"] for run in runs]) for name in _METRICS},
            "by_run": [run["map50"] for run in runs],
            "baseline_map": mean_interval(beside) if beside else None,
            "fit_s": statistics.fmean(run["fit_s"] for run in runs)}  # fmt: skip


def road_signs(work: Path, fold: int) -> Path:
    """The photos of road signs as Pascal VOC: a fifth of them, by the hash of their names, tested.

    Half of the next fifth validates.
    """
    source, folder = data_root() / "road_signs", work / f"road-signs-{fold}"
    names = sorted(file.stem for file in (source / "annotations").glob("*.xml"))
    names.sort(key=lambda name: hashlib.sha256(f"{name}.jpg".encode()).hexdigest())
    lists: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for place, name in enumerate(names):
        distance, half = (place - fold) % FOLDS, place // FOLDS % 2
        lists["test" if distance == 0 else "val" if distance == 1 and half else "train"].append(name)
        linked(source / "annotations" / f"{name}.xml", folder / "Annotations" / f"{name}.xml")
        linked(source / "images" / f"{name}.jpg", folder / "JPEGImages" / f"{name}.jpg")
    _write_lists(folder, lists)
    return folder


def invented(work: Path, count: int = 60) -> Path:
    """For --smoke: small pictures of noise with a bright square, as Pascal VOC with its sides."""
    from PIL import Image

    folder, random = work / "invented", np.random.default_rng(0)
    lists: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for number in range(count):
        image = random.integers(0, 90, (64, 64, 3)).astype(np.uint8)
        x, y, side = (int(value) for value in random.integers((0, 0, 16), (38, 38, 26)))
        image[y : y + side, x : x + side] = (220, 200, 60)
        name = f"{number:03d}"
        for part in ("JPEGImages", "Annotations"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / "JPEGImages" / f"{name}.jpg")
        corners = f"<xmin>{x + 1}</xmin><ymin>{y + 1}</ymin><xmax>{x + side}</xmax><ymax>{y + side}</ymax>"
        text = (f"<annotation><filename>{name}.jpg</filename><size><width>64</width><height>64</height><depth>3</depth>"
                f"</size><object><name>square</name><bndbox>{corners}</bndbox></object></annotation>")  # fmt: skip
        (folder / "Annotations" / f"{name}.xml").write_text(text)
        lists["test" if number % 5 == 0 else "val" if number % 5 == 1 else "train"].append(name)
    _write_lists(folder, lists)
    return folder


def pictures_of(source: Path, work: Path, side: str = "test") -> Path:
    """A folder with the pictures of one side of a Pascal VOC folder."""
    folder = work / f"pictures-{side}"
    for name in (source / "ImageSets" / "Main" / f"{side}.txt").read_text().split():
        linked(source / "JPEGImages" / f"{name}.jpg", folder / f"{name}.jpg")
    return folder


def _write_lists(folder: Path, lists: Mapping[str, Any]) -> None:
    (folder / "ImageSets" / "Main").mkdir(parents=True, exist_ok=True)
    for side, names in lists.items():
        (folder / "ImageSets" / "Main" / f"{side}.txt").write_text("".join(f"{name}\n" for name in names))
