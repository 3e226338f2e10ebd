"""Places that cannot be read or written, full disks, and runs that are damaged."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from programs import assay, complains

# Places ---------------------------------------------------------------------------------------------------------------


def test_an_existing_run_is_not_overwritten(command, digits, digits_run):
    before = (digits_run[0] / "summary.json").read_bytes()
    complains(command("train", digits, "--out", digits_run[0]), "not empty", "--out")
    assert (digits_run[0] / "summary.json").read_bytes() == before


def test_no_run(command, tmp_path):
    for name in ("resume", "report"):
        complains(command(name, tmp_path), "is not a run")
    complains(command("predict", tmp_path / "missing", "x.png"), "is not a run")


def test_a_place_that_cannot_be_written(command, digits, digits_run, tmp_path):
    (tmp_path / "file").write_text("here")
    complains(command("train", digits, "--out", tmp_path / "file"), "is a file")
    complains(command("train", digits, "--out", tmp_path / "file" / "run"), "cannot be written", "--out")
    complains(command("predict", digits_run[0], digits, "--out", tmp_path / "file" / "answers.csv"), "file")
    complains(command("predict", digits_run[0], digits, "--out", tmp_path), "--out")
    if sys.platform == "linux":
        complains(command("train", digits, "--out", "/proc/run"), "cannot be written")


def test_a_place_for_answers_is_checked_before_they_are_made(command, digits, tmp_path):
    out = tmp_path / "missing" / "answers.csv"
    told = complains(command("predict", tmp_path / "no-run", digits, "--out", out), "--out")
    assert "is not a run" not in told


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_no_space_left_for_the_output():
    with open("/dev/full", "w") as full:
        result = subprocess.run([sys.executable, "-m", "assay", "data", "list"], stdout=full, stderr=subprocess.PIPE,
                                text=True)  # fmt: skip
    complains(result, "No space left")
    assert "Exception ignored" not in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no such pipes")
def test_nobody_reads_the_output():
    process = subprocess.Popen([sys.executable, "-m", "assay", "data", "list"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)  # fmt: skip
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 1
    process.stderr.close()


def test_an_output_without_the_letters_gets_escapes(tmp_path):
    for number in range(24):
        folder = tmp_path / "photos" / "猫犬"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        write_picture(folder / f"{number}.png", number)
    result = assay("inspect", tmp_path / "photos", "--json", PYTHONIOENCODING="cp1252", PYTHONUTF8="0")
    assert result.returncode == 0, result.stderr
    assert set(json.loads(result.stdout)["counts"]["class_counts"]) == {"猫", "犬"}
    assert assay("tasks", PYTHONIOENCODING="ascii", PYTHONUTF8="0").returncode == 0


def write_picture(path, seed):
    import numpy as np
    from PIL import Image

    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8), np.uint8)).save(path)


def test_a_name_that_is_too_long(command):
    complains(command("inspect", "x" * 5000))


def test_a_package_that_is_missing_is_named(command, digits, digits_run, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    complains(command("predict", digits_run[0], digits / "3"), "safetensors", "pip install")


@pytest.fixture
def small_disk(tmp_path):
    """A folder that holds 200 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not shutil.which("mount"):
        pytest.skip("needs mount")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("needs the right to mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


def test_no_space_left_for_the_run(command, digits, small_disk):
    result = command("train", digits, "--out", small_disk / "run", "--epochs", 1, "--network", "mlp", "--set",
                     "width=1000", "--evidence", "none")  # fmt: skip
    complains(result, "no space is left", "assay resume")


def test_no_space_left_for_the_cache(command, digits, small_disk, tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_CACHE", str(small_disk))
    result = command("train", digits, "--out", tmp_path / "run", "--image-size", 64, "--epochs", 1)
    complains(result, "no space is left", "ASSAY_CACHE")


def test_no_space_left_for_a_file(command, digits_run, digits, tmp_path, monkeypatch):
    import errno

    def full(number):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    complains(command("predict", digits_run[0], digits, "--out", tmp_path / "answers.csv"), "no space is left")


# Damaged runs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"format": 99}', '{"format": 1, "task": "table"}', "\x00\xff"]
)
def test_damaged_facts(command, digits, digits_run, tmp_path, content):
    run = shutil.copytree(digits_run[0], tmp_path / "run")
    (run / "model" / "model.json").write_text(content, encoding="utf-8")
    complains(command("predict", run, digits / "3"))
    for name in ("plan.json", "summary.json", "evidence.json"):
        damaged = shutil.copytree(digits_run[0], tmp_path / name)
        (damaged / name).write_text(content, encoding="utf-8")
        complains(command("report", damaged), name)


def test_damaged_values_in_whole_files(command, digits, digits_run, tmp_path):
    run = shutil.copytree(digits_run[0], tmp_path / "run")
    summary = json.loads((run / "summary.json").read_text())
    for change in ({"network": 1}, {"samples": {}}, {"findings": {"accuracy": {"status": "superb"}}}):
        (run / "summary.json").write_text(json.dumps({**summary, **change}))
        complains(command("resume", run), "summary.json", "damaged")
    plan = json.loads((run / "plan.json").read_text())
    (run / "plan.json").write_text(json.dumps({**plan, "data": [1]}))
    complains(command("evaluate", run, digits), "plan.json", "damaged")
    complains(command("compare", run, digits_run[0]), "plan.json", "damaged")


def test_damaged_weights(command, digits, digits_run, wine_run, tmp_path):
    run = shutil.copytree(digits_run[0], tmp_path / "run")
    weights = run / "model" / "model.safetensors"
    whole = weights.read_bytes()
    for damaged in (b"", b"no tensors", whole[: len(whole) // 2], (wine_run[0] / "model" / weights.name).read_bytes()):
        weights.write_bytes(damaged)
        complains(command("predict", run, digits / "3"), "damaged")
    weights.unlink()
    complains(command("predict", run, digits / "3"), "damaged")


def test_a_damaged_plan_stops_a_resume(command, digits_run, tmp_path):
    for name, plan in {"empty": "", "list": "[1]", "part": '{"format": 1}'}.items():
        run = shutil.copytree(digits_run[0], tmp_path / name)
        (run / "summary.json").unlink()
        (run / "plan.json").write_text(plan)
        complains(command("resume", run), "plan.json")
