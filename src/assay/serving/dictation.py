"""Speech that is transcribed while it arrives: what was understood so far, and what is final after each pause.

Shapes: T values of sound at 16 kHz.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.transcripts import Heard, Partial, Segment, Transcript
from assay.samples.recording_windows import whole_numbers
from assay.samples.sound_windows import as_chunk
from assay.samples.speech_windows import Piece, SpeechCutter
from assay.samples.transcript_spec import RATE
from assay.task import Session, number_of

if TYPE_CHECKING:
    from assay.serving.predictor import Predictor

Array = np.ndarray[Any, Any]
#: Values that are looked at before a partial answer can be due.
_BLOCK = RATE // 2
_PARTIALS_S = 1.0
#: Windows that go through the network together.
_AT_ONCE = 8


class Dictation(Session):
    """Takes sound in chunks of any length; see the module.

    Answers do not depend on the chunks, but for when they come.

    Args:
        predictor: a network that transcribes; its option `partials` tells the seconds between partial answers, and
            `live` (0 or 1) whether somebody waits for them.
    """

    rate_hz = RATE

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        live = number_of(predictor.options, "live", 1, 0, 1, whole=True) == 1
        self._cutter = SpeechCutter(RATE, predictor.spec.longest_s, live)
        self._every = round(RATE * number_of(predictor.options, "partials", _PARTIALS_S, 0, 60))
        self._patient = not live and not self._every
        self._due: list[tuple[Piece, bool]] = []  # where nobody waits, until there are enough of them to answer
        self._waiting = np.zeros(0, np.float32)
        self._told = (-1, 0)  # the start of the window that was told about last, and how long it was then

    def push(self, chunk: Any) -> list[Partial]:
        """Take sound (T,), float32 from -1 to 1 or int16; raises `SettingError` where it has another shape."""
        self._waiting = np.concatenate([self._waiting, as_chunk(chunk)])
        due = self._due
        whole = len(self._waiting) // _BLOCK * _BLOCK
        for start in range(0, whole, _BLOCK):
            due += [(piece, True) for piece in self._cutter.push(self._waiting[start : start + _BLOCK])]
            due += [(piece, False) for piece in self._partial()]
        if whole:
            self._waiting = self._waiting[whole:].copy()
        ready = len(due) // _AT_ONCE * _AT_ONCE if self._patient else len(due)
        self._due = due[ready:]
        return self._answers(due[:ready])

    def close(self) -> list[Partial]:
        """What is final at the end of the sound."""
        pieces = [*self._cutter.push(self._waiting), *self._cutter.close()]
        due, self._due = [*self._due, *((piece, True) for piece in pieces)], []
        self._waiting = np.zeros(0, np.float32)
        return self._answers(due)

    def _partial(self) -> list[Piece]:
        """The window that is being filled, where it grew enough since it was told about."""
        piece = self._cutter.going_on if self._every else None
        if piece is None:
            return []
        begun, length = self._told
        if len(piece.sound) - (length if begun == piece.start else 0) < self._every:
            return []
        self._told = (piece.start, len(piece.sound))
        return [Piece(piece.start, piece.sound.copy())]

    def _answers(self, due: Sequence[tuple[Piece, bool]]) -> list[Partial]:
        found: dict[int, Partial] = {}
        for final in (True, False):
            places = [place for place, (_, ends) in enumerate(due) if ends == final]
            for first in range(0, len(places), _AT_ONCE):
                some = places[first : first + _AT_ONCE]
                heard = self._heard([due[place][0] for place in some], final)
                found.update({place: _told(one, final) for place, one in zip(some, heard, strict=True)})
        return [found[place] for place in range(len(due)) if found[place].text or not found[place].final]

    def _heard(self, pieces: Sequence[Piece], final: bool) -> list[Heard]:
        from assay.samples.samples import pad

        predictor = self._predictor
        sound, mask = pad([whole_numbers(piece.sound) for piece in pieces])
        starts = np.asarray([piece.start / RATE for piece in pieces], np.float32)
        fields = {"index": np.arange(len(pieces)), "mask": mask, "sound": sound, "start": starts}
        batch = predictor.task.batch_type(**{name: predictor.given(values) for name, values in fields.items()})
        options = predictor.options if final else {**predictor.options, "words": 0}
        return list(replace(predictor, options=options).respond(batch))


def gathered(answers: Iterable[Partial]) -> Transcript:
    """One transcript out of all that a session said: its final answers."""
    final = [one for one in answers if one.final]
    tokens = sum(one.tokens for one in final)
    nats = sum(one.tokens * float(np.log(max(one.confidence, 1e-30))) for one in final)
    return Transcript(
        " ".join(one.text for one in final),
        float(np.exp(nats / max(1, tokens))),
        tuple(Segment(one.text, one.start, one.end) for one in final),
        tuple(word for one in final for word in one.words),
    )


def _told(heard: Heard, final: bool) -> Partial:
    (stretch,) = heard.stretches
    return Partial(stretch.text, stretch.start, stretch.end, final, heard.confidence, heard.tokens, stretch.words)
