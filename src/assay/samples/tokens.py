"""Text to tokens and back: tokenisers trained on the user's data, or a pretrained network's own.

A `Tokenizer` is a value: it holds what `tokenizers` (Hugging Face) needs as JSON, so that it fits into a sample spec
and a run folder. What is parsed from it is kept for the process.

Marks such as the end of a text are never read out of a text: a text that contains `<end>` or `[SEP]` is taken
letter by letter.

Shapes: T tokens of a text.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from assay.errors import MissingExtraError, SettingError

Array = np.ndarray[Any, Any]

PAD, BEGIN, END, UNKNOWN = 0, 1, 2, 3
_MARKS = ("<pad>", "<begin>", "<end>", "<unknown>")
#: The fewest tokens that any text can be written with: the marks and the 256 bytes.
SMALLEST = len(_MARKS) + 256
#: Texts that are encoded at once: what they come to is turned into arrays before the next.
_AT_ONCE = 4096
_ASCII = 128
#: The bytes of which UTF-8 makes characters beyond ASCII.
_HIGH_BYTES = (*range(0x80, 0xC0), *range(0xC2, 0xF5))


@dataclass(frozen=True)
class Joined:
    """One or two texts as a network takes them, with the marks around them.

    Attributes:
        ids: (T,) int32.
        segments: (T,) int32, 0 for the first text and its marks, 1 for the second.
        starts: the place of each text's first token in `ids`.
    """

    ids: Array
    segments: Array
    starts: tuple[int, ...]


@dataclass(frozen=True)
class Tokenizer:
    """Cuts texts into tokens, each with a number below `size`.

    Attributes:
        data: the tokeniser as `tokenizers` writes it (JSON).
        size: how many tokens there are.
        pad: the token that stands where nothing is.
        begin: the token that stands before a text.
        end: the token that stands after a text.
        unknown: the token for what cannot be written otherwise; where the tokeniser is one of ours, never used.
    """

    data: str
    size: int
    pad: int = PAD
    begin: int = BEGIN
    end: int = END
    unknown: int = UNKNOWN

    def to_json(self) -> dict[str, Any]:
        """For `model.json`."""
        return dict(vars(self))

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Tokenizer:
        """The inverse of `to_json`."""
        return Tokenizer(**data)

    def encode_batch(self, texts: Sequence[str]) -> list[Array]:
        """The tokens (T,) int32 of each text, without marks."""
        parsed = _parsed(self.data)
        encoded: list[Array] = []
        for part in _parts(texts):
            found = parsed.encode_batch_fast(part, add_special_tokens=False)
            encoded += [np.asarray(item.ids, np.int32) for item in found]
        return encoded

    def encode_with_offsets(self, texts: Sequence[str]) -> tuple[list[Array], list[Array]]:
        """The tokens (T,) int32 of each text without marks, and the characters (T, 2) int32 that each covers.

        A token that is a part of a character covers that character; `text[start:end]` is what a token stands for,
        without a space before it.
        """
        parsed = _parsed(self.data)
        ids: list[Array] = []
        places: list[Array] = []
        for part in _parts(texts):
            for item in parsed.encode_batch(part, add_special_tokens=False):
                ids.append(np.asarray(item.ids, np.int32))
                places.append(np.asarray(item.offsets, np.int32).reshape(-1, 2))
        return ids, places

    def join(self, first: Array, second: Array | None = None) -> Joined:
        """One text's tokens, or two texts', with the tokeniser's marks: what a pretrained network was trained on."""
        parts = [first] if second is None else [first, second]
        before, between, after = _frame(self.data, second is not None)
        pieces = [before, first, after] if second is None else [before, first, between, second, after]
        segments = [0] * (len(before) + len(first) + len(between))
        starts = (len(before), len(segments))[: len(parts)]
        if second is None:
            segments += [0] * len(after)
        else:
            segments += [1] * (len(second) + len(after))
        return Joined(np.concatenate(pieces).astype(np.int32), np.asarray(segments, np.int32), starts)

    def marks(self, pair: bool = False) -> int:
        """How many tokens `join` adds to one text, or to two."""
        return sum(len(part) for part in _frame(self.data, pair))

    def frame(self) -> tuple[list[int], list[int]]:
        """The marks before one text, and those after it."""
        before, _, after = _frame(self.data, False)
        return before.tolist(), after.tolist()

    def decode(self, ids: Iterable[int]) -> str:
        """The text of some tokens, marks left out; of ours exactly the one that was encoded."""
        return str(_parsed(self.data).decode([int(number) for number in ids], skip_special_tokens=True))

    def decode_batch(self, rows: Iterable[Iterable[int]]) -> list[str]:
        """The text of each row of tokens."""
        plain = [[int(number) for number in row] for row in rows]
        return [str(text) for text in _parsed(self.data).decode_batch(plain, skip_special_tokens=True)]

    def token_texts(self, ids: Iterable[int]) -> list[str]:
        """Each token by itself, marks among them, as it can be shown; a part of a character shows as `�`."""
        rows = [[int(number)] for number in ids]
        return [str(text) for text in _parsed(self.data).decode_batch(rows, skip_special_tokens=False)]


