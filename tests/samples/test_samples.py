"""Decoding once, views, ragged padding, the stream of batches, and samples that are appended."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import DataError, RunError
from assay.samples.cache import Cache, CacheWriter, prune
from assay.samples.samples import Samples, TrainStream, build_samples, hold_samples, pad
from assay.samples.split import TEST, TRAIN, VALIDATION, split
from assay.sources.records import ProblemLog, records_from_table
from assay.sources.source import DataOptions, open_source
from fakes import sequence, steering, windows

NO_INDEX = pa.table({"id": pa.array(["a"])})


def made(task: Any, table: pa.Table, folder: Path) -> Samples:
    records = task.read(open_source(table), DataOptions())
    side = split(records.index(), None, 0).side
    return build_samples(task, records, task.fit_spec(records, side == TRAIN, DataOptions()), side, folder=folder)


# Padding -------------------------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 7), min_size=1, max_size=9), st.integers(1, 3))
def test_padding_keeps_every_value_and_marks_it(lengths: list[int], width: int) -> None:
    values = [np.random.default_rng(length).normal(size=(length, width)) for length in lengths]
    padded, mask = pad(values)
    assert padded.shape == (len(values), max(lengths), width) and mask.sum(1).tolist() == lengths
    for row, value in enumerate(values):
        assert np.array_equal(padded[row][mask[row]], value) and not padded[row][~mask[row]].any()


def test_each_ragged_field_has_its_own_mask(tmp_path: Path) -> None:
    samples = made(sequence.Backwards(), sequence.examples(40), tmp_path / "cache")
    batch: Any = samples.batch(np.asarray([3, 1, 8]))
    words = [samples.id(unit).removeprefix("word-") for unit in (3, 1, 8)]
    assert batch.mask.sum(1).tolist() == [len(word) for word in words]
    assert batch.target_mask.sum(1).tolist() == [len(word) + 2 for word in words]
    assert batch.index.tolist() == [3, 1, 8]


@pytest.mark.parametrize("task", [sequence.Backwards(), windows.Speed()], ids=["ragged", "windows"])
def test_samples_in_memory_are_those_of_the_cache(task: Any, tmp_path: Path) -> None:
    source = (sequence if isinstance(task, sequence.Backwards) else windows).examples(30)
    records = task.read(open_source(source), DataOptions())
    spec = task.fit_spec(records, np.ones(30, bool), DataOptions())
    stored = build_samples(task, records, spec, None, folder=tmp_path / "cache")
    held = hold_samples(task, records, spec, ProblemLog())
    assert held.index.equals(stored.index) and np.array_equal(held.unit, stored.unit)
    assert np.array_equal(held.side, stored.side) and held.problems == stored.problems
    places = np.arange(len(stored.unit))
    first, second = vars(stored.batch(places)), vars(held.batch(places))
    assert all(value is None or bool((value == second[name]).all()) for name, value in first.items())


def test_batches_are_smaller_where_windows_are_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = made(sequence.Backwards(), sequence.examples(80), tmp_path / "cache")
    view = samples.view_of(np.arange(80))
    sizes = [len(batch.index) for batch in view.batches(64)]
    assert sizes == [64, 16]
    monkeypatch.setattr("assay.samples.view._BYTES_AT_ONCE", 20.5 * samples.window_bytes)
    assert [len(batch.index) for batch in view.batches(64)] == [20] * 4
    monkeypatch.setattr("assay.samples.view._BYTES_AT_ONCE", 1.0)
    assert [len(batch.index) for batch in view.batches(64)] == [16] * 5


# Cache ---------------------------------------------------------------------------------------------------------------


def test_the_cache_gives_back_what_was_written(tmp_path: Path) -> None:
    fixed, ragged = np.arange(12, dtype=np.int16).reshape(3, 4), [np.arange(n, dtype=np.float32) for n in (2, 0, 3)]
    writer = CacheWriter(tmp_path / "cache")
    writer.append({"fixed": fixed[:2], "ragged": ragged[:2]}, 2)
    writer.append({"fixed": fixed[2:], "ragged": ragged[2:]}, 1)
    assert not (tmp_path / "cache").exists(), "nothing is there before it is complete"
    writer.close({"note": 1}, NO_INDEX)
    cache = Cache(tmp_path / "cache")
    assert cache.rows == 3 and cache.notes == {"note": 1}
    assert np.array_equal(cache.fields["fixed"], fixed)  # type: ignore[arg-type]
    assert all(np.array_equal(cache.fields["ragged"][row], ragged[row]) for row in range(3))
    assert [item.name for item in tmp_path.iterdir()] == ["cache"]


@pytest.mark.parametrize(
    "second",
    [{"a": np.zeros((1, 2))}, {"a": np.zeros((1, 3), np.int8)}, {"b": np.zeros((1, 3))}, {}, {"a": np.zeros((2, 3))}],
)
def test_fields_that_change_are_refused(tmp_path: Path, second: dict[str, Any]) -> None:
    writer = CacheWriter(tmp_path / "cache")
    writer.append({"a": np.zeros((1, 3))}, 1)
    with pytest.raises(ValueError, match="field"):
        writer.append(second, 1)
    writer.abort()
    assert not list(tmp_path.iterdir())


def test_a_failure_while_decoding_leaves_nothing(tmp_path: Path) -> None:
    class Failing(windows.Speed):
        def encode(self, batch: Any, records: Any, spec: Any, log: Any) -> Any:
            if batch.column("id")[0].as_py() != "signal-0":
                raise KeyboardInterrupt
            return super().encode(batch, records, spec, log)

    with pytest.raises(KeyboardInterrupt):
        made(Failing(), windows.examples(), tmp_path / "cache")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("number", "words"), [(errno.ENOSPC, "no space"), (errno.EROFS, "cannot be written")])
def test_a_full_or_read_only_disk_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(CacheWriter, "close", fail)
    with pytest.raises(RunError, match=words):
        made(windows.Speed(), windows.examples(30), tmp_path / "cache")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["", "{", '{"rows": 3}'])
def test_a_damaged_cache_is_told(tmp_path: Path, text: str) -> None:
    made(windows.Speed(), windows.examples(30), tmp_path / "cache")
    (tmp_path / "cache" / "cache.json").write_text(text)
    with pytest.raises(RunError, match="damaged"):
        Cache(tmp_path / "cache")


def test_pruning_keeps_the_one_in_use_and_the_latest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for number in range(4):
        folder = tmp_path / f"cache-{number}"
        folder.mkdir()
        (folder / "cache.json").write_text(json.dumps({}))
        (folder / "a.bin").write_bytes(bytes(1000))
        os.utime(folder, (1000 + number, 1000 + number))
    monkeypatch.setenv("ASSAY_CACHE_GB", "0.0000025")
    prune(tmp_path, tmp_path / "cache-0")
    assert sorted(folder.name for folder in tmp_path.iterdir()) == ["cache-0", "cache-3"]


def test_a_second_run_decodes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = made(windows.Speed(), windows.examples(), tmp_path / "cache")
    monkeypatch.setattr(windows.Speed, "encode", None)
    again = made(windows.Speed(), windows.examples(), tmp_path / "cache")
    assert np.array_equal(first.view(TRAIN).array("signal"), again.view(TRAIN).array("signal"))


def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    table = pa.table({"id": ["a", "b"], "signal": [[1.0], [2.0]], "target": ["slow", "fast"]})
    with pytest.raises(DataError, match="no sample"):
        made(windows.Speed(), table, tmp_path / "cache")


# Views and streams ---------------------------------------------------------------------------------------------------


def test_views_hold_each_unit_once_with_its_own_windows(tmp_path: Path) -> None:
    samples = made(windows.Speed(), windows.examples(), tmp_path / "cache")
    views = [samples.view(side) for side in (TRAIN, VALIDATION, TEST)]
    assert sorted(unit for view in views for unit in view.units.tolist()) == list(range(120))
    assert sorted(window for view in views for window in view.windows.tolist()) == list(range(len(samples.unit)))
    view = samples.view_of(np.asarray([7, 2]))
    assert samples.unit[view.windows].tolist() == sorted(
        samples.unit[view.windows].tolist(), key=lambda unit: unit != 7
    )


def test_skipped_rows_keep_sides_and_targets_in_line(tmp_path: Path) -> None:
    table = windows.examples(60)
    signals = table["signal"].to_pylist()
    signals[5] = signals[40] = [0.0]
    table = table.set_column(1, "signal", pa.array(signals, pa.list_(pa.float32())))
    records = windows.Speed().read(open_source(table), DataOptions())
    side = np.arange(60) % 3
    spec = windows.Speed().fit_spec(records, side == 0, DataOptions())
    log = ProblemLog()
    samples = build_samples(windows.Speed(), records, spec, side, log, tmp_path / "cache")
    assert log.problems()[0].kind == "too-short" and log.problems()[0].count == 2
    for unit in range(len(samples.side)):
        row = int(samples.id(unit).removeprefix("signal-"))
        assert samples.side[unit] == row % 3
    truths = [spec.target.classes[truth] for truth in samples.view(0).truths()]
    names = [int(name.removeprefix("signal-")) for name in samples.view(0).ids()]
    assert truths == ["slow" if row % 2 else "fast" for row in names]


def test_groups_of_units(tmp_path: Path) -> None:
    samples = made(steering.Lane(), steering.examples(20), tmp_path / "cache")
    view = samples.view(TRAIN)
    names = samples.index["group"].take(view.units).to_pylist()
    assert len(set(view.groups().tolist())) == len(set(names))
    for group in set(view.groups().tolist()):
        assert len({names[place] for place in np.flatnonzero(view.groups() == group)}) == 1


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 60), st.integers(0, 3))
def test_the_stream_shows_every_window_once_an_epoch(size: int, seed: int) -> None:
    stream = TrainStream(_Windows(47), size, seed)  # type: ignore[arg-type]
    for epoch in (0, 3):
        steps = range(epoch * stream.steps_per_epoch, (epoch + 1) * stream.steps_per_epoch)
        seen = [window for step in steps for window in stream.windows(step)[1].tolist()]
        assert all(stream.windows(step)[0] == epoch for step in steps)
        assert len(seen) == len(set(seen)) == stream.steps_per_epoch * stream.batch_size <= 47
    other = TrainStream(_Windows(47), size, seed)  # type: ignore[arg-type]
    assert np.array_equal(other.windows(5)[1], stream.windows(5)[1]), "a step can be asked for in any order"


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 300), st.integers(0, 3))
def test_a_batch_holds_windows_of_about_one_length(size: int, seed: int) -> None:
    lengths = np.random.default_rng(seed).integers(1, 40, 2000)
    stream = TrainStream(_Windows(2000, lengths), size, seed)  # type: ignore[arg-type]
    batches = [stream.windows(step)[1] for step in range(stream.steps_per_epoch)]
    seen = np.concatenate(batches)
    assert len(set(seen.tolist())) == len(seen) == stream.steps_per_epoch * stream.batch_size
    padded = sum(len(batch) * int(lengths[batch].max()) for batch in batches)
    assert padded <= lengths[seen].sum() + 40 * size * -(-stream.steps_per_epoch // 64), "a batch a pool at most"
    plain = TrainStream(_Windows(2000), size, seed)  # type: ignore[arg-type]
    again = TrainStream(_Windows(2000, lengths), size, seed)  # type: ignore[arg-type]
    assert np.array_equal(again.windows(0)[1], batches[0])
    equal = TrainStream(_Windows(2000, np.ones(2000, int)), size, seed)  # type: ignore[arg-type]
    assert np.array_equal(equal.windows(1)[1], plain.windows(1)[1]), "nothing changes where all are equally long"


def test_outputs_come_in_the_order_of_the_view_whatever_the_batches(tmp_path: Path) -> None:
    samples = made(sequence.Backwards(), sequence.examples(30), tmp_path / "cache")
    view = samples.view_of(np.random.default_rng(1).permutation(len(samples.side)))
    places = view.by_length()
    assert places is not None
    rows = np.concatenate([np.asarray(batch.index) for batch in view.batches(7, places)])
    assert np.array_equal(rows, view.windows[places])
    lengths = view.lengths(rows)
    assert lengths is not None and (np.diff(lengths) <= 0).all()
    words = samples.index.column("target").take(view.units).to_pylist()
    assert lengths[np.argsort(places)].tolist() == [len(word) + 2 for word in words], "the target and its marks"


class _Windows:
    def __init__(self, count: int, lengths: np.ndarray | None = None) -> None:
        self.windows, self._lengths, self.samples = np.arange(count), lengths, self
        self.on_demand = None

    def blocks(self, windows: np.ndarray) -> None:
        return None

    def lengths(self, windows: np.ndarray) -> np.ndarray | None:
        return None if self._lengths is None else self._lengths[windows]


def test_no_training_sample_is_an_error() -> None:
    with pytest.raises(DataError, match="no training sample"):
        TrainStream(_Windows(0), 4, 0)  # type: ignore[arg-type]


# Appended samples ----------------------------------------------------------------------------------------------------


def test_appended_samples_join_the_training_side_and_can_be_forgotten(tmp_path: Path) -> None:
    samples = made(steering.Lane(), steering.examples(20), tmp_path / "cache")
    before, units = samples.view(TRAIN).units.tolist(), len(samples.side)
    extra = steering.table_of(np.asarray([[0.1, 0.2], [0.3, 0.4]]), ["new"] * 2, "new")
    assert samples.append(records_from_table(extra, "new"), tmp_path / "one") == 2
    assert samples.append(None, tmp_path / "one") == 2, "what is on disk need not be given again"
    assert samples.view(TRAIN).units.tolist() == [*before, *range(units, units + 4)]
    mixed = np.asarray([units + 1, 0, units + 2, 5])
    got = samples.field("state", mixed)
    assert np.allclose(got[0], [0.3, 0.4]) and np.allclose(got[2], [0.1, 0.2])
    assert np.array_equal(got[1], samples.field("state", np.asarray([0]))[0])
    assert "_row" not in samples.index.column_names and samples.id(units) == "new-0"
    samples.forget_appended(1)
    assert samples.appended == 1 and len(samples.side) == len(samples.unit) == units + 2
    samples.forget_appended(0)
    assert samples.view(TRAIN).units.tolist() == before


def test_appended_samples_of_ragged_fields_keep_their_order(tmp_path: Path) -> None:
    task = sequence.Backwards()
    samples = made(task, sequence.examples(30), tmp_path / "cache")
    words = ["abba", "cd"]
    extra = pa.table({"id": words, "word": words, "target": [word[::-1] for word in words], "digest": words})
    samples.append(records_from_table(extra, "new"), tmp_path / "new")
    lengths = [len(value) for value in samples.field("source", np.asarray([31, 0, 30]))]
    assert lengths == [2, len(samples.id(0)) - 5, 4]


def test_collected_samples_that_are_gone_are_an_error(tmp_path: Path) -> None:
    samples = made(steering.Lane(), steering.examples(20), tmp_path / "cache")
    with pytest.raises(RunError, match="missing"):
        samples.append(None, tmp_path / "nothing")
