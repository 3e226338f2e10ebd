"""How long `assay inspect` takes on 60,000 small JPEG files in ten class folders (header and hash of each)."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from _command import run_assay
from _common import Json, Target, open_bench, spread
from _data import write_photos

_FILES, _RUNS = 60_000, 3


def make(folder: Path, count: int, smoke: bool) -> Json:
    """Fashion-MNIST's training images as JPEG files."""
    write_photos(folder, count, 28, smoke)
    files = [file for file in folder.rglob("*.jpg")]
    return {"files": len(files), "bytes": sum(file.stat().st_size for file in files)}


def measure(folder: Path) -> Json:
    """One inspection; the files lie in the system's cache, as they were just written or read."""
    done = run_assay("inspect", folder, "--json")
    found = done.json
    return {"wall_s": done.wall_s, "task": found["task"], "counts": found["counts"], "split": found["split"],
            "problems": found["problems"]}  # fmt: skip


def main() -> None:
    bench = open_bench("inspect_60k", __doc__)
    count, runs = (300, 1) if bench.smoke else (_FILES, _RUNS)
    folder = bench.work / "photos"
    made = bench.piece("files", partial(make, folder, count, bench.smoke))
    figures = [bench.piece(f"run-{number}", partial(measure, folder)) for number in range(runs)]
    wall = spread([one["wall_s"] for one in figures])
    targets = [Target("median seconds", wall["median"], "<", 60.0)]
    bench.settings = {
        "files": made["files"],
        "bytes": made["bytes"],
        "side": 28,
        "command": "assay inspect FOLDER --json",
    }
    bench.finish({"wall_s": wall, "files_a_second": made["files"] / wall["median"]}, targets, packages=["pillow"])


if __name__ == "__main__":
    main()
