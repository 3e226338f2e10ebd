"""What `assay explain` does: explain one answer, tell it, and write it as a picture or a page."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import RunError, SettingError
from assay.run import write_text, writing
from assay.shell import print_json, say, tell_names, warn_of

if TYPE_CHECKING:
    from assay.serving.explanation import Explanation

_FORMATS = (".png", ".html")
_TOLD = 8


def explain_and_tell(path: Path, item: str, row: int | None, baseline: bool, out: Path | None, as_json: bool) -> None:
    """Explain the answer to one input.

    Args:
        path: the run.
        item: the input.
        row: which row, where the input is a table.
        baseline: explain the classical model's answer.
        out: where to write it; None for a file named after the input in the current folder.
        as_json: print it as JSON.
    """
    from assay.loading import load_to_answer
    from assay.report.explanation_page import part_of_several
    from assay.serving.explanation import judged

    if out is not None:
        _check_place(out)
    model = load_to_answer(path)
    (explanation,), count, problems = model.explanations(item, baseline=baseline, row=row, only_first=True)
    warn_of(problems)
    tell_names(model.task, [item])
    if count > 1:
        others = "; another: --row N" if ":" in explanation.id else ""
        sys.stderr.write(f"explained {explanation.id}, the first of {count:,}{others}\n")
    file = out or Path(f"{_stem(explanation.id)}-explained{'.png' if explanation.drawn.image else '.html'}")
    _write(explanation, judged(explanation.faithfulness), model.task.traits.notice, file)
    if as_json:
        print_json({**explanation.to_json(), "file": str(file)})
        return
    say(f"{explanation.id}: {explanation.words}")
    if part := part_of_several(explanation):
        say(part)
    for name, weight in list(explanation.parts.items())[:_TOLD]:
        say(f"  {name}: {_signed(weight, explanation.unit)}")
    say(f"faithfulness: {judged(explanation.faithfulness)}")
    say(f"written: {file}")


def _signed(weight: float, unit: str) -> str:
    return f"{100 * weight:+.3g} %" if unit == "%" else f"{weight:+.3g}"


def _stem(name: str) -> str:
    """A file's name for an input's: its last part, without its ending and what no file name may hold."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    file, colon, row = last.rpartition(":")
    stem = f"{Path(file).stem}-{row}" if colon else Path(last).stem
    return "".join(sign if sign.isalnum() or sign in "-_. " else "-" for sign in stem)[:100].strip(". ") or "input"


def _check_place(out: Path) -> None:
    """Say before the work that a file cannot stand there."""
    if out.is_dir():
        raise RunError(f"{out} is a folder, not a file", "Name the file with --out, such as explained.png.")
    if out.suffix.lower() not in _FORMATS:
        raise SettingError(f"--out {out} ends neither in .png nor in .html", "Name the file with one of the two.")
    if not out.parent.is_dir():
        raise RunError(f"{out.parent} is not a folder", "Make it first, or choose another --out.")


def _write(explanation: Explanation, judged: str, notice: str, file: Path) -> None:
    from assay.report.explanation_page import write_page, write_picture

    if file.suffix.lower() == ".html":
        write_text(file, write_page(explanation, judged, notice))
        return
    if not explanation.drawn.image:
        raise SettingError(f"{explanation.id} is no picture, so it cannot be drawn as {file}", "Write it as .html.")
    content = write_picture(explanation)
    work = file.with_name(file.name + ".partial")
    with writing(file):
        work.write_bytes(content)
        os.replace(work, file)