def train_bpe(texts: Iterable[str], size: int, one_case: bool = False) -> Tokenizer:
    """Byte-level byte-pair encoding, learned from texts: any text can be written, and comes back exactly.

    Sources: R. Sennrich, B. Haddow, A. Birch, "Neural machine translation of rare words with subword units", ACL 2016;
    on bytes: A. Radford et al., "Language models are unsupervised multitask learners", 2019.

    Args:
        texts: what it is learned from.
        size: the most tokens, at least `SMALLEST`; few texts give fewer.
        one_case: capitals are read as small letters, and a text's first word as any other; what comes back is in small
            letters.

    Raises:
        SettingError: `size` is below `SMALLEST`.
    """
    if size < SMALLEST:
        raise SettingError(f"a vocabulary of {size} tokens is too small", f"Give at least {SMALLEST}.")
    _library()
    from tokenizers import Tokenizer as Parsed
    from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

    made: Any = Parsed(models.BPE())
    if one_case:
        made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=one_case)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(_MARKS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    return _finished(made, trims=True)


def characters(texts: Iterable[str]) -> Tokenizer:
    """A token for each character of the texts and of ASCII; others are written as their UTF-8 bytes, a token a byte."""
    _library()
    from tokenizers import AddedToken, decoders, models
    from tokenizers import Tokenizer as Parsed

    known = {chr(number) for number in range(_ASCII)}.union(*texts)
    names = [*_MARKS, *(f"<0x{byte:02X}>" for byte in _HIGH_BYTES), *sorted(known)]
    vocabulary = {name: number for number, name in enumerate(names)}
    made: Any = Parsed(models.BPE(vocab=vocabulary, merges=[], byte_fallback=True))
    made.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in _MARKS])
    made.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    return _finished(made, trims=False)


def pretrained(name: str | Path) -> Tokenizer:
    """The tokeniser of a pretrained network: a transformers folder, or a name on the hub.

    Raises:
        SettingError: there is no such folder or name, the hub cannot be reached, or its tokeniser has no form that
            `tokenizers` reads.
        MissingExtraError: `tokenizers` is not installed.
    """
    library = _library()
    folder = Path(name)
    file = folder / "tokenizer.json" if folder.is_dir() else _from_hub(str(name), "tokenizer.json")
    if file is None or not file.exists():
        raise SettingError(
            f"{name} holds no tokenizer.json, which a tokeniser is read from",
            "Save the model with its fast tokeniser: AutoTokenizer.from_pretrained(…).save_pretrained(FOLDER).",
        )
    try:
        parsed: Any = library.Tokenizer.from_file(str(file))
    except Exception as error:  # `tokenizers` raises bare exceptions
        raise SettingError(
            f"{file} is no tokeniser that can be read ({error})", "Save or download it again."
        ) from error
    parsed.no_truncation()
    parsed.no_padding()
    return Tokenizer(parsed.to_str(), parsed.get_vocab_size(), **_marks_of(parsed, _named_marks(name, folder), file))


