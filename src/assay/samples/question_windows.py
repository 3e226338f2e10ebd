"""Questions as the cache holds them: the tokens of a question and of a stretch of its text, and both as text.

Shapes: N questions, W windows, T tokens of one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.samples.question_spec import QuestionSpec
from assay.samples.samples import View, pad
from assay.samples.text_corruptions import STRENGTHS, corrupted, window_keys
from assay.samples.text_windows import said, text_bytes
from assay.samples.tokens import Joined, Tokenizer
from assay.samples.unit_texts import window_bytes

if TYPE_CHECKING:
    from assay.samples.draws import Draws
    from assay.task import Corruption

Array = np.ndarray[Any, Any]
#: The share of a window that it has in common with the one before it, at most; an answer fits in it where it can.
_SHARED = 0.25
#: The segment of the text, see `Tokenizer.join`.
_TEXT = 1
#: What a word looks like, which a vocabulary without capital letters does not show; "" for no word of the text.
LOOKS = ("", "small", "capital", "capitals", "digits", "sign")
_WORDS = re.compile(r"\w+|[^\w\s]")
#: Text and first character of each true answer.
Answers = Sequence[tuple[str, int]]


@dataclass(frozen=True)
class QuestionWindows:
    """Questions in windows.

    Attributes:
        tokens: W arrays (T,) int32, question and text with the marks that the tokeniser puts around them.
        segments: W arrays (T,) int32, 0 for the question and its marks, 1 for the text and its own.
        places: W arrays (T, 2) int32, the first character of each of the text's tokens and the one behind its last,
            counted in the whole text; 0 for others.
        looks: W arrays (T,) int32, what kind of word each of the text's tokens is of, see `LOOKS`; 0 for others.
        question: W arrays of uint8, the question in UTF-8.
        text: W arrays of uint8, the stretch of the text in UTF-8.
        shift: (W,) int32, the characters of the text before the stretch.
        row: (W,) int64, the question that each window is of.
        span: (W, 2) int64, the first and the last token of the answer; -1 where the window does not hold it.
    """

    tokens: list[Array]
    segments: list[Array]
    places: list[Array]
    looks: list[Array]
    question: list[Array]
    text: list[Array]
    shift: Array
    row: Array
    span: Array


def cut_questions(
    questions: Sequence[str], texts: Sequence[str], answers: Sequence[Any], spec: QuestionSpec
) -> QuestionWindows:
    """Questions with their texts in windows of at most `spec.longest` tokens; all characters of a text are in some.

    Args:
        questions: N questions.
        texts: N texts.
        answers: the true answers (`Answers`) of each; none where they are not known, or there are none.
        spec: the form.
    """
    found: dict[str, list[Any]] = {name: [] for name in QuestionWindows.__dataclass_fields__}
    numbers = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    ids, offsets = spec.tokenizer.encode_with_offsets(list(numbers))
    asked, kinds_of = spec.tokenizer.encode_batch(questions), [_kinds(text) for text in numbers]
    for row, (question, text) in enumerate(zip(questions, texts, strict=True)):
        own, whole, places = asked[row][: spec.question], ids[numbers[text]], offsets[numbers[text]]
        looks = _looks(kinds_of[numbers[text]], places)
        stretches = _stretches(len(whole), _room(spec, len(own)), spec.answer)
        for number, (first, end) in enumerate(stretches):
            joined = spec.tokenizer.join(own, whole[first:end])
            start = int(places[first, 0]) if number else 0
            stop = int(places[end - 1, 1]) if number + 1 < len(stretches) else len(text)
            found["tokens"].append(joined.ids)
            found["segments"].append(joined.segments)
            found["places"].append(_beside(joined, places[first:end]))
            found["looks"].append(_beside(joined, looks[first:end]))
            found["question"].append(text_bytes(question))
            found["text"].append(text_bytes(text[start:stop]))
            found["shift"].append(start)
            found["row"].append(row)
            found["span"].append(_span(places[first:end], answers[row], (start, stop), joined.starts[1]))
    kinds = {"shift": np.int32, "row": np.int64, "span": np.int64}
    arrays: dict[str, Any] = {name: np.asarray(found[name], kind) for name, kind in kinds.items()}
    arrays["span"] = arrays["span"].reshape(-1, 2)
    return QuestionWindows(**{**found, **arrays})


def questions_of(view: View) -> list[tuple[str, str]]:
    """The question and the whole text of each unit of a view, in its order; changed where the view changes them."""
    asked = [windows[0].decode("utf-8", "replace") for windows in window_bytes(view, "question")]
    texts = []
    starts = iter(np.concatenate([np.zeros(0, np.int64), *view.field("shift")]).tolist())
    for stretches in window_bytes(view, "text"):
        text = ""
        for stretch in stretches:
            text = text[: next(starts)] + stretch.decode("utf-8", "replace")
        texts.append(text)
    return list(zip(asked, texts, strict=True))


def question_names(view: View, window: int, spec: QuestionSpec) -> list[str]:
    """What each token of a window says, with the white space before it; "" for marks.

    Args:
        view: the question's unit alone.
        window: the window's number among the samples.
        spec: the form.
    """
    ((question, text),) = questions_of(view)
    (offsets,) = spec.tokenizer.encode_with_offsets([question])[1]
    windows = cut_questions([question], [text], [()], spec)
    place = int(np.flatnonzero(view.windows == window)[0])
    stretch = text_places(windows.segments[place], spec.tokenizer)
    asked = said(question, offsets[: spec.question], 0)
    told = said(text, windows.places[place][stretch], int(windows.shift[place]))
    names = [""] * len(windows.tokens[place])
    first = _frame(spec.tokenizer).starts[0]
    names[first : first + len(asked)] = asked
    for number, (at, name) in enumerate(zip(stretch.tolist(), told, strict=True)):
        names[at] = name if number else f"\n{name}"
    return names


def question_corruptions(spec: QuestionSpec) -> dict[str, Corruption]:
    """Typing errors and the like in the question; the text stays as it is."""
    from assay.task import Corruption

    return {kind: Corruption(partial(_worse, kind, spec)) for kind in STRENGTHS}


def _worse(kind: str, spec: QuestionSpec, batch: Any, strength: int, draws: Draws) -> Any:
    """A batch whose questions are made worse; one that grows too long for its window loses its end."""
    import torch

    ragged: dict[str, list[Array]] = {"tokens": [], "segments": [], "places": [], "looks": [], "question": []}
    for row, key in enumerate(window_keys(draws, kind)):
        question = batch.question[row][batch.question_mask[row]].numpy().tobytes().decode("utf-8", "replace")
        changed = corrupted(question, kind, strength, key)
        tokens, segments, places, looks = (
            getattr(batch, name)[row][batch.mask[row]].numpy() for name in list(ragged)[:4]
        )
        stretch = text_places(segments, spec.tokenizer)
        room = spec.longest - len(stretch) - spec.tokenizer.marks(pair=True)
        asked = spec.tokenizer.encode_batch([changed])[0][: min(spec.question, room)]
        joined = spec.tokenizer.join(asked, tokens[stretch])
        known = (_beside(joined, places[stretch]), _beside(joined, looks[stretch]))
        made = (joined.ids, joined.segments, *known, text_bytes(changed))
        for name, value in zip(ragged, made, strict=True):
            ragged[name].append(value)
    padded = {name: tuple(map(torch.from_numpy, pad(values))) for name, values in ragged.items()}
    values = {name: value for name, (value, _) in padded.items()}
    return replace(batch, **values, mask=padded["tokens"][1], question_mask=padded["question"][1])


def _room(spec: QuestionSpec, question: int) -> int:
    """Tokens of the text beside so many of the question."""
    return max(1, spec.longest - spec.tokenizer.marks(pair=True) - question)


def _stretches(count: int, room: int, answer: int) -> list[tuple[int, int]]:
    """The first token and the one behind the last of each stretch of a text; they overlap and are about one length.

    Two that follow one another share the length of an answer, so that every answer is whole in one of them.
    """
    if count <= room:
        return [(0, count)]
    shared = max(0, min(answer, int(_SHARED * room)))
    number = -(-(count - shared) // (room - shared))
    size = -(-(count + (number - 1) * shared) // number)
    return [(int(start), int(start) + size) for start in np.linspace(0, count - size, number).round()]


def _beside(joined: Joined, known: Array) -> Array:
    """(T, ...) int32: what is known of a stretch's tokens (C, ...), 0 beside all others."""
    found = np.zeros((len(joined.ids), *known.shape[1:]), np.int32)
    found[joined.starts[1] : joined.starts[1] + len(known)] = known
    return found


