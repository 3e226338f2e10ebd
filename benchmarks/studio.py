"""The studio in headless Chromium: pictures, texts and sounds are taught, tried and exported by what a person clicks.

A slider of the view "Inside" is moved for each, too, which trains for a few seconds with and without the change. Other
things are done by hand: webcam, microphone, boxes, labels, a drawing, and a browser that is closed during a training.

What is measured: seconds until the first view can be used, whether any request leaves the machine, and what axe finds
of accessibility (with `AXE` naming axe-core's `axe.min.js`; `npm pack axe-core` gives it). Pictures of every view go
into a folder, at 1280 and 390 pixels, in light and dark.
"""

from __future__ import annotations

import argparse
import os
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import _browser
from _browser import Person
from _common import Json, Target, open_bench, say, spread
from _hands import by_hand

_STARTS = 5
_FIRST_VIEW_S = 2.0
#: Each way of looking is used for one task, so that all of them are seen and no training is done twice.
_LOOKS = {"pictures": (1280, False), "texts": (390, True), "sounds": (1280, True)}
#: Rows that a moved slider leads to: the run, a short training as it was, and one with the change.
_SHORT = 3
_VIEWS = ("Data", "Train", "Evidence", "Try", "Inside", "Export")


def main() -> None:
    """Measure, and write `results/studio.json`."""
    bench = open_bench("studio", __doc__, _options)
    if _browser.chromium() is None:
        raise SystemExit("studio: needs Chromium, and Playwright for Python")
    axe = Path(os.environ["AXE"]) if os.environ.get("AXE") else None
    shots = Path(bench.options.shots or bench.work / "shots")
    shots.mkdir(parents=True, exist_ok=True)
    folder = bench.work / "projects"
    count, budget = (14, "2s") if bench.smoke else (30, bench.options.budget)
    bench.settings |= {"samples": 2 * count, "budget": budget, "axe": axe is not None}
    starts = bench.piece("start", lambda: _starts(bench.work / "empty", 1 if bench.smoke else _STARTS))
    found = {}
    for kind, (width, dark) in _LOOKS.items():
        if bench.smoke and kind != "texts":
            continue  # the quickest of them
        teach = _TEACHING[kind]

        def measured(kind: str = kind, teach: Any = teach, width: int = width, dark: bool = dark) -> Json:
            with _browser.studio(folder) as (address, _), _browser.person(address, width=width, dark=dark) as me:
                return _taught(me, kind, teach(bench.work, count), budget, axe, shots)

        found[kind] = bench.piece(kind, measured)
    few = _browser.shapes(bench.work / "few", 14)
    found["by-hand"] = hands = bench.piece("by-hand", partial(by_hand, bench.work / "hands", few, not bench.smoke))
    if bench.options.shots:
        found["narrow"] = bench.piece("looks", lambda: _looked(folder, axe, shots))
    faults = [fault for one in found.values() for view in one["faults"].values() for fault in view]
    summary = {
        "first_view_s": starts["first_view_s"],
        "listening_s": starts["listening_s"],
        "requests": sum(one["requests"] for one in found.values()),
        "requests_elsewhere": sum(one["elsewhere"] for one in found.values()),
        "console_errors": sum(one["console_errors"] for one in found.values()),
        "views_judged": sum(len(one["faults"]) for one in found.values()),
        "serious_faults": faults if axe else None,
        "by_hand": hands["worked"],
        "seconds": {kind: one.get("train_s") for kind, one in found.items() if kind in _LOOKS},
    }
    targets = [
        Target("first view, seconds (median)", starts["first_view_s"]["median"], "<", _FIRST_VIEW_S),
        Target("requests that leave the machine", float(summary["requests_elsewhere"]), "==", 0.0),
        Target("serious faults of accessibility", float(len(faults)) if axe else None, "==", 0.0),
        Target("tasks whose sliders trained beside the run's own settings",
               float(sum(len(one.get("turned", {}).get("ends", {})) == _SHORT for one in found.values())),
               "==", float(1 if bench.smoke else len(_LOOKS))),
        Target("tasks taught, tried and exported", float(sum(one.get("exported", False) for one in found.values())),
               "==", float(1 if bench.smoke else len(_LOOKS))),
        Target("things done by hand that did not work", float(sum(not worked for worked in hands["worked"].values())),
               "==", 0.0),
    ]  # fmt: skip
    bench.finish(summary, targets, packages=("fastapi", "uvicorn", "playwright", "onnxruntime"))


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--budget", default="20s", help="time for each training (20s)")
    parser.add_argument("--shots", default="", help="a folder for pictures of all views, at all sizes")


