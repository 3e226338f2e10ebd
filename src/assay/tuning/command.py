"""`assay tune`: search, and tell a person or a program how it went."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from assay.shell import listener, tell, uninterrupted
from assay.sources.source import DataOptions, open_source
from assay.tuning.options import TuneOptions, need_optuna


def tune_and_tell(source: Any, data: DataOptions, options: TuneOptions, out: Path | None, as_json: bool) -> None:
    """Search hyper-parameters, make the best a run, and print its verdicts or summary."""
    need_optuna()
    options.check()
    from assay.cluster.copies import placed
    from assay.run import RunFolder
    from assay.stopping import stopping_on_signals
    from assay.tuning.flow import run_folder, tune

    opened = open_source(source)
    folder = out or run_folder(opened, data, options)
    with placed(folder) as here:
        progress = listener()
        try:
            with stopping_on_signals() as stop:
                uninterrupted(lambda: tune(opened, data, options, here, progress, stop), here, folder)
        finally:
            progress.close()
        tell(RunFolder(here), as_json)
