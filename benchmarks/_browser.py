"""The studio in a real browser: its server in a process of its own, headless Chromium, and what a person does there.

Playwright drives the Chromium of the system; nothing is downloaded. `AXE` names a copy of axe-core's `axe.min.js`
(`npm pack axe-core`), whose rules of accessibility the pages are then held against.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import shutil
import subprocess
import sys
import time
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
          "--disable-sync", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")  # fmt: skip
#: What axe calls serious: these two of its four degrees.
_SERIOUS = ("serious", "critical")
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def chromium() -> str | None:
    """The browser of the system; None where there is none, or no Playwright."""
    import importlib.util

    if importlib.util.find_spec("playwright") is None:
        return None
    return next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))),
                None)  # fmt: skip


@contextlib.contextmanager
def studio(folder: Path) -> Iterator[tuple[str, float]]:
    """The studio on a free port; its address, and the seconds from its start until it said so."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "assay", "studio", "--folder", str(folder), "--port", "0", "--json"]
    with open(folder.with_suffix(".log"), "wb") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env={**os.environ})
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        yield json.loads(line)["address"], time.perf_counter() - begun
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()


@dataclass
class Person:
    """Somebody before the browser.

    Attributes:
        page: Playwright's.
        address: of the studio.
        asked: the addresses of all requests that the page made.
        failures: what the console told of errors.
        faults: what axe found, by view.
    """

    page: Any
    address: str
    asked: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    faults: dict[str, list[str]] = field(default_factory=dict)

    def elsewhere(self) -> list[str]:
        """The requests that left for another place than the studio."""
        own = (f"{self.address}/", "data:", f"blob:{self.address}", "about:")
        return [one for one in self.asked if not one.startswith(own)]

    def first_view(self) -> float:
        """Seconds until the beginning can be used."""
        begun = time.perf_counter()
        # As `begin` calls it: another address would draw the form anew while it is being filled.
        self.page.goto(f"{self.address}/#/")
        self.page.get_by_role("button", name="Create project").wait_for()
        return time.perf_counter() - begun

    def begin(self, name: str, kind: str) -> None:
        """Make a project."""
        self.page.goto(f"{self.address}/#/")
        self.page.locator(f"input[name=kind][value={kind}]").check()
        self.page.get_by_label("Its name").fill(name)
        self.page.get_by_role("button", name="Create project").click()
        self.page.get_by_role("heading", name=name).wait_for()

    def add_class(self, label: str) -> None:
        """Make a class."""
        self.page.get_by_label("Name of a new class").fill(label)
        self.page.get_by_role("button", name="Add class").click()
        self.page.locator(f'section[aria-label="Class {label}"]').wait_for()

    def upload(self, label: str, files: Sequence[Path]) -> None:
        """Put files into a class."""
        card = self.page.locator(f'section[aria-label="Class {label}"]')
        card.locator("input[type=file]").set_input_files([str(file) for file in files])
        self.page.locator(
            f'section[aria-label="Class {label}"] .class-head .quiet', has_text=str(len(files))
        ).wait_for()

    def write(self, label: str, texts: Sequence[str]) -> None:
        """Write texts into a class."""
        card = self.page.locator(f'section[aria-label="Class {label}"]')
        card.get_by_label("New examples").fill("\n".join(texts))
        card.get_by_role("button", name="Add", exact=True).click()
        self.page.locator(
            f'section[aria-label="Class {label}"] .class-head .quiet', has_text=str(len(texts))
        ).wait_for()

    def inspected(self) -> str:
        """What the studio says of the data."""
        self.page.locator(
            'section[aria-labelledby="found"] .numbers, section[aria-labelledby="found"] .problem'
        ).first.wait_for()
        return str(self.page.locator('section[aria-labelledby="found"]').inner_text())

    def step(self, name: str) -> None:
        """Go to a step of the project."""
        self.page.locator(".steps a", has_text=name).click()
        self.page.locator(".steps a[aria-current=page]", has_text=name).wait_for()

    def train(self, budget: str, evidence: str = "quick") -> float:
        """Press the button, and wait until it is done; seconds that it took."""
        begun = time.perf_counter()
        self.begin_training(budget, evidence)
        self.trained()
        return time.perf_counter() - begun

    def trained(self) -> None:
        """Wait until the training that is shown is done."""
        self.page.locator(".live-run .stage", has_text="Done.").wait_for()

    def begin_training(self, budget: str, evidence: str = "quick") -> None:
        """Press the button, and see that it has begun."""
        self.step("Train")
        chosen = self.page.locator("input[name=budget]").first
        chosen.evaluate("(input, value) => { input.value = value; }", budget)
        chosen.check()
        self.page.get_by_label("Evidence afterwards").select_option(evidence)
        self.page.locator("button.primary.large").click()
        self.page.locator(".live-run .stage").wait_for()

    def answer(self) -> str:
        """What the network says, once it does."""
        self.page.locator(".answer-room .answer").wait_for()
        return str(self.page.locator(".answer-room .answer").inner_text())

    def try_file(self, file: Path) -> str:
        """Give the network a file; its answer."""
        self.step("Try")
        self.page.locator(".try input[type=file]").set_input_files(str(file))
        return self.answer()

    def try_text(self, text: str) -> str:
        """Give the network a text; its answer."""
        self.step("Try")
        self.page.get_by_label("A text").fill(text)
        self.page.get_by_role("button", name="Ask").click()
        return self.answer()

    def why(self) -> str:
        """Ask for the reason; what is told of it."""
        self.page.get_by_role("button", name="Why?").click()
        self.page.locator(".why-room h3").wait_for()
        return str(self.page.locator(".why-room").inner_text())

    def evidence(self) -> list[str]:
        """The questions that were answered."""
        self.step("Evidence")
        self.page.locator(".finding-card").first.wait_for()
        return list(self.page.locator(".finding-card h2").all_inner_texts())

    def turn(self, setting: str = "learning rate", keys: int = 8) -> dict[str, Any]:
        """Move a slider in the view "Inside" by keyboard; what its short trainings came to, by row of the table.

        Raises:
            RuntimeError: a short training failed, or a loss of it is not shown.
        """
        self.step("Inside")
        room = self.page.locator(".in-settings")
        room.scroll_into_view_if_needed()
        room.locator("#inside-seconds").select_option("3")
        slider = room.get_by_label(setting, exact=True)
        slider.focus()
        for _ in range(keys):
            self.page.keyboard.press("ArrowRight")
        begun = time.perf_counter()
        room.locator(".in-tried li, .in-problem, [role=alert]").first.wait_for()
        if not room.locator(".in-tried li").count():
            raise RuntimeError(room.locator(".in-status").inner_text())
        rows = room.locator(".in-ends-table tbody tr")
        ends = {row[0]: row[1:] for row in (rows.nth(at).locator("th, td").all_inner_texts()
                                            for at in range(rows.count()))}  # fmt: skip
        if any("–" in row for row in ends.values()):
            raise RuntimeError(f"a loss is missing: {ends}")
        return {"seconds": time.perf_counter() - begun, "ends": ends, "charts": room.locator(".in-curves svg").count(),
                "told": room.locator(".in-tried li").first.inner_text()}  # fmt: skip

    def export(self, form: str = "ONNX") -> Path:
        """Export, and download; the file."""
        self.step("Export")
        card = self.page.locator(f'section[aria-label="{form}"]')
        card.get_by_role("button", name="Export").click()
        link = card.get_by_role("link", name="Download")
        link.wait_for()
        with self.page.expect_download() as coming:
            link.click()
        return Path(coming.value.path())

    def judge(self, view: str, axe: Path | None) -> None:
        """Hold what is shown against axe's rules."""
        if axe is None:
            return
        self.page.evaluate(axe.read_text(encoding="utf-8"))
        found = self.page.evaluate(
            "(rules) => axe.run(document, { runOnly: { type: 'tag', values: rules }, iframes: false })", _RULES
        )
        self.faults[view] = [
            f"{one['id']} ({one['impact']}): {one['nodes'][0]['target'][0]}"
            for one in found["violations"]
            if one["impact"] in _SERIOUS
        ]


