"""Programs in the process of the tests: one of its own would import the same libraries again, which takes seconds."""

from __future__ import annotations

import contextlib
import io
import json
import os
import runpy
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Result:
    """How a program ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def told(program: Callable[[], object], *words: object) -> Result:
    """What comes of a program that reads the command line `words`, the first of which is its own name."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [*map(str, words)])
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                program()
            except SystemExit as done:
                if isinstance(done.code, str):
                    print(done.code, file=err)
                code = done.code if isinstance(done.code, int) else int(done.code is not None)
    return Result(code, out.getvalue(), err.getvalue())


def run_file(file: Path, *words: object) -> Result:
    """What `python FILE WORDS` does; the environment and the places to import from are afterwards what they were."""
    environment = dict(os.environ)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(str(file.parent))
            return told(lambda: runpy.run_path(str(file), run_name="__main__"), file, *words)
    finally:
        os.environ.clear()
        os.environ.update(environment)
