"""Inputs unlike the training data: how many foreign ones are told, and how many of the network's own are told falsely.

Digits, voice commands, messages, film reviews, sentences to translate, and wines; foreign to them are other pictures,
other sounds, texts of other kinds and languages, and rows of noise. The limit of each run comes from its validation
side alone, before anything foreign is seen. How texts are told was chosen on other ones: questions (TREC, XQuAD),
English and French captions, and a play.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
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
    told = f"measure these anew, separated by commas ({', '.join(KINDS)}), and take over the others"
    parser.add_argument("--only", default="", help=told)


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
    """Letters drawn by lot, German captions, Japanese questions, film reviews."""
    own = [line.split("\t")[-1].strip() for line in (folder / "sms.tsv").read_text(encoding="utf-8").splitlines()[1:]]
    kinds = {"letters by lot": _by_lot(own, seed), "German captions": _captions("de"),
             "Japanese questions": _japanese(), "film reviews": _reviews()}  # fmt: skip
    return _written(folder, kinds)


def reviews(folder: Path, smoke: bool) -> tuple[Path, Json]:
    """10,662 sentences of film reviews, for or against."""
    return _labelled(folder / "reviews.csv", _reviews(labelled=True)[:: 20 if smoke else 1])


def other_reviews(folder: Path, seed: int, smoke: bool) -> Mapping[str, Path]:
    """Letters drawn by lot, German captions, Japanese questions, text messages."""
    kinds = {"letters by lot": _by_lot(_reviews(), seed), "German captions": _captions("de"),
             "Japanese questions": _japanese(), "text messages": _messages()}  # fmt: skip
    return _written(folder, kinds)


def sentences(folder: Path, smoke: bool) -> tuple[Path, Json]:
    """4,000 German captions and their English translations."""
    pairs = list(zip(_captions("de", "train"), _captions("en", "train"), strict=True))[: 300 if smoke else 4000]
    file = folder / "pairs.tsv"
    file.write_text("\n".join(["de\ten", *("\t".join(pair) for pair in pairs)]) + "\n", encoding="utf-8")
    return file, {"target": "en", "data": {"text": "de"}}


def other_sentences(folder: Path, seed: int, smoke: bool) -> Mapping[str, Path]:
    """English captions (of the same pictures), Japanese questions, text messages, words of the captions by lot."""
    words = " ".join(_captions("de")).split()
    drawn = np.random.default_rng(seed).choice(words, (_FOREIGN, 11))
    kinds = {"English captions": _captions("en"), "Japanese questions": _japanese(), "text messages": _messages(),
             "words by lot": [" ".join(line) for line in drawn]}  # fmt: skip
    return _written(folder, kinds)


def _by_lot(own: list[str], seed: int) -> list[str]:
    draws, letters = np.random.default_rng(seed), np.asarray(list("abcdefghijklmnopqrstuvwxyz ,.!?"))
    return ["".join(draws.choice(letters, max(8, len(one)))) for one in own[:_FOREIGN]]


def _captions(language: str, name: str = "test_2016_flickr") -> list[str]:
    return gzip.decompress((data_root() / "multi30k" / f"{name}.{language}.gz").read_bytes()).decode().splitlines()


def _japanese() -> list[str]:
    with zipfile.ZipFile(data_root() / "jaquad" / "jaquad.zip") as archive:
        articles = json.loads(archive.read("dev/jaquad_dev_0000.json"))["data"]
    return [one["question"] for article in articles for part in article["paragraphs"] for one in part["qas"]]


def _messages() -> list[str]:
    lines = (data_root() / "sms_spam" / "sms.tsv").read_text(encoding="utf-8").splitlines()
    return [line.split("\t")[-1] for line in lines[:_FOREIGN]]


def _reviews(labelled: bool = False) -> list[Any]:
    """Sentences, those for and those against in turn; with their labels where they are asked for."""
    file = data_root() / "sentence_classification" / "rt-polarity.all"
    lines = [line.strip().split(" ", 1) for line in file.read_text(encoding="latin-1").split("\n")]
    lines = [line for line in lines if len(line) == 2]
    order = np.random.default_rng(0).permutation(len(lines))
    return [lines[place][::-1] if labelled else lines[place][1] for place in order]


def _labelled(file: Path, rows: list[Any]) -> tuple[Path, Json]:
    with file.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([["text", "label"], *rows])
    return file, {"target": "label", "data": {"target_kind": "class"}}


def _written(folder: Path, kinds: Mapping[str, list[str]]) -> Mapping[str, Path]:
    """A table of texts for each kind."""
    found = {}
    for name, texts in kinds.items():
        found[name] = folder / f"{name}.csv"
        with found[name].open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["text"], *([text] for text in texts[:_FOREIGN])])
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
    "reviews": ("text-classification", reviews, other_reviews),
    "sentences": ("translation", sentences, other_sentences),
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
        "by": likeness.by,
        "learned on": likeness.learned,
        "calibrated on": likeness.judged,
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
    only = set(filter(None, bench.options.only.split(",")))
    if unknown := only - set(KINDS):
        raise SystemExit(f"--only: there is no {', '.join(sorted(unknown))}")
    bench.options.add = bench.options.add or bool(only)
    kinds = tuple(kind for kind in kinds if not only or kind in only or bench.holds(kind))
    found = {kind: bench.piece(kind, partial(measure, bench, kind), anew=kind in only) for kind in kinds}
    told = {kind: one for kind, one in found.items() if one["told"] is not None}
    summary = {kind: {"told falsely": one["told falsely"], "least told": min(one["told"].values()),
                      "least auroc": min(one["auroc"].values())} for kind, one in told.items()}  # fmt: skip
    bench.settings = {"budget": bench.options.budget, "foreign": _FOREIGN}
    targets = [Target(f"{kind}: told falsely", one["told falsely"], "<=", 0.05) for kind, one in told.items()]
    pictures = told.get("pictures", {}).get("auroc", {})
    targets += [Target(f"pictures: AUROC of {name}", value, ">=", 0.95) for name, value in pictures.items()]
    texts = [(kind, *one) for kind in ("texts", "reviews", "sentences") if kind in told
             for one in told[kind]["auroc"].items()]  # fmt: skip
    targets += [Target(f"{kind}: AUROC of {name}", value, ">=", 0.95) for kind, name, value in texts]
    bench.finish(summary, targets, seeds=[int(bench.options.seed)], packages=["scikit-learn", "torch"])


if __name__ == "__main__":
    main()
