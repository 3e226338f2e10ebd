"""The worked examples of the gallery: of each application real data, the command, and where more is told."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import _boxes
import cats_dogs
import commands
import dsb2018_cells
import dsb2018_masks
import kitti_positioning
import pneumoniamnist
import questions
import sentences
import shakespeare
import tables
import translation
from _common import Bench, data_root
from _data import minilm, pretrained_folder
from _drives import small_log, udacity_folder
from _speech import invented, yesno_folder

#: What stands for a folder of a pretrained network in the commands that are shown.
_SHOWN = {"tf_efficientnet_lite0": "EfficientNet-Lite0", "minilm-l6": "MiniLM-L6"}


@dataclass(frozen=True)
class Example:
    """One application's example.

    Attributes:
        application: its name.
        title: of its part of the page.
        about: what is learned, of which data, whose, under which licence.
        source: makes or finds the data; tiny under `--smoke`.
        words: of `assay train`.
        shown: how the source is called in the command that is shown.
        then: what one does with the run.
        more: the page of the documentation, and the benchmark that measures at full length.
        budget: of fitting.
    """

    application: str
    title: str
    about: str
    source: Callable[[Bench], Path]
    words: Callable[[Bench], Sequence[object]]
    shown: str
    then: str
    more: tuple[str, str]
    budget: str = "60s"

    def command(self, bench: Bench) -> str:
        """As a user types it."""
        return " ".join(["assay train", self.shown, *(_shown(str(word)) for word in self.options(bench))])

    def options(self, bench: Bench) -> Sequence[object]:
        """What follows the source."""
        budget = "2s" if bench.smoke else self.budget
        return ["--task", self.application, *self.words(bench), "--budget", budget]


def _shown(word: str) -> str:
    kind, slash, rest = word.partition("/")
    return f"{kind}/{_SHOWN.get(Path(rest).name, Path(rest).name)}" if slash else word


def _network(kind: str) -> Callable[[Bench], Sequence[object]]:
    """Options that ask for EfficientNet-Lite0 on weights of ImageNet, and for the usual network under `--smoke`."""
    return lambda bench: [] if bench.smoke else ["--network", f"{kind}/{pretrained_folder().resolve()}"]


def _words(*words: object) -> Callable[[Bench], Sequence[object]]:
    return lambda bench: words


def _photos(bench: Bench) -> Path:
    return cats_dogs.small_photos(bench.work / "photos") if bench.smoke else cats_dogs.photos()


def _smears(bench: Bench) -> Path:
    return _boxes.invented(bench.work) if bench.smoke else data_root() / "bccd"


def _masks(bench: Bench) -> Path:
    folder = bench.work / "masks"
    data = dsb2018_masks.made_up(folder) if bench.smoke else dsb2018_masks.unpack(folder)
    return dsb2018_masks.fold_table(data, 0)


def _cells(bench: Bench) -> Path:
    smoke = bench.smoke
    source = dsb2018_cells.invented(bench.work / "invented") if smoke else data_root() / "dsb2018_nuclei"
    return dsb2018_cells.fold_folder(source, bench.work / "cells", 0)


def _scans(bench: Bench) -> Path:
    return pneumoniamnist.small(bench.work) if bench.smoke else pneumoniamnist.pictures()


def _tumours(bench: Bench) -> Path:
    """scikit-learn's table of breast tumours as CSV."""
    found, file = tables.table("breast-cancer"), bench.work / "breast-cancer.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([found.column_names, *zip(*found.to_pydict().values(), strict=True)])
    return file


def _questions(bench: Bench) -> Path:
    return sentences.source_of(bench, "trec")


def _drive(bench: Bench) -> Path:
    return small_log(bench.work / "log") if bench.smoke else udacity_folder()


def _routes(bench: Bench) -> Path:
    return kitti_positioning.routes_folder(bench.work, kitti_positioning.TRAIN, bench.smoke)


def _pairs(bench: Bench) -> Path:
    """English and German of Multi30k; 2016's test set."""
    given = Path(translation.source_of(bench, "en-de"))
    folder = bench.work / "multi30k"
    folder.mkdir(exist_ok=True)
    for file in given.iterdir():
        if ".en" in file.name or ".de" in file.name:
            name = file.name.replace("test_2016_flickr", "test")
            if not name.startswith("test_"):
                shutil.copyfile(file, folder / name)
    return folder


def _spoken(bench: Bench) -> Path:
    return invented(bench.work) if bench.smoke else yesno_folder(bench.work, 0)


def _digits(bench: Bench) -> Path:
    return commands.table_of(bench, "random" if bench.smoke else "theo")


