"""The gallery: one worked example for each application, trained here and shown with its page and its numbers.

Each is a short training on real data with all evidence. `docs/gallery/` is written anew from the result: a page, and a
picture of the head of each report, taken by a Chromium without a window where there is one.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from _command import named, run_assay
from _common import ROOT, Bench, Json, machine, open_bench, say
from _gallery import EXAMPLES, Example

FOLDER = ROOT / "docs" / "gallery"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
#: Of a picture: pixels of the page that are seen, and of the picture that is kept, with so many colours.
_SEEN, _WIDTH, _COLOURS = (1180, 1500), 900, 96
_TOLD = ("accuracy", "baseline", "data", "calibration", "robustness")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", default="", help="applications, separated by commas (all)")
    parser.add_argument("--docs", default="", help=f"where page and pictures go ({FOLDER.relative_to(ROOT)})")


def measure(bench: Bench, example: Example, folder: Path) -> Json:
    """One `assay train` with all evidence, and the picture of its report."""
    run = bench.work / f"run-{example.application}"
    shutil.rmtree(run, ignore_errors=True)
    source = example.source(bench)
    how = (source, *example.options(bench), "--json", "--out", run)
    with tempfile.TemporaryDirectory() as cache:
        done = run_assay("train", *how, cache=Path(cache))
    summary = done.json
    # The command that is shown names no folder of the machine, and neither does the picture.
    page = (run / "report.html").read_text("utf-8").replace(str(source.resolve()), example.shown)
    picture = photographed(page, folder / f"{example.application}.png")
    findings = {name: found for name, found in summary["findings"].items() if name in _TOLD}
    return {"command": example.command(bench), "wall_s": done.wall_s, "fit_s": summary["seconds"],
            "network": named(summary["network"]), "samples": summary["samples"], "metric": summary["metric"],
            "baseline": summary["baseline"], "verdict": summary["verdict"], "picture": picture,
            "findings": {name: {"status": one["status"], "verdict": one["verdict"]} for name, one in findings.items()},
            }  # fmt: skip


def photographed(page: str, picture: Path) -> str | None:
    """The name of the picture of a page's head; None where no browser is there, or it fails."""
    from PIL import Image

    browser = next((found for found in map(shutil.which, _BROWSERS) if found), None)
    if browser is None:
        say("  no Chromium: no picture")
        return None
    with tempfile.TemporaryDirectory() as folder:
        file, shot = Path(folder) / "report.html", Path(folder) / "shot.png"
        file.write_text(page, encoding="utf-8")
        size = ",".join(map(str, _SEEN))
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={size}",
                   "--disable-background-networking", f"--user-data-dir={folder}/profile", f"--screenshot={shot}",
                   file.as_uri()]  # fmt: skip
        subprocess.run(command, capture_output=True, check=False, timeout=300)
        if not shot.exists():
            say("  the browser made no picture")
            return None
        with Image.open(shot) as image:
            height = round(_SEEN[1] * _WIDTH / _SEEN[0])
            small = image.convert("RGB").resize((_WIDTH, height), Image.Resampling.LANCZOS)
    held = io.BytesIO()
    small.quantize(_COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(held, "PNG", optimize=True)
    picture.parent.mkdir(parents=True, exist_ok=True)
    picture.write_bytes(held.getvalue())
    return picture.name


def page_of(runs: Mapping[str, Json]) -> str:
    """The gallery as Markdown."""
    made = machine()
    head = [
        "# Gallery",
        "",
        "One worked example for each application, on real data where it does not say SIMULATED. Each is a short",
        "training: what the README tells of was trained longer. Made by `make bench NAME=gallery` on",
        f"{made['cores']} cores of a server processor ({made['processor']}) without a GPU; test data were used for",
        "these figures alone.",
        "",
        "| application | example | network | classical baseline | trained in |",
        "|---|---|---|---|---|",
    ]
    shown = [example for example in EXAMPLES if example.application in runs]
    rows = [_row(example, runs[example.application]) for example in shown]
    parts = [line for example in shown for line in _part(example, runs[example.application])]
    return "\n".join([*head, *rows, *parts]) + "\n"


def _row(example: Example, run: Json) -> str:
    anchor = re.sub(r"[^\w-]", "", example.title.lower().replace(" ", "-"))
    beside = f"{run['baseline']['name']} {_value(run['baseline'])}" if run["baseline"] else ""
    figure = f"{run['metric']['name']} {_value(run['metric'])}"
    return f"| `{example.application}` | [{example.title}](#{anchor}) | {figure} | {beside} | {run['fit_s']:.0f} s |"


def _part(example: Example, run: Json) -> list[str]:
    page, benchmark = example.more
    more = f"[docs/{page}.md](../{page}.md); measured" if page else "Measured"
    samples = run["samples"]
    lines = ["", f"## {example.title}", "", f"{example.about} {samples['train']:,} samples to learn from, "
             f"{samples['test']:,} for the test.", "", f"    {run['command']}", f"    {example.then}", ""]  # fmt: skip
    if run["picture"]:
        lines += [f"![The head of the report: {example.title}]({run['picture']})", ""]
    lines += [f"* {found['verdict']}" for found in run["findings"].values()]
    network = run["network"]
    took = f"{run['fit_s']:.0f} s of fitting, {run['wall_s']:.0f} s everything included"
    last = f"{network['name']}, {network['parameters']:,} parameters; {took}. {more} at full length by"
    return [*lines, "", f"{last} `make bench NAME={benchmark}`."]


def _value(told: Mapping[str, Any]) -> str:
    """A metric with its interval, as short as it can be read."""
    value, low, high = (None if told[name] is None else f"{told[name]:.3f}" for name in ("value", "low", "high"))
    return str(value) if low is None or high is None else f"{value} [{low}, {high}]"


def main() -> None:
    bench = open_bench("gallery", __doc__, add_options)
    folder = Path(bench.options.docs) if bench.options.docs else bench.work / "docs" if bench.smoke else FOLDER
    only = [name for name in bench.options.only.split(",") if name]
    unknown = set(only) - {example.application for example in EXAMPLES}
    if unknown:
        raise SystemExit(f"there is no example of {', '.join(sorted(unknown))}")
    if bench.smoke and not only:
        only = ["table"]
    # Of a result that is there all is shown that it holds.
    known = Path(bench.options.results) / "gallery.json"
    there = set(json.loads(known.read_text("utf-8"))["pieces"]) if bench.options.add and known.exists() else set()
    wanted = [one for one in EXAMPLES if not only or one.application in there.union(only)]
    runs = {one.application: bench.piece(one.application, partial(measure, bench, one, folder)) for one in wanted}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text(page_of(runs), encoding="utf-8", newline="\n")
    summary = {name: {"metric": run["metric"], "baseline": run["baseline"], "verdict": run["verdict"],
                      "fit_s": run["fit_s"]} for name, run in runs.items()}  # fmt: skip
    bench.settings = {"evidence": "full", "budget": {one.application: one.budget for one in wanted}}
    bench.finish(summary, seeds=[0], packages=["timm", "torchvision", "transformers"])


if __name__ == "__main__":
    main()
