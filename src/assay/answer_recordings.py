"""Files that are written while inputs are answered in chunks: an annotated video, with its answer beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from assay.answer_files import AnswerNames, answer_row, write_json
from assay.progress import Progress
from assay.serving.streamed import Following
from assay.shell import listener

if TYPE_CHECKING:
    from assay.serving.predictor import Prediction
    from assay.task import Recorder


class LateProgress(Progress):
    """Shows nothing before the first stage begins, since most answers are there at once."""

    def __init__(self) -> None:
        self._shown: Progress | None = None

    def stage(self, name: str, total: float | None = None) -> None:
        """See `Progress.stage`."""
        if self._shown is None:
            self._shown = listener()
        self._shown.stage(name, total)

    def advance(self, done: float, note: str = "") -> None:
        """See `Progress.advance`."""
        if self._shown is not None:
            self._shown.advance(done, note)

    def close(self) -> None:
        """See `Progress.close`; a later stage is shown anew."""
        if self._shown is not None:
            self._shown.close()
        self._shown = None


class Recordings(Following):
    """Shows how far the work is, and writes the files of `Task.recorders`.

    Args:
        out: what the user asked for: a file, a folder, or None.
        recorders: by the ending of a name.

    Attributes:
        names: of the files in a folder.
        named: what a row of the answers calls an input.
        written: the inputs of which files are written, as rows call them, with the file of each.
    """

    def __init__(self, out: Path | None, recorders: Mapping[str, Callable[[Path], Recorder]]) -> None:
        self.progress = LateProgress()
        self.names = AnswerNames()
        self.named: Callable[[str], str] = str
        self.written: dict[str, Path] = {}
        self._next: Callable[[str], tuple[Path, Recorder]] | None = None
        self._now: Path | None = None
        if out is not None and out.is_dir() and recorders:
            ending, recorder = next(iter(recorders.items()))
            self._next = partial(self._in_folder, out, ending, recorder)
        elif out is not None and out.suffix.lower() in recorders:
            recorder = recorders[out.suffix.lower()]
            self._next = lambda name: (out, recorder(out))

    def _in_folder(
        self, folder: Path, ending: str, recorder: Callable[[Path], Recorder], name: str
    ) -> tuple[Path, Recorder]:
        file = folder / f"{self.names.next(name)}{ending}"
        return file, recorder(file)

    def begins(self, name: str) -> Recorder | None:
        """See `Following.begins`."""
        if self._next is None:
            return None
        self._now, recorder = self._next(self.named(name))
        return recorder

    def ends(self, prediction: Prediction) -> None:
        """Write the answer beside the file."""
        if self._now is not None:
            name = self.named(prediction.id)
            write_json(self._now.with_suffix(".json"), [{"id": name, **answer_row(prediction.answer)}])
            self.written[name] = self._now
