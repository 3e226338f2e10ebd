"""The run folder: files whole or not at all, and a disk that is full or read-only."""

from __future__ import annotations

import errno
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.errors import RunError
from assay.run import RunFolder, to_json, write_text, writing


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.json"
    write_text(file, "before")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match="no space is left") as caught:
        write_text(file, "after" * 1000)
    assert "assay resume" in caught.value.hint and file.read_text() == "before"


def test_a_write_that_is_killed_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.json"
    write_text(file, "before")

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_text(file, "after")
    assert file.read_text() == "before"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_device_without_space(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no space is left"), writing(tmp_path / "x"), open("/dev/full", "w") as file:
        file.write("x" * 100_000)
        file.flush()


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EPERM])
def test_a_place_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(RunError, match="cannot be written") as caught:
        RunFolder.create(tmp_path / "run")
    assert "--out" in caught.value.hint


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="everything can be written here")
def test_a_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(RunError, match="cannot be written"):
        RunFolder.create(tmp_path / "run")


def test_any_other_trouble_of_the_system_names_the_path(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"a\.json cannot be written"):
        write_text(tmp_path / "missing" / "a.json", "text")


def test_other_errors_pass_through(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), writing(tmp_path):
        raise ZeroDivisionError


def test_an_existing_run_is_left_alone(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run")
    run.write(run.plan, {"a": 1})
    with pytest.raises(RunError, match="not finished") as caught:
        RunFolder.create(run.path)
    assert "assay resume" in caught.value.hint
    run.write(run.summary, {})
    with pytest.raises(RunError, match="not empty"):
        RunFolder.create(run.path)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="is a file"):
        RunFolder.create(tmp_path / "file")
    assert RunFolder.open(run.path).read(run.plan) == {"a": 1}


def test_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a run"):
        RunFolder.open(tmp_path)
    run = RunFolder.create(tmp_path / "run")
    with pytest.raises(RunError, match="missing"):
        run.read(run.summary)
    run.summary.write_text('{"form')
    with pytest.raises(RunError, match="damaged"):
        run.read(run.summary)


def test_names_are_free(tmp_path: Path) -> None:
    assert RunFolder.next_name(tmp_path, "table") == tmp_path / "table-1"
    (tmp_path / "table-1").mkdir()
    assert RunFolder.next_name(tmp_path, "table") == tmp_path / "table-2"


def test_the_history_survives_a_kill_in_the_middle_of_a_line(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run")
    for step in range(1, 6):
        run.record({"step": step, "loss": math.inf if step == 2 else 1.0})
    with open(run.metrics, "a") as file:
        file.write('{"step": 6, "lo')
    assert [line["step"] for line in run.history()] == [1, 2, 3, 4, 5] and run.history()[1]["loss"] is None
    run.forget_after(3)
    run.record({"step": 4})
    assert [line["step"] for line in run.history()] == [1, 2, 3, 4]


def test_a_complete_run_has_no_checkpoint(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run")
    run.checkpoint.mkdir()
    (run.checkpoint / "state.safetensors").write_bytes(b"")
    run.finish()
    run.finish()
    assert not run.checkpoint.exists()


@dataclass(frozen=True)
class Answer:
    value: Any
    path: Path


def test_to_json() -> None:
    answer = Answer({1: (np.float32(1.5), np.arange(2)), "nan": [math.nan, np.inf]}, Path("a") / "b")
    found = to_json(answer)
    assert found == {"value": {"1": [1.5, [0, 1]], "nan": [None, None]}, "path": str(Path("a") / "b")}
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_folder_that_stays_empty_goes_with_those_made_for_it(tmp_path: Path) -> None:
    RunFolder.create(tmp_path / "runs" / "deep" / "run").drop_if_empty()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "runs" / "other").mkdir(parents=True)
    RunFolder.create(tmp_path / "runs" / "run").drop_if_empty()
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["other"]
    RunFolder.create(tmp_path / "runs" / "other").drop_if_empty()
    assert (tmp_path / "runs" / "other").is_dir(), "what the user made is the user's own"
    run = RunFolder.create(tmp_path / "new" / "run")
    run.write(run.plan, {})
    run.drop_if_empty()
    assert run.plan.exists()


def test_a_write_that_fails_leaves_no_piece_behind(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(RunError, match="cannot be written"):
        write_text(tmp_path / "folder", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_file_name_that_is_no_text_is_written_as_json_writes_it(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run")
    run.write(run.plan, {"source": "caf\udce9/é"})
    assert run.read(run.plan)["source"] == "caf\udce9/é"
    assert "é" in run.plan.read_text(encoding="utf-8")


def test_a_damaged_history_keeps_its_other_lines(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run")
    run.metrics.write_bytes(b'{"step": 1}\n\xff\xfe\n[2]\n7\n{"step": 3}\n')
    assert [line["step"] for line in run.history()] == [1, 3]


@pytest.mark.parametrize(("content", "told"), [("[1]", "no JSON object"), ("{}", "'plan'"), ("\x00", "damaged")])
def test_what_a_file_lacks_is_told(tmp_path: Path, content: str, told: str) -> None:
    run = RunFolder.create(tmp_path / "run")
    run.plan.write_text(content)
    with pytest.raises(RunError, match=told):
        run.read(run.plan, "plan")


def test_a_run_of_another_version_is_told_from_a_damaged_one(tmp_path: Path) -> None:
    from importlib.metadata import version

    from assay.run import reading

    run, here = RunFolder(tmp_path), version("assay")
    for written, told in ((here, "is damaged"), ("9.1.0", f"by Assay 9.1.0 and does not fit {here}"),
                          ("9\x1b[2J", "is damaged"), (None, "is damaged")):  # fmt: skip
        run.write(run.plan, {"format": 1, "versions": {"assay": written}})
        for file in (run.plan, run.model / "model.json"):
            with pytest.raises(RunError, match=told) as caught, reading(file):
                raise TypeError("unexpected keyword argument 'depth'")
            assert caught.value.hint and "'depth'" in caught.value.message
    run.write(run.plan, {"format": 2})
    with pytest.raises(RunError, match="newer Assay"):
        run.read(run.plan)
