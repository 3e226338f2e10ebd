"""Exports of every application, in float and in int8: equal answers, metric lost, latency and size before and after.

Each application is trained for a little on small real data; what is measured is not how good the network is but whether
its export answers as it does. A refusal of int8 counts as the rule demands it: with its reason. How quick int8 is
is asked of a network and of pictures as people use them (`photos`: EfficientNet-Lite0 at 224 pixels), where time goes
into products; scanned digits of 32 pixels show what calling a network costs.
"""

from __future__ import annotations

import argparse
import gzip
import math
import shutil
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from _common import Bench, Json, Target, data_root, open_bench

_EQUAL, _LOST, _QUICKER = 0.999, 0.005, 2.0
#: The piece by which it is judged how quick int8 is, and its application.
_PHOTOS, _OF_PHOTOS = "photos", "image-classification"
#: Seconds of fitting: enough that the metric is off its floor, where int8 would have nothing to lose.
_BUDGET_S, _LONGER_S = 20, {"object-detection": 60, "translation": 90, "question-answering": 60, "transcription": 60}
_PAIRS = 4000


def add_options(parser: argparse.ArgumentParser) -> None:
    known = ",".join(SOURCES)
    parser.add_argument("--tasks", default="", help=f"which applications, separated by commas ({known})")
    longer = ", ".join(f"{name} {seconds}s" for name, seconds in _LONGER_S.items())
    parser.add_argument("--budget", default="", help=f"of fitting, for each application ({_BUDGET_S}s; {longer})")
    parser.add_argument("--seed", default="0", help="of the trainings")


def images(work: Path) -> Path:
    """The scanned digits of scikit-learn, a folder a class."""
    from PIL import Image
    from sklearn.datasets import load_digits

    data, folder = load_digits(), work / "digits"
    for number, (image, label) in enumerate(zip(data.images, data.target, strict=True)):
        file = folder / str(label) / f"{number:04}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((image * 255 / 16).round().astype("uint8")).resize((32, 32)).save(file)
    return folder


def table(work: Path) -> Path:
    """The breast tumours of scikit-learn."""
    from sklearn.datasets import load_breast_cancer

    file = work / "tumours.csv"
    load_breast_cancer(as_frame=True).frame.to_csv(file, index=False)
    return file


def there(name: str) -> Callable[[Path], Path]:
    """A data set as it lies in `ASSAY_DATA`."""

    def found(work: Path) -> Path:
        path = data_root() / name
        if not path.exists():
            raise SystemExit(f"{path} is not there: set ASSAY_DATA to the folder that holds {Path(name).parts[0]}")
        return path

    return found


def commands(work: Path) -> Path:
    """Spoken digits, a folder a word."""
    folder = work / "digits-spoken"
    with zipfile.ZipFile(there("fsdd/recordings.zip")(work)) as archive:
        for member in archive.namelist():
            if member.endswith(".wav"):
                file = folder / Path(member).name[0] / Path(member).name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(archive.read(member))
    return folder


def masks(work: Path) -> Path:
    """Stained nuclei with a mask each: nucleus or none."""
    import numpy as np
    from PIL import Image

    folder, count = work / "nuclei", 0
    with zipfile.ZipFile(there("dsb2018_nuclei/dsb2018_nuclei.zip")(work)) as archive:
        for name in sorted(archive.namelist()):
            if not name.startswith("images/") or not name.endswith(".png") or count >= 120:
                continue
            count += 1
            for kind in ("images", "labels"):
                target = folder / ("masks" if kind == "labels" else kind) / Path(name).name
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(f"{kind}/{Path(name).name}") as stream:
                    picture = Image.open(stream)
                    picture.load()
                mask = Image.fromarray((np.asarray(picture) > 0).astype(np.uint8))
                (mask if kind == "labels" else picture.convert("RGB")).save(target)
    return folder


def cells(work: Path) -> Path:
    """Nuclei of colon tissue with the middle of each."""
    return there("crc_nuclei")(work)


def pairs(work: Path) -> Path:
    """Some English and German captions."""
    sides = []
    for language in ("en", "de"):
        with gzip.open(there(f"multi30k/train.{language}.gz")(work), "rt", encoding="utf-8") as stream:
            sides.append([line.strip().replace("\t", " ") for line in stream][:_PAIRS])
    file = work / "captions.tsv"
    rows = ["en\tde", *("\t".join(pair) for pair in zip(*sides, strict=True))]
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return file


def recordings(work: Path) -> Path:
    """Hebrew yes and no, eight a recording."""
    from _speech import yesno_folder

    return yesno_folder(work, 0)


def drives(work: Path) -> Path:
    """Frames with the wheel of a simulator."""
    from _drives import udacity_folder

    return udacity_folder()


def routes(work: Path) -> Path:
    """KITTI's ways with simulated sensors."""
    return there("kitti_odometry_poses/poses")(work)


def photos(work: Path) -> Path:
    """Cats and dogs."""
    import cats_dogs

    return cats_dogs.photos()


