"""Every command, as a user meets it: what it prints where, and how it ends."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest


def assay(*words, cwd=None, **environment):
    """A command in a process of its own."""
    return subprocess.run([sys.executable, "-m", "assay", *map(str, words)], capture_output=True, text=True, cwd=cwd,
                          env={**os.environ, **environment}, timeout=300)  # fmt: skip


def complains(result, *words, code=1):
    """That a command ended with one `error:` line, at most one `hint:` line, and no traceback; gives the error."""
    err = result.err if hasattr(result, "err") else result.stderr
    lines = err.splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    found = result.code if hasattr(result, "code") else result.returncode
    assert found == code, err
    assert len(errors) == 1, err
    assert len([line for line in lines if line.startswith("hint: ")]) <= 1
    assert "Traceback" not in err
    told = "\n".join(line for line in lines if line.startswith(("error: ", "hint: ")))
    for word in words:
        assert word in told
    return told


# What each command prints ---------------------------------------------------------------------------------------------


def test_help_names_every_command(command):
    result = assay("--help")
    assert result.returncode == 0
    for name in ("tasks", "inspect", "train", "resume", "evaluate", "predict", "explain", "label-next", "report",
                 "compare", "demo", "data", "listen", "drive", "export"):  # fmt: skip
        assert re.search(rf"^\s+{name}\b", result.stdout, re.MULTILINE)


def test_tasks(command):
    found = command("tasks", "--json").json
    assert found["format"] == 1
    assert {"image-classification", "table"} <= {row["task"] for row in found["tasks"]}
    assert "--image-size" in command("tasks").out


def test_inspect(command, digits):
    result = command("inspect", digits, "--json")
    found = result.json
    assert set(found) == {"format", "task", "why", "candidates", "counts", "problems", "split"}
    assert (found["format"], found["task"], found["problems"]) == (1, "image-classification", [])
    assert (found["counts"]["samples"], found["counts"]["classes"]) == (140, 10)
    split = found["split"]
    assert sum(split[side] for side in ("train", "validation", "test")) == 140
    assert split["by"] == "content"
    text = command("inspect", digits)
    assert text.code == 0
    assert "problems: none" in text.out


def test_train_prints_its_summary_and_leaves_the_run(digits_run):
    folder, result = digits_run
    assert result.code == 0, result.err
    assert result.json == json.loads((folder / "summary.json").read_text())
    assert result.out.count('"format"') == 1
    frozen = "format task run seconds seed network samples metric metrics baseline verdict findings"
    assert set(result.json) == set(frozen.split())
    assert set(result.json["findings"]) >= {"accuracy", "baseline", "overfitting", "network", "cost"}
    there = {path.name for path in folder.iterdir()}
    assert there == {"plan.json", "samples.parquet", "metrics.jsonl", "model", "summary.json", "evidence.json",
                     "report.html"}  # fmt: skip


def test_train_without_evidence(command, digits, tmp_path):
    found = command("train", digits, "--out", tmp_path / "run", "--epochs", 1, "--network", "mlp", "--evidence", "none",
                    "--set", "width=16", "--json").json  # fmt: skip
    assert (found["baseline"], found["verdict"], found["findings"]) == (None, None, {})


@pytest.mark.parametrize("shares", ["80/20/0", "90/0/10", "100/0/0"])
def test_train_without_one_of_the_sides(command, digits, tmp_path, shares):
    result = command("train", digits, "--out", tmp_path / "run", "--epochs", 1, "--network", "mlp", "--set", "width=16",
                     "--evidence", "quick", "--split", shares, "--json")  # fmt: skip
    assert result.code == 0, result.err
    if shares.endswith("/0"):
        assert result.json["metric"]["value"] is None
        assert result.json["findings"]["accuracy"]["status"] == "unknown"
        assert result.json["verdict"] is None


def test_an_option_of_another_task_is_refused(command, wine):
    complains(command("inspect", wine, "--target", "cultivar", "--image-size", 32), "table", "--image-size")


def test_the_run_folder_is_named_after_the_source(command, wine, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in (1, 2):
        found = command("train", wine, "--target", "cultivar", "--epochs", 1, "--network", "mlp", "--set", "width=8",
                        "--evidence", "none", "--json").json  # fmt: skip
        assert found["run"].replace("\\", "/") == f"runs/wine-{number}"


def test_predict_a_file_and_a_folder(command, digits, digits_run):
    run, _ = digits_run
    photo = sorted((digits / "3").iterdir())[0]
    one = command("predict", run, photo, "--json")
    assert one.code == 0
    answer = one.json
    assert (answer["format"], answer["id"]) == (1, photo.name)
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-4)
    several = command("predict", run, photo, digits / "7", "--json")
    names = [json.loads(line)["id"] for line in several.out.splitlines()]
    assert names[0] == str(photo)
    assert names[1:] == [path.as_posix() for path in sorted((digits / "7").iterdir())]
    told = command("predict", run, digits)
    assert len(told.out.splitlines()) == 140


def test_predict_into_a_file(command, digits, digits_run, tmp_path):
    run, _ = digits_run
    out = tmp_path / "answers.csv"
    result = command("predict", run, digits, "--out", out)
    assert (result.code, result.out) == (0, "")
    rows = list(csv.DictReader(out.open(encoding="utf-8")))
    assert len(rows) == 140
    assert {"id", "label", "confidence", "probabilities.0"} <= set(rows[0])


def test_predict_with_the_baseline(command, digits, digits_run):
    run, _ = digits_run
    result = command("predict", run, digits, "--baseline", "--json")
    answers = [json.loads(line) for line in result.out.splitlines()]
    right = sum(answer["id"].split("/")[0] == answer["label"] for answer in answers)
    assert right > 100


def test_predict_passes_over_what_cannot_be_read(command, digits, digits_run, tmp_path):
    run, _ = digits_run
    photo = sorted((digits / "3").iterdir())[0]
    broken = tmp_path / "broken.png"
    broken.write_bytes(photo.read_bytes()[:40])
    result = command("predict", run, photo, broken, tmp_path / "missing.png", "--json")
    assert result.code == 0
    assert len(result.out.splitlines()) == 1
    assert "broken.png" in result.err
    assert "missing.png" in result.err
    complains(command("predict", run, broken), "broken.png")
    complains(command("predict", run, broken, tmp_path / "missing.png"), "broken.png")


def test_predict_rows(command, wine, wine_run, tmp_path):
    run, trained = wine_run
    assert trained.code == 0, trained.err
    lines = wine.read_text().splitlines()
    few = tmp_path / "few.csv"
    few.write_text("\n".join(line.rsplit(",", 1)[0] for line in lines[:4]) + "\n")
    answers = [json.loads(line) for line in command("predict", run, few, "--json").out.splitlines()]
    assert [answer["id"] for answer in answers] == ["few.csv:2", "few.csv:3", "few.csv:4"]
    assert {answer["label"] for answer in answers} <= {"barolo", "grignolino", "barbera"}


def test_evaluate(command, digits, digits_run):
    run, _ = digits_run
    found = command("evaluate", run, digits, "--json").json
    assert (found["format"], found["samples"], found["metric"]) == (1, 140, "accuracy")
    assert 0 <= found["metrics"]["accuracy"]["value"] <= 1
    assert "140 samples" in command("evaluate", run, digits).out


def test_evaluate_tells_of_classes_that_the_training_had_not(command, digits, digits_run, tmp_path):
    other = shutil.copytree(digits, tmp_path / "digits")
    (other / "9").rename(other / "nine")
    result = command("evaluate", digits_run[0], other, "--json")
    assert result.json["samples"] == 126
    assert kinds(result.json)["unknown-target"] == (14, "skipped")


def test_evaluate_on_few_rows_of_one_class(command, wine, wine_run, tmp_path):
    """The columns are read as in the training, whatever so few values look like by themselves."""
    run, _ = wine_run
    few = tmp_path / "few.csv"
    few.write_text("\n".join(wine.read_text().splitlines()[:4]) + "\n")
    result = command("evaluate", run, few, "--json")
    assert result.code == 0, result.err
    assert result.json["samples"] == 3


def test_report_again(command, digits_run, tmp_path):
    run = shutil.copytree(digits_run[0], tmp_path / "run")
    (run / "report.html").unlink()
    found = command("report", run, "--json").json
    assert found["format"] == 1
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "How good is it on data it never saw?" in page


def test_report_goes_on_with_evidence_that_was_interrupted(command, digits_run, tmp_path):
    run = shutil.copytree(digits_run[0], tmp_path / "run")
    evidence = json.loads((run / "evidence.json").read_text(encoding="utf-8"))
    names = [finding["name"] for finding in evidence["findings"]]
    kept = [{**finding, "seconds": 123.0} for finding in evidence["findings"][:2]]
    (run / "evidence.json").write_text(json.dumps({**evidence, "findings": kept}), encoding="utf-8")
    for name in ("summary.json", "report.html"):
        (run / name).unlink()
    result = command("report", run)
    assert result.code == 0, result.err
    found = json.loads((run / "evidence.json").read_text(encoding="utf-8"))["findings"]
    assert [finding["name"] for finding in found] == names
    assert [finding["seconds"] == 123.0 for finding in found] == [True, True] + [False] * (len(names) - 2)
    assert (run / "report.html").exists() and (run / "summary.json").exists()


def test_compare(command, digits, digits_run, tmp_path):
    other = tmp_path / "other"
    command(
        "train", digits, "--out", other, "--epochs", 2, "--network", "mlp", "--set", "width=16", "--evidence", "none"
    )
    found = command("compare", digits_run[0], other, "--json").json
    assert (found["format"], found["metric"], len(found["runs"])) == (1, "accuracy", 2)
    assert found["samples"] == digits_run[1].json["samples"]["test"]
    assert found["differences"][0]["verdict"] in ("better", "worse", "tie")
    assert command("compare", digits_run[0], other).code == 0
    complains(command("compare", digits_run[0]), "two runs")


def test_compare_runs_that_have_nothing_in_common(command, digits_run, wine_run):
    complains(command("compare", digits_run[0], wine_run[0]), "different tasks", "of one task")


def test_data_list(command):
    found = command("data", "list", "--json").json
    assert found["format"] == 1
    assert found["datasets"]
    assert command("data", "list").code == 0
    complains(command("data", "get", "fashion-mnits"), "fashion")
    assert "https://github.com/zalandoresearch/fashion-mnist" in command("data", "list").out


def test_data_get_says_how_to_train_on_it(command, tmp_path, monkeypatch):
    from assay import datasets

    monkeypatch.setattr(datasets, "get", lambda name, folder, progress: folder / f"{name}.csv")
    assert command("data", "get", "diamonds", tmp_path).out.endswith("diamonds.csv --target price\n")
    assert command("data", "get", "diamonds", tmp_path, "--json").json["target"] == "price"
    assert command("data", "get", "mnist", tmp_path).out.endswith("mnist.csv\n")


def test_demo(command, tmp_path, monkeypatch):
    from assay import demo

    task, _ = demo.DEMOS["wine"]
    monkeypatch.setitem(demo.DEMOS, "wine", (task, 0.5))
    run = tmp_path / "run"
    result = command("demo", "wine", "--out", run, "--json")
    assert result.code == 0, result.err
    # the data can be opened again by that name, so that the run is worth as much as one on files
    assert json.loads((run / "plan.json").read_text())["source"] == "demo:wine"
    assert command("resume", run).code == 0
    assert command("report", run).code == 0
    complains(command("demo", "whine"), "'wine'")
    other = tmp_path / "other"
    shutil.copytree(run, other)
    compared = command("compare", run, other, "--json").json
    assert compared["differences"][0]["value"] == 0
    evaluated = command("evaluate", run, "demo:wine", "--json").json
    assert evaluated["samples"] == 178
    assert command("export", run, "--json").json["parity"]["float"]["equal"] == 1
    (run / "summary.json").unlink()
    assert command("resume", run).code == 0
    assert (run / "summary.json").exists()


def test_data_of_the_installation_is_a_source(command, monkeypatch):
    from assay.sources import demo_data

    assert command("inspect", "demo:digits", "--json").json["task"] == "image-classification"
    assert command("inspect", "demo:diabetes", "--target", "target", "--json").json["counts"]["samples"] == 442
    complains(command("inspect", "demo:digit"), "demo:digit", "'digits'")
    assert demo_data.demo_data("demo:driving") == (None, "simulator:CarRacing-v3")


def test_a_run_on_data_in_memory_says_how_to_train_again(command, digits_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(digits_run[0], run)
    plan = json.loads((run / "plan.json").read_text())
    (run / "plan.json").write_text(json.dumps({**plan, "source": None}))
    for words in (("export", run), ("compare", run, digits_run[0])):
        complains(command(*words), "data in memory", "numpy.savez")


# Stopping and going on ------------------------------------------------------------------------------------------------


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


# Wrong usage and wrong settings ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", [("train",), ("fly",), ("train", "x", "--seed", "many"), ("predict", "run"), ("train", "x", "--nonsense")]
)
def test_wrong_usage(command, words):
    result = command(*words)
    complains(result, "--help", code=2)
    assert result.out == "" and len(result.err.splitlines()) == 2


def test_wrong_usage_of_the_program_itself():
    result = assay("train", "--epochs", "few", "x")
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--task", "image-clasification"), "'image-classification'"),
        (("--network", "convnett"), "'convnet'"),
        (("--set", "widht=3"), "'width'"),
        (("--set", "width"), "KEY=VALUE"),
        (("--set", "width=many"), "width=many"),
        (("--set", "width=-3"), "width"),
        (("--set", "batch_size=0"), "batch_size=0"),
        (("--set", "learning_rate=-1"), "learning_rate=-1"),
        (("--set", "optimizer=sdg"), "'sgd'"),
        (("--set", "activation=rulu"), "'relu'"),
        (("--budget", "soon"), "90s"),
        (("--budget", "5m", "--epochs", "3"), "one of the two"),
        (("--epochs", "0"), "--epochs"),
        (("--epochs", "nan"), "--epochs"),
        (("--evidence", "quik"), "'quick'"),
        (("--split", "80/30/10"), "80/10/10"),
        (("--device", "tpu"), "cpu"),
        (("--image-size", "3"), "--image-size"),
        (("--fit", "stretch"), "squash"),
        (("--target-kind", "klass"), "'class'"),
    ],
)
def test_wrong_settings(command, digits, tmp_path, words, told):
    complains(command("train", digits, "--out", tmp_path / "run", *words), told)


def test_a_setting_that_fails_early_leaves_no_folder(command, digits, tmp_path):
    command("train", digits, "--out", tmp_path / "run", "--task", "tabel")
    assert not (tmp_path / "run").exists()


def test_a_first_training_that_fails_early_leaves_no_folder_for_runs(command, digits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    complains(command("train", digits, "--network", "convnett"), "'convnet'")
    assert list(tmp_path.iterdir()) == []


# Bad images -----------------------------------------------------------------------------------------------------------


def test_no_data(command, tmp_path):
    complains(command("inspect", tmp_path / "missing"), "no such file")
    complains(command("train", tmp_path), str(tmp_path), "no file")
    (tmp_path / "notes.txt").write_text("nothing")
    complains(command("train", tmp_path), "7 characters of text are too few")
    complains(command("train", tmp_path, "--task", "table"), "notes.txt")


def test_one_class_and_a_small_class(command, digits, tmp_path):
    shutil.copytree(digits / "3", tmp_path / "one" / "3")
    complains(command("train", tmp_path / "one"), "'3'")
    few = shutil.copytree(digits, tmp_path / "few")
    for path in sorted((few / "4").iterdir())[2:]:
        path.unlink()
    complains(command("train", few), "class '4' has 2", "--split")


@pytest.fixture
def photos(digits, tmp_path):
    """Two classes with fourteen good photos each."""
    for digit in "01":
        shutil.copytree(digits / digit, tmp_path / "photos" / digit)
    return tmp_path / "photos"


def kinds(found):
    return {problem["kind"]: (problem["count"], problem["action"]) for problem in found["problems"]}


def test_damaged_photos_are_counted_and_stand_on_the_page(command, photos, tmp_path):
    good = sorted((photos / "0").iterdir())[0].read_bytes()
    (photos / "0" / "truncated.png").write_bytes(good[: len(good) // 2])
    (photos / "0" / "empty.png").write_bytes(b"")
    (photos / "0" / "words.png").write_text("this is no image")
    (photos / "1" / "README.md").write_text("stray")
    found = command("inspect", photos, "--json").json
    skipped = sum(count for count, action in kinds(found).values() if action == "skipped")
    assert skipped == 4
    assert found["counts"]["samples"] == 28
    run = tmp_path / "run"
    summary = command("train", photos, "--out", run, "--epochs", 1, "--network", "mlp", "--set", "width=8", "--json",
                      "--evidence", "none").json  # fmt: skip
    assert summary["samples"]["skipped"] == 4
    assert json.loads((run / "evidence.json").read_text())["problems"] == found["problems"]
    for _ in range(2):
        page = (run / "report.html").read_text(encoding="utf-8")
        assert "truncated.png" in page
        assert "empty.png" in page
        (run / "report.html").unlink()
        assert command("report", run).code == 0


def test_images_of_every_kind_are_read(command, photos, tmp_path):
    import numpy as np
    from PIL import Image

    square = np.linspace(0, 255, 12 * 10, dtype=np.uint8).reshape(12, 10)
    colour = Image.fromarray(np.stack([square, square.T.reshape(12, 10), square], axis=2))
    colour.convert("CMYK").save(photos / "0" / "cmyk.jpg")
    colour.convert("RGBA").save(photos / "0" / "rgba.png")
    colour.convert("P").save(photos / "0" / "palette.gif")
    Image.fromarray(square.astype(np.uint16) * 257).save(photos / "0" / "sixteen.png")
    colour.save(photos / "1" / "animated.gif", save_all=True, append_images=[colour.rotate(90), colour.rotate(180)])
    exif = Image.Exif()
    exif[0x0112] = 6
    colour.save(photos / "1" / "rotated.jpg", exif=exif)
    colour.save(photos / "1" / "mislabelled.png", format="JPEG")
    found = command("inspect", photos, "--json").json
    assert found["counts"]["samples"] == 35
    assert not [problem for problem in found["problems"] if problem["action"] == "skipped"]
    assert {"mislabelled-file", "rotated-by-exif"} <= set(kinds(found))
    result = command("train", photos, "--out", tmp_path / "run", "--epochs", 1, "--network", "mlp", "--set", "width=8",
                     "--evidence", "quick", "--json")  # fmt: skip
    assert result.code == 0, result.err
    answers = command("predict", tmp_path / "run", photos / "0" / "cmyk.jpg", photos / "1" / "animated.gif", "--json")
    assert len(answers.out.splitlines()) == 2


def test_a_decompression_bomb(command, photos):
    import struct
    import zlib

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 100_000)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    (photos / "0" / "bomb.png").write_bytes(bomb)
    found = command("inspect", photos, "--json").json
    assert Counter(action for _, action in kinds(found).values()) == {"skipped": 1}
    assert found["counts"]["samples"] == 28


def test_missing_paths_in_a_table_of_photos(command, photos):
    rows = [f"{path.relative_to(photos).as_posix()},{path.parent.name}" for path in sorted(photos.rglob("*.png"))]
    (photos / "labels.csv").write_text("\n".join(["path,label", *rows, "0/gone.png,0", "0/lost.png,0"]) + "\n")
    result = command("inspect", photos / "labels.csv", "--task", "image-classification", "--json")
    assert result.code == 0, result.err
    assert result.json["counts"]["samples"] == 28
    missing = [problem for problem in result.json["problems"] if problem["kind"] == "missing-file"]
    assert missing[0]["count"] == 2
    assert missing[0]["examples"][0]["row"] == 30


# Bad tables -----------------------------------------------------------------------------------------------------------


def test_a_table_with_everything_that_spreadsheets_do(command, tmp_path):
    lines = ["\ufeffsize;colour;note;same;grade"]
    for row in range(60):
        size = "n/a" if row == 7 else "large" if row == 9 else f"{row},5"
        grade = "" if row in (3, 4) else "AB"[row % 2]
        lines.append(f"{size};{'red' if row % 3 else 'blue'};{row % 4};1;{grade}")
    path = tmp_path / "grades.csv"
    path.write_text("\r\n".join(lines) + "\r\n", encoding="utf-8")
    result = command("inspect", path, "--target", "grade", "--json")
    assert result.code == 0, result.err
    found = result.json
    assert found["counts"]["samples"] == 58
    problems = kinds(found)
    assert problems["missing-target"] == (2, "skipped")
    assert problems["constant-column"][0] == 1
    assert problems["not-a-number"] == (1, "repaired")
    columns = {column["name"]: column["type"] for column in found["counts"]["columns"]}
    assert columns["size"] == "number"


def test_targets_from_which_nothing_can_be_learnt(command, tmp_path):
    path = tmp_path / "rows.csv"
    rows = "".join(f"{row},{row * 7 % 11},{row % 3},same,\n" for row in range(60))
    path.write_text("id,a,b,constant,empty\n" + rows)
    complains(command("train", path, "--target", "constant"), "'constant'", "same value")
    complains(command("train", path, "--target", "id"), "'id'", "row id")
    complains(command("train", path, "--target", "empty"), "'empty'")
    complains(command("train", path, "--target", "bb"), "'b'")
    complains(command("train", path, "--target", "b", "--group", "aa"), "'a'")
    complains(command("train", path, "--target", "b", "--split", "sides"), "sides")
    path.write_text("")
    complains(command("train", path), "rows.csv")
    path.write_text("a,b\n")
    complains(command("train", path), "rows.csv")


def test_rows_with_other_columns_than_the_training(command, wine_run, tmp_path):
    run, _ = wine_run
    other = tmp_path / "other.csv"
    other.write_text("alcohool,hue\n1,2\n2,3\n")
    complains(command("predict", run, other), "other.csv", "is missing")
    other.write_text("")
    complains(command("predict", run, other), "other.csv")


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
