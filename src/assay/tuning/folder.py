"""Where a search writes in its run's folder, and what it was asked for."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace

from assay.flow import Prepared
from assay.planning import Held
from assay.run import RunFolder, to_json
from assay.sources.source import DataOptions
from assay.tuning.options import TuneOptions
from assay.tuning.plan import SearchPlan


class Folder:
    """The part of a run folder that a search writes."""

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self.path = run.path / "tuning"
        self.request = self.path / "tuning.json"
        self.journal = self.path / "journal.jsonl"
        self.chosen = self.path / "chosen.json"
        self.kept = self.path / "kept.json"

    def candidate(self, name: str) -> RunFolder:
        """The run of one of the trainings of the end; see `assay.tuning.finals`."""
        return RunFolder(self.path / name)


@dataclass(frozen=True)
class Asked:
    """What a search was asked for, and the data that it is asked about."""

    prepared: Prepared
    data: DataOptions
    options: TuneOptions
    held: Held
    owner: str
    plan: SearchPlan

    @property
    def study(self) -> str:
        """The name by which processes that are asked the same find the same study, whatever their time and folder."""
        options = to_json(replace(self.options, trials=None, budget_s=None, storage=None, evidence=""))
        del options["cluster"]
        asked = [self.prepared.task.name, self.prepared.records.fingerprint, to_json(self.data), options]
        return f"assay-{hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]}"
