"""The acceptance test of an application: what the rest of Assay relies on, checked on real data of the task.

    from assay.check import check_task

    def test_bird_songs(songs):
        results = check_task(BirdSongs(), songs, corrupt=[empty_folder])
        bad = [result for result in results if not result.ok]
        assert not bad, bad

Each check is a small function in `CHECKS`, in the order in which data flows. A task that cannot fulfil one passes its
name and the reason in `exceptions`; a check that is excepted and yet passes fails, since its reason is stale.
"""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from assay import _check_answers, _check_data, _check_explanation, _check_training
from assay._check_subject import CheckFailed, NotApplicable, Subject
from assay.errors import SettingError
from assay.sources.source import DataOptions, open_source
from assay.task import Task


@dataclass(frozen=True)
class CheckResult:
    """What came of one check.

    Attributes:
        name: the check's.
        outcome: `excepted` is a failure that the caller gave a reason for; `inapplicable` one that the traits rule out.
        detail: what was found, or what is wrong, or the reason.
    """

    name: str
    outcome: Literal["passed", "failed", "excepted", "inapplicable"]
    detail: str

    @property
    def ok(self) -> bool:
        """Whether nothing needs mending."""
        return self.outcome != "failed"


def check_task(
    task: Task,
    source: Any,
    options: DataOptions | None = None,
    *,
    corrupt: Any = None,
    network: str | None = None,
    settings: Mapping[str, str] | None = None,
    exceptions: Mapping[str, str] | None = None,
) -> list[CheckResult]:
    """Run every check on an application; takes seconds to a minute.

    Args:
        task: the application.
        source: a path or data in memory that the task takes; some hundred units are enough, a few dozen the least.
        options: how the data is read and split.
        corrupt: a broken source, or a list of them.
        network: the network to train; None for the task's first.
        settings: hyper-parameters as text, by name, as `--set` takes them: a smaller network is checked sooner.
        exceptions: the reason, by the name of each check that this task cannot pass.

    Returns:
        One result a check, in the order of `CHECKS`. Nothing is raised for what a check finds.

    Raises:
        SettingError: an exception names a check that there is not.
    """
    reasons = exceptions or {}
    unknown = reasons.keys() - CHECKS.keys()
    if unknown:
        raise SettingError(f"there is no check {sorted(unknown)[0]!r}", f"Known: {', '.join(CHECKS)}.")
    broken = tuple(corrupt) if isinstance(corrupt, list | tuple) else () if corrupt is None else (corrupt,)
    with tempfile.TemporaryDirectory(prefix="assay-check-", ignore_cleanup_errors=True) as folder:
        opened, options = open_source(source), options or DataOptions()
        subject = Subject(task, opened, options, broken, network, Path(folder), settings or {})
        return [_run(name, check, subject, reasons.get(name)) for name, check in CHECKS.items()]


def _run(name: str, check: Callable[[Subject], str], subject: Subject, reason: str | None) -> CheckResult:
    try:
        detail = check(subject)
    except NotApplicable as why:
        return CheckResult(name, "inapplicable", str(why))
    except CheckFailed as failure:
        wrong = str(failure)
    except Exception as error:  # whatever a third party's task raises is a finding
        place = traceback.extract_tb(error.__traceback__)[-1]
        wrong = f"{type(error).__name__}: {error} ({Path(place.filename).name}, line {place.lineno})"
    else:
        if reason is None:
            return CheckResult(name, "passed", detail)
        return CheckResult(name, "failed", f"it passes ({detail}), so the exception is stale: {reason}")
    return (
        CheckResult(name, "failed", wrong) if reason is None else CheckResult(name, "excepted", f"{reason} [{wrong}]")
    )


#: Every check by its name, in the order in which data flows.
CHECKS: Mapping[str, Callable[[Subject], str]] = {
    "recognised": _check_data.check_recognised,
    "split": _check_data.check_split,
    "encode": _check_data.check_encode,
    "randomness": _check_training.check_randomness,
    "overfit": _check_training.check_overfit,
    "seed": _check_training.check_seed,
    "resumed": _check_training.check_resumed,
    "closed_loop": _check_training.check_closed_loop,
    "saved": _check_training.check_saved,
    "alone": _check_answers.check_alone,
    "served": _check_answers.check_served,
    "merge": _check_answers.check_merge,
    "streams": _check_answers.check_streams,
    "answers": _check_answers.check_answers,
    "metrics": _check_answers.check_metrics,
    "baseline": _check_answers.check_baseline,
    "confidence": _check_answers.check_confidence,
    "corruptions": _check_answers.check_corruptions,
    "explanation": _check_explanation.check_explanation,
    "things": _check_explanation.check_things,
    "corrupt": _check_data.check_corrupt,
}
