"""Questions about texts: the acceptance test of the application, windows of long texts, and what is no good input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import question_examples as examples

pytest.importorskip("tokenizers")


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return examples.write(tmp_path_factory.mktemp("questions") / "questions.json", 48, long_every=8)


def small_samples(source: Any, folder: Path, longest: int = 64) -> Any:
    from assay.samples.question_spec import QuestionSpec
    from assay.samples.samples import build_samples
    from assay.samples.tokens import train_bpe
    from assay.sources.source import DataOptions, open_source
    from assay.tasks.question_answering import QuestionAnswering

    task = QuestionAnswering()
    records = task.read(open_source(source), DataOptions())
    spec = QuestionSpec(train_bpe([examples.FILLER], 300), longest, longest // 4, 16, True)
    return task, spec, build_samples(task, records, spec, None, folder=folder)


@pytest.mark.slow
def test_the_application_keeps_the_contract(questions: Path, tmp_path: Path) -> None:
    from assay.check import check_task
    from assay.tasks.question_answering import QuestionAnswering

    (tmp_path / "empty").mkdir()
    broken, wrong = tmp_path / "broken.json", tmp_path / "wrong.json"
    broken.write_text('{"data": [{"paragraphs": [{"context": "a b", "qas": [', encoding="utf-8")
    wrong.write_text(questions.read_text(encoding="utf-8").replace('"answer_start": ', '"answer_start": 9'), "utf-8")
    corrupt, small = [broken, tmp_path / "empty", wrong], {"depth": "2", "width": "32", "heads": "2"}
    results = check_task(QuestionAnswering(), questions, corrupt=corrupt, settings=small)
    assert not [f"{result.name}: {result.detail}" for result in results if not result.ok]


@pytest.mark.slow
def test_from_a_file_to_an_answer(command: Any, questions: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    small = ("--set", "depth=2", "--set", "width=32", "--set", "heads=2")
    done = command("train", questions, "--epochs", 1, "--evidence", "quick", *small, "--out", run, "--json")
    assert done.code == 0, done.err
    assert done.json["task"] == "question-answering" and done.json["metric"]["name"] == "f1"
    assert done.json["baseline"]["value"] > 0.6
    asked = tmp_path / "asked.csv"
    text = "Anna was born in 1950 and lives in Oslo."
    asked.write_text(f"question,context\nWhere does Anna live?,{text}\n", "utf-8")
    for how in ((), ("--baseline",)):
        told = command("predict", run, asked, "--json", *how)
        assert told.code == 0, told.err
        answer = told.json
        assert 0 <= answer["confidence"] <= 1
        assert (answer["text"] is None) == (answer["start"] is None) == (answer["end"] is None)
    assert answer["text"] in ("Oslo", "1950", "Anna") and text[answer["start"] : answer["end"]] == answer["text"]
    why = command("explain", run, asked, "--json", "--out", tmp_path / "why.html")
    assert why.code == 0, why.err
    assert why.json["parts"]


def test_a_long_text_is_one_answer_out_of_several_windows(tmp_path: Path) -> None:
    file = examples.write(tmp_path / "long.json", 2, long_every=1)
    task, spec, samples = small_samples(file, tmp_path / "cache")
    from assay.samples.question_windows import questions_of

    view = samples.view_of(np.arange(4))
    article = json.loads(file.read_text(encoding="utf-8"))["data"][0]["paragraphs"][0]
    assert questions_of(view) == [(asked["question"], article["context"]) for asked in article["qas"]]
    for unit, asked in enumerate(article["qas"]):
        windows = samples.view_of(np.asarray([unit])).windows
        assert len(windows) > 5
        spans = np.asarray(samples.field("span", windows))
        held = np.flatnonzero(spans[:, 0] >= 0)
        assert bool(len(held)) == bool(asked["answers"])
        for place in held:
            places = samples.field("places", windows[[place]])[0]
            text = article["context"][places[spans[place, 0], 0] : places[spans[place, 1], 1]]
            assert asked["answers"][0]["text"] in text
        shown = [task.part_names(samples, int(window), spec) for window in windows]
        for window, names in zip(windows, shown, strict=True):
            assert len(names) == len(samples.field("tokens", np.asarray([window]))[0]) <= spec.longest
        assert "".join(shown[0]).startswith(asked["question"][:10])
    drawn = task.draw(samples, 0, spec)
    assert f"⟦{article['qas'][0]['answers'][0]['text']}⟧" in drawn.lines[2]
    assert "⟦" not in task.draw(samples, 3, spec).lines[2]


def test_every_answer_is_whole_in_some_window() -> None:
    from assay.samples.question_windows import _stretches

    for count in range(1, 300, 7):
        for room, answer in ((20, 5), (40, 9), (64, 16)):
            found = _stretches(count, room, answer)
            assert found[0][0] == 0 and found[-1][1] == count
            assert all(end - start <= room for start, end in found)
            for first in range(count - answer + 1):
                assert any(start <= first and first + answer <= end for start, end in found)


def test_typing_errors_are_in_the_question_alone(tmp_path: Path) -> None:
    from assay.samples.draws import Draws

    task, spec, samples = small_samples(examples.write(tmp_path / "few.json", 3), tmp_path / "cache", 160)
    batch = samples.batch(np.arange(6))
    for name, corruption in task.corruptions(spec).items():
        worse = corruption.change(batch, 5, Draws(1, 0, np.arange(6)))
        for row in range(6):
            before, after = (
                one.places[row][(one.segments[row] == 1) & one.mask[row]].numpy() for one in (batch, worse)
            )
            assert np.array_equal(before, after), name
        assert not np.array_equal(batch.question.numpy(), worse.question.numpy()), name
        assert worse.tokens.shape[1] <= spec.longest


def test_answers_that_are_elsewhere_are_mended_or_left_out() -> None:
    from assay.sources.source import DataOptions, open_source
    from assay.tasks.question_answering import QuestionAnswering

    context = "Anna lives in Oslo."
    rows = [
        {"question": "Where?", "context": context, "answer": "Oslo", "answer_start": 3},
        {"question": "Who?", "context": context, "answer": "Boris", "answer_start": 0},
        {"question": " ", "context": context, "answer": "Anna", "answer_start": 0},
        {"question": "Who?", "context": context, "answer": "Anna", "answer_start": 0},
    ]
    task = QuestionAnswering()
    records = task.read(open_source(rows), DataOptions())
    truths = task.truths(records.index().column("target"), None)  # type: ignore[arg-type]
    assert truths == [(("Oslo", 14),), (("Anna", 0),)]
    assert {problem.kind for problem in records.problems} == {
        "wrong-answer-offset",
        "answer-not-in-context",
        "empty-text",
    }
    assert task.truth_words(truths[0], None) == "“Oslo”" and task.truth_words((), None) == "no answer"  # type: ignore[arg-type]
