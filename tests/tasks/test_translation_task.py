"""Translation: the acceptance test of the application, on a toy language, and what users do with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tokenizers")
pytest.importorskip("sacrebleu")

WORDS = {
    "the": "der", "a": "ein", "dog": "hund", "cat": "katze", "man": "mann", "house": "haus", "sees": "sieht",
    "hears": "hört", "finds": "findet", "big": "großer", "small": "kleiner", "red": "roter",
}  # fmt: skip
MERGE = "a pair with too long a side is left out, so that only inputs are cut"


def pairs(count: int) -> list[tuple[str, str]]:
    """Sentences of a toy language, translated word for word."""
    random = np.random.default_rng(0)
    found = []
    for _ in range(count):
        articles, nouns = random.choice(["the", "a"], 2), random.choice(["dog", "cat", "man", "house"], 2)
        words = [articles[0], random.choice(["big", "small", "red"]), nouns[0],
                 random.choice(["sees", "hears", "finds"]), articles[1], nouns[1]]  # fmt: skip
        found.append((" ".join(words), " ".join(WORDS[word] for word in words)))
    return found


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    for place, language in enumerate(("en", "de")):
        text = "\n".join(pair[place] for pair in pairs(300)) + "\n"
        (folder / f"all.{language}").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.slow
def test_the_application_keeps_the_contract(corpus: Path, tmp_path: Path) -> None:
    from assay.check import check_task
    from assay.sources.source import DataOptions
    from assay.tasks.translation import Translation

    for language, lines in (("en", "a\nb\n"), ("de", "a\n")):
        (tmp_path / f"broken.{language}").write_text(lines, encoding="utf-8")
    options, small = DataOptions(extra={"languages": "en-de"}), {"depth": "2", "width": "32", "heads": "2"}
    how: Any = {"corrupt": [tmp_path], "settings": small, "exceptions": {"merge": MERGE}}
    results = check_task(Translation(), corpus, options, **how)
    assert not [f"{result.name}: {result.detail}" for result in results if not result.ok]


@pytest.mark.slow
def test_from_aligned_files_to_translations(command: Any, corpus: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    small = ("--set", "depth=2", "--set", "decoder_depth=1", "--set", "width=64", "--set", "heads=2")
    how = ("--languages", "en-de", "--epochs", 25, "--evidence", "quick", *small, "--out", run, "--json")
    done = command("train", corpus, *how)
    assert done.code == 0, done.err
    summary = done.json
    assert summary["task"] == "translation" and summary["metric"]["name"] == "bleu"
    assert summary["metric"]["value"] > 60 and summary["baseline"]["value"] > 60
    lines = tmp_path / "new.en"
    lines.write_text("the big dog sees a cat\n\nThe ΩΩ man ✓\n", encoding="utf-8")
    told = command("predict", run, lines, "--beams", 2)
    assert told.code == 0, told.err
    answers = told.out.rstrip("\n").split("\n")
    assert len(answers) == 3 and "der großer hund sieht ein katze" in answers[0]
    assert command("predict", run, lines, "--baseline").code == 0
    lines.write_text("the big dog sees a cat\n", encoding="utf-8")
    why = command("explain", run, lines, "--json", "--out", tmp_path / "why.html")
    assert why.code == 0, why.err
    assert {part["name"].strip() for part in why.json["parts"]} <= {"the", "big", "dog", "sees", "a", "cat"}


def test_a_text_longer_than_the_network_is_translated_in_pieces(tmp_path: Path) -> None:
    from assay.evaluation.sequences import Hypothesis
    from assay.samples.pair_spec import PairSpec
    from assay.samples.sentence_windows import cut_sentences, pieces
    from assay.samples.tokens import train_bpe
    from assay.tasks.translation import Translation

    tokenizer = train_bpe([text for pair in pairs(50) for text in pair], 300)
    text = "The dog sees a cat. The cat hears a dog! " * 8 + "x" * 200
    parts = pieces(text, tokenizer, 40)
    assert "".join(parts) == text and len(parts) > 5
    assert all(len(ids) <= 40 for ids in tokenizer.encode_batch(parts))
    windows = cut_sentences([text, "a dog"], tokenizer, 40)
    assert windows.row.tolist() == [0] * len(parts) + [1]
    spec = PairSpec(tokenizer, 40, 2.0)
    merged = Translation().merge([Hypothesis("eins ", -1.0, 3), Hypothesis("zwei", -2.0, 4)], spec)
    assert merged == Hypothesis("eins zwei", -3.0, 7)
    assert PairSpec.from_json(spec.to_json()) == spec


def test_a_token_that_is_left_out_is_gone() -> None:
    import torch

    from assay.samples.pair_spec import PairSpec
    from assay.samples.tokens import train_bpe
    from assay.tasks.translation import PairBatch, Translation

    batch = PairBatch(
        index=torch.arange(2),
        tokens=torch.tensor([[5, 6, 7, 8], [5, 6, 0, 0]], dtype=torch.int32),
        mask=torch.tensor([[True] * 4, [True, True, False, False]]),
    )
    kept = torch.tensor([[True, False, True, True], [False, True, True, True]])
    shown = Translation().masked(batch, kept, PairSpec(train_bpe(["a"], 300), 8, 1.0))
    assert shown.tokens.tolist() == [[5, 7, 8, 0], [6, 0, 0, 0]]
    assert shown.mask is not None and shown.mask.sum(dim=1).tolist() == [3, 1]


@pytest.mark.parametrize(("languages", "tokens"), [("en-de", "13a"), ("de-zh", "zh"), ("en-ja", "char"), ("", "13a")])
def test_words_without_spaces_are_judged_by_characters(languages: str, tokens: str) -> None:
    from assay.evaluation.translation_metrics import tokenise_for

    assert tokenise_for(languages) == tokens


@pytest.mark.slow
def test_a_pretrained_translator_learns_on(command: Any, corpus: Path, tmp_path: Path) -> None:
    """One of random weights stands for it, with a tokeniser of its own; the run needs the folder no more."""
    import json
    import shutil

    import torch

    from assay.samples.tokens import BEGIN, END, PAD, train_bpe

    transformers: Any = pytest.importorskip("transformers")
    folder = tmp_path / "tiny"
    tokenizer = train_bpe([text for pair in pairs(50) for text in pair], 300)
    torch.manual_seed(0)
    config = transformers.MarianConfig(
        vocab_size=tokenizer.size, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, pad_token_id=PAD, eos_token_id=END,
        decoder_start_token_id=BEGIN, forced_eos_token_id=None, max_position_embeddings=160,
    )  # fmt: skip
    transformers.MarianMTModel(config).save_pretrained(folder)
    (folder / "tokenizer.json").write_text(tokenizer.data, encoding="utf-8")
    marks = {"bos_token": "<begin>", "eos_token": "<end>", "pad_token": "<pad>", "unk_token": "<unknown>"}
    (folder / "special_tokens_map.json").write_text(json.dumps(marks), encoding="utf-8")
    run = tmp_path / "run"
    how = ("--languages", "en-de", "--epochs", 1, "--evidence", "none", "--out", run, "--json")
    done = command("train", corpus, "--network", f"hf/{folder}", *how)
    assert done.code == 0, done.err
    shutil.rmtree(folder)
    (tmp_path / "new.en").write_text("the big dog sees a cat\n", encoding="utf-8")
    told = command("predict", run, tmp_path / "new.en", "--json")
    assert told.code == 0, told.err
    assert set(told.json) >= {"id", "text", "confidence"}
    pytest.importorskip("onnxscript")
    exported = command("export", run, "--json")
    assert exported.code == 0, exported.err
    assert exported.json["parity"]["float"]["equal"] == 1.0
    assert command("predict", run, tmp_path / "new.en", "--json").json["text"] == told.json["text"]
