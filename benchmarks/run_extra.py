"""`pip install "assay[run]"` into a fresh environment: its size, and that exports answer there without PyTorch.

A picture, a text, a sound and a row of a table are answered by exports of small networks, in the environment where they
were trained and in the fresh one; the answers have to be equal. A smoke run installs nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from _command import run_assay
from _common import ROOT, Bench, Json, Target, open_bench

_MOST_MB = 250.0
#: Numbers of two answers may differ by this much.
_TOLERANCE = 1e-4
_HOW = ("--epochs", "2", "--evidence", "none", "--json")
_FACTS = """
import importlib.util, json, pathlib, sysconfig
from importlib import metadata
there = [file for file in pathlib.Path(sysconfig.get_paths()["purelib"]).rglob("*") if file.is_file()]
told = {name: importlib.util.find_spec(name) is not None for name in ("torch", "pyarrow")}
told |= {"bytes": sum(file.stat().st_size for file in there),
        "packages": sorted(f"{one.name} {one.version}" for one in metadata.distributions())}
print(json.dumps(told))
"""


def image(work: Path) -> tuple[Sequence[object], Path]:
    """Scanned digits, and one of them as a file."""
    from PIL import Image
    from sklearn.datasets import load_digits

    file = work / "digit.png"
    Image.fromarray((load_digits().images[3] * 255 / 16).round().astype("uint8")).save(file)
    return ("demo:digits", "--network", "convnet"), file


def table(work: Path) -> tuple[Sequence[object], Path]:
    """Wines, and a row of one."""
    from sklearn.datasets import load_wine

    file = work / "wine.csv"
    load_wine(as_frame=True).data[:1].to_csv(file, index=False)
    return ("demo:wine", "--target", "target"), file


def text(work: Path) -> tuple[Sequence[object], Path]:
    """Sentences of two kinds, and one of them."""
    kinds = {"weather": ("rain", "snow", "wind", "sun"), "food": ("bread", "soup", "rice", "cake")}
    rows = [f"there will be {first} and {second} on day {day}\t{kind}"
            for kind, words in kinds.items() for first in words for second in words for day in range(8)]  # fmt: skip
    (work / "sentences.tsv").write_text("\n".join(["text\tkind", *rows]) + "\n", encoding="utf-8")
    file = work / "sentence.txt"
    file.write_text("there will be soup and cake on day 9\n", encoding="utf-8")
    return (work / "sentences.tsv", "--task", "text-classification", "--target", "kind"), file


def sound(work: Path) -> tuple[Sequence[object], Path]:
    """Clips of a low and a high tone, and one of them."""
    import numpy as np
    import soundfile

    random, time = np.random.default_rng(0), np.arange(16_000) / 16_000
    for name, hertz in (("low", 300.0), ("high", 1500.0)):
        for number in range(24):
            wave = np.sin(2 * np.pi * hertz * random.uniform(0.9, 1.1) * time) * np.exp(-(((time - 0.5) / 0.2) ** 2))
            file = work / "clips" / name / f"{number:02}.wav"
            file.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(file, 0.5 * wave + 0.003 * random.standard_normal(len(time)), 16_000)
    return (work / "clips", "--task", "voice-commands"), work / "clips" / "high" / "00.wav"


KINDS: dict[str, Callable[[Path], tuple[Sequence[object], Path]]] = {
    "image": image, "table": table, "text": text, "sound": sound,
}  # fmt: skip


def exported(bench: Bench, kind: str) -> Json:
    """A small network of a kind as a folder that answers, and its answer here."""
    how, given = KINDS[kind](bench.work)
    run, folder = bench.work / f"run-{kind}", bench.work / f"export-{kind}"
    if not (run / "summary.json").exists():
        run_assay("train", *how, "--out", run, *_HOW)
    facts = run_assay("export", run, "--out", folder, "--json").json
    answer = json.loads(run_assay("predict", folder, given, "--json").out.splitlines()[0])
    return {"network": facts["network"], "bytes": facts["bytes"]["float"], "input": given.name, "answer": answer}


def installed(bench: Bench) -> Json:
    """The fresh environment, and what is in it."""
    folder = bench.work / "fresh"
    smoke = ("--without-pip", "--system-site-packages") if bench.smoke else ()
    subprocess.run([sys.executable, "-m", "venv", *smoke, str(folder)], check=True)
    python = python_of(folder)
    if bench.smoke:  # what is here already, in its place
        there = run([python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"]).strip()
        paths = (ROOT / "src", sysconfig.get_paths()["purelib"])
        (Path(there) / "here.pth").write_text("\n".join(map(str, paths)) + "\n", encoding="utf-8")
    else:
        run([python, "-m", "pip", "install", "--quiet", f"{ROOT}[run]"])
        run([python, "-m", "pip", "uninstall", "--quiet", "--yes", "pip"])  # is none of what Assay takes
    found: Json = json.loads(run([python, "-c", _FACTS]))
    return found


def answered(bench: Bench, kind: str, wanted: Json) -> Json:
    """The answer of an export in the fresh environment, and whether it is that of the one where it was trained."""
    given = bench.work / ("clips/high" if kind == "sound" else "") / wanted["input"]
    words = [python_of(bench.work / "fresh"), "-m", "assay", "predict", bench.work / f"export-{kind}", given, "--json"]
    answer = json.loads(run(words).splitlines()[0])
    return {"equal": alike(answer, wanted["answer"]), "answer": answer}


def alike(one: Any, other: Any) -> bool:
    """Whether two answers are equal, numbers within the tolerance."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= _TOLERANCE
    return bool(one == other)


def python_of(folder: Path) -> Path:
    """The interpreter of an environment."""
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def run(words: Sequence[object]) -> str:
    """The standard output of a program; ends the benchmark with what it complains about where it fails."""
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, env=own)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, words))} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def main() -> None:
    bench = open_bench("run_extra", __doc__)
    kinds = ["table"] if bench.smoke else list(KINDS)
    wanted = {kind: bench.piece(f"exported-{kind}", partial(exported, bench, kind)) for kind in kinds}
    there = bench.piece("installed", partial(installed, bench))
    found = {kind: bench.piece(f"answered-{kind}", partial(answered, bench, kind, wanted[kind])) for kind in kinds}
    megabytes = there["bytes"] / 1e6
    equal = sum(one["equal"] for one in found.values()) / len(found)
    summary = {"site_packages_mb": megabytes, "torch": there["torch"], "pyarrow": there["pyarrow"],
               "packages": len(there["packages"]),
               "answered": {kind: one["equal"] for kind, one in found.items()}}  # fmt: skip
    targets = [
        Target("megabytes of site-packages", megabytes, "<", _MOST_MB),
        Target("PyTorch can be imported there", bool(there["torch"]), "==", False),
        Target("Arrow can be imported there", bool(there["pyarrow"]), "==", False),
        Target("share of kinds of data whose answer is that of the environment with PyTorch", equal, "==", 1.0),
    ]
    bench.finish(summary, targets, packages=["onnxruntime"])


if __name__ == "__main__":
    main()
