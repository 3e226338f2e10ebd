"""The view "Inside" in a real browser, under a policy that allows nothing inline and nothing from elsewhere."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("playwright")

from inside_studio import Studio, make_app

CHROMIUM = shutil.which("chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
             "--disable-sync"]  # fmt: skip
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")]


def finished(trial: Any, words: list[str]) -> None:
    """In the place of a side training: one that is over, the better the more was changed."""
    loss = 2.0 - len(trial.changes)
    trial.lines = [{"step": step, "validation_loss": loss / step, "train_sample_loss": loss / step / 2}
                   for step in (10, 20, 40)]  # fmt: skip
    trial.state = "done"


@pytest.fixture(scope="module")
def address(digits_run: Any) -> Iterator[str]:
    import uvicorn

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("assay.studio.inside_trials._launch", finished)
        server = uvicorn.Server(uvicorn.Config(make_app(Studio(digits_run[0])), port=0, log_level="warning"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.05)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        server.should_exit = True
        thread.join()


def test_a_network_is_looked_into_by_keyboard_on_a_phone(address: str) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 390, "height": 800}, color_scheme="dark", reduced_motion="reduce")
        page.set_default_timeout(120_000)
        wrong: list[str] = []
        page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: None if request.url.startswith(address) else wrong.append(request.url))
        page.goto(f"{address}/#digits")
        page.wait_for_selector(".in-layer canvas")
        assert page.locator(".in-layer h4").all_inner_texts()[-2].startswith("body.head")
        cards = page.locator(".in-card")
        cards.nth(1).focus()
        page.keyboard.press("Enter")
        page.wait_for_selector('.in-card[aria-pressed="true"] >> nth=0')
        assert cards.nth(1).get_attribute("aria-pressed") == "true"
        for part in ("weights", "gradients", "settings"):
            page.locator(f".in-{part}").scroll_into_view_if_needed()
            page.wait_for_selector(f".in-{part} .in-later :not(.soft)")
        assert page.locator(".in-filters canvas").count() == 32
        slider = page.get_by_label("learning rate")
        slider.focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_selector(".in-tried li")
        assert "lower" in page.locator(".in-tried li").inner_text()
        assert page.locator(".in-curves svg").count() == 4  # each drawn for wide and for narrow places
        page.get_by_role("button", name="As the run was").click()
        assert page.locator("output.in-moved").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        browser.close()
    assert wrong == []
