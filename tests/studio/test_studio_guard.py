"""Who may ask: the studio's own page, on this machine."""

from __future__ import annotations

from typing import Any

import pytest

from studio_asking import OWN, Asked

_BODY = {"name": "x", "kind": "texts"}


def _post(asked: Asked, **changes: str | None) -> Any:
    headers = {name: value for name, value in {**OWN, **changes}.items() if value is not None}
    return asked.client.post("/api/projects", json=_BODY, headers=headers)


def test_its_own_page_may_post(asked: Asked) -> None:
    assert _post(asked).status_code == 201
    assert _post(asked, **{"sec-fetch-site": "same-origin"}).status_code == 201
    assert _post(asked, host="localhost:8001", origin="http://localhost:8001").status_code == 201


@pytest.mark.parametrize(
    "changes",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},  # another program's page on this machine
        {"origin": "http://localhost:8001"},  # another name than the one that was asked
        {"x-assay": None},  # a form, which cannot set a header
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site"},
        {"host": "evil.example:8001", "origin": "http://evil.example:8001"},  # DNS rebinding
    ],
)
def test_other_pages_may_not(asked: Asked, changes: dict[str, str | None]) -> None:
    found = _post(asked, **changes)
    assert found.status_code == 403 and found.json()["hint"], changes
    assert asked.get("projects")["projects"] == []


def test_other_pages_may_not_read_either(asked: Asked) -> None:
    for headers in (
        {"host": "evil.example"},
        {
            "host": "127.0.0.1:8001",
            "sec-fetch-site": "same-site",
            "sec-fetch-mode": "no-cors",
            "sec-fetch-dest": "image",
        },
        {"host": "127.0.0.1:8001", "sec-fetch-site": "cross-site"},
        {"host": "127.0.0.1:8001", "origin": "http://evil.example"},
    ):
        assert asked.client.get("/api/projects", headers=headers).status_code == 403, headers
    assert "access-control-allow-origin" not in asked.client.get("/api/projects", headers=OWN).headers


def test_the_page_comes_with_a_strict_policy_and_asks_for_nothing_elsewhere(asked: Asked) -> None:
    found = asked.client.get("/", headers={"host": "127.0.0.1"})
    assert found.headers["content-security-policy"].startswith("default-src 'self';")
    assert "unsafe" not in found.headers["content-security-policy"]
    for name in (
        "/look.css",
        "/page/studio.css",
        "/page/app.js",
        "/page/theme.js",
        "/page/recorder_worklet.js",
        "/favicon.ico",
    ):
        asset = asked.client.get(name, headers={"host": "127.0.0.1"})
        assert asset.status_code == 200, name
        assert "https://" not in asset.text.replace("https://www.w3.org", ""), name
    for name in ("/page/../app.py", "/page/%2e%2e/app.py", "/page/app.py", "/nothing"):
        found = asked.client.get(name, headers={"host": "127.0.0.1"})
        assert found.status_code == 404 and set(found.json()) == {"format", "error", "hint"}, name


def test_a_bug_shows_no_traceback(asked: Asked, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("secret content")

    monkeypatch.setattr(asked.studio.workspace, "projects", broken)
    found = asked.client.get("/api/projects", headers=OWN)
    assert found.status_code == 500 and "secret" not in found.text and "Traceback" not in found.text
    told = capsys.readouterr().err
    assert "ZeroDivisionError" in told and "secret" not in told


def test_what_the_system_refuses_is_told(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(asked.studio.workspace, "projects", full)
    found = asked.client.get("/api/projects", headers=OWN)
    assert found.status_code == 507 and found.json()["error"] == "no space is left on the disk"
