"""Tokenisers: every text comes back exactly, marks in a text are letters, and a pretrained one is framed as its own."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import SettingError
from assay.samples.tokens import BEGIN, END, SMALLEST, Tokenizer, characters, pretrained, train_bpe

TEXTS = ["the cat sat on the mat", "der Hund läuft über die Straße", "<end> of the line\n", "naïve 😀"] * 20
BPE, LETTERS = train_bpe(TEXTS, 400), characters(TEXTS)
OURS = pytest.mark.parametrize("tokenizer", [BPE, LETTERS], ids=["bpe", "characters"])
ANY = st.text(max_size=60) | st.sampled_from(["<end>", " <pad> a", "<0xC3>", "\r\n\t  ", "ﷺ\u200d", "日本語"])


@OURS
@settings(max_examples=200, deadline=None)
@given(texts=st.lists(ANY, max_size=6))
def test_every_text_comes_back_exactly(tokenizer: Tokenizer, texts: list[str]) -> None:
    encoded = tokenizer.encode_batch(texts)
    assert [tokenizer.decode(ids) for ids in encoded] == texts
    assert tokenizer.decode_batch(encoded) == texts
    assert all(ids.dtype == np.int32 and (ids > 3).all() and (ids < tokenizer.size).all() for ids in encoded)
    with_offsets, places = tokenizer.encode_with_offsets(texts)
    for text, ids, same, place in zip(texts, encoded, with_offsets, places, strict=True):
        assert ids.tolist() == same.tolist() and place.shape == (len(ids), 2)
        assert (place[:, 0] <= place[:, 1]).all() and (np.diff(place[:, 0]) >= 0).all()
        if len(ids):
            assert place.min() >= 0 and (place.max() == len(text) or not text.strip(" "))  # spaces are trimmed


@OURS
def test_a_place_is_what_the_token_stands_for(tokenizer: Tokenizer) -> None:
    text = "on the Straße 😀 mat"
    (ids,), (places,) = tokenizer.encode_with_offsets([text])
    for shown, (start, end) in zip(tokenizer.token_texts(ids), places, strict=True):
        assert "�" in shown or shown.strip() == text[start:end].strip()
    assert "".join(tokenizer.token_texts(tokenizer.encode_batch(["the mat"])[0])) == "the mat"


@OURS
def test_marks_go_around_one_text_and_two(tokenizer: Tokenizer) -> None:
    a, b = tokenizer.encode_batch(["the cat", "mat"])
    one, two = tokenizer.join(a), tokenizer.join(a, b)
    assert one.ids.tolist() == [BEGIN, *a, END]
    assert two.ids.tolist() == [BEGIN, *a, END, *b, END]
    assert two.segments.tolist() == [0] * (len(a) + 2) + [1] * (len(b) + 1)
    assert (one.starts, two.starts) == ((1,), (1, len(a) + 2))
    assert (tokenizer.marks(), tokenizer.marks(pair=True)) == (2, 3)
    assert tokenizer.decode(two.ids) == "the catmat"


def test_the_same_texts_give_the_same_tokenizer() -> None:
    assert train_bpe(TEXTS[::-1], 400) == BPE and hash(train_bpe(TEXTS, 400)) == hash(BPE)
    assert Tokenizer.from_json(json.loads(json.dumps(BPE.to_json()))) == BPE
    assert BPE.size <= 400 and len(BPE.encode_batch(["the cat"])[0]) < len(LETTERS.encode_batch(["the cat"])[0])


def test_a_vocabulary_holds_all_bytes_at_least() -> None:
    assert train_bpe([], SMALLEST).size == SMALLEST
    with pytest.raises(SettingError, match="too small"):
        train_bpe(TEXTS, SMALLEST - 1)


def test_a_pretrained_folder_is_read_without_its_truncation(tmp_path: Path) -> None:
    parsed = json.loads(BPE.data)
    parsed["truncation"] = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}
    parsed["padding"] = {
        "strategy": {"Fixed": 128}, "direction": "Right", "pad_to_multiple_of": None,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "<pad>",
    }  # fmt: skip
    (tmp_path / "tokenizer.json").write_text(json.dumps(parsed))
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"bos_token": "<begin>", "eos_token": {"content": "<end>"}, "pad_token": "<pad>"})
    )
    found = pretrained(tmp_path)
    assert (found.pad, found.begin, found.end, found.unknown) == (0, BEGIN, END, END)
    assert found.encode_batch(TEXTS)[1].tolist() == BPE.encode_batch(TEXTS)[1].tolist()


def test_what_is_no_tokenizer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingError, match=r"holds no tokenizer\.json"):
        pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(SettingError, match="no tokeniser that can be read"):
        pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_text(BPE.data)
    with pytest.raises(SettingError, match="which token ends a text"):
        pretrained(tmp_path)
    with pytest.raises(SettingError, match="is no folder"):
        pretrained("no such/name at all")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_encodes_too() -> None:
    here = [ids.tolist() for ids in BPE.encode_batch(TEXTS)]
    child = os.fork()
    if not child:
        os._exit(0 if [ids.tolist() for ids in BPE.encode_batch(TEXTS)] == here else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_of_one_case_capitals_and_first_words_are_as_any_other() -> None:
    tokenizer = train_bpe(TEXTS, 400, one_case=True)
    small, large = tokenizer.encode_batch(["the cat. The Straße", "THE CAT. the STRASSE"])
    assert small[:3].tolist() == large[:3].tolist()
    the = tokenizer.encode_batch(["The"])[0].tolist()
    assert tokenizer.encode_batch(["on the"])[0].tolist()[-len(the) :] == the
    text = "Der HUND läuft"
    _, (places,) = tokenizer.encode_with_offsets([text])
    assert "".join(text[start:end] for start, end in places) == "DerHUNDläuft"  # as it was written
