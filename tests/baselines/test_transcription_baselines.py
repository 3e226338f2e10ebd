"""Classical recognisers: the language model as text, connected words by time warping, PocketSphinx on real prompts."""

from __future__ import annotations

import csv
import dataclasses
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from real_data import DATA

pytest.importorskip("soundfile")
pytest.importorskip("soxr")
pytest.importorskip("jiwer")

from assay.baselines._arpa import arpa_of
from assay.baselines._word_search import Said, Templates, best_words, distances
from assay.baselines.best_words import BestWords
from assay.baselines.dtw_words import DtwWords
from assay.baselines.pocketsphinx_words import PocketSphinxWords
from assay.baselines.transcription_classical import transcription_baselines, why_none
from assay.errors import DataError
from assay.evaluation.transcription_metrics import WordErrorRate
from assay.flow import prepare
from assay.samples.samples import Samples, build_samples
from assay.samples.split import TEST, TRAIN, VALIDATION
from assay.samples.tokens import characters
from assay.samples.transcript_spec import TranscriptSpec
from assay.sources.source import DataOptions, open_source
from assay.tasks.transcription import Transcription
from speech_examples import write_sentences

PROMPTS = DATA / "asterisk_prompts_en"


def samples_of(folder: Path, where: Path, **extra: str) -> Samples:
    task = Transcription()
    made = prepare(open_source(folder), DataOptions(extra=extra), task=task)
    spec = task.fit_spec(made.records, made.split.side == TRAIN, DataOptions(extra=extra))
    return build_samples(task, made.records, spec, made.split.side, folder=where)


@pytest.fixture(scope="module")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    folder = write_sentences(tmp_path_factory.mktemp("said") / "said", 40)
    return samples_of(folder, tmp_path_factory.mktemp("cache") / "samples")


def test_a_language_model_as_text_gives_probabilities() -> None:
    sentences = [["a", "b"], ["a", "b", "c"], ["c"], ["a", "b"]]
    lines = arpa_of(sentences, ["a", "b", "c", "d"]).splitlines()
    value: dict[tuple[str, ...], float] = {}
    backoff: dict[tuple[str, ...], float] = {}
    for line in lines:
        parts = line.split("\t")
        if len(parts) > 1:
            gram = tuple(parts[1].split())
            value[gram] = float(parts[0])
            backoff[gram] = float(parts[2]) if len(parts) > 2 else 0.0

    def nats(context: tuple[str, ...], word: str) -> float:
        if (*context, word) in value:
            return value[(*context, word)]
        return backoff.get(context, 0.0) + nats(context[1:], word)

    for context in ((), ("<s>",), ("a",), ("a", "b"), ("<s>", "a"), ("d",), ("c", "a")):
        total = sum(10 ** nats(context, word) for word in ("a", "b", "c", "d", "</s>"))
        assert total == pytest.approx(1, abs=1e-4), context
    assert nats(("a",), "b") > nats(("a",), "c")
    counts = {line for line in lines if line.startswith("ngram")}
    assert counts == {f"ngram {size}={sum(len(gram) == size for gram in value)}" for size in (1, 2, 3)}


def test_words_are_found_in_a_row() -> None:
    random = np.random.default_rng(0)
    words = [random.normal(size=(6, 4)), random.normal(size=(9, 4)), random.normal(size=(1, 4))]
    templates = Templates(np.concatenate(words).astype(np.float32), np.array([6, 9, 1]), np.array([0, 1, -1]))
    quiet = np.repeat(words[2], 5, axis=0)
    slow = np.repeat(words[0], 2, axis=0)
    sound = np.concatenate([quiet, words[1], slow, quiet, words[0], words[0][[0, 2, 4, 5]]]).astype(np.float32)
    found = best_words(distances(sound, templates), templates, 0.01)
    assert [one.word for one in found] == [1, 0, 0, 0]
    assert found[0] == Said(1, 5, 14) and found[1] == Said(0, 14, 26)
    assert best_words(np.zeros((0, 16)), templates, 0.0) == []