@contextlib.contextmanager
def person(address: str, *, width: int = 1280, dark: bool = False, wait_s: float = 600.0) -> Iterator[Person]:
    """A page of a browser that nobody used before."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(_FLAGS))
        context = browser.new_context(viewport={"width": width, "height": 900 if width > 600 else 844},
                                      color_scheme="dark" if dark else "light", accept_downloads=True,
                                      bypass_csp=False)  # fmt: skip
        page = context.new_page()
        page.set_default_timeout(1000 * wait_s)
        page.set_default_navigation_timeout(1000 * wait_s)
        found = Person(page, address)
        page.on("request", lambda request: found.asked.append(request.url))
        page.on("console", lambda message: found.failures.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: found.failures.append(str(error)))
        try:
            yield found
        finally:
            browser.close()


def shapes(folder: Path, count: int, side: int = 32) -> dict[str, list[Path]]:
    """Pictures of discs and of squares, of other places, sizes and colours each."""
    from PIL import Image, ImageDraw

    random = np.random.default_rng(0)
    made: dict[str, list[Path]] = {"disc": [], "square": []}
    for label, files in made.items():
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            colour = tuple(int(value) for value in random.integers(150, 255, 3))
            picture = Image.fromarray(random.integers(0, 130, (side, side, 3)).astype(np.uint8))
            size = int(random.integers(side // 3, side // 2))
            x, y = (int(value) for value in random.integers(1, side - size - 1, 2))
            draw = ImageDraw.Draw(picture)
            (draw.ellipse if label == "disc" else draw.rectangle)((x, y, x + size, y + size), fill=colour)
            files.append(folder / label / f"{label}-{number}.png")
            picture.save(files[-1])
    return made


def tones(folder: Path, count: int, rate: int = 8000) -> dict[str, list[Path]]:
    """Recordings of low and of high tones, a second each, with noise."""
    random = np.random.default_rng(0)
    made: dict[str, list[Path]] = {"low": [], "high": []}
    for label, files in made.items():
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            pitch = random.uniform(180, 320) if label == "low" else random.uniform(900, 1500)
            time_s = np.arange(rate) / rate
            sound = 0.5 * np.sin(2 * math.pi * pitch * time_s) * np.hanning(rate) + random.normal(0, 0.01, rate)
            files.append(folder / label / f"{label}-{number}.wav")
            _write_wav(files[-1], sound, rate)
    return made


def _write_wav(file: Path, sound: Any, rate: int) -> None:
    out = io.BytesIO()
    with wave.open(out, "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(rate)
        stream.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
    file.write_bytes(out.getvalue())


def sentences(count: int) -> dict[str, list[str]]:
    """Short texts of two kinds: about the weather, and about food."""
    random = np.random.default_rng(0)
    words = {
        "weather": (("rain", "wind", "snow", "sunshine", "fog"), ("today", "tomorrow", "at night", "in the north"),
                    ("is expected", "clears up", "gets stronger", "comes from the sea")),
        "food": (("the soup", "fresh bread", "the salad", "this cheese", "the cake"),
                 ("for lunch", "for dinner", "at home", "in the kitchen"),
                 ("tastes of lemon", "needs more salt", "is baked", "is served warm")),
    }  # fmt: skip
    made: dict[str, list[str]] = {}
    for label, (things, times, doings) in words.items():
        known: dict[str, None] = {}
        while len(known) < count:
            thing, doing, when = (str(random.choice(part)) for part in (things, doings, times))
            known[f"{thing} {doing} {when}, number {int(random.integers(1000))}"] = None
        made[label] = list(known)
    return made
