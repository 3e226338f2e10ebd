"""What `assay.load` does, without all that training needs: a command that only answers starts sooner."""

from __future__ import annotations

from pathlib import Path

from assay.arrow import without_pandas
from assay.model import Model
from assay.run import RunFolder


def load(path: str | Path) -> Model:
    """A trained model out of its run folder; raises `RunError`.

    Loading is safe whoever made the run: nothing in it is executed.
    """
    model = Model(RunFolder.open(Path(path)))
    model.check()
    return model


def load_to_answer(path: str | Path) -> Model:
    """As `load`, in a command that only answers: nobody brings a data frame, so that pandas is not imported."""
    without_pandas()
    return load(path)
