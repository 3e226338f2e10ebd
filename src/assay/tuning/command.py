"""`assay tune`: search, and tell a person or a program how it went."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from assay.shell import done_and_told
from assay.sources.source import DataOptions, open_source
from assay.tuning.options import TuneOptions, need_optuna


def tune_and_tell(source: Any, data: DataOptions, options: TuneOptions, out: Path | None, as_json: bool) -> None:
    """Search hyper-parameters, make the best a run, and print its verdicts or summary."""
    need_optuna()
    options.check()
    from assay.tuning.flow import run_folder, tune

    opened = open_source(source)
    folder = out or run_folder(opened, data, options)
    done_and_told(folder, as_json, lambda here, *how: tune(opened, data, options, here, *how))
