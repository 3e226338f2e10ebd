"""SIMULATED lesions planted in real volumes, patients apart: are they found, and does the map show where they are?

The volumes are those that come with nibabel: parts of four heads, of other contrasts and other devices. Each exam is a
piece of one, moved, turned and with noise; half of them hold a soft bright ball that was put there. A fold keeps one
head for testing and another for choosing thresholds; the network sees neither while it learns.
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _command import run_assay
from _common import Bench, Json, Target, mean_interval, numbers, open_bench, spread

Array = np.ndarray[Any, Any]
#: Files of one head each: nibabel's tests say, or their pixels show, that these belong together.
HEADS = (("anatomical.nii", "example4d+orig.HEAD"), ("example4d.nii.gz", "example_nifti2.nii.gz"),
         ("scaled+tlrc.HEAD",), ("minc1-no-att.mnc",))  # fmt: skip
SHAPE, VOXEL_MM = (20, 24, 16), 2.0
_TURN, _SMOOTH = 15.0, 1.0


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", default="0", help="seeds of data and training")
    parser.add_argument("--exams", type=int, default=160, help="of each head, half of them with a lesion")
    parser.add_argument("--epochs", default="20", help="passes over the training exams")


def volumes() -> list[list[tuple[Array, Array]]]:
    """Of each head its volumes: values (X, Y, Z) from 0 to about 1, and the sizes of voxels in mm."""
    import nibabel

    folder = Path(nibabel.__file__).parent / "tests" / "data"
    found = []
    for head in HEADS:
        known = []
        for name in head:
            image: Any = nibabel.load(folder / name)
            values = np.asarray(image.dataobj, np.float64)
            values = values.reshape(*values.shape[:3], -1)[..., 0]
            low, high = np.quantile(values, (0.02, 0.98))
            sizes = np.asarray(image.header.get_zooms()[:3], float)
            sizes = np.full(3, 2.0) if name.endswith(".mnc") else sizes  # a head of 10 x 20 x 20 mm there is not
            known.append(((values - low) / (high - low), sizes))
        found.append(known)
    return found


def exam(head: list[tuple[Array, Array]], ill: bool, random: np.random.Generator) -> tuple[Array, Array]:
    """One exam (X, Y, Z), and where its lesion is."""
    from scipy.ndimage import map_coordinates
    from scipy.spatial.transform import Rotation

    values, sizes = head[int(random.integers(len(head)))]
    turn = Rotation.from_euler("xyz", random.uniform(-_TURN, _TURN, 3), degrees=True).as_matrix()
    grid = (np.indices(SHAPE).reshape(3, -1).T - (np.asarray(SHAPE) - 1) / 2) * VOXEL_MM * random.uniform(0.9, 1.1)
    room = np.maximum(np.asarray(values.shape) * sizes / 2 - np.asarray(SHAPE) * VOXEL_MM / 2, 3.0)
    centre = (np.asarray(values.shape) - 1) * sizes / 2 + random.uniform(-0.7, 0.7, 3) * room
    places = ((grid @ turn.T + centre) / sizes).T
    found = map_coordinates(values, places, order=1, mode="mirror").reshape(SHAPE)
    found = found * random.uniform(0.8, 1.2) + random.normal(0, 0.04, SHAPE)
    mask = np.zeros(SHAPE, bool)
    if ill:
        at = [random.uniform(5, side - 5) for side in SHAPE]
        radii = random.uniform(2.0, 3.5, 3)
        away = sum(((axis - place) / radius) ** 2
                   for axis, place, radius in zip(np.indices(SHAPE), at, radii, strict=True))  # fmt: skip
        bright = max(1.0, float(np.quantile(found, 0.98))) + random.uniform(0.4, 0.8)
        share = 1 / (1 + np.exp(4 * (np.sqrt(away) - 1)))
        found = found * (1 - share) + bright * share
        mask = np.asarray(away < 1)
    return found, mask


def write_exams(folder: Path, count: int, seed: int, test: int) -> None:
    """A NIfTI file an exam, where its lesion is beside it, and a table with heads as patients and their sides."""
    import nibabel

    rows, affine = ["path,label,patient,exam,split"], np.diag([VOXEL_MM, VOXEL_MM, VOXEL_MM, 1.0])
    (folder / "exams").mkdir(parents=True)
    (folder / "lesions").mkdir()
    for head, known in enumerate(volumes()):
        random = np.random.default_rng([seed, head])
        side = "test" if head == test else "val" if head == (test + 1) % len(HEADS) else "train"
        for number in range(count):
            ill = number % 2 == 1
            values, mask = exam(known, ill, random)
            name = f"{head}-{number}.nii"
            nibabel.save(nibabel.Nifti1Image(values.astype(np.float32), affine), folder / "exams" / name)
            np.save(folder / "lesions" / f"{head}-{number}.npy", mask)
            rows.append(f"exams/{name},{'lesion' if ill else 'healthy'},head-{head},{name},{side}")
    (folder / "exams.csv").write_text("\n".join(rows) + "\n")


def fold(count: int, epochs: str, seed: int, test: int) -> Json:
    """One training, and what its maps show of the lesions in the head that it never saw."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "data"
        folder.mkdir()
        write_exams(folder, count, seed, test)
        how = ("--target", "label", "--epochs", epochs, "--seed", seed, "--evidence", "quick", "--out", f"{place}/run")
        done = run_assay("train", folder, *how, "--json")
        shown = maps(Path(place) / "run", folder, count, test)
    summary = done.json
    found = {"metrics": summary["findings"]["accuracy"]["numbers"], "baseline": summary["baseline"], **shown}
    return {"seed": seed, "test_head": HEADS[test][0], "wall_s": done.wall_s, "fit_s": summary["seconds"], **found}


