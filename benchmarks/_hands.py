"""What a person does in the studio by hand: webcam, microphone, boxes, labels, drawing; a browser closed meanwhile.

Chromium's made-up camera and microphone stand for real ones.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import _browser
from _browser import Person

#: Seconds that are enough for what is no training.
_SOON_MS = 60_000
#: Of the training that is left alone: long enough to stop it in the middle.
_BUDGET = "8s"


def by_hand(folder: Path, made: dict[str, list[Path]], train: bool = True) -> dict[str, Any]:
    """Do each of them in a studio of its own; which of them worked, and what was asked of the studio.

    Args:
        folder: of the studio.
        made: some pictures of each of two classes, enough to learn from.
        train: also what takes a training.
    """
    pictures = [file for files in made.values() for file in files]
    told: dict[str, Any] = {"worked": {}, "requests": 0, "elsewhere": 0, "console_errors": 0, "faults": {}}
    with _browser.studio(folder) as (address, _):
        ways: list[Callable[[Person], dict[str, bool]]] = [_webcam, _microphone, lambda me: _boxes(me, pictures[:2])]
        for way in [*ways, *([lambda me: _train(me, made), _back] if train else [])]:
            with _browser.person(address) as me:
                told["worked"] |= way(me)
                _count(told, me)
    return told


def _count(told: dict[str, Any], me: Person) -> None:
    told["requests"] += len(me.asked)
    told["elsewhere"] += len(me.elsewhere())
    told["console_errors"] += len(me.failures)


def _held(me: Person, label: str, count: int) -> bool:
    """Whether a class comes to hold so many samples."""
    place = me.page.locator(f'section[aria-label="Class {label}"] .class-head .quiet')
    return _comes(lambda: place.get_by_text(str(count), exact=True).wait_for(timeout=_SOON_MS))


def _comes(wait: Callable[[], Any]) -> bool:
    from playwright.sync_api import TimeoutError as Late

    try:
        wait()
    except Late:
        return False
    return True


def _webcam(me: Person) -> dict[str, bool]:
    """A picture by the webcam into a class, whose label is then corrected by keyboard."""
    me.begin("By webcam", "pictures")
    for label in ("seen", "other"):
        me.add_class(label)
    card = me.page.locator('section[aria-label="Class seen"]')
    card.get_by_role("button", name="Webcam").click()
    card.get_by_role("button", name="Take a picture into seen").click()
    found = {"webcam": _held(me, "seen", 1)}
    card.get_by_role("button", name="Close").click()
    thumb = me.page.locator('section[aria-label="Class seen"] .thumb').first
    thumb.focus()
    thumb.press("Enter")
    me.page.get_by_role("button", name="Move to").press("Enter")
    return {**found, "label corrected": _held(me, "other", 1) and _held(me, "seen", 0)}


def _microphone(me: Person) -> dict[str, bool]:
    me.begin("By microphone", "sounds")
    me.add_class("beep")
    card = me.page.locator('section[aria-label="Class beep"]')
    card.get_by_role("button", name="Record", exact=True).click()
    card.get_by_role("button", name="Record 1 second").click()
    return {"microphone": _held(me, "beep", 1)}


def _boxes(me: Person, files: list[Path]) -> dict[str, bool]:
    """A box by keyboard, another one by pointer, both of them kept."""
    me.begin("Boxes", "boxes")
    me.page.locator(".drop input[type=file]").first.set_input_files([str(file) for file in files])
    me.page.get_by_role("button", name="Add a box").click()
    drawn = me.page.locator(".stage .drawn")
    before = drawn.first.bounding_box()
    drawn.first.focus()
    for key in ("ArrowLeft", "Shift+ArrowUp"):
        for _ in range(10):
            me.page.keyboard.press(key)
    after = drawn.first.bounding_box()
    moved = after["x"] < before["x"] and after["height"] < before["height"]
    kept = me.page.get_by_text("1 picture of 2 labelled.")
    found = {"box by keyboard": moved and _comes(lambda: kept.wait_for(timeout=_SOON_MS))}
    sheet = me.page.locator(".stage svg")
    sheet.scroll_into_view_if_needed()
    frame = sheet.bounding_box()
    x, y = frame["x"] + 0.7 * frame["width"], frame["y"] + 0.7 * frame["height"]
    me.page.mouse.move(x, y)
    me.page.mouse.down()
    me.page.mouse.move(x + 0.2 * frame["width"], y + 0.2 * frame["height"], steps=4)
    me.page.mouse.up()
    tag = me.page.locator(".strip-of-pictures .tag", has_text="2")
    return {**found, "box by pointer": _comes(lambda: tag.first.wait_for(timeout=_SOON_MS)) and drawn.count() == 2}


def _train(me: Person, made: dict[str, list[Path]]) -> dict[str, bool]:
    """A training that is stopped and resumed, and goes on when the browser is closed."""
    me.begin("Left alone", "pictures")
    for label, files in made.items():
        me.add_class(label)
        me.upload(label, files)
    me.begin_training(_BUDGET)
    me.page.get_by_text("of learning left").wait_for()
    me.page.locator(".live-run svg").first.wait_for()  # its first steps are on the curve
    stop = me.page.locator(".live-run").get_by_role("button", name="Stop")
    stop.click()
    resume = me.page.locator(".live-run").get_by_role("button", name="Resume")
    if not _comes(lambda: resume.wait_for(timeout=_SOON_MS)):
        return {"stopped and resumed": False}
    resume.click()
    return {"stopped and resumed": _comes(lambda: stop.wait_for(timeout=_SOON_MS))}


def _back(me: Person) -> dict[str, bool]:
    """The training that was left, found done in another browser; its network is asked about a drawing."""
    me.first_view()
    me.page.get_by_role("link", name="Left alone").first.click()
    me.page.locator(".steps").wait_for()
    me.step("Train")
    if not _comes(me.trained):
        return {"browser closed": False, "drawing": False}
    me.step("Try")
    me.page.get_by_role("button", name="Draw").click()
    sheet = me.page.locator("canvas.sheet")
    sheet.scroll_into_view_if_needed()
    frame = sheet.bounding_box()
    me.page.mouse.move(frame["x"] + 60, frame["y"] + 60)
    me.page.mouse.down()
    me.page.mouse.move(frame["x"] + 200, frame["y"] + 200, steps=5)
    me.page.mouse.up()
    me.page.get_by_role("button", name="Ask about the drawing").click()
    return {"browser closed": True, "drawing": bool(me.answer())}