def _kinds(text: str) -> Array:
    """(characters,) int32, the kind of the word that each is of, by its number in `LOOKS`; 0 for white space."""
    found = np.zeros(len(text), np.int32)
    for word in _WORDS.finditer(text):
        found[word.start() : word.end()] = LOOKS.index(_look(word.group()))
    return found


def _look(word: str) -> str:
    if any(character.isdigit() for character in word):
        return "digits"
    if not word[0].isalpha():
        return "sign"
    if not word[0].isupper():
        return "small"
    return "capitals" if len(word) > 1 and word.isupper() else "capital"


def _looks(kinds: Array, places: Array) -> Array:
    """(C,) the kinds of tokens at places (C, 2), out of those of a text's characters."""
    return kinds[np.maximum(places[:, 1] - 1, 0)] if len(kinds) else np.zeros(len(places), np.int32)


def _span(places: Array, answers: Answers, stretch: tuple[int, int], shift: int) -> tuple[int, int]:
    """The first and last token of the first answer that lies whole in a stretch of a text; -1 and -1 where none does.

    Args:
        places: (C, 2) of the stretch's tokens.
        answers: the true ones.
        stretch: the first character, and the one behind the last.
        shift: the tokens before the stretch's.
    """
    for text, start in answers:
        end = start + len(text)
        within = np.flatnonzero((places[:, 1] > start) & (places[:, 0] < end))
        if len(within) and stretch[0] <= start and end <= stretch[1]:
            return int(within[0]) + shift, int(within[-1]) + shift
    return -1, -1


def text_places(segments: Array, tokenizer: Tokenizer) -> Array:
    """The places of the text's tokens in a window (T,), without the marks around them."""
    frame = _frame(tokenizer)
    inside = np.flatnonzero(segments == _TEXT)
    return inside[: len(inside) - (len(frame.ids) - frame.starts[1])]


def _frame(tokenizer: Tokenizer) -> Joined:
    """The marks alone."""
    nothing = np.zeros(0, np.int32)
    return tokenizer.join(nothing, nothing)
