"""Answers to inputs that come in chunks, such as videos and slides: each is read once, a chunk in memory at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from operator import length_hint
from typing import TYPE_CHECKING, Any

from assay.errors import DataError
from assay.progress import Progress
from assay.serving.predictor import Prediction, Predictor

if TYPE_CHECKING:
    from assay.serving.predictor import Answering
    from assay.sources.records import ProblemLog, Records
    from assay.task import Recorder, Session, Spec, Task


class Following:
    """Is told while inputs that come in chunks (`Task.streamed`) are answered; this one does nothing of it."""

    progress = Progress()

    def begins(self, name: str) -> Recorder | None:
        """An input begins; what takes its chunks beside the session."""
        return None

    def ends(self, prediction: Prediction) -> None:
        """An input was answered to its end."""


def streamed_answers(
    model: Answering, records: Records, log: ProblemLog, following: Following
) -> dict[str, Prediction | DataError]:
    """By id, answers for records that are too long to be held at once (`Task.streamed`), or why there is none."""
    task = model.task
    found: dict[str, Prediction | DataError] = {}
    if isinstance(model, Predictor):
        model = replace(model, options={**model.options, "partials": 0, "live": 0})
    for name, chunks in (task.streamed(records, model.spec, log) or ()) if task.traits.streams else ():
        session = task.session(model)
        try:
            following.progress.stage(f"Answering {name}", length_hint(chunks) or None)
            found[name] = Prediction(name, _gathered(task, model.spec, session, chunks, following, name))
        except DataError as error:
            found[name] = error
    return found


def _gathered(task: Task, spec: Spec, session: Session, chunks: Iterable[Any], following: Following, name: str) -> Any:
    """The answer to an input that comes in chunks."""
    recorder = following.begins(name)

    def said() -> Iterator[Any]:
        for number, chunk in enumerate(chunks):
            following.progress.advance(number)
            answers = session.push(chunk)
            if recorder is not None:
                recorder.take(chunk, answers)
            yield from answers
        yield from session.close()

    try:
        answer = task.gathered(said(), spec)
    except BaseException:
        if recorder is not None:
            recorder.drop()
        raise
    following.ends(Prediction(name, answer))
    if recorder is not None:
        recorder.close()
    return answer