#: By application: where the data comes from, and what `assay train` is told besides.
SOURCES: dict[str, tuple[Callable[[Path], Path], dict[str, Any]]] = {
    "image-classification": (images, {}),
    _PHOTOS: (photos, {}),
    "table": (table, {"target": "target"}),
    "text-classification": (there("sms_spam/sms.tsv"), {}),
    "voice-commands": (commands, {}),
    "segmentation": (masks, {}),
    "scan-diagnosis": (there("pneumoniamnist/pneumoniamnist_rebuilt.npz"), {}),
    "cell-detection": (cells, {}),
    "object-detection": (there("bccd"), {"data": {"image_size": "160"}, "network": "detector"}),
    "translation": (pairs, {}),
    "text-generation": (there("tiny_shakespeare/input.txt"), {}),
    "question-answering": (there("xquad/xquad.en.json"), {}),
    "transcription": (recordings, {}),
    "driving": (drives, {}),
    "positioning": (routes, {}),
}


def budget_of(bench: Bench, name: str) -> str:
    """Of fitting, as `assay train` takes it."""
    return bench.options.budget or f"{_LONGER_S.get(name, _BUDGET_S)}s"


def measure(bench: Bench, name: str) -> Json:
    """One training, and its export in both precisions."""
    import assay

    run, task = bench.work / f"run-{name}", _OF_PHOTOS if name == _PHOTOS else name
    prepare, options = SOURCES[name]
    if name == _PHOTOS:
        from _data import pretrained_folder

        options = {"network": f"timm/{pretrained_folder().resolve()}", "data": {"image_size": "224"}}
    if not (run / "summary.json").exists():
        shutil.rmtree(run, ignore_errors=True)  # of a call that was stopped
        how: dict[str, Any] = {"epochs": 1.0} if bench.smoke else {"budget": budget_of(bench, name)}
        assay.train(prepare(bench.work), task=task, out=run, seed=int(bench.options.seed), evidence="none",
                    **how, **options)  # fmt: skip
    found = exported(run, int8=False)
    if found["refused"]:
        return {"task": task, "float": found, "int8": None}
    return {"task": task, "float": found, "int8": exported(run, int8=True)}


def exported(run: Path, int8: bool) -> Json:
    """What `assay export` tells; where it refuses, why."""
    from assay.errors import AssayError
    from assay.exporting import export_run
    from assay.progress import Progress
    from assay.run import RunFolder, to_json

    try:
        facts = export_run(RunFolder.open(run), "onnx", int8, None, Progress())
    except AssayError as error:
        return {"refused": error.message}
    kept = ("network", "opset", "parity", "latency", "bytes", "preprocessing")
    return {"refused": "", **{name: to_json(facts[name]) for name in kept}}


def of_task(found: Json) -> Json:
    """The figures of one application in a row."""
    plain, small = found["float"], found["int8"]
    row: Json = {"refused": plain["refused"], "int8_refused": small["refused"] if small else "not tried"}
    if not plain["refused"]:
        known = plain["parity"]["float"]
        row |= {"metric": known["metric"], "trained": known["trained"], "answers": known["answers"]}
    for name, one in (("float", plain), ("int8", small)):
        if one is None or one["refused"]:
            continue
        parity, latency = one["parity"][name], one["latency"]
        row |= {
            f"{name}_equal": parity["equal"],
            f"{name}_lost": _lost(parity),
            f"{name}_largest": parity["largest"],
            f"{name}_times_quicker": latency["trained"]["alone_ms"] / latency[name]["alone_ms"],
            f"{name}_times_quicker_in_batches": latency["trained"]["each_ms"] / latency[name]["each_ms"],
            f"{name}_bytes": one["bytes"][name],
        }
    return row


def _lost(parity: Json) -> float:
    """What of the metric is lost; infinite where the export has no value of it and the network has one."""
    found = parity["difference"]["value"]
    if found is None:
        return 0.0 if parity["trained"] is None else math.inf
    return max(0.0, -float(found))


def targets_of(rows: dict[str, Json]) -> list[Target]:
    """Parity for all, int8 within its bound or refused, and int8 of images quicker."""
    equal = min((row.get("float_equal", 0.0) for row in rows.values()), default=None)
    lost = max((row.get("int8_lost", 0.0) for row in rows.values()), default=None)
    found = [
        Target("least share of equal answers in float, over the applications", equal, ">=", _EQUAL),
        Target("most of a metric that an int8 export loses where it is not refused", lost, "<=", _LOST),
    ]
    if rows.keys() == SOURCES.keys():
        refused = sum(bool(row["refused"]) for row in rows.values())
        found.append(Target("applications whose float export is refused", refused, "==", 0))
    for told, more in (("one photo alone", ""), ("photos in a batch", "_in_batches")):
        quicker = rows.get(_PHOTOS, {}).get(f"int8_times_quicker{more}")
        found.append(Target(f"times that int8 is quicker than eager torch, {told}", quicker, ">=", _QUICKER))
    return found


def chosen(bench: Bench) -> Sequence[str]:
    """The applications that are asked for; the two whose data comes with the installation for --smoke."""
    if bench.options.tasks:
        return [name for name in bench.options.tasks.split(",") if name]
    return ["image-classification", "table"] if bench.smoke else list(SOURCES)


def main() -> None:
    bench = open_bench("export_parity", __doc__, add_options)
    if _PHOTOS in chosen(bench):
        from _data import pretrained_folder

        pretrained_folder()  # told now, rather than after half an hour
    rows = {task: of_task(bench.piece(task, partial(measure, bench, task))) for task in chosen(bench)}
    bench.settings = {"budget": {name: "one pass" if bench.smoke else budget_of(bench, name) for name in rows}}
    packages = ["onnx", "onnxruntime", "onnxscript", "timm"]
    bench.finish(rows, targets_of(rows), seeds=[int(bench.options.seed)], packages=packages)


if __name__ == "__main__":
    main()