EXAMPLES = (
    Example(
        "image-classification", "Cats and dogs",
        "1,120 photos of cats and dogs, a folder for each; 279 others are the test.",
        _photos, _network("timm"), "photos/", "assay predict RUN photo.jpg", ("", "cats_dogs"),
    ),
    Example(
        "object-detection", "Blood cells in smears",
        "364 photos of blood smears with boxes around red cells, white cells and platelets (BCCD, MIT licence), in the "
        "layout of Pascal VOC with its own sides.",
        _smears, _network("detector"), "bccd/", "assay predict RUN smear.jpg", ("objects", "bccd"), "2m",
    ),
    Example(
        "segmentation", "What in tissue is nucleus",
        "107 stained tiles of tissue with masks of their nuclei (Data Science Bowl 2018, CC0); tiles of one section "
        "never cross the split.",
        _masks, lambda bench: ["--group", "mosaic", *_network("timm")(bench)], "tiles.csv",
        "assay predict RUN tile.png --out masks/", ("segmentation", "dsb2018_masks"),
    ),
    Example(
        "cell-detection", "Nuclei, one by one",
        "The same tiles, each nucleus outlined: found, outlined and counted.",
        _cells, lambda bench: ["--group", "mosaic", *_network("timm")(bench)], "nuclei/",
        "assay predict RUN slide.svs --out cells.geojson", ("cells", "dsb2018_cells"), "90s",
    ),
    Example(
        "scan-diagnosis", "Pneumonia in chest X-rays",
        "5,856 X-rays of children's chests at 28 pixels in the layout of MedMNIST (PneumoniaMNIST, CC BY 4.0). Not a "
        "medical device.",
        _scans, _words(), "pneumonia.npz", "assay predict RUN scan.dcm", ("scans", "pneumoniamnist"),
    ),
    Example(
        "table", "Breast tumours by thirty measures",
        "569 tumours, benign or malignant, as a table (Wisconsin, with scikit-learn; CC BY 4.0).",
        _tumours, _words("--target", "target"), "tumours.csv", "assay predict RUN new.csv", ("", "tables"),
    ),
    Example(
        "text-classification", "What a question asks for",
        "5,452 questions of six kinds, 500 for the test (TREC).",
        _questions, lambda bench: ["--target", "label", *([] if bench.smoke else minilm())], "questions.csv",
        "assay predict RUN new.csv", ("", "sentences"), "90s",
    ),
    Example(
        "translation", "English to German",
        "29,000 captions of pictures in both languages (Multi30k, for research and teaching), from nothing.",
        _pairs, _words("--languages", "en-de"), "multi30k/", "assay predict RUN new.en", ("", "translation"), "3m",
    ),
    Example(
        "text-generation", "Text in Shakespeare's manner",
        "A million characters of plays; the last tenth is the test.",
        lambda bench: shakespeare.source_of(bench), _words(), "plays/", "assay predict RUN prompt.txt --length 500",
        ("", "shakespeare"), "2m",
    ),
    Example(
        "question-answering", "Answers out of articles",
        "1,190 questions about 48 articles (English XQuAD, CC BY-SA 4.0); every fifth article is the test.",
        lambda bench: questions.fold_of(bench, 0), lambda bench: [] if bench.smoke else minilm(), "xquad/",
        "assay predict RUN questions.json", ("", "questions"), "2m",
    ),
    Example(
        "transcription", "Eight words of Hebrew",
        "60 recordings of eight words each, yes or no (yesno of Kaldi), a fifth of them the test.",
        _spoken, _words(), "recordings/", "assay predict RUN meeting.mp3 --out meeting.srt", ("transcribe", "yesno"),
        "2m",
    ),
    Example(
        "voice-commands", "Spoken digits of a voice never heard",
        "3,000 clips of ten digits by six speakers (FSDD, CC BY-SA 4.0); one speaker is the test.",
        _digits, _words("--target", "label"), "clips.csv", "assay listen RUN --microphone --actions actions.toml",
        ("listen", "commands"), "90s",
    ),
    Example(
        "driving", "The wheel from the camera",
        "2,383 frames of a simulator (SIMULATED; Udacity's layout) with steering, throttle and brake, split by "
        "stretches of time.",
        _drive, _words(), "drive/", "assay predict RUN frames/ --out driven.csv", ("driving", "udacity_steering"),
    ),
    Example(
        "positioning", "Where the car is without satellites",
        "Eleven drives of KITTI with sensors simulated from the true path (SIMULATED), whole drives in "
        "the test.",
        _routes, _words(), "poses/", "assay predict RUN drive/", ("positioning", "kitti_positioning"), "60s",
    ),
)  # fmt: skip
