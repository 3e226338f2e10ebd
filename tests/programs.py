"""Programs in the process of the tests: one of its own would import the same libraries again, which takes seconds."""

from __future__ import annotations

import contextlib
import io
import json
import os
import runpy
import subprocess
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


#: What `assay[run]` does not install.
ABSENT = ("torch", "torchvision", "timm", "sklearn", "scipy", "skimage", "lightgbm", "transformers", "safetensors",
          "skops", "onnx", "onnxscript", "pandas", "pyarrow", "tokenizers", "huggingface_hub", "yaml")  # fmt: skip

_WITHOUT = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ImportError(f"{{name}} is not to be imported")
sys.meta_path.insert(0, Blocked())
"""


def without_absent(program: str, *words: object) -> subprocess.CompletedProcess[str]:
    """What a program does in a process of its own where `ABSENT` cannot be imported."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    whole = _WITHOUT.format(absent=ABSENT) + program
    return subprocess.run(
        [sys.executable, "-c", whole, *map(str, words)], capture_output=True, text=True, env=environment, timeout=600
    )


def assay(*words: object, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own."""
    return subprocess.run([sys.executable, "-m", "assay", *map(str, words)], capture_output=True, text=True, cwd=cwd,
                          env={**os.environ, **environment}, timeout=300)  # fmt: skip


def complains(result: Any, *words: str, code: int = 1) -> str:
    """That a command ended with one `error:` line, at most one `hint:` line, and no traceback; gives what it told."""
    err = result.err if hasattr(result, "err") else result.stderr
    lines = err.splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    found = result.code if hasattr(result, "code") else result.returncode
    assert found == code, err
    assert len(errors) == 1, err
    assert len([line for line in lines if line.startswith("hint: ")]) <= 1
    assert "Traceback" not in err
    told = "\n".join(line for line in lines if line.startswith(("error: ", "hint: ")))
    for word in words:
        assert word in told
    return told


def kinds(found: Any) -> dict[str, tuple[int, str]]:
    return {problem["kind"]: (problem["count"], problem["action"]) for problem in found["problems"]}
