"""Tokenisers in Python, where the package `tokenizers` is not installed: it brings 42 MB with what it needs.

Read are the tokenisers that Assay trains and those of the kinds of BERT and GPT-2; others need the package. Answers are
the same (`tests/samples/test_plain_tokens.py`), and come more slowly, which matters for a corpus, not for a question.

Sources: R. Sennrich, B. Haddow, A. Birch, "Neural machine translation of rare words with subword units", ACL 2016;
Y. Wu et al., "Google's neural machine translation system", 2016 (word pieces).

Shapes: T tokens of a text.
"""

from __future__ import annotations

import heapq
import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from assay.errors import MissingExtraError
from assay.samples.plain_text_forms import Letters, bert_form, bert_words, byte_words, bytes_of_letters, lowered

Decode = Callable[[list[str]], str]
_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
#: So many words are remembered with their tokens, and none that is longer: those hardly come again, and fill memory.
_MOST_KEPT, _LONGEST_KEPT = 1 << 16, 256
_TIDY = ((" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"),
         (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"))  # fmt: skip


@dataclass(frozen=True)
class Encoded:
    """The tokens of a text, as `tokenizers` names them.

    Attributes:
        ids: their numbers (T).
        offsets: the characters that each covers (T).
        special_tokens_mask: 1 for a mark (T).
    """

    ids: list[int]
    offsets: list[tuple[int, int]]
    special_tokens_mask: list[int]


class PlainTokenizer:
    """Does what `tokenizers.Tokenizer` does with `encode_special_tokens`.

    Args:
        data: the tokeniser as `tokenizers` writes it (JSON).

    Raises:
        MissingExtraError: it is of another kind.
    """

    def __init__(self, data: str) -> None:
        facts = json.loads(data)
        model = facts["model"]
        self._vocabulary: dict[str, int] = dict(model["vocab"]) if isinstance(model.get("vocab"), dict) else _other()
        added = facts.get("added_tokens") or []
        self._special = {item["id"] for item in added if item["special"]}
        self._reads = not any(not item["special"] for item in added)
        self._token = {number: token for token, number in self._vocabulary.items()}
        self._token.update((item["id"], item["content"]) for item in added)
        self._form = _form_of(facts.get("normalizer"))
        self._words = _words_of(facts.get("pre_tokenizer"))
        self._pieces = _pieces_of(model, self._vocabulary)
        self._decode = _decoder_of(facts.get("decoder"))
        self._frames, self._trims = _frames_of(facts.get("post_processor"))

    def encode(self, text: str, pair: str | None = None) -> Encoded:
        """A text, or two, with the marks around them."""
        ids, mask = list[int](), list[int]()
        for mark, place in self._frames[pair is not None]:
            inside = self._encoded((text, pair or "")[place or 0]).ids if mark is None else list(mark)
            ids += inside
            mask += [int(mark is not None)] * len(inside)
        return Encoded(ids, [(0, 0)] * len(ids), mask)

    def encode_batch(self, texts: Sequence[str], add_special_tokens: bool = False) -> list[Encoded]:
        """Each of some texts, without marks."""
        return [self._encoded(text) for text in texts]

    encode_batch_fast = encode_batch

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = True) -> str:
        """The text of some tokens."""
        kept = (number for number in ids if not (skip_special_tokens and number in self._special))
        return self._decode([self._token[number] for number in kept if number in self._token])

    def decode_batch(self, rows: Sequence[Sequence[int]], skip_special_tokens: bool = True) -> list[str]:
        """The text of each row of tokens."""
        return [self.decode(row, skip_special_tokens) for row in rows]

    def _encoded(self, text: str) -> Encoded:
        if not self._reads:
            raise _needed()
        ids: list[int] = []
        offsets: list[tuple[int, int]] = []
        letters = Letters(text, [(place, place + 1) for place in range(len(text))])
        for word in self._words(self._form(letters)):
            for token, first, last in self._pieces(word.text):
                start, end = word.places[first][0], word.places[last][1]
                ids.append(token)
                offsets.append(self._trimmed(self._token[token], start, end, len(ids) == 1))
        return Encoded(ids, offsets, [0] * len(ids))

    def _trimmed(self, token: str, start: int, end: int, first: bool) -> tuple[int, int]:
        """A token's place without the spaces before and behind it; one before the text was put there by us."""
        if self._trims is None:
            return start, end
        before = len(token) - len(token.lstrip("Ġ"))
        behind = len(token) - len(token.rstrip("Ġ"))
        if before and self._trims and (first or start == 0):
            before -= 1
        start = min(start + before, end)
        return start, max(end - behind, start) if behind and end >= behind else end


def _needed() -> MissingExtraError:
    return MissingExtraError("the tokeniser of this pretrained network", "tokens")


def _other() -> Any:
    raise _needed()


def _form_of(facts: Mapping[str, Any] | None) -> Callable[[Letters], Letters]:
    if facts is None:
        return lambda letters: letters
    if facts["type"] == "Lowercase":
        return lowered
    return bert_form(facts) if facts["type"] == "BertNormalizer" else _other()


def _words_of(facts: Mapping[str, Any] | None) -> Callable[[Letters], list[Letters]]:
    if facts is None:
        return lambda letters: [letters]
    if facts["type"] == "ByteLevel" and facts.get("use_regex", True):
        return byte_words(bool(facts["add_prefix_space"]))
    return bert_words if facts["type"] == "BertPreTokenizer" else _other()


#: A token, and the first and the last letter of the word that it covers.
Piece = tuple[int, int, int]
Pieces = Callable[[str], tuple[Piece, ...]]


def _pieces_of(model: Mapping[str, Any], vocabulary: Mapping[str, int]) -> Pieces:
    """A function from a word to its tokens."""
    if model.get("type", "BPE" if "merges" in model else "WordPiece") == "WordPiece":
        return _word_pieces(model, vocabulary)
    usual = {"dropout": None, "continuing_subword_prefix": "", "end_of_word_suffix": "", "ignore_merges": False}
    if model.get("type", "BPE") != "BPE" or any((model.get(name) or None) != (value or None)
                                                for name, value in usual.items()):  # fmt: skip
        raise _needed()
    return _byte_pairs(model, vocabulary)


def _byte_pairs(model: Mapping[str, Any], vocabulary: Mapping[str, int]) -> Pieces:
    pairs = (tuple(pair.split(" ", 1)) if isinstance(pair, str) else tuple(pair) for pair in model["merges"])
    ranks: dict[tuple[str, ...], int] = {pair: rank for rank, pair in enumerate(pairs)}
    unknown = vocabulary.get(model.get("unk_token") or "")

    def merged(word: str) -> tuple[Piece, ...]:
        parts = _joined(word, ranks)
        ends = itertools.accumulate(map(len, parts))
        pieces = zip(parts, ends, strict=True)
        return tuple((token, end - len(part), end - 1) for part, end in pieces for token in known(part))

    def known(part: str) -> list[int]:
        if part in vocabulary:
            return [vocabulary[part]]
        names = [f"<0x{byte:02X}>" for byte in part.encode()] if model.get("byte_fallback") else []
        if names and all(name in vocabulary for name in names):
            return [vocabulary[name] for name in names]
        return [] if unknown is None else [unknown]

    return _remembered(merged) if ranks else merged


def _remembered(pieces: Pieces) -> Pieces:
    kept = lru_cache(maxsize=_MOST_KEPT)(pieces)
    return lambda word: kept(word) if len(word) <= _LONGEST_KEPT else pieces(word)


def _joined(word: str, ranks: Mapping[tuple[str, ...], int]) -> list[str]:
    """The letters of a word, of which always the pair of the lowest rank, and of such the first, was made one.

    Pairs wait in a heap and parts are a linked list, so that n letters take n log n steps. As in `tokenizers`, a pair
    that arises comes before others of a higher rank even where those occur several times.
    """
    parts, count = list(word), len(word)
    before, behind = list(range(-1, count - 1)), list(range(1, count + 1))
    waiting = [(ranks[pair], place) for place, pair in enumerate(itertools.pairwise(parts)) if pair in ranks]
    heapq.heapify(waiting)
    while waiting:
        rank, place = heapq.heappop(waiting)
        other = behind[place]
        if other == count or ranks.get((parts[place], parts[other])) != rank:
            continue  # one of the two has become part of another since
        parts[place], parts[other] = parts[place] + parts[other], ""
        behind[place] = behind[other]
        if behind[place] < count:
            before[behind[place]] = place
        for first in (before[place], place):
            if first < 0 or behind[first] == count:
                continue
            arisen = ranks.get((parts[first], parts[behind[first]]))
            if arisen is not None:
                heapq.heappush(waiting, (arisen, first))
    return [part for part in parts if part]


def _word_pieces(model: Mapping[str, Any], vocabulary: Mapping[str, int]) -> Pieces:
    """The longest known beginning of what is left, again and again."""
    unknown, prefix = vocabulary[model["unk_token"]], model["continuing_subword_prefix"]

    def pieces(word: str) -> tuple[Piece, ...]:
        found: list[Piece] = []
        start = 0
        while start < len(word) <= model["max_input_chars_per_word"]:
            ends = (end for end in range(len(word), start, -1)
                    if (prefix if start else "") + word[start:end] in vocabulary)  # fmt: skip
            end = next(ends, None)
            if end is None:
                break
            found.append((vocabulary[(prefix if start else "") + word[start:end]], start, end - 1))
            start = end
        return tuple(found) if start == len(word) else ((unknown, 0, len(word) - 1),)

    return _remembered(pieces)


def _decoder_of(facts: Mapping[str, Any] | None) -> Decode:
    kinds = [] if facts is None else [part["type"] for part in facts.get("decoders", [facts])]
    if kinds == ["ByteLevel"]:
        return lambda tokens: b"".join(map(bytes_of_letters, tokens)).decode(errors="replace")
    if kinds == ["ByteFallback", "Fuse"]:
        return _with_bytes
    if kinds == ["WordPiece"] and facts is not None:
        return _pieces_decoder(facts["prefix"], facts["cleanup"])
    raise _needed()


def _with_bytes(tokens: list[str]) -> str:
    """Letters as they are, rows of bytes as what they are in UTF-8."""
    text, row = "", b""
    for token in (*tokens, ""):
        byte = _BYTE.fullmatch(token)
        if byte is not None:
            row += bytes.fromhex(byte[1])
            continue
        try:
            text += row.decode() + token
        except UnicodeDecodeError:
            text += "\ufffd" * len(row) + token
        row = b""
    return text


def _pieces_decoder(prefix: str, tidy: bool) -> Decode:
    def decode(tokens: list[str]) -> str:
        text = ""
        for place, token in enumerate(tokens):
            part = token.removeprefix(prefix) if place and token.startswith(prefix) else " " * bool(place) + token
            for old, new in _TIDY if tidy else ():
                part = part.replace(old, new)
            text += part
        return text

    return decode


#: The marks and texts of one text, and of two: marks' numbers, or None and which text.
Frame = list[tuple[Sequence[int] | None, int | None]]


def _frames_of(facts: Mapping[str, Any] | None) -> tuple[tuple[Frame, Frame], bool | None]:
    """What stands around texts; and whether places leave out spaces: None, or whether the first was put there."""
    frames: tuple[Frame, Frame] = ([(None, 0)], [(None, 0), (None, 1)])
    trims: bool | None = None
    for part in [] if facts is None else facts.get("processors", [facts]):
        if part["type"] == "TemplateProcessing":
            frames = _template(part, "single"), _template(part, "pair")
        elif part["type"] in ("BertProcessing", "RobertaProcessing"):
            begin, end = [part["cls"][1]], [part["sep"][1]]
            between = end * (2 if part["type"] == "RobertaProcessing" else 1)
            first: Frame = [(begin, None), (None, 0)]
            frames = [*first, (end, None)], [*first, (between, None), (None, 1), (end, None)]
        elif part["type"] != "ByteLevel":
            raise _needed()
        if part["type"] in ("ByteLevel", "RobertaProcessing") and part["trim_offsets"]:
            trims = bool(part["add_prefix_space"])
    return frames, trims


def _template(facts: Mapping[str, Any], name: str) -> Frame:
    frame: Frame = []
    for item in facts[name]:
        if "SpecialToken" in item:
            frame.append((facts["special_tokens"][item["SpecialToken"]["id"]]["ids"], None))
        else:
            frame.append((None, "AB".index(item["Sequence"]["id"])))
    return frame