def _starts(folder: Path, count: int) -> Json:
    """How long a person waits: from the command until the server is up, and from then until the first view."""
    listening, first = [], []
    for number in range(count):
        with _browser.studio(folder.with_name(f"{folder.name}-{number}")) as (address, seconds):
            listening.append(seconds)
            with _browser.person(address) as me:
                first.append(me.first_view())
    return {"listening_s": spread(listening), "first_view_s": spread(first)}


def _taught(me: Person, kind: str, given: dict[str, Any], budget: str, axe: Path | None, shots: Path) -> Json:
    """All that a person does with one project."""

    def seen(view: str) -> None:
        me.page.screenshot(path=shots / f"{kind}-{view}.png", full_page=True)
        me.judge(f"{kind} {view}", axe)

    me.first_view()
    seen("home")
    me.begin({"pictures": "Discs and squares", "texts": "Weather or food", "sounds": "Low or high"}[kind], kind)
    for label, samples in given.items():
        me.add_class(label)
        (me.write if kind == "texts" else me.upload)(label, samples)
    me.inspected()
    seen("data")
    seconds = me.train(budget, "full" if kind == "pictures" else "quick")
    seen("train")
    answered = len(me.evidence())
    seen("evidence")
    first = next(iter(given.values()))[0]
    answer = me.try_text(first) if kind == "texts" else me.try_file(first)
    me.why()
    seen("try")
    me.step("Inside")
    me.page.wait_for_timeout(3000)
    turned = me.turn()
    seen("inside")
    with zipfile.ZipFile(me.export()) as archive:
        exported = any(name.endswith(".onnx") for name in archive.namelist())
    seen("export")
    return {
        "train_s": seconds, "findings": answered, "answer": answer, "right": answer == next(iter(given)),
        "turned": turned, "exported": exported, **_told(me),
    }  # fmt: skip


def _looked(folder: Path, axe: Path | None, shots: Path) -> Json:
    """Every view of the first project at the sizes and in the lights that are left."""
    told: Json = {"requests": 0, "elsewhere": 0, "console_errors": 0, "faults": {}}
    with _browser.studio(folder) as (address, _):
        for width, dark in ((390, False), (390, True), (1280, True)):
            look = f"{width}{'-dark' if dark else ''}"
            with _browser.person(address, width=width, dark=dark) as me:
                me.first_view()
                me.page.get_by_role("link", name="Discs and squares").click()
                for view in _VIEWS:
                    me.step(view)
                    me.page.wait_for_timeout(2500)
                    me.page.screenshot(path=shots / f"pictures-{view.lower()}-{look}.png", full_page=True)
                    me.judge(f"{view} {look}", axe)
                for name, value in _told(me).items():
                    told[name] = {**told[name], **value} if name == "faults" else told[name] + value
    return told


def _told(me: Person) -> Json:
    if me.failures:
        say(f"  console: {me.failures[:3]}")
    return {"requests": len(me.asked), "elsewhere": len(me.elsewhere()), "console_errors": len(me.failures),
            "faults": me.faults}  # fmt: skip


_TEACHING: dict[str, Callable[[Path, int], dict[str, Any]]] = {
    "pictures": lambda work, count: _browser.shapes(work / "shapes", count),
    "texts": lambda work, count: _browser.sentences(count),
    "sounds": lambda work, count: _browser.tones(work / "tones", count),
}


if __name__ == "__main__":
    main()