def test_the_search_finds_the_least_cost_of_all_paths() -> None:
    costs = np.random.default_rng(1).random((5, 4))
    templates = Templates(np.zeros((4, 1), np.float32), np.array([2, 2]), np.array([0, 1]))
    best, texts = np.inf, None
    for path in itertools.product(range(4), repeat=5):
        words, total, legal = [path[0] // 2], 0.3, path[0] in (0, 2) and path[-1] in (1, 3)
        for before, here in itertools.pairwise(path):
            if here == before or (here == before + 1 and here % 2):
                continue
            if before % 2 and here % 2 == 0:
                words.append(here // 2)
                total += 0.3
            else:
                legal = False
        total += sum(costs[frame, state] for frame, state in enumerate(path))
        if legal and total < best:
            best, texts = total, words
    assert [one.word for one in best_words(costs, templates, 0.3)] == texts


def test_templates_tell_few_words_apart(sentences: Samples, tmp_path: Path) -> None:
    (model, floor) = transcription_baselines(sentences.spec)
    assert isinstance(model, DtwWords) and floor.floor
    note = model.fit(sentences.view(TRAIN), sentences.view(VALIDATION), 20.0, 0)
    assert "4 words" in note
    test, metric = sentences.view(TEST), WordErrorRate()
    told = model.predict(test)
    assert metric.value(told, test.truths()) < 0.1
    for one in told:
        starts = [word.start for part in one.stretches for word in part.words]
        assert starts == sorted(starts)
    model.save(tmp_path)
    again = DtwWords(16_000)
    again.load(tmp_path)
    assert again.predict(test) == told
    floor.fit(sentences.view(TRAIN), sentences.view(VALIDATION), 1.0, 0)
    assert metric.value(floor.predict(test), test.truths()) > 0.5


def test_what_no_classical_recogniser_is_for_is_told() -> None:
    tokens = characters(["a"])
    many = tuple(f"{one}{other}" for one in "abcdefgh" for other in "abcdefghij")
    spec = TranscriptSpec(tokens, 5.0, "de", sentences=many)
    assert len(transcription_baselines(spec)) == 1
    assert "'de'" in why_none(spec) and "80" in why_none(spec)
    assert why_none(TranscriptSpec(tokens, 5.0, "en", sentences=many)) == ""
    assert why_none(TranscriptSpec(tokens, 5.0, "de", sentences=("ja nein",))) == ""


def test_of_few_english_words_the_better_recogniser_is_kept(sentences: Samples, tmp_path: Path) -> None:
    pytest.importorskip("pocketsphinx")
    spec = dataclasses.replace(sentences.spec, language="en")
    model, _ = transcription_baselines(spec)
    assert isinstance(model, BestWords) and [type(one) for one in model.candidates] == [PocketSphinxWords, DtwWords]
    note = model.fit(sentences.view(TRAIN), sentences.view(VALIDATION), 20.0, 0)
    assert "PocketSphinx" in note and "DTW" in note and model.name == DtwWords.name  # the words are tones
    test, metric = sentences.view(TEST), WordErrorRate("en")
    told = model.predict(test)
    assert metric.value(told, test.truths()) < 0.1
    model.save(tmp_path)
    again, _ = transcription_baselines(spec)
    again.load(tmp_path)
    assert again.predict(test) == told and again.name == DtwWords.name
    strange = BestWords("en", [_Ignorant(), DtwWords(16_000, "en")])
    strange.fit(sentences.view(TRAIN), sentences.view(VALIDATION), 20.0, 0)
    assert strange.name == DtwWords.name
    with pytest.raises(DataError, match="nothing"):
        BestWords("en", [_Ignorant()]).fit(sentences.view(TRAIN), sentences.view(VALIDATION), 20.0, 0)


class _Ignorant(DtwWords):
    def __init__(self) -> None:
        super().__init__(16_000)

    def fit(self, *_: Any) -> str:
        raise DataError("nothing can be learned")


@pytest.mark.data
@pytest.mark.skipif(not PROMPTS.exists(), reason="the data set asterisk_prompts_en is not here")
def test_pocketsphinx_hears_prompts(tmp_path: Path) -> None:
    pytest.importorskip("pocketsphinx")
    import shutil

    with (PROMPTS / "transcripts.tsv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if 1.5 < float(row["seconds"]) < 4][:40]
    folder = tmp_path / "prompts"
    folder.mkdir()
    table: list[Any] = [("file", "text", "split")]
    for number, row in enumerate(rows):
        shutil.copy(PROMPTS / "flac" / row["file"], folder)
        table.append((row["file"], row["text"], "test" if number % 2 else "train"))
    with (folder / "said.tsv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter="\t").writerows(table)
    samples = samples_of(folder, tmp_path / "samples", language="en")
    model, _ = transcription_baselines(samples.spec)
    whole = samples.view_of(np.arange(len(samples.side)))
    note = model.fit(whole, samples.view(VALIDATION), 10.0, 0)
    assert "words" in note
    told = model.predict(samples.view(TEST))
    assert WordErrorRate("en").value(told, samples.view(TEST).truths()) < 0.3
    model.save(tmp_path / "model")
    again = transcription_baselines(samples.spec)[0]
    again.load(tmp_path / "model")
    assert again.predict(samples.view(TEST)) == told
