"""Every command, as a user meets it: what it prints where, and how it ends."""

import csv
import json
import re
import shutil

import pytest

from programs import assay, complains, kinds


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
