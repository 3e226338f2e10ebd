"""Tokenisers read in Python say what the package `tokenizers` says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

tokenizers = pytest.importorskip("tokenizers")

from assay.errors import MissingExtraError  # noqa: E402
from assay.samples import plain_tokens  # noqa: E402
from assay.samples.plain_tokens import PlainTokenizer  # noqa: E402
from assay.samples.tokens import Tokenizer, characters, train_bpe  # noqa: E402

TEXTS = (
    "There will be rain and snow on day 9.",
    "",
    " ",
    "  two  spaces ",
    "we've said it'll do, haven't we?\n\nyes\t\t!",
    "Größe, naïve café, Ångström",
    "日本語のテキスト と english",
    "x²+½ ≈ ١٢٣ Ⅷ",
    "emoji \U0001f469\u200d\U0001f467 done",
    "İstanbul ΣΑΣ ﬁ",
    "<pad> <begin>x<end> [SEP] [CLS]",
    "a\u00a0b\u2003c\u200bd\x1ce\x85f",
    "tail   ",
    "e\u0301 o\u0308",
    "don't 'S 'LL",
    "\ufffd\x00 \x07",
    "supercalifragilisticexpialidocious" * 4,
)


def bert(lowercase: bool = True) -> Any:
    """A tokeniser as BERT has it."""
    from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

    made = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece(prefix="##")
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    made.train_from_iterator(TEXTS[:6] * 3, trainers.WordPieceTrainer(vocab_size=200, special_tokens=marks,
                                                                       show_progress=False))  # fmt: skip
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return made


def made() -> Iterator[tuple[str, str]]:
    """Tokenisers of each kind, as JSON."""
    yield "bpe", train_bpe(TEXTS[:6], 400).data
    yield "bpe-one-case", train_bpe(TEXTS[:6], 400, one_case=True).data
    yield "characters", characters(TEXTS[:6]).data
    yield "bert", bert().to_str()
    yield "bert-cased", bert(lowercase=False).to_str()


KINDS = dict(made())
#: Beyond this, some punctuation is younger than the Unicode of `tokenizers`.
_LAST_MARK = 0x2E42
ANY = st.text(
    st.characters(categories=("L", "M", "N", "S", "Z")) | st.characters(categories=("P",), max_codepoint=_LAST_MARK)
)


def alike(data: str, text: str) -> None:
    """Compare tokens, places and what comes back."""
    theirs, ours = tokenizers.Tokenizer.from_str(data), PlainTokenizer(data)
    theirs.encode_special_tokens = True
    wanted, found = theirs.encode(text, add_special_tokens=False), ours.encode_batch([text])[0]
    assert found.ids == wanted.ids, text
    assert found.offsets == wanted.offsets, text
    for keep in (True, False):
        assert ours.decode(found.ids, keep) == theirs.decode(wanted.ids, skip_special_tokens=keep), text


@pytest.mark.parametrize("kind", KINDS)
def test_texts_give_the_same_tokens(kind: str) -> None:
    for text in TEXTS:
        alike(KINDS[kind], text)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(KINDS)), ANY)
def test_any_text_gives_the_same_tokens(kind: str, text: str) -> None:
    alike(KINDS[kind], text)


@pytest.mark.parametrize("kind", KINDS)
def test_marks_stand_where_they_did(kind: str) -> None:
    theirs, ours = tokenizers.Tokenizer.from_str(KINDS[kind]), PlainTokenizer(KINDS[kind])
    for pair in (None, "b"):
        wanted, found = theirs.encode("a", pair), ours.encode("a", pair)
        assert (found.ids, found.special_tokens_mask) == (wanted.ids, wanted.special_tokens_mask)


def test_parts_of_letters_come_back_as_they_did() -> None:
    for kind in ("bpe", "characters"):
        theirs, ours = tokenizers.Tokenizer.from_str(KINDS[kind]), PlainTokenizer(KINDS[kind])
        rows = [[number] for number in range(theirs.get_vocab_size())]
        assert ours.decode_batch(rows, False) == theirs.decode_batch(rows, skip_special_tokens=False)
        ids = theirs.encode("日é", add_special_tokens=False).ids
        parts = [ids[:end] for end in range(len(ids) + 1)] + [ids[begin:] for begin in range(len(ids))]
        assert ours.decode_batch(parts) == theirs.decode_batch(parts)


def test_another_kind_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from assay.samples import tokens

    other = tokenizers.Tokenizer(tokenizers.models.Unigram([("a", 0.0)], 0))
    with pytest.raises(MissingExtraError) as told:
        PlainTokenizer(other.to_str())
    assert told.value.hint == 'pip install "assay[tokens]"'
    absent = MissingExtraError("working with text", "tokens")

    def library() -> Any:
        raise absent

    monkeypatch.setattr(tokens, "_library", library)
    tokens._parsed.cache_clear()
    ours = Tokenizer(KINDS["bpe"], json.loads(KINDS["bpe"])["model"]["vocab"].__len__())
    assert isinstance(tokens._parsed(ours.data), PlainTokenizer)
    assert ours.decode(ours.encode_batch(["rain and 日"])[0]) == "rain and 日"
    tokens._parsed.cache_clear()


def test_long_words_are_not_remembered_and_have_the_same_tokens() -> None:
    asked: list[str] = []

    def pieces(word: str) -> tuple[tuple[int, int, int], ...]:
        asked.append(word)
        return ((len(word), 0, len(word) - 1),)

    remembered = plain_tokens._remembered(pieces)
    for word in ("short", "short", "long" * 100, "long" * 100):
        assert remembered(word) == ((len(word), 0, len(word) - 1),)
    assert asked == ["short", "long" * 100, "long" * 100]
