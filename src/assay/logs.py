"""`--log`: a training's history for TensorBoard or an MLflow server, beside `RUN/metrics.jsonl`, which stays as it is.

What goes there is numbers and settings alone: no sample, no file's name, no page.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from assay.errors import AssayError, MissingExtraError, SettingError
from assay.progress import Progress
from assay.run import RunFolder, write_text
from assay.sources._remote import without_password

if TYPE_CHECKING:
    from assay.planning import Made

_KINDS = ("tensorboard", "mlflow")
_FORMS = "Write --log tensorboard:FOLDER or --log mlflow:URI, such as mlflow:http://localhost:5000."
#: What the lines of the history hold that is no curve.
_NO_CURVES = ("step", "event", "gradient_norms")
#: MLflow's own limit for the numbers in one request; and for the length of a setting.
_AT_ONCE, _LONGEST = 1000, 500


class Log(Protocol):
    """Takes the numbers of a training."""

    def settings(self, values: Mapping[str, Any]) -> None:
        """How the training is done; once."""
        ...

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        """What is known after a step."""
        ...

    def close(self, status: str) -> None:
        """The end: `FINISHED`, `FAILED` or `KILLED`."""
        ...


def check_log(where: str | None) -> None:
    """Raise `SettingError` where `--log` has no form that is known, `MissingExtraError` where a package lacks."""
    if where is None:
        return
    kind, colon, rest = where.partition(":")
    if kind not in _KINDS or not colon or not rest:
        raise SettingError(f"--log {without_password(where)} is not possible", _FORMS)
    if without_password(where) != where:
        hint = (
            "Leave it out, and set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD: the run's plan is no secret."
        )
        raise SettingError(f"--log {without_password(where)} holds a password", hint)
    _library(kind)


def _library(kind: str) -> Any:
    try:
        if kind == "tensorboard":
            import tensorboardX

            return tensorboardX
        # A server that is gone must not hold up a training: two attempts of ten seconds instead of minutes.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # standard output is for JSON
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # its makers are told nothing
        import mlflow

        return mlflow
    except ImportError as error:
        raise MissingExtraError(f"--log {kind}:", "log") from error


@contextmanager
def logged(made: Made, run: RunFolder, progress: Progress) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Gives what takes the lines of the history; at its end, the test metrics follow out of the summary.

    Raises:
        SettingError: the place cannot be logged to. One that fails later is given up, and the training goes on.
    """
    where = made.options.log
    if where is None:
        yield lambda line: None
        return
    check_log(where)
    keeper = _Keeper(_open(where, run), where, progress)
    keeper.settings(_settings(made))
    status = "FAILED"
    try:
        yield keeper.line
        keeper.summary(run)
        status = "FINISHED"
    except BaseException as error:
        if not isinstance(error, AssayError) and type(error).__name__ in ("Interrupted", "KeyboardInterrupt"):
            status = "KILLED"
        raise
    finally:
        keeper.close(status)


def _open(where: str, run: RunFolder) -> Log:
    kind, _, rest = where.partition(":")
    try:
        return _TensorBoard(Path(rest).expanduser(), run) if kind == "tensorboard" else _Mlflow(rest, run)
    except AssayError:
        raise
    except Exception as error:  # requests, sqlalchemy and others have exceptions of their own
        reason = " ".join(str(error).split())[:200]
        hint = "Check that the folder can be written." if kind == "tensorboard" else "Check that the server is there."
        raise SettingError(f"cannot log to {where} ({reason})", hint) from error


def _settings(made: Made) -> dict[str, Any]:
    from assay.run import to_json

    plan = {f"plan.{name}": value for name, value in to_json(made.plan).items()}
    own = {f"network.{name}": value for name, value in to_json(made.settings).items()}
    fingerprint = made.prepared.records.fingerprint
    kind, slash, argument = made.network.partition("/")
    network = f"{kind}{slash}{_without_folder(argument)}"
    own = {name: _without_folder(value) for name, value in own.items()}
    return {"task": made.task.name, "network": network, "fingerprint": fingerprint, **own, **plan}


def _without_folder(value: Any) -> Any:
    """A value; of a path, such as that of a pretrained network's folder, the last part alone."""
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value