def maps(run: Path, folder: Path, count: int, test: int) -> Json:
    """Of the exams with a lesion: is the map's peak in it, and how much of it is among the strongest twentieth?"""
    import torch
    from scipy.ndimage import binary_dilation, gaussian_filter

    import assay
    from assay.evidence.scan_attribution import explain_scans
    from assay.samples.scan_windows import on_grid
    from assay.sources._nifti import read_nifti
    from assay.sources._scan_grid import in_window
    from assay.sources.scan import Volume

    predictor = assay.load(run).predictor
    spec = predictor.spec
    hits, covered, chance = [], [], []
    for number in range(1, count, 2):
        file = folder / "exams" / f"{test}-{number}.nii"
        image = read_nifti(file.read_bytes(), file.name)
        mask = np.load(folder / "lesions" / f"{test}-{number}.npy").transpose(2, 1, 0)[:, ::-1, ::-1]
        window = on_grid(Volume(in_window(image.values, "", None), image.spacing_mm), spec)
        lesion = on_grid(Volume((255 * mask).astype(np.uint8), image.spacing_mm), spec) > 127
        if not lesion.any():
            continue
        weights = explain_scans(predictor.network, torch.from_numpy(window)[None], spec)[0]
        with torch.inference_mode():
            answered = predictor.network(torch.from_numpy(window)[None]).argmax().item()
        smooth = gaussian_filter(weights if answered == 1 else -weights, _SMOOTH)
        hits.append(bool(binary_dilation(lesion)[np.unravel_index(smooth.argmax(), smooth.shape)]))
        covered.append(float((smooth >= np.quantile(smooth, 0.95))[lesion].mean()))
        chance.append(float(binary_dilation(lesion).mean()))
    return {"lesions": len(hits), "peak_in_lesion": float(np.mean(hits)), "covered": float(np.mean(covered)),
            "peak_by_chance": float(np.mean(chance))}  # fmt: skip


def run_all(bench: Bench) -> list[Json]:
    options = bench.options
    seeds, count, epochs = ([0], 16, "1") if bench.smoke else (numbers(options.seeds), options.exams, options.epochs)
    folds = [(seed, test) for seed in seeds for test in range(1 if bench.smoke else len(HEADS))]
    return [bench.piece(f"seed-{seed}-head-{test}", partial(fold, count, epochs, seed, test)) for seed, test in folds]


def main() -> None:
    bench = open_bench("lesions3d", __doc__, add_options)
    runs = run_all(bench)
    summary: Json = {
        "lesions": "SIMULATED",
        "auc": mean_interval([run["metrics"]["auc"]["value"] for run in runs]),
        "auc_by_head": [{run["test_head"]: run["metrics"]["auc"]} for run in runs],
        "texture and LightGBM, AUC": mean_interval([run["baseline"]["value"] for run in runs]),
        "peak_in_lesion": mean_interval([run["peak_in_lesion"] for run in runs]),
        "peak_by_chance": mean_interval([run["peak_by_chance"] for run in runs]),
        "covered_by_strongest_twentieth": mean_interval([run["covered"] for run in runs]),
        "wall_s": spread([run["wall_s"] for run in runs]),
    }
    targets = [Target("mean AUC over heads", summary["auc"]["mean"], ">=", 0.95),
               Target("maps whose peak is in the lesion", summary["peak_in_lesion"]["mean"], ">=", 0.8)]  # fmt: skip
    bench.settings = {
        "exams": bench.options.exams,
        "epochs": bench.options.epochs,
        "heads": [list(one) for one in HEADS],
    }
    bench.finish(summary, targets, seeds=numbers(bench.options.seeds), packages=["nibabel", "lightgbm"])


if __name__ == "__main__":
    main()
