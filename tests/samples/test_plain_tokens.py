"""Tokenisers read in Python say what the package `tokenizers` says."""

from __future__ import annotations

import itertools
import json
import random
import time
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
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
#: Accents, punctuation and signs that are today what they were in Unicode 3.2: of others `tokenizers` knows only some.
_SIGNS = [
    letter
    for letter in map(chr, range(0x110000))
    if unicodedata.category(letter)[0] in "MPS"
    and unicodedata.category(letter) == unicodedata.ucd_3_2_0.category(letter)
]
ANY = st.text(st.characters(categories=("L", "N", "Z")) | st.sampled_from(_SIGNS))


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


def byte_pairs(merges: list[tuple[str, str]]) -> str:
    """A tokeniser of these merges, in their order, without words: a text is one."""
    letters = sorted({letter for pair in merges for part in pair for letter in part} | set("abcd"))
    every = dict.fromkeys([*letters, *(first + second for first, second in merges)])
    vocabulary = {token: number for number, token in enumerate(every)}
    made = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, merges))
    made.decoder = tokenizers.decoders.ByteLevel()
    return str(made.to_str())


@st.composite
def learned(draw: st.DrawFn, new: bool) -> list[tuple[str, str]]:
    """Merges of letters and of what earlier ones made; each makes another token, or some make the same one."""
    tokens, merges = list("abcd"), list[tuple[str, str]]()
    for _ in range(draw(st.integers(1, 24))):
        pair = (draw(st.sampled_from(tokens)), draw(st.sampled_from(tokens)))
        if pair not in merges and not (new and "".join(pair) in tokens) and len("".join(pair)) < 12:
            merges.append(pair)
            tokens += [] if "".join(pair) in tokens else ["".join(pair)]
    return merges


def merged_plainly(word: str, merges: list[tuple[str, str]]) -> list[str]:
    """As Sennrich et al. (2016) have it: the best pair there is, wherever it stands, until there is none."""
    parts = list(word)
    while best := [pair for pair in merges if pair in set(itertools.pairwise(parts))]:
        made: list[str] = []
        for part in parts:
            both = made and (made[-1], part) == best[0]
            made = [*made[:-1], made[-1] + part] if both else [*made, part]
        parts = made
    return parts


@settings(max_examples=300, deadline=None)
@given(learned(new=True), st.text("abcd", max_size=60))
def test_merges_are_those_of_the_plain_algorithm(merges: list[tuple[str, str]], word: str) -> None:
    found = PlainTokenizer(byte_pairs(merges)).encode_batch([word])[0] if merges else None
    if found is not None:
        assert [word[first:last] for first, last in found.offsets] == merged_plainly(word, merges)


@settings(max_examples=300, deadline=None)
@given(learned(new=False), st.text("abcd", max_size=60))
@example([("a", "b"), ("b", "c"), ("a", "bc"), ("abc", "ab"), ("ab", "c")], "abcabc")
def test_merges_are_those_of_the_library_where_two_make_the_same_token(
    merges: list[tuple[str, str]], word: str
) -> None:
    alike(byte_pairs(merges), word)


def test_a_word_of_a_hundred_thousand_letters_is_quick() -> None:
    """Thousands of merges, each of which occurs in the word: with a pass over the word for each it took ten seconds."""
    tokens = ["".join(letters) for size in range(2, 8) for letters in itertools.product("abcd", repeat=size)]
    data = byte_pairs([(token[:-1], token[-1]) for token in tokens])
    word = "".join(random.Random(0).choices("abcd", k=100_000))
    ours = PlainTokenizer(data)
    begun = time.perf_counter()
    found = ours.encode_batch([word])[0]
    assert time.perf_counter() - begun < 5
    assert found.ids == tokenizers.Tokenizer.from_str(data).encode(word, add_special_tokens=False).ids
