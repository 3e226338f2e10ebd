"""What fitting imports is there before its time is counted."""

from __future__ import annotations

import subprocess
import sys

import pytest

_PROGRAM = """
import sys
import numpy as np
from assay.baselines.best_of import BestOf
from assay.baselines.text_classical import TextClassical
from assay.targets.class_target import ClassTarget
from fakes.text_samples import samples_of, view

target = ClassTarget(("a", "b"))
samples = samples_of(np.arange(40) % 2, text=["one two", "three four"] * 20)
model = {model}
heavy = lambda: {{name for name in sys.modules if name.split(".")[0] in ("sklearn", "scipy")}}
assert "sklearn.linear_model" not in heavy(), "loaded before it was asked for"
model.load_libraries()
before = heavy()
model.fit(view(samples, 0, 30), view(samples, 30), 1.0, 0)
late = sorted(name for name in heavy() - before if name.count(".") == 1)
assert len(late) < 3, late
"""


@pytest.mark.parametrize("model", ["TextClassical(target)", "BestOf(target, [TextClassical(target)])"])
def test_nothing_big_is_imported_while_the_time_runs(model: str) -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM.format(model=model)], capture_output=True, text=True,
                          env={"PYTHONPATH": ":".join(sys.path), "PATH": ""})  # fmt: skip
    assert done.returncode == 0, done.stderr
