"""Trained networks that are served, by name: loaded in the background, asked by the one thread that runs networks."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from assay.errors import AssayError, DataError, RunError, SettingError, did_you_mean
from assay.run import RunFolder, to_json

if TYPE_CHECKING:
    from assay.model import Model
    from assay.serving.predictor import Prediction
    from assay.sources.records import Problem, Records
    from assay.sources.source import Source

#: Of `model.json`; see `assay.stored_network`, which is not imported here as it takes its time.
FORMAT = 1
#: A request of more bytes is answered alone.
_LARGE = 4 << 20


@dataclass(eq=False)
class Hosted:
    """A run that is served.

    Attributes:
        name: what clients call it.
        run: its folder.
        state: whether it answers yet.
        model: once it is loaded.
        example: an input such as it takes, and what it answered to it (see `examples`).
    """

    name: str
    run: RunFolder
    state: Literal["loading", "ready", "failed"] = "loading"
    model: Model | None = None
    example: Any = None

    @property
    def loaded(self) -> Model:
        """The model of a run that is ready."""
        if self.model is None:
            raise RuntimeError(f"{self.name} is not loaded")
        return self.model


@dataclass(frozen=True)
class Question:
    """Inputs that are to be answered, and the bytes of the request that they came in."""

    hosted: Hosted
    records: Records
    options: Mapping[str, Any]
    size: int = 0


@dataclass(frozen=True)
class Why:
    """An input whose answer is to be explained."""

    hosted: Hosted
    source: Source


def named_runs(paths: Sequence[Path]) -> list[Hosted]:
    """Runs by the names of their folders, or `NAME=PATH`; looked at, but not loaded.

    Raises:
        RunError: one is no finished run, damaged, or of another version.
        SettingError: two have one name.
    """
    hosted: list[Hosted] = []
    for path in paths:
        name, equals, rest = str(path).partition("=")
        folder = Path(rest) if equals and not path.exists() else path
        run = RunFolder.open(folder)
        _check_version(run)
        hosted.append(Hosted(name if folder is not path else folder.resolve().name, run))
    twice = [name for name, count in Counter(one.name for one in hosted).items() if count > 1]
    if twice:
        raise SettingError(f"two runs are called {twice[0]!r}", f"Name them: {twice[0]}-2={paths[-1]}")
    return hosted


def _check_version(run: RunFolder) -> None:
    """Raise `RunError` for what a look at `model.json` refuses."""
    file = run.model / "model.json"
    if not file.exists():
        raise RunError(
            f"{run.path} holds no trained model", f"assay resume {run.path} finishes a run that was stopped."
        )
    found = run.read(file, "format", "task").get("format")
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise RunError(f"{file} is damaged (its format is {found!r})", "Restore it from a copy, or train again.")
    if found > FORMAT:
        raise RunError(f"{file} was written by a newer Assay", "Upgrade: pip install --upgrade assay.")


@contextmanager
def _loading(one: Hosted) -> Iterator[None]:
    """What a run leads to that somebody damaged or made up is told as that, whatever it is."""
    try:
        yield
    except AssayError:
        raise
    except BaseException as error:
        found = f"{one.run.path} cannot be served ({type(error).__name__}: {error})"
        raise RunError(found, "Restore it from a copy, or train again.") from error


class House:
    """All runs of a server.

    Args:
        hosted: the runs.
        load: gives the model of a run folder.
        warm: is called with each run that was loaded, so that its first request is not slow.
        fatal: is called where one cannot be loaded.
    """

    def __init__(
        self,
        hosted: Sequence[Hosted],
        load: Callable[[Path], Model],
        warm: Callable[[Hosted], None],
        fatal: Callable[[Exception], None],
    ) -> None:
        self.runs = {one.name: one for one in hosted}
        self._load, self._warm, self._fatal = load, warm, fatal

    def start(self) -> Future[None]:
        """Load all runs in a thread of their own."""
        done: Future[None] = Future()

        def work() -> None:
            try:
                for one in self.runs.values():
                    with _loading(one):
                        one.model = self._load(one.run.path)
                        self._warm(one)
                    one.state = "ready"
            except Exception as error:
                for one in self.runs.values():
                    one.state = "ready" if one.state == "ready" else "failed"
                self._fatal(error)
            done.set_result(None)

        threading.Thread(target=work, name="assay-loading", daemon=True).start()
        return done

    @property
    def ready(self) -> bool:
        """Whether all of them answer."""
        return all(one.state == "ready" for one in self.runs.values())

    def find(self, name: str | None) -> Hosted:
        """The run of that name, or the only one; raises `KeyError` with a hint where there is none."""
        if name is None and len(self.runs) == 1:
            return next(iter(self.runs.values()))
        if name is None:
            raise KeyError(f"Name one of: {', '.join(sorted(self.runs))}.")
        if name not in self.runs:
            raise KeyError(did_you_mean(name, self.runs))
        return self.runs[name]


def kind_of(question: Question) -> Any:
    """What has to be equal of questions that are answered together; None where one is answered alone."""
    from assay.serving.joined_records import form

    known = form(question.records)
    if known is None or question.size > _LARGE:  # many large ones together might take too much memory
        return None
    return question.hosted.name, json.dumps(question.options, sort_keys=True), known


def answer_works(kind: Any, works: Sequence[Any]) -> list[Any]:
    """What `Batcher` calls: an explanation, or the answers to questions of one kind; a `DataError` is one, too."""
    first = works[0]  # of what is no question, there is one alone
    if isinstance(first, Why):
        return [_explained(first)]
    if not isinstance(first, Question):
        return [first()]
    return _answered(works)


def _answered(questions: Sequence[Question]) -> list[Any]:
    from assay.serving.joined_records import joined, part_of

    first = questions[0]
    model = first.hosted.loaded
    if len(questions) == 1:
        predictions, problems = model.answers(first.records, options=first.options)
        return [_told(first.records, predictions, problems)]
    found: list[list[Prediction]] = [[] for _ in questions]
    together, problems = model.answers(joined([one.records for one in questions]), options=first.options)
    for prediction in together:
        number, name = part_of(prediction.id)
        found[number].append(_renamed(prediction, name))
    noted = [_of_part(problems, number) for number in range(len(questions))]
    return [
        _told(one.records, answers, (*one.records.problems, *own))
        for one, answers, own in zip(questions, found, noted, strict=True)
    ]


def _renamed(prediction: Prediction, name: str) -> Prediction:
    from dataclasses import replace

    return replace(prediction, id=name)


def _of_part(problems: Sequence[Problem], number: int) -> list[Problem]:
    """The problems of one of several joined records, as far as their places tell."""
    from dataclasses import replace

    own: list[Problem] = []
    for problem in problems:
        places = tuple(
            replace(place, file=place.file.split("/", 1)[1])
            for place in problem.examples
            if place.file.startswith(f"{number}/")
        )
        if places:
            own.append(replace(problem, count=len(places), examples=places))
    return own


def _told(records: Records, predictions: Sequence[Prediction], problems: Sequence[Problem]) -> Any:
    """The answers of a question as JSON; a `DataError` where there are none."""
    from assay.answer_files import answer_row, is_long

    rows = [
        {"id": one.id, **{name: to_json(value) if is_long(value) else value
                          for name, value in answer_row(one.answer).items()}, **one.likeness()}
        for one in predictions
    ]  # fmt: skip
    noted = [to_json(problem) for problem in problems]
    if not rows:
        kinds = ", ".join(dict.fromkeys(problem.kind for problem in problems if problem.action == "skipped"))
        return DataError("no input could be read" + (f" ({kinds})" if kinds else ""), "Send inputs that can be read.")
    answered = {one.id for one in predictions}
    named = {place.file for problem in problems for place in problem.examples}
    asked = (name for batch in records.batches() for name in batch.column("id").to_pylist())
    noted += [
        {"kind": "unreadable-input", "count": 1, "action": "skipped", "examples": [{"file": name, "row": None}]}
        for name in asked
        if name not in answered and name not in named
    ]
    return {"answers": rows, "problems": noted}


def _explained(why: Why) -> dict[str, Any]:
    found, count, problems = why.hosted.loaded.explanations(why.source, only_first=True)
    told = found[0].to_json()
    drawn = found[0].drawn
    return {
        "explanation": {**told, "words": found[0].words, "unit": found[0].unit},
        "picture": drawn.image,
        "spans": [{"text": text, "weight": to_json(weight)} for text, weight in drawn.spans],
        "of": count,
        "problems": [to_json(problem) for problem in problems],
    }
