"""Trainings: one at a time, stopped and resumed, known again, and their networks asked."""

from __future__ import annotations

import io
import json
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from studio_asking import Asked, png

_LONG_S = 400


def _project(asked: Asked) -> str:
    name = str(asked.post("projects", {"name": "Light", "kind": "pictures"}, 201)["id"])
    for label in ("dark", "bright"):
        files = [(f"{number}.png", png(number, bright=label == "bright")) for number in range(14)]
        asked.upload(f"projects/{name}/files?label={label}", files)
    return name


def _wait(asked: Asked, run: str, *states: str) -> Any:
    until = time.monotonic() + _LONG_S
    while (found := asked.get(f"runs/{run}"))["state"] not in states:
        assert time.monotonic() < until, found
        time.sleep(0.1)
    return found


def _begun(asked: Asked, run: str) -> None:
    """Until its first steps are written."""
    until = time.monotonic() + _LONG_S
    while not (found := asked.get(f"runs/{run}"))["curves"]["train"]:
        assert found["state"] == "running" and time.monotonic() < until, found
        time.sleep(0.05)


@pytest.mark.slow
def test_a_training_is_stopped_and_resumed_and_answers(asked: Asked) -> None:
    name = _project(asked)
    run = asked.post(f"projects/{name}/train", {"budget": "6s", "evidence": "quick"}, 201)["run"]
    told = asked.post(f"projects/{name}/train", {"budget": "2s", "evidence": "quick"}, 409)
    assert "'Light' is being trained" in told["error"] and told["hint"]
    asked.post(f"runs/{run}/delete", status=422)
    asked.post(f"projects/{name}/delete", status=422)
    asked.post(f"runs/{run}/predict", {"model": run, "inputs": []}, 422)
    assert asked.get("busy")["busy"]["run"] == run
    _begun(asked, run)
    asked.post(f"runs/{run}/stop")
    stopped = _wait(asked, run, "stopped", "done")  # so little may be learned before it is stopped
    assert asked.get("busy")["busy"] is None
    if stopped["state"] == "stopped":
        asked.post(f"runs/{run}/resume")
    done = _wait(asked, run, "done", "failed")
    assert done["state"] == "done" and done["metric"]["name"] == "accuracy", done
    about = asked.get(f"runs/{run}/asked")
    assert about["takes"] == ["picture"] and ".png" in about["endings"]
    form = {"files": [("model", (None, run)), ("files", ("new.png", png(99, bright=True)))]}
    answer = asked.post(f"runs/{run}/predict", **form)
    assert answer["answers"][0]["label"] in ("bright", "dark")
    why = asked.post(f"runs/{run}/explain", **form)
    assert why["picture"].startswith("data:image/") and why["explanation"]["faithfulness"]
    asked.post(f"runs/{run}/predict", files=[("model", (None, run)), ("files", ("x.txt", b"x"))], status=415)
    _evidence_and_rest(asked, name, run)


def _evidence_and_rest(asked: Asked, name: str, run: str) -> None:
    """What follows a training, without another one."""
    found = asked.get(f"runs/{run}/evidence")
    assert {one["name"] for one in found["findings"]} >= {"accuracy", "cost"}
    page = asked.client.get(f"/api/runs/{run}/report", headers={"host": "127.0.0.1"})
    assert "<html" in page.text and page.headers["content-security-policy"].startswith("sandbox allow-scripts;")
    assert "connect-src" not in page.headers["content-security-policy"]
    asked.upload(f"projects/{name}/files?aside=1", [(f"new-{number}.png", png(200 + number)) for number in range(4)])
    chosen = asked.post(f"runs/{run}/label-next", {"count": 2})["suggestions"]
    assert len(chosen) == 2 and chosen[0]["answer"]["label"] in ("bright", "dark")
    asked.post(f"projects/{name}/samples/move", {"ids": [chosen[0]["id"]], "label": "dark", "aside": True})
    assert asked.get(f"projects/{name}")["unlabelled"] == 3
    assert asked.get(f"runs/{run}/exports")["float"] == {"state": "none"}
    asked.get(f"runs/{run}/exports/float.zip", 422)
    asked.post(f"runs/{run}/delete")
    asked.get(f"runs/{run}/evidence", 422)


