"""Text generation: the acceptance test, every token foretold once, and prompts that are written on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tokenizers")

SERVED = "a text with a target is foretold, a prompt is written on"
WORDS = ("the old king", "a young queen", "their brave son", "an owl", "walks to", "sings of", "dreams about", "sees")


def verses(lines: int = 260) -> str:
    """Lines that say who does what with whom: much can be foretold, and not all."""
    random = np.random.default_rng(1)
    who = random.integers(0, 4, (lines, 2))
    what = random.integers(4, 8, lines)
    return "".join(f"{WORDS[one]} {WORDS[how]} {WORDS[other]}.\n" for (one, other), how in zip(who, what, strict=True))


@pytest.fixture(scope="module")
def poem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("poem") / "poem.txt"
    file.write_text(verses(), encoding="utf-8")
    return file


@pytest.mark.slow
def test_the_application_keeps_the_contract(poem: Path, tmp_path: Path) -> None:
    from assay.check import check_task
    from assay.sources.source import DataOptions
    from assay.tasks.text_generation import TextGeneration

    (tmp_path / "empty").mkdir()
    options, small = DataOptions(extra={"context": "64"}), {"width": "32", "heads": "2", "buckets": "1024"}
    how: Any = {"corrupt": [tmp_path / "empty"], "settings": small, "exceptions": {"served": SERVED}}
    results = check_task(TextGeneration(), poem, options, **how)
    assert not [f"{result.name}: {result.detail}" for result in results if not result.ok]


@pytest.mark.slow
def test_from_a_text_to_a_continuation(command: Any, poem: Path, tmp_path: Path) -> None:
    import assay

    run = tmp_path / "run"
    small = ("--set", "depth=2", "--set", "width=64", "--set", "heads=2")
    how = ("--context", 64, "--evidence", "quick", *small, "--json")
    done = command("train", poem, "--epochs", 3, *how, "--out", run)
    assert done.code == 0, done.err
    summary = done.json
    assert summary["task"] == "text-generation" and summary["metric"]["name"] == "bits_per_byte"
    assert summary["metric"]["value"] < 2.5
    prompt = tmp_path / "prompt.txt"
    prompt.write_text("the old ki", encoding="utf-8")
    told = command("predict", run, prompt, "--length", 12, "--temperature", 0, "--json")
    assert told.code == 0, told.err
    assert told.json["text"].startswith("ng ") and told.json["tokens"] == 12
    pieces = assay.load(run).stream(["the old ki"], {"length": 12, "temperature": 0})
    assert pieces is not None and "".join(pieces) == told.json["text"]
    assert assay.load(run).stream(["the old ki", "an owl"]) is None, "several are answered together"
    (empty,) = assay.load(run).predict([""], options={"length": 5})
    assert len(empty.text) == 5
    by_counts = command("predict", run, prompt, "--baseline", "--json")
    assert by_counts.code == 0 and by_counts.json["text"]
    deaf = command("predict", run, prompt, "--baseline", "--length", 5)
    assert deaf.code == 1 and "the classical model has no option --length" in deaf.err
    why = command("explain", run, poem, "--json", "--out", tmp_path / "why.html")
    assert why.code == 0, why.err
    wrong = command("predict", run, prompt, "--temperature", "warm")
    assert wrong.code == 1 and "--temperature warm is not possible" in wrong.err
    unknown = command("predict", run, prompt, "--beams", 3)
    assert unknown.code == 1 and "has no option --beams" in unknown.err


@pytest.mark.parametrize("longest", [5, 8, 64])
def test_every_token_is_foretold_exactly_once(longest: int) -> None:
    from assay.samples.passage_windows import cut_passages
    from assay.samples.tokens import characters

    tokenizer = characters(["abc"])
    texts = ["abc" * 7, "", "b", "cab" * 20]
    found = cut_passages(texts, tokenizer, longest)
    for row, text in enumerate(texts):
        own = np.flatnonzero(found.row == row)
        ends = [found.tokens[place][len(found.tokens[place]) - found.scored[place] :] for place in own]
        assert tokenizer.decode(np.concatenate(ends) if ends else []) == text
        assert b"".join(found.text[place].tobytes() for place in own) == text.encode()
    assert all(len(tokens) <= longest + longest // 2 + 1 for tokens in found.tokens)


def test_the_nats_of_windows_are_those_of_the_whole_passage(tmp_path: Path) -> None:
    """Where the network reads far enough: the same as one pass over the passage gives."""
    import torch

    from assay.networks.language_model import LanguageModel, LanguageModelSettings
    from assay.samples.passage_spec import PassageSpec
    from assay.samples.samples import build_samples
    from assay.samples.tokens import characters
    from assay.serving.predictor import Predictor
    from assay.sources.source import DataOptions, open_source
    from assay.tasks.text_generation import TextGeneration

    file = tmp_path / "text.txt"
    file.write_text(verses(40), encoding="utf-8")
    task, tokenizer = TextGeneration(), characters([verses(40)])
    records = task.read(open_source(file), DataOptions())
    spec = PassageSpec(tokenizer, 600)
    samples = build_samples(task, records, spec, None, folder=tmp_path / "cache")
    torch.manual_seed(0)
    network = LanguageModel(tokenizer.size, 600, LanguageModelSettings(depth=1, width=32, heads=1)).eval()
    nats = Predictor(task, spec, network).outputs(samples.view_of(np.arange(3)))
    texts = [text for batch in records.batches() for text in batch.column("text").to_pylist()][:3]
    for text, found in zip(texts, nats, strict=True):
        ids = torch.tensor([[tokenizer.begin, *tokenizer.encode_batch([text])[0].tolist()]])
        with torch.inference_mode():
            wanted = float(network.losses(ids[:, :-1], ids[:, 1:]).sum())
        assert found == pytest.approx(wanted, rel=1e-4)


def test_hardly_any_text_is_an_error(command: Any, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("milk, bread", encoding="utf-8")
    done = command("train", tmp_path / "note.txt")
    assert done.code == 1 and "error: 11 characters of text are too few to learn from" in done.err


def test_scripts_that_were_never_seen_are_written_as_bytes(command: Any, poem: Path, tmp_path: Path) -> None:
    import assay

    run = tmp_path / "run"
    how = ("--epochs", 0.2, "--context", 32, "--evidence", "none", "--out", run, "--json")
    assert command("train", poem, *how).code == 0
    strange = tmp_path / "strange.txt"
    strange.write_text("いろはにほへと ちりぬるを\n" * 30, encoding="utf-8")
    found = command("evaluate", run, strange, "--json")
    assert found.code == 0, found.err
    assert found.json["metrics"]["bits_per_byte"]["value"] > 3
    (answer,) = assay.load(run).predict(["いろは"], options={"length": 4})
    assert answer.tokens == 4 and not answer.text.endswith("\ufffd")
