"""Trainings that are stopped, killed or changed, and go on."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from programs import complains


def start(digits, out, cwd, epochs="150"):
    # The source is given as a relative path: a run must be found again from elsewhere.
    words = ("train", os.path.relpath(digits, cwd), "--out", str(out), "--epochs", epochs, "--network", "mlp", "--set",
             "width=16", "--evidence", "none")  # fmt: skip
    return subprocess.Popen([sys.executable, "-m", "assay", *words], cwd=cwd, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)  # fmt: skip


def wait_for_steps(process, out, least=1):
    """Until the training has written some lines of its history."""
    history = out / "metrics.jsonl"
    for _ in range(1200):
        if history.exists() and history.read_text().count("\n") >= least:
            return
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    raise AssertionError("the training did not begin")


def test_resume_a_run_that_is_complete(command, digits_run):
    run, trained = digits_run
    assert command("resume", run, "--json").json == trained.json


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no such signals")
def test_resume_after_a_kill_from_another_folder(command, digits, tmp_path, monkeypatch):
    run = tmp_path / "run"
    process = start(digits, run, digits.parent)
    wait_for_steps(process, run)
    process.kill()
    process.communicate()
    assert not (run / "summary.json").exists()
    complains(command("report", run), "not complete", f"assay resume {run}")
    complains(command("predict", run, digits), "assay resume")
    complains(command("train", digits, "--out", run), "not finished", f"assay resume {run}")
    monkeypatch.chdir(tmp_path)
    result = command("resume", "run", "--json")
    assert result.code == 0, result.err
    assert result.json["samples"]["train"] > 100
    assert not (run / "checkpoint").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no such signals")
def test_a_stop_leaves_a_checkpoint_and_a_damaged_one_is_told(command, digits, tmp_path):
    run = tmp_path / "run"
    process = start(digits, run, tmp_path, "3000")
    wait_for_steps(process, run)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert f"hint: assay resume {run}" in err
    assert "Traceback" not in err
    checkpoint = run / "checkpoint" / "state.safetensors"
    whole = checkpoint.read_bytes()
    for damaged in (b"", b"no tensors", whole[: len(whole) // 2], whole[:8] + b"x" * (len(whole) - 8)):
        checkpoint.write_bytes(damaged)
        complains(command("resume", run), "damaged", "state.safetensors")


def test_resume_of_data_that_has_changed(command, digits_run, digits, tmp_path):
    run = shutil.copytree(digits_run[0], tmp_path / "run")
    other = shutil.copytree(digits, tmp_path / "digits")
    next((other / "3").iterdir()).unlink()
    (run / "summary.json").unlink()
    plan = json.loads((run / "plan.json").read_text())
    (run / "plan.json").write_text(json.dumps({**plan, "source": str(other)}))
    complains(command("resume", run), "has changed")
    (run / "plan.json").write_text(json.dumps({**plan, "source": str(tmp_path / "gone")}))
    complains(command("resume", run), "no such file")
