"""scikit-learn estimators: the table networks of Assay over arrays and data frames."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    assert_all_finite,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from assay.api import fitting_time
from assay.arrow import pa, pc
from assay.flow import Prepared, TrainOptions
from assay.progress import Progress
from assay.registry import load_task
from assay.run import RunFolder
from assay.samples.split import TEST, split
from assay.serving.predictor import Predictor, inputs
from assay.sources._digest import fingerprint_of, row_digests
from assay.sources._frames import frame_table
from assay.sources._rows import repair_names
from assay.sources.records import ProblemLog, Records, records_from_table
from assay.sources.source import DataOptions, Recognition, Source
from assay.sources.table import FEATURE

if TYPE_CHECKING:
    from assay.evidence.finding import Finding

Array = np.ndarray[Any, Any]
_NAME = "data"
#: Without a budget every row is seen this often: few rows many times, many rows seldom, so that time stays in bounds.
_ROWS_SEEN, _FEWEST_EPOCHS, _MOST_EPOCHS = 200_000, 10, 20
#: Answers are computed in blocks of so many rows, the last filled up with copies: a row's answer, to the last bit, must
#: not depend on how many others are asked for with it, as it does where a matrix product sees another shape.
_BLOCK = 256

# N rows, P columns, C classes


class _Estimator(BaseEstimator):  # type: ignore[misc]
    """What both estimators share."""

    def __init__(
        self,
        network: str | None = None,
        *,
        budget: str | float | None = None,
        epochs: float | None = None,
        settings: Mapping[str, Any] | None = None,
        validation: float = 0.1,
        evidence: str = "none",
        random_state: Any = None,
    ) -> None:
        self.network = network
        self.budget = budget
        self.epochs = epochs
        self.settings = settings
        self.validation = validation
        self.evidence = evidence
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "network_")

    def __getstate__(self) -> dict[str, Any]:
        """The network as bytes of safetensors, so that a pickle holds no module of PyTorch."""
        state = dict(super().__getstate__())
        if "network_" in state:
            from safetensors.torch import save

            from assay.stored_network import unique_weights

            state["_weights"] = save(unique_weights(state.pop("network_")))
            state.pop("_task"), state.pop("_spec")
        return state

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        values = dict(state)
        weights = values.pop("_weights", None)
        super().__setstate__(values)
        if weights is not None:
            from assay.stored_network import rebuild_network

            self._task, self._spec, self.network_ = rebuild_network(self._facts, weights)

    def _read(self, X: Any, y: Any = None) -> tuple[pa.Table, Array]:
        """The features as a table with unique column names, each a number, a date or text; and y, checked, (N,)."""
        _refuse_images(X)
        fitting = y is not None or not self.__sklearn_is_fitted__()
        frame = hasattr(X, "columns") or hasattr(X, "__arrow_c_stream__")
        how: dict[str, Any] = {"skip_check_array": True} if frame else {"dtype": None, "ensure_all_finite": "allow-nan"}
        if fitting:
            X, y = validate_data(self, X, y, **how)
        else:
            X = validate_data(self, X, reset=False, **how)
        table = frame_table(X)
        names, _ = repair_names([str(name) for name in table.column_names])
        columns = [_typed(column, frame) for column in table.columns]
        if frame and not table.num_rows:
            raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required.")
        if fitting and frame:
            y = column_or_1d(y, warn=True)
            check_consistent_length(X, y)
            assert_all_finite(y, input_name="y")
        return pa.Table.from_arrays(columns, names=list(names)), y

    def _train(self, table: pa.Table, target: pa.Array) -> None:
        """Fit the network on all rows; the run folder and the decoded rows are temporary."""
        from assay.fitting import finish, fitted
        from assay.planning import choose

        options = self._options(table.num_rows)
        data = DataOptions("table", split=self._shares(), network=self.network)
        records, log = _records(table, target), ProblemLog()
        sides = split(records.index(), data.split, data.split_seed, log)
        task, why = load_task("table"), Recognition(1.0, "it is an array")
        prepared = Prepared(Source(value=table), task, why, (), records, sides, log.problems())
        with tempfile.TemporaryDirectory(prefix="assay-", ignore_cleanup_errors=True) as folder:
            run = RunFolder.create(Path(folder) / "run")
            made = choose(prepared, data, options, run, Progress(), Path(folder) / "samples")
            if self.evidence == "none":
                predictor = fitted(made, run, Progress(), threading.Event())
            else:
                finish(made, run, Progress(), threading.Event())
                predictor = fitted(made, run, Progress(), threading.Event())
                self.evidence_ = _findings(run)
            self._facts = json.loads((run.model / "model.json").read_text(encoding="utf-8"))
        self._task, self._spec, self.network_ = task, made.spec, predictor.network.eval()

    def _options(self, rows: int) -> TrainOptions:
        """Passes over the rows instead of seconds where nothing else is asked for: so the result can be repeated."""
        if self.evidence not in ("none", "quick", "full"):
            raise ValueError(f"evidence={self.evidence!r} is not 'none', 'quick' or 'full'.")
        if self.budget is not None and self.epochs is not None:
            raise ValueError("budget and epochs are given both; give one of the two.")
        budget_s, epochs = fitting_time(self.budget, self.epochs)
        if budget_s is None and epochs is None:
            epochs = min(_MOST_EPOCHS, max(_FEWEST_EPOCHS, _ROWS_SEEN / rows))
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        texts = {name: str(value) for name, value in (self.settings or {}).items()}
        return TrainOptions(budget_s, epochs, self.network, texts, seed, self.evidence)

    def _shares(self) -> str:
        """The split: all rows train but the validation's; evidence needs as many rows again that nothing has seen."""
        if not 0 <= self.validation < 0.5:
            raise ValueError(f"validation={self.validation!r} is not a share from 0 to 0.5.")
        test = 0.0 if self.evidence == "none" else self.validation or 0.1
        return "/".join(f"{100 * share:.6f}" for share in (1 - self.validation - test, self.validation, test))

    def _outputs(self, X: Any) -> Array:
        """What the network gives for each row: (N, C) probabilities, or (N,) numbers."""
        check_is_fitted(self)
        table, _ = self._read(X)
        rows = table.num_rows
        filled = table.take(pa.array(np.arange(-(-rows // _BLOCK) * _BLOCK) % rows))
        from assay.stored_network import settled_of, temperature_of

        with inputs(self._task, _records(self._cast(filled)), self._spec) as (samples, _):
            temperature = temperature_of(self._facts)
            settled = settled_of(self._facts)
            predictor = Predictor(self._task, self._spec, self.network_, temperature=temperature, settled=settled)
            outputs = predictor.outputs(samples.view(TEST))
        return np.asarray(outputs)[:rows]

    def _cast(self, table: pa.Table) -> pa.Table:
        """The columns in the types of the training; raises `ValueError` where text stands for numbers."""
        columns = []
        for fact, column in zip(self._facts["spec"]["columns"], table.columns, strict=True):
            try:
                columns.append(column.cast(_TYPES[fact["type"]]))
            except pa.ArrowInvalid as error:
                raise ValueError(f"column {fact['name']!r} held a {fact['type']} in fit: {error}") from error
        return pa.Table.from_arrays(columns, names=[fact["name"] for fact in self._facts["spec"]["columns"]])


class Classifier(ClassifierMixin, _Estimator):  # type: ignore[misc]
    """A network that tells the class of a row.

    Numbers, text (as categories), dates and missing values are taken as they come; nothing needs to be scaled.

    Args:
        network: the network's name (`tabular`, `mlp`); None for the best.
        budget: time for fitting, in seconds or as `5m`; what is learned then depends on the machine's speed.
        epochs: passes over the rows, instead; without either, 20 for up to 10,000 rows, 10 for 20,000 and more.
        settings: hyper-parameters by name, as `--set` takes them.
        validation: the share of the rows on which the training is watched.
        evidence: `none`, `quick` or `full`; with the latter two, another share as large is set aside as the test side,
            a classical baseline is trained, and `evidence_` tells what the network is worth.
        random_state: a seed, a `RandomState`, or None.

    Attributes:
        classes_: (C,) the classes, sorted.
        network_: the trained PyTorch module.
        evidence_: a list of findings, where evidence was asked for.
        n_features_in_: the number of columns.
        feature_names_in_: their names, where X was a data frame.

    Example:
        >>> from sklearn.datasets import load_wine
        >>> X, y = load_wine(return_X_y=True)
        >>> Classifier(random_state=0).fit(X, y).score(X, y) > 0.9
        True
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Train on rows X (N, P) with classes y (N,)."""
        table, y = self._read(X, y)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        self._train(table, pa.array([str(code) for code in codes], pa.string()))
        return self

    def predict_proba(self, X: Any) -> Array:
        """(N, C) the probability of each class for rows X (N, P); rows sum to 1."""
        outputs = self._outputs(X).astype(np.float64)
        probabilities: Array = outputs / outputs.sum(axis=1, keepdims=True)
        return probabilities

    def predict(self, X: Any) -> Array:
        """(N,) the most probable class for rows X (N, P)."""
        probabilities = self.predict_proba(X)
        answers: Array = self.classes_[probabilities.argmax(axis=1)]
        return answers


class Regressor(RegressorMixin, _Estimator):  # type: ignore[misc]
    """A network that tells a number of a row; arguments as for `Classifier`.

    Attributes:
        network_: the trained PyTorch module.
        evidence_: a list of findings, where evidence was asked for.
        n_features_in_: the number of columns.
        feature_names_in_: their names, where X was a data frame.
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Train on rows X (N, P) with numbers y (N,)."""
        table, y = self._read(X, y)
        values = np.asarray(y, np.float64)
        assert_all_finite(values, input_name="y")
        self._train(table, pa.array(values))
        return self

    def predict(self, X: Any) -> Array:
        """(N,) the number for rows X (N, P)."""
        return self._outputs(X)


def _refuse_images(X: Any) -> None:
    """Raise `ValueError` for an array of more than two dimensions, or a list of arrays of two and more."""
    rows = isinstance(X, list | tuple) and len(X) > 0
    dimensions = 1 + getattr(X[0], "ndim", 0) if rows else getattr(X, "ndim", 0)
    if dimensions > 2:
        raise ValueError(
            f"X has {dimensions} dimensions; rows and columns, (N, P), are expected. Images (N, H, W) and (N, H, W, C) "
            "are for assay.train((images, labels)); other arrays need X.reshape(len(X), -1)."
        )


_TYPES = {"number": pa.float64(), "date": pa.timestamp("us"), "category": pa.string()}


def _typed(column: pa.ChunkedArray, frame: bool) -> pa.ChunkedArray:
    """A column as double, timestamp or string; raises `TypeError` for anything else.

    A numpy array of text may owe its type to one column alone: there, text that reads as numbers throughout is numbers.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        values = column.cast(pa.float64(), safe=False)
        if pc.any(pc.is_inf(values)).as_py():
            raise ValueError("Input X contains infinity.")
        return values
    if pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return column.cast(pa.uint8()).cast(pa.float64())
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("us"), safe=False)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return column.cast(pa.string()) if frame else _numbers_or_text(column)
    raise TypeError(f"argument must be a string or a number, not {kind}")


def _numbers_or_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    try:
        return column.cast(pa.float64())
    except pa.ArrowInvalid:
        return column.cast(pa.string())


def _records(table: pa.Table, target: pa.Array | None = None) -> Records:
    """Rows as the table task takes them; no column is left out, unlike when a file is read."""
    columns = [column.combine_chunks() if column.num_chunks != 1 else column.chunk(0) for column in table.columns]
    about: dict[str, Any] = {"id": pa.array([f"{_NAME}:{row}" for row in range(1, table.num_rows + 1)])}
    if target is not None:
        about["target"] = target
    about["digest"] = row_digests(columns, table.num_rows)
    features = {FEATURE + name: column for name, column in zip(table.column_names, columns, strict=True)}
    whole = pa.table({**about, **features})
    names = {kind: name for name, kind in _TYPES.items()}
    seen = [
        {
            "name": name,
            "type": names[column.type],
            "missing": column.null_count,
            "distinct": 0,
            "format": "plain" if column.type == pa.float64() else "",
        }
        for name, column in zip(table.column_names, columns, strict=True)
    ]
    return records_from_table(whole, fingerprint_of(whole.to_batches()), facts={"columns": seen})


def _findings(run: RunFolder) -> list[Finding]:
    from assay.model import Model

    return Model(run).evidence
