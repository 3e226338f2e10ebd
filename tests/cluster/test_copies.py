"""Run folders behind a URL: copied there and back, owned by one process at a time."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assay.cluster.copies import Copy, placed, remote_of, url_of, working_folder
from assay.errors import DataError, RunError, SettingError
from assay.run import RunFolder, owned
from programs import Result

pytest.importorskip("fsspec", reason="URLs need fsspec")
Command = Callable[..., Result]


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("s3://bucket/runs/a", "s3://bucket/runs/a"),
        ("file:///data/run", "file:///data/run"),
        ("runs/a", None),
        ("/data/run", None),
        ("C:/runs/a", None),
    ],
)
def test_urls_are_told_from_folders(given: str, url: str | None) -> None:
    assert url_of(Path(given)) == url


def test_what_has_changed_is_sent_and_what_is_of_no_use_is_not(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "checkpoint" / "ray").mkdir(parents=True)
    for name in ("plan.json", "checkpoint/state.safetensors", "checkpoint/.lock", "a.partial", "checkpoint/ray/x"):
        (here / name).write_text(name)
    copy = Copy(there.as_uri(), here)
    copy.push()
    sent = {file.relative_to(there).as_posix() for file in there.rglob("*") if file.is_file()}
    assert sent == {"plan.json", "checkpoint/state.safetensors"}
    (there / "plan.json").write_text("theirs")
    copy.push()
    assert (there / "plan.json").read_text() == "theirs", "what has not changed is not sent again"
    other = Copy(there.as_uri(), tmp_path / "other")
    other.pull()
    assert (tmp_path / "other" / "plan.json").read_text() == "theirs"
    copy.drop("checkpoint")
    assert not copy.holds("checkpoint/state.safetensors") and copy.holds("plan.json")


def test_two_processes_never_write_behind_one_url(tmp_path: Path) -> None:
    url = (tmp_path / "there").as_uri()
    first, second = Copy(url, tmp_path / "a"), Copy(url, tmp_path / "b")
    with first.owned(), pytest.raises(RunError, match="another process is writing"), second.owned():
        pass
    with second.owned():
        told = json.loads((tmp_path / "there" / "owner.json").read_text())
    (tmp_path / "there" / "owner.json").write_text(json.dumps({**told, "time": time.time() - 3600}))
    with first.owned():  # who has not been heard of for an hour has died
        pass


@pytest.mark.parametrize("error", [PermissionError("Forbidden"), ValueError("what the server said")])
def test_what_is_refused_is_not_taken_for_absent(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a run that is there would be written over, and one that another process writes would have no owner."""
    copy = Copy((tmp_path / "there").as_uri(), tmp_path / "here")

    def refuse(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(type(copy._system), "info", refuse)
    for work in (lambda: copy.holds("plan.json"), copy.pull, lambda: copy.owned().__enter__()):
        with pytest.raises(DataError) as caught:
            work()
        assert copy.url in caught.value.message and caught.value.hint


def test_a_url_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = Copy((tmp_path / "there").as_uri(), tmp_path / "here")

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError("Forbidden")

    monkeypatch.setattr(type(copy._system), "makedirs", refuse)
    with pytest.raises(DataError, match="access was refused"), copy.owned():
        pass


def test_what_goes_while_it_is_fetched_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "plan.json").write_text("{}")
    copy = Copy((tmp_path / "there").as_uri(), tmp_path / "here")
    monkeypatch.setattr(copy, "_find", lambda place: [f"{copy._root}/plan.json", f"{copy._root}/gone.json"])
    copy.pull()
    assert [file.name for file in (tmp_path / "here").iterdir()] == ["plan.json"]


def test_a_url_with_a_password_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="password"):
        Copy("sftp://me:secret@host/run", tmp_path)


def test_a_run_behind_a_url(command: Command, wine: Path, tmp_path: Path) -> None:
    url = (tmp_path / "runs" / "a").as_uri()
    words = ("--network", "mlp", "--set", "width=8", "--epochs", 1, "--evidence", "none")
    done = command("train", wine, "--target", "cultivar", "--out", url, *words)
    assert done.code == 0, done.err
    run = RunFolder(tmp_path / "runs" / "a")
    assert run.summary.exists() and (run.model / "model.json").exists() and not run.checkpoint.exists()
    again = command("train", wine, "--target", "cultivar", "--out", url, *words)
    assert again.code == 1 and "holds a run" in again.err
    with placed(Path(url), resuming=True) as here:
        assert remote_of(here) == url and (here / "summary.json").exists()


@pytest.mark.parametrize("lost", ["there", "here"])
def test_a_run_behind_a_url_that_was_killed_goes_on(lost: str, wine: Path, tmp_path: Path) -> None:
    """On another machine from the last checkpoint, and on the same one where nothing was sent."""
    place, url = tmp_path / "run", (tmp_path / "run").as_uri()
    words = ("--target", "cultivar", "--network", "mlp", "--epochs", "100000", "--evidence", "none", "--out", url)
    process = subprocess.Popen([sys.executable, "-m", "assay", "train", str(wine), *words], stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    try:
        while not (place / "checkpoint" / "state.safetensors").exists():
            assert process.poll() is None and time.monotonic() < until, "no checkpoint was sent"
            time.sleep(0.1)
    finally:
        process.kill()
        process.wait()
    (place / "owner.json").unlink()  # is believed for some time
    shutil.rmtree(place if lost == "there" else working_folder(url))
    with placed(Path(url), resuming=True) as here:
        assert (here / "plan.json").exists() and (here / "checkpoint" / "state.safetensors").exists()


def test_two_runs_into_one_folder(command: Command, wine: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with owned(run / "checkpoint", make=True):
        done = command("train", wine, "--target", "cultivar", "--out", run, "--epochs", 1)
    assert done.code == 1 and "another process is writing" in done.err and "--out" in done.err
    assert not run.joinpath("checkpoint").exists() and not run.joinpath("plan.json").exists()


def test_what_is_no_run_behind_a_url_is_told_by_its_url_and_nothing_is_made(tmp_path: Path) -> None:
    place = tmp_path / "there" / "run"
    with pytest.raises(RunError, match=rf"file://{place} is not a run"), placed(Path(place.as_uri()), resuming=True):
        pass
    assert not (tmp_path / "there").exists()
