"""A column of a table, predicted from the others: a class or a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import DataError
from assay.samples.table_spec import CategoryColumn, NumberColumn, TableSpec
from assay.targets.task import TargetTask
from assay.task import Batch, Corruption, Drawing, Encoded, NetworkKind, Traits, no_targets

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor, nn

    from assay.baselines.baseline import Baseline
    from assay.evaluation.metrics import Values
    from assay.samples.lookalikes import Lookalikes
    from assay.samples.samples import Samples
    from assay.serving.predictor import Answering
    from assay.sources.records import ProblemLog, Records
    from assay.sources.source import DataOptions, Recognition, Source
    from assay.training.plan import Plan

_PREFIX = "x:"
_MOST_CATEGORIES = 1000
_MOST_ROWS = 200_000
_DAY_S = 86400.0


@dataclass(frozen=True, kw_only=True)
class TableBatch(Batch):
    """Numbers (B, P) as they are, NaN where missing; category codes (B, Q); targets as `Target.encode` gives them."""

    numbers: Tensor
    categories: Tensor
    target: Tensor | None = None


class Table(TargetTask):
    """See the module."""

    name = "table"
    traits = Traits(
        title="tables: a class or a number from the other columns",
        data="CSV, TSV or Parquet with a column to predict (--target)",
        extra="table",
        takes=("row",),
        default_budget_s=60.0,
        options={
            "target_kind": "class or number, where the target could be either",
            "encoding": "of the text file, such as cp1252",
        },
    )
    batch_type = TableBatch
    spec_type = TableSpec

    def recognise(self, source: Source) -> Recognition | None:
        """A file of rows and columns."""
        from assay.sources.table import recognise_table

        return recognise_table(source)

    def read(self, source: Source, options: DataOptions) -> Records:
        """See `assay.sources.table`."""
        from assay.sources.table import read_table

        return read_table(source, options)

    def read_like(self, source: Source, options: DataOptions, spec: TableSpec) -> Records:
        """See `Task.read_like`: columns and target are of the types that they had in the training."""
        from assay.sources.table import read_table

        extra = {"target_kind": spec.target.kind, **options.extra}
        return read_table(source, replace(options, extra=extra), spec.columns)

    def read_inputs(self, source: Source, spec: TableSpec) -> Records:
        """Rows with the columns of the training."""
        from assay.sources.table import read_table_inputs

        return read_table_inputs(source, spec.columns)

    def fit_spec(self, records: Records, train: np.ndarray[Any, Any], options: DataOptions) -> TableSpec:
        """Quantiles and categories of the training rows."""
        from assay.targets.target import fit_target

        target = fit_target(records.index().column("target"), train)
        columns = _training_columns(records, train)
        numbers: list[NumberColumn] = []
        categories: list[CategoryColumn] = []
        for name, column in columns.items():
            if _is_text(column.type):
                categories.append(_category(name, column))
            else:
                numbers.append(_number(name, column))
        if not numbers and not categories:
            raise DataError("no column is left to predict from", "See the problems that assay inspect lists.")
        seen = tuple(column for column in records.facts.get("columns", ()) if column["name"] in columns)
        return TableSpec(tuple(numbers), tuple(categories), target, seen)

    def encode(self, batch: pa.RecordBatch, records: Records, spec: TableSpec, log: ProblemLog) -> Encoded:
        """Numbers as float32, dates as days, categories as codes."""
        rows = batch.num_rows
        numbers = np.full((rows, len(spec.numbers)), np.nan, np.float32)
        categories = np.zeros((rows, len(spec.categories)), np.int64)
        for place, column in enumerate(spec.numbers):
            numbers[:, place] = _values(batch.column(_PREFIX + column.name), column.origin_s)
        for place, kind in enumerate(spec.categories):
            categories[:, place] = _codes(batch.column(_PREFIX + kind.name), kind)
        fields: dict[str, Any] = {"numbers": numbers, "categories": categories}
        usable = np.ones(rows, bool)
        if (targets := self.encode_targets(batch, spec, log)) is not None:
            fields["target"], usable = targets
        return Encoded({name: values[usable] for name, values in fields.items()}, np.flatnonzero(usable))

    def networks(self, spec: TableSpec) -> Sequence[NetworkKind]:
        """`tabular`, `mlp`."""
        from assay.networks.table_networks import table_networks

        return table_networks(spec)

    def objective(self, network: nn.Module, batch: TableBatch, plan: Plan, spec: TableSpec) -> Tensor:
        """Cross-entropy or squared error; the mean over members where the network is an ensemble (B, K, outputs)."""
        if batch.target is None:
            raise no_targets("these rows have no targets")
        logits = network(batch.numbers, batch.categories)
        if logits.dim() == 2:
            return spec.target.loss(logits, batch.target, plan.label_smoothing)
        members = logits.shape[1]
        target = batch.target.repeat_interleave(members, 0)
        losses = spec.target.loss(logits.flatten(0, 1), target, plan.label_smoothing)
        return losses.view(-1, members).mean(dim=1)

    def predict(self, network: nn.Module, batch: TableBatch, spec: TableSpec, options: Mapping[str, Any]) -> Values:
        """Probabilities or numbers, as `Target.output` gives them."""
        return spec.target.output(network(batch.numbers, batch.categories))

    def baselines(self, spec: TableSpec) -> Sequence[Baseline]:
        """The better of LightGBM and a linear model; the dummy floor."""
        from assay.baselines.best_of import BestOf
        from assay.baselines.dummy import Dummy
        from assay.baselines.table_classical import LightGbmTable, LinearTable

        members = (LightGbmTable(spec.target, spec), LinearTable(spec.target, spec))
        return (BestOf(spec.target, members), Dummy(spec.target))

    def lookalikes(self, samples: Samples, asked: np.ndarray[Any, Any], budget_s: float) -> Lookalikes:
        """Rows that are equal in every column: see `assay.samples.equal_rows`."""
        from assay.samples.equal_rows import row_lookalikes

        return row_lookalikes(samples, asked, budget_s)

    def corruptions(self, spec: TableSpec) -> Mapping[str, Corruption]:
        """Missing cells, noise in numbers, wrong categories."""
        from assay.samples.table_corruptions import table_corruptions

        return table_corruptions(spec)

    def parts(self, spec: TableSpec) -> Mapping[str, np.ndarray[Any, Any]]:
        """Every column by its name, the numbers first: see `assay.samples.table_places`."""
        from assay.samples.table_places import table_parts

        return table_parts(spec)

    def masked(self, batch: TableBatch, kept: Tensor, spec: TableSpec, instead: TableBatch | None = None) -> TableBatch:
        """See `assay.samples.table_places`."""
        from assay.samples.table_places import mask_rows

        rows: TableBatch = mask_rows(batch, kept, spec, instead)
        return rows

    def explain(self, predictor: Answering, batch: TableBatch) -> np.ndarray[Any, Any]:
        """See `assay.evidence.table_attribution`."""
        from assay.evidence.table_attribution import explain_rows

        return explain_rows(predictor, batch)

    def draw(self, samples: Samples, unit: int, spec: TableSpec) -> Drawing:
        """The row's columns and values, twelve at most."""
        lines = [f"{name}: {value}" for name, value in _cells(samples, unit, spec)]
        return Drawing(lines=(samples.id(unit), *lines[:12]))

    def draw_explained(
        self,
        samples: Samples,
        unit: int,
        weights: np.ndarray[Any, Any],
        spec: TableSpec,
        window: int | None = None,
    ) -> Drawing:
        """The columns that weighed most, with what each added to the probability or the number."""
        from assay.report.explained import explained_cells

        lines = explained_cells(_cells(samples, unit, spec), weights, share=spec.target.kind != "number")
        return Drawing(lines=(samples.id(unit), *lines))


