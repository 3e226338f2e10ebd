"""Answers about pictures in the view "Try": masks, cells and boxes lie over the picture where they belong."""

from __future__ import annotations

import functools
import http.server
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import assay.studio
from assay.sources.coco_rle import encode_rle

PAGE = Path(assay.studio.__file__).parent / "page"
NODE, CHROMIUM = shutil.which("node"), shutil.which("chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
_RECTANGLE = re.compile(r"M(\d+) (\d+)h(\d+)v(\d+)h-(\d+)z")


def paths_of(masks: list[Any], folder: Path) -> list[str]:
    """What `areaPath` makes of masks."""
    (folder / "package.json").write_text('{"type": "module"}')
    for name in ("answer_pictures.js", "dom.js"):
        shutil.copy(PAGE / name, folder)
    asked = json.dumps([[encode_rle(mask), len(mask)] for mask in masks])
    (folder / "ask.js").write_text(
        f'import {{ areaPath }} from "./answer_pictures.js";\n'
        f"console.log(JSON.stringify({asked}.map(([counts, height]) => areaPath(counts, height))));\n"
    )
    done = subprocess.run([str(NODE), "ask.js"], cwd=folder, capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stdout)
    return found


@pytest.mark.skipif(NODE is None, reason="needs node")
def test_run_lengths_become_a_path_around_the_same_pixels(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    shapes = [(1, 1), (1, 9), (9, 1), (33, 47), (64, 64)]
    masks = [random.random(shape) < share for shape in shapes for share in (0.0, 0.1, 0.9, 1.0)]
    masks += [np.repeat(np.arange(300) % 7 < 5, 200).reshape(300, 200).T]  # whole columns, long runs
    for mask, path in zip(masks, paths_of(masks, tmp_path), strict=True):
        painted = np.zeros(mask.shape, int)
        for x, y, wide, high, back in (map(int, one) for one in _RECTANGLE.findall(path)):
            assert wide == back
            painted[y : y + high, x : x + wide] += 1
        assert np.array_equal(painted, mask) and _RECTANGLE.sub("", path) == ""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The page's own files, with a picture of 200 x 100 pixels and answers about it."""
    shutil.copytree(PAGE, tmp_path, dirs_exist_ok=True)
    Image.new("RGB", (200, 100), (90, 90, 90)).save(tmp_path / "picture.png")
    mask = np.zeros((100, 200), bool)
    mask[50:, 100:150] = True
    area = {"label": "nucleus", "value": 1, "size": [100, 200], "counts": encode_rle(mask)}
    cell = {"x": 99.5, "y": 49.5, "kind": "round", "probability": 0.9}
    answers = {
        "mask": {"width": 200, "height": 100, "confidence": 0.9, "pixels": {"ground": 17500, "nucleus": 2500},
                 "percent": {"ground": 87.5, "nucleus": 12.5}, "areas": [area]},
        "cells": {"count": 2, "by_class": {"round": 1, "long": 1}, "width": 200, "height": 100, "cells": [
            cell, {**cell, "kind": "long", "polygon": [[0, 0], [19, 0], [19, 9], [0, 9]]}]},
        "boxes": {"counts": {"cat": 1}, "objects": [
            {"label": "cat", "score": 0.8, "x0": 0, "y0": 0, "x1": 100, "y1": 50}]},
        "video": {"counts": {"cat": 3}, "video": {"frames": 12, "seconds": 1}, "tracks": [], "frames": []},
    }  # fmt: skip
    (tmp_path / "try.html").write_text(
        '<!doctype html><link rel="stylesheet" href="studio.css"><body><script type="module">\n'
        'import { answer } from "./answers.js";\n'
        f"for (const [name, one] of Object.entries({json.dumps(answers)})) {{\n"
        "  const place = document.createElement('section');\n"
        "  place.id = name;\n"
        "  place.append(...answer(one, { picture: name === 'video' ? null : 'picture.png' }, {}));\n"
        "  document.body.append(place);\n}\n"
        "const bare = document.createElement('section');\nbare.id = 'bare';\n"
        f"bare.append(...answer({json.dumps(answers['mask'])}, {{ picture: null }}, {{}}));\n"
        "document.body.append(bare);\n</script>"
    )
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/try.html"
        server.shutdown()


def places(page: Any, marks: str) -> list[list[float]]:
    """Left, top, right and bottom of marks, as shares of the picture that they lie over."""
    script = """(marks) => [...document.querySelectorAll(marks)].map((mark) => {
        const own = mark.getBoundingClientRect();
        const whole = mark.closest(".stage").getBoundingClientRect();
        return [own.left - whole.left, own.top - whole.top, own.right - whole.left, own.bottom - whole.top]
          .map((side, at) => side / (at % 2 ? whole.height : whole.width));
    })"""
    found: list[list[float]] = page.evaluate(script, marks)
    return found


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_answers_lie_over_the_picture_where_they_belong(address: str) -> None:
    pytest.importorskip("playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 390, "height": 800})
        page.set_default_timeout(120_000)
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(address)
        for name in ("#mask .area", "#cells circle", "#boxes rect", "#bare .area"):
            page.wait_for_selector(name, state="attached")
        for name in ("#mask", "#bare"):
            assert np.allclose(places(page, f"{name} .area"), [[0.5, 0.5, 0.75, 1.0]], atol=0.01)
            assert page.locator(f"{name} li.series .bar-name").all_inner_texts() == ["nucleus"]
        assert np.allclose(places(page, "#cells path"), [[0.0025, 0.005, 0.0975, 0.095]], atol=0.02)
        left, top, right, bottom = places(page, "#cells circle")[0]
        assert np.allclose([(left + right) / 2, (top + bottom) / 2], 0.5, atol=0.01)
        assert np.allclose(places(page, "#boxes rect"), [[0.0, 0.0, 0.5, 0.5]], atol=0.01)
        told = [page.locator(f"#{name} .answer").inner_text() for name in ("cells", "boxes", "video")]
        assert told == ["1 × round, 1 × long", "1 × cat", "3 × cat"]
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        browser.close()
    assert wrong == []