def _marks_of(parsed: Any, named: Mapping[str, str], file: Path) -> dict[str, int]:
    """The numbers of the marks, by the names that the pretrained tokeniser's files give them."""

    def number(*names: str) -> int | None:
        for name in names:
            found = parsed.token_to_id(named[name]) if name in named else None
            if found is not None:
                return int(found)
        return None

    end, begin = number("sep_token", "eos_token"), number("cls_token", "bos_token")
    if end is None:
        raise SettingError(
            f"the tokeniser in {file.parent} does not say which token ends a text (sep_token, eos_token)",
            "Save it with its tokenizer_config.json: AutoTokenizer.from_pretrained(…).save_pretrained(FOLDER).",
        )
    pad, unknown = number("pad_token"), number("unk_token")
    return {
        "pad": end if pad is None else pad,
        "begin": end if begin is None else begin,
        "end": end,
        "unknown": end if unknown is None else unknown,
    }


def _named_marks(name: str | Path, folder: Path) -> dict[str, str]:
    """`sep_token` and the like, out of the files beside tokenizer.json."""
    named: dict[str, str] = {}
    for part in ("special_tokens_map.json", "tokenizer_config.json"):
        file = folder / part if folder.is_dir() else _from_hub(str(name), part)
        if file is None or not file.exists():
            continue
        for key, value in _read(file).items():
            text = value.get("content") if isinstance(value, dict) else value
            if key.endswith("_token") and isinstance(text, str):
                named[key] = text
    return named


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SettingError(f"{file} is not readable as JSON ({error})", "Save or download it again.") from error
    return found if isinstance(found, dict) else {}


def _from_hub(name: str, file: str) -> Path | None:
    """A file of a model on the hub; None where the model has none such."""
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError
    except ImportError as error:
        raise MissingExtraError("a pretrained tokeniser from the hub", "text") from error
    try:
        return Path(hf_hub_download(name, file))
    except EntryNotFoundError:
        return None
    except Exception as error:  # no such name, no network, no access: many kinds, all mended alike
        raise SettingError(
            f"{name!r} is no folder, and {file} could not be fetched from the hub ({type(error).__name__})",
            "Give a folder that transformers saved a model in, or check the name and the network.",
        ) from error


def _finished(made: Any, trims: bool) -> Tokenizer:
    """The tokeniser with the marks that go around texts; `trims`: a token's place leaves out the space before it."""
    from tokenizers import processors

    frame = processors.TemplateProcessing(
        single="<begin> $A <end>",
        pair="<begin> $A <end> $B:1 <end>:1",
        special_tokens=[(_MARKS[BEGIN], BEGIN), (_MARKS[END], END)],
    )
    made.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=True), frame]) if trims else frame
    return Tokenizer(made.to_str(), made.get_vocab_size())


def _library() -> Any:
    """The package `tokenizers`, allowed to use every core, but not in a forked process, where its threads are gone."""
    try:
        import tokenizers
    except ImportError as error:
        raise MissingExtraError("working with text", "text") from error
    if "TOKENIZERS_PARALLELISM" not in os.environ:
        os.environ["TOKENIZERS_PARALLELISM"] = "true"
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_work_alone)
    return tokenizers


def _work_alone() -> None:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"


@lru_cache(maxsize=8)
def _parsed(data: str) -> Any:
    """What encodes and decodes: of `tokenizers`, or where that is not installed, of Python."""
    try:
        library = _library()
    except MissingExtraError:
        from assay.samples.plain_tokens import PlainTokenizer

        return PlainTokenizer(data)
    parsed = library.Tokenizer.from_str(data)
    parsed.encode_special_tokens = True
    return parsed


@lru_cache(maxsize=32)
def _frame(data: str, pair: bool) -> tuple[Array, Array, Array]:
    """The marks before the first text, between two and after the last."""
    parsed = _parsed(data)
    encoded = parsed.encode("a", "a") if pair else parsed.encode("a")
    ids, mark = np.asarray(encoded.ids, np.int32), np.asarray(encoded.special_tokens_mask, bool)
    words = np.flatnonzero(~mark)
    inside = np.flatnonzero(mark & (np.arange(len(ids)) > words[0]) & (np.arange(len(ids)) < words[-1]))
    return ids[: words[0]], ids[inside], ids[words[-1] + 1 :]


def _parts(texts: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(texts), _AT_ONCE):
        yield list(texts[start : start + _AT_ONCE])