class _Keeper:
    """Hands lines on, until that fails for the first time."""

    def __init__(self, log: Log, where: str, progress: Progress) -> None:
        self._log, self._where, self._progress = log, where, progress
        self._lost, self._step = False, 0

    def settings(self, values: Mapping[str, Any]) -> None:
        self._try(lambda: self._log.settings(values))

    def line(self, line: Mapping[str, Any]) -> None:
        values = {name: value for name, value in line.items() if name not in _NO_CURVES}
        values |= {f"gradient_norm/{layer}": norm for layer, norm in line.get("gradient_norms", {}).items()}
        self._step = int(line.get("step", self._step))
        self._numbers(values)

    def summary(self, run: RunFolder) -> None:
        """The metrics of the test side, the network's and the baseline's."""
        if not run.summary.exists():
            return
        summary = run.read(run.summary, "metrics")
        values = {f"test/{name}": value for name, value in summary["metrics"].items()}
        if (baseline := summary.get("baseline")) is not None:
            values["test/baseline"] = baseline["value"]
        self._numbers(values)

    def close(self, status: str) -> None:
        self._try(lambda: self._log.close(status))

    def _numbers(self, values: Mapping[str, Any]) -> None:
        known = {name: float(value) for name, value in values.items()
                 if isinstance(value, int | float) and math.isfinite(value)}  # fmt: skip
        if known:
            self._try(lambda: self._log.numbers(known, self._step))

    def _try(self, work: Callable[[], None]) -> None:
        if self._lost:
            return
        try:
            work()
        except Exception as error:  # whatever is wrong there, the training is worth more
            self._lost = True
            reason = " ".join(str(error).split())[:200]
            self._progress.say(
                f"{self._where} takes no more ({reason}): the training goes on, RUN/metrics.jsonl has all"
            )


class _TensorBoard:
    """Event files in a folder of the run's name, as tensorboardX writes them."""

    def __init__(self, folder: Path, run: RunFolder) -> None:
        place = folder / run.path.resolve().name
        place.mkdir(parents=True, exist_ok=True)
        lines = [line.get("step", 0) for line in run.history()]
        purge = max(lines) + 1 if lines else None  # a resumed run writes the steps behind its checkpoint again
        self._writer = _library("tensorboard").SummaryWriter(str(place), purge_step=purge, flush_secs=5)

    def settings(self, values: Mapping[str, Any]) -> None:
        rows = "\n".join(f"| {name} | {value} |" for name, value in values.items())
        self._writer.add_text("settings", f"| setting | value |\n|---|---|\n{rows}", 0)

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self, status: str) -> None:
        self._writer.close()


class _Mlflow:
    """A run on a tracking server; `RUN/log.json` says which, so that a resumed training goes on with it."""

    def __init__(self, uri: str, run: RunFolder) -> None:
        mlflow = _library("mlflow")
        self._entities = mlflow.entities
        self._client = mlflow.MlflowClient(tracking_uri=uri)
        file = run.path / "log.json"
        known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        self._fresh = known.get("uri") != uri
        if self._fresh:
            name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "assay")
            found = self._client.get_experiment_by_name(name)
            experiment = found.experiment_id if found is not None else self._client.create_experiment(name)
            made = self._client.create_run(experiment, run_name=run.path.resolve().name)
            known = {"uri": uri, "run_id": made.info.run_id}
            write_text(file, json.dumps(known) + "\n")
        else:
            self._client.update_run(known["run_id"], status="RUNNING")
        self._run = str(known["run_id"])

    def settings(self, values: Mapping[str, Any]) -> None:
        if self._fresh:  # a setting can be told once
            param = self._entities.Param
            told = [param(name, str(value)[:_LONGEST]) for name, value in values.items()]
            for start in range(0, len(told), 100):
                self._client.log_batch(self._run, params=told[start : start + 100])

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        now, metric = int(time.time() * 1000), self._entities.Metric
        told = [metric(name, value, now, step) for name, value in values.items()]
        for start in range(0, len(told), _AT_ONCE):
            self._client.log_batch(self._run, metrics=told[start : start + _AT_ONCE])

    def close(self, status: str) -> None:
        self._client.set_terminated(self._run, status)