def test_a_training_that_cannot_begin_says_why(asked: Asked) -> None:
    name = str(asked.post("projects", {"name": "Few", "kind": "pictures"}, 201)["id"])
    asked.upload(f"projects/{name}/files?label=one", [("a.png", png(1))])
    for body in ({"budget": "soon", "evidence": "quick"}, {"budget": "2s", "evidence": "much"}, {"budget": 2}):
        assert asked.post(f"projects/{name}/train", body, 422)["hint"]
    run = asked.post(f"projects/{name}/train", {"budget": "2s", "evidence": "quick"}, 201)["run"]
    found = _wait(asked, run, "failed", "done")
    assert found["failure"]["error"] and found["failure"]["hint"] and "Traceback" not in str(found)
    second = asked.post(f"projects/{name}/train", {"budget": "2s", "evidence": "quick"}, 201)["run"]
    assert second != run  # numbers are not given again
    _wait(asked, second, "failed")


def test_runs_that_are_none_are_told(asked: Asked) -> None:
    asked.post("projects", {"name": "Light", "kind": "pictures"}, 201)
    for run in ("light~7", "light~x", "light", "../light~1", "~1", "light~-1", "light~" + "9" * 40):
        for path in ("", "/evidence", "/report", "/asked", "/exports"):
            found = asked.client.get(f"/api/runs/{run}{path}", headers={"host": "127.0.0.1"})
            assert found.status_code in (200, 404, 422), (run, path, found.text)
            assert "Traceback" not in found.text
            if found.status_code == 200:
                assert path in ("", "/exports"), (run, path)


def test_a_child_says_what_it_is_doing(tmp_path: Path) -> None:
    from assay.studio.children import failure_in, stage_in

    log = tmp_path / "1.log"
    log.write_text("Reading the data\nTraining convnet\n  Training convnet 40 % loss 0.3\n", encoding="utf-8")
    assert stage_in(log) == ("Training convnet", 40)
    log.write_text("Planning\nerror: there is no sample\nhint: Add some.\n", encoding="utf-8")
    assert stage_in(log)[0] == "Planning"
    assert failure_in(log).error == "there is no sample" and failure_in(log).hint == "Add some."
    log.write_text('Traceback (most recent call last):\n  File "x"\nKeyError: 1\n', encoding="utf-8")
    assert "Traceback" not in failure_in(log, 1).error and failure_in(log, 1).hint
    assert "memory" in failure_in(log, -9).error


def test_a_lock_outlives_whoever_began(tmp_path: Path) -> None:
    """As where the studio is killed: what it began is known to run."""
    from assay.studio.children import Child, is_locked

    child = Child(["tasks"], tmp_path / "1.log")
    seen = is_locked(child.log) or child.state != "running"
    assert seen
    assert child.wait(300) == "done" and not is_locked(child.log)


def test_an_export_is_a_zip(asked: Asked) -> None:
    name = str(asked.post("projects", {"name": "Light", "kind": "pictures"}, 201)["id"])
    folder = asked.studio.workspace.project(name).exports / "1-int8" / "model"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"graph")
    # Killed before it was whole: it is none, and in nobody's way.
    assert asked.get("runs/light~1/exports")["int8"] == {"state": "none"}
    asked.get("runs/light~1/exports/int8.zip", 422)
    asked.post("runs/light~1/export", {"int8": True}, 202)
    assert not folder.exists()
    assert asked.studio.trainings._children["light~1"].wait(300) == "failed"  # there is no such run
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"graph")
    (folder / "export.json").write_text('{"format": 1}')
    told = asked.get("runs/light~1/exports")["int8"]
    assert told["state"] == "done" and told["bytes"] == 5
    found = asked.client.get("/api/runs/light~1/exports/int8.zip", headers={"host": "127.0.0.1"})
    with zipfile.ZipFile(io.BytesIO(found.content)) as archive:
        assert archive.namelist() == ["light-1-int8/model/export.json", "light-1-int8/model/model.onnx"]


def test_labels_that_look_wrong_are_those_that_files_still_have(asked: Asked) -> None:
    name = str(asked.post("projects", {"name": "Light", "kind": "pictures"}, 201)["id"])
    asked.upload(f"projects/{name}/files?label=dark", [("a.png", png(1)), ("b.png", png(2))])
    rows = [["dark/a.png", "dark", "bright"], ["dark/gone.png", "dark", "bright"], ["dark/b.png", "bright", "dark"]]
    table = {"kind": "table", "data": {"columns": ["sample", "label", "looks like"], "rows": rows}}
    folder = asked.studio.run_folder("light~1")
    folder.mkdir(parents=True)
    file = folder / "evidence.json"
    file.write_text(json.dumps({"findings": [{"name": "labels", "figures": [{"kind": "gallery", "data": {}}, table]}]}))
    assert asked.get("runs/light~1/doubts")["doubts"] == [{"id": "dark/a.png", "label": "dark", "better": "bright"}]
    file.write_text('{"findings": [{"name": "labels"}]}')
    assert "damaged" in asked.get("runs/light~1/doubts", 422)["error"]
