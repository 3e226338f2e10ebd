"""Inputs unlike the training data: how many foreign ones are told, and how many of the network's own are told falsely.

Digits, voice commands, messages and wines; foreign to them are other pictures, other sounds, other languages and rows
of noise. The limit of each run comes from its validation side alone, before anything foreign is seen.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _common import Bench, Json, Target, data_root, open_bench

Array = np.ndarray[Any, Any]
_FOREIGN, _RATE = 200, 8000


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--budget", default="60s", help="the time of fitting of each run")
    parser.add_argument("--seed", default="0", help="of the trainings and of the noise")


def digits(folder: Path, smoke: bool) -> tuple[Path, Json]:
    """1,797 scanned digits, a folder a class."""
    from PIL import Image
    from sklearn.datasets import load_digits

    data = load_digits()
    for number in range(300 if smoke else len(data.images)):
        file = folder / "digits" / str(data.target[number]) / f"{number:04d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((data.images[number] * 255 / 16).round().astype(np.uint8)).save(file)
    return folder / "digits", {}


def other_pictures(folder: Path, seed: int, smoke: bool) -> Mapping[str, Path]:
    """Noise, even grey, digits turned and upside down in their light; photos, signs and scans where they are there."""
    from PIL import Image

    draws = np.random.default_rng(seed)
    own = [np.asarray(Image.open(file).convert("L")) for file in sorted((folder / "digits").rglob("*.png"))[:_FOREIGN]]
    made = {
        "noise": [draws.integers(0, 256, one.shape, np.uint8) for one in own],
        "even grey": [np.full((8, 8), grey, np.uint8) for grey in range(0, 256, 8)],
        "digits on their side": [np.rot90(one).copy() for one in own],
        "digits in the negative": [255 - one for one in own],
    }
    found: dict[str, Path] = {}
    for name, pictures in made.items():
        found[name] = folder / name
        found[name].mkdir(exist_ok=True)
        for number, picture in enumerate(pictures):
            Image.fromarray(picture).save(found[name] / f"{number:03d}.png")
    for name, place in {"cats": "cats_dogs/test/cat", "road signs": "road_signs", "scans": "brain_mri_tumor"}.items():
        files = [file for file in sorted((data_root() / place).rglob("*"))
                 if file.suffix.lower() in (".png", ".jpg", ".jpeg")][: 0 if smoke else _FOREIGN]  # fmt: skip
        if files:
            found[name] = folder / name
            found[name].mkdir(exist_ok=True)
            for number, file in enumerate(files):
                (found[name] / f"{number:03d}{file.suffix.lower()}").write_bytes(file.read_bytes())
    return found


def messages(folder: Path, smoke: bool) -> tuple[Path, Json]:
    """5,574 text messages, spam or not."""
    lines = (data_root() / "sms_spam" / "sms.tsv").read_text(encoding="utf-8").splitlines(keepends=True)
    file = folder / "sms.tsv"
    file.write_text("".join(lines[: 400 if smoke else None]), encoding="utf-8")
    return file, {}


def other_texts(folder: Path, seed: int, smoke: bool) -> Mapping[str, Path]:
    """German captions, and messages whose letters are drawn by lot."""
    own = [line.split("\t")[-1].strip() for line in (folder / "sms.tsv").read_text(encoding="utf-8").splitlines()[1:]]
    draws, letters = np.random.default_rng(seed), np.asarray(list("abcdefghijklmnopqrstuvwxyz ,.!?"))
    made = {"letters by lot": ["".join(draws.choice(letters, max(8, len(one)))) for one in own[:_FOREIGN]]}
    german = data_root() / "multi30k" / "test_2016_flickr.de.gz"
    if german.exists():
        made["German captions"] = gzip.decompress(german.read_bytes()).decode("utf-8").splitlines()[:_FOREIGN]
    found = {}
    for name, texts in made.items():
        found[name] = folder / f"{name}.csv"
        with found[name].open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["text"], *([text] for text in texts)])
    return found


def wines(folder: Path, smoke: bool) -> tuple[Path, Json]:
    """178 wines of three cultivars."""
    from sklearn.datasets import load_wine

    frame = load_wine(as_frame=True).frame
    frame["target"] = np.asarray(["barolo", "grignolino", "barbera"])[frame["target"]]
    frame.to_csv(folder / "wine.csv", index=False)
    return folder / "wine.csv", {"target": "target"}


def other_rows(folder: Path, seed: int, smoke: bool) -> Mapping[str, Path]:
    """Rows whose every value lies somewhere between the least and the greatest of its column, and far beyond them."""
    import pandas as pd

    frame = pd.read_csv(folder / "wine.csv").drop(columns="target")
    draws = np.random.default_rng(seed)
    low, high = frame.min().to_numpy(), frame.max().to_numpy()
    within = draws.uniform(low, high, (_FOREIGN, len(low)))
    found = {}
    for name, values in {"values by lot": within, "ten times as large": 10 * frame.to_numpy()}.items():
        found[name] = folder / f"{name}.csv"
        pd.DataFrame(values, columns=frame.columns).to_csv(found[name], index=False)
    return found


def commands(folder: Path, smoke: bool) -> tuple[Path, Json]:
    """3,000 spoken digits; the split goes by speakers."""
    target = folder / "fsdd"
    with zipfile.ZipFile(data_root() / "fsdd" / "recordings.zip") as archive:
        for name in [name for name in archive.namelist() if name.endswith(".wav")][:: 10 if smoke else 1]:
            file = target / Path(name).name.split("_")[0] / Path(name).name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(archive.read(name))
    return target, {}


def other_sounds(folder: Path, seed: int, smoke: bool) -> Mapping[str, Path]:
    """Noise, pure tones, and the digits backwards."""
    import soundfile

    draws, time_s = np.random.default_rng(seed), np.arange(_RATE // 2) / _RATE
    own = [soundfile.read(file)[0] for file in sorted((folder / "fsdd").rglob("*.wav"))[:: 3 if smoke else 15]]
    made = {
        "noise": [0.1 * draws.normal(size=len(time_s)) for _ in own],
        "tones": [0.3 * np.sin(2 * np.pi * draws.uniform(200, 3000) * time_s) for _ in own],
        "digits backwards": [one[::-1] for one in own],
    }
    found = {}
    for name, sounds in made.items():
        found[name] = folder / name
        found[name].mkdir(exist_ok=True)
        for number, sound in enumerate(sounds[:_FOREIGN]):
            soundfile.write(found[name] / f"{number:03d}.wav", sound.astype(np.float32), _RATE)
    return found


Own = Callable[[Path, bool], tuple[Path, Json]]
Foreign = Callable[[Path, int, bool], Mapping[str, Path]]
KINDS: dict[str, tuple[str, Own, Foreign]] = {
    "pictures": ("image-classification", digits, other_pictures),
    "texts": ("text-classification", messages, other_texts),
    "rows": ("table", wines, other_rows),
    "sounds": ("voice-commands", commands, other_sounds),
}


def measure(bench: Bench, kind: str) -> Json:
    """One run, its own test side, and everything foreign to it."""
    import assay

    task, own, foreign = KINDS[kind]
    seed, folder = int(bench.options.seed), bench.work / kind
    folder.mkdir(exist_ok=True)
    source, options = own(folder, bench.smoke)
    run = folder / "run"
    how: Json = {"epochs": 1} if bench.smoke else {"budget": bench.options.budget}
    if not (run / "summary.json").exists():
        assay.train(source, task=task, out=run, evidence="none", seed=seed, **how, **options)
    model = assay.load(run)
    likeness = model.predictor.likeness
    if likeness is None:
        return {"told": None}
    test = _test_side(run)
    others = {name: _far(model, place) for name, place in foreign(folder, seed, bench.smoke).items()}
    return {
        "metric": model.summary["metric"],
        "promised": likeness.promised,
        "samples": len(test),
        "told falsely": float(np.mean(test > 1)),
        "told": {name: float(np.mean(far > 1)) for name, far in others.items()},
        "auroc": {name: _auroc(test, far) for name, far in others.items()},
    }


def _test_side(run: Path) -> Array:
    import assay
    from assay.planning import reopen
    from assay.progress import Progress
    from assay.run import RunFolder
    from assay.samples.split import TEST
    from assay.serving.likeness import answered

    far = answered(assay.load(run).predictor, reopen(RunFolder(run), Progress()).samples.view(TEST))[1]
    if far is None:
        raise SystemExit(f"{run} tells no distances")
    return far


def _far(model: Any, place: Path) -> Array:
    return np.asarray([one.far for one in model.predictions(str(place))[0]], float)


def _auroc(own: Array, foreign: Array) -> float:
    """The share of pairs of an own and a foreign input of which the foreign one is farther."""
    from sklearn.metrics import roc_auc_score

    labels = np.r_[np.zeros(len(own)), np.ones(len(foreign))]
    return float(roc_auc_score(labels, np.r_[own, foreign]))


def main() -> None:
    bench = open_bench("unlike", __doc__, add_options)
    kinds = ("pictures", "rows") if bench.smoke else tuple(KINDS)  # which need no data set
    found = {kind: bench.piece(kind, partial(measure, bench, kind)) for kind in kinds}
    told = {kind: one for kind, one in found.items() if one["told"] is not None}
    summary = {kind: {"told falsely": one["told falsely"], "least told": min(one["told"].values()),
                      "least auroc": min(one["auroc"].values())} for kind, one in told.items()}  # fmt: skip
    bench.settings = {"budget": bench.options.budget, "foreign": _FOREIGN}
    targets = [Target(f"{kind}: told falsely", one["told falsely"], "<=", 0.05) for kind, one in told.items()]
    pictures = told.get("pictures", {}).get("auroc", {})
    targets += [Target(f"pictures: AUROC of {name}", value, ">=", 0.95) for name, value in pictures.items()]
    bench.finish(summary, targets, seeds=[int(bench.options.seed)], packages=["scikit-learn", "torch"])


if __name__ == "__main__":
    main()
