"""Texts: the acceptance test of the application, windows of long texts, and what explains an answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tokenizers")

GOOD = ("a warm and funny story", "wonderful from start to end", "I loved every minute", "great acting, great music")
BAD = ("a dull and lifeless mess", "boring from start to end", "I hated every minute", "poor acting, poor music")


def rows(count: int = 240) -> list[tuple[str, str]]:
    """Sentences of a few words each, whose class a word or two of them tell; a third of them are said over and over."""
    random = np.random.default_rng(0)
    found = []
    for number in range(count):
        kind, lines = (("good", GOOD), ("bad", BAD))[number % 2]
        first, second = random.choice(lines, 2)
        text = f"{first}; {second}, take {number}"
        found.append((" ".join([text] * 40) if number % 6 < 2 else text, kind))
    return found


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("reviews") / "reviews.tsv"
    file.write_text("review\tverdict\n" + "".join(f"{text}\t{kind}\n" for text, kind in rows()), encoding="utf-8")
    return file


@pytest.mark.slow
def test_the_application_keeps_the_contract(reviews: Path, tmp_path: Path) -> None:
    from assay.check import check_task
    from assay.tasks.text_classification import TextClassification

    (tmp_path / "empty").mkdir()
    broken = tmp_path / "broken.tsv"
    broken.write_bytes(b"review\tverdict\n\x00\x01\x02\xff\xfe")
    corrupt, small = [broken, tmp_path / "empty"], {"width": "32", "filters": "24", "bag": "16"}
    results = check_task(TextClassification(), reviews, corrupt=corrupt, settings=small)
    assert not [f"{result.name}: {result.detail}" for result in results if not result.ok]


@pytest.mark.slow
def test_from_a_table_to_an_explained_answer(command: Any, reviews: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    small = ("--set", "width=48", "--set", "filters=32")
    done = command("train", reviews, "--epochs", 6, *small, "--out", run, "--json")
    assert done.code == 0, done.err
    summary = done.json
    assert summary["task"] == "text-classification" and summary["metric"]["value"] > 0.9
    assert summary["baseline"]["value"] > 0.9
    (tmp_path / "new.txt").write_text("what a wonderful, funny story", encoding="utf-8")
    (answer,) = (json.loads(line) for line in command("predict", run, tmp_path / "new.txt", "--json").out.splitlines())
    assert answer["label"] == "good"
    assert command("predict", run, tmp_path / "new.txt", "--baseline", "--json").json["label"] == "good"
    why = command("explain", run, tmp_path / "new.txt", "--json", "--out", tmp_path / "why.html")
    assert why.code == 0, why.err
    heaviest = why.json["parts"][0]["name"].strip()
    assert heaviest in "what a wonderful, funny story"
    assert command("label-next", run, reviews, "--count", 3, "--json").json["of"] == 240


@pytest.mark.slow
def test_columns_that_were_joined_are_joined_again(command: Any, tmp_path: Path) -> None:
    """And labelled data of one class alone can be evaluated."""
    table, run = tmp_path / "two.csv", tmp_path / "run"
    lines = [f"{text.replace(',', '')},a remark on {number},{kind}" for number, (text, kind) in enumerate(rows(80))]
    table.write_text("\n".join(["title,body,verdict", *lines]) + "\n", encoding="utf-8")
    how = ("--text", "title,body", "--target", "verdict", "--epochs", 1, "--evidence", "none", "--out", run)
    done = command("train", table, *how)
    assert done.code == 0, done.err
    told = command("predict", run, table, "--json")
    assert told.code == 0 and len(told.out.splitlines()) == 80, told.err
    good = tmp_path / "good.csv"
    good.write_text("\n".join(["title,body,verdict", *lines[:40:2]]) + "\n", encoding="utf-8")
    found = command("evaluate", run, good, "--target", "verdict", "--json")
    assert found.code == 0 and found.json["samples"] == 20, found.err


def test_a_long_text_is_one_answer_out_of_several_windows(tmp_path: Path) -> None:
    from assay.samples.samples import build_samples
    from assay.samples.text_spec import TextSpec
    from assay.samples.tokens import train_bpe
    from assay.sources.source import DataOptions, open_source
    from assay.targets.class_target import ClassTarget
    from assay.tasks.text_classification import TextClassification

    task = TextClassification()
    table = [
        {"text": " ".join(GOOD * 20), "label": "good"},
        *({"text": text, "label": kind} for text, kind in rows(40)),
    ]
    records = task.read(open_source(table), DataOptions(target="label"))
    spec = TextSpec(train_bpe(GOOD, 300), 32, ClassTarget(("bad", "good")))
    samples = build_samples(task, records, spec, None, folder=tmp_path / "cache")
    windows = samples.view_of(np.asarray([0])).windows
    assert len(windows) > 5
    shown = [task.part_names(samples, int(window), spec) for window in windows]
    assert all(len(names) == len(samples.field("tokens", windows[[place]])[0]) for place, names in enumerate(shown))
    outputs = np.tile([0.4, 0.6], (len(windows), 1))
    outputs[3] = 0.01, 0.99
    assert task.deciding(outputs, spec) == 3 and task.merge(outputs, spec)[1] > 0.6
    assert task.draw(samples, 0, spec).lines[1].startswith(f"text: {GOOD[0]}")