def _cells(samples: Samples, unit: int, spec: TableSpec) -> list[tuple[str, str]]:
    """The name and the value as text of each column of a row, the numbers first."""
    window = samples.view_of(np.asarray([unit])).windows[:1]
    numbers = np.asarray(samples.field("numbers", window))[0]
    codes = np.asarray(samples.field("categories", window))[0]
    pairs = zip(spec.numbers, numbers.tolist(), strict=True)
    known = [(column.name, _shown(value, column.origin_s)) for column, value in pairs]
    named = zip(spec.categories, codes, strict=True)
    return known + [(kind.name, kind.values[code - 1] if code else "?") for kind, code in named]


def _training_columns(records: Records, train: np.ndarray[Any, Any]) -> dict[str, pa.ChunkedArray]:
    """The feature columns of at most `_MOST_ROWS` training rows, evenly spread."""
    from assay.arrow import pa

    chosen = np.flatnonzero(train)
    chosen = chosen[:: max(1, -(-len(chosen) // _MOST_ROWS))]
    parts: list[pa.RecordBatch] = []
    first = 0
    for batch in records.batches():
        low, high = np.searchsorted(chosen, [first, first + batch.num_rows])
        features = batch.select([name for name in batch.schema.names if name.startswith(_PREFIX)])
        parts.append(features.take(pa.array(chosen[low:high] - first, pa.int64())))
        first += batch.num_rows
    whole = pa.Table.from_batches(parts)
    return {name.removeprefix(_PREFIX): whole.column(name) for name in whole.column_names}


def _is_text(kind: pa.DataType) -> bool:
    from assay.arrow import pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind))


def _category(name: str, column: pa.ChunkedArray) -> CategoryColumn:
    """The values of a category, the most frequent first; the rarest of very many count as unseen."""
    from assay.arrow import pc

    counts = [
        (item["counts"], item["values"]) for item in pc.value_counts(column).to_pylist() if item["values"] is not None
    ]
    counts.sort(key=lambda item: (-item[0], item[1]))
    return CategoryColumn(name, tuple(str(value) for _, value in counts[:_MOST_CATEGORIES]))


def _number(name: str, column: pa.ChunkedArray) -> NumberColumn:
    from assay.arrow import pa

    origin = 0.0 if pa.types.is_timestamp(column.type) else None
    values = np.concatenate([_values(chunk, origin) for chunk in column.chunks] or [np.zeros(0)])
    known = values[np.isfinite(values)]
    if origin is not None and len(known):
        origin = float(np.floor(known.min()) * _DAY_S)
        known = known - origin / _DAY_S
    quantiles = np.quantile(known, [0, 0.25, 0.5, 0.75, 1]) if len(known) else np.zeros(5)
    return NumberColumn(name, tuple(float(value) for value in quantiles), origin, bool(len(known) < len(values)))


def _values(column: pa.Array, origin_s: float | None) -> np.ndarray[Any, Any]:
    """(N,) float64, NaN where missing; a date in days since `origin_s`."""
    from assay.arrow import pa, pc

    if pa.types.is_timestamp(column.type):
        micro = column.cast(pa.timestamp("us")).cast(pa.int64())
        seconds = pc.divide(micro.cast(pa.float64(), safe=False), 1e6)
        return (np.asarray(seconds.to_numpy(zero_copy_only=False), float) - (origin_s or 0.0)) / _DAY_S
    values = np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), float)
    return np.where(np.isfinite(values), values, np.nan)


def _codes(column: pa.Array, kind: CategoryColumn) -> np.ndarray[Any, Any]:
    """(N,) int64: 0 for missing or unseen, else the place among the values plus one."""
    from assay.arrow import pa, pc

    found = pc.index_in(column.cast(pa.string()), pa.array(kind.values, pa.string()))
    return np.asarray(pc.fill_null(found, -1).to_numpy(zero_copy_only=False), np.int64) + 1


def _shown(value: float, origin_s: float | None) -> str:
    """A number to five digits, a date to the minute."""
    if np.isnan(value):
        return "?"
    if origin_s is None:
        return f"{value:.5g}"
    moment = np.datetime64(round(origin_s + value * _DAY_S), "s")
    return str(moment.astype("datetime64[m]")).replace("T", " ").removesuffix(" 00:00")
