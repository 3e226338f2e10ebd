"""Samples that are decoded where they are needed: training, stopped and resumed, and what cannot be decoded."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.errors import DataError
from assay.flow import TrainOptions, prepare, resume, train
from assay.run import RunFolder
from assay.samples.on_demand import OnDemand
from assay.samples.samples import Samples, TrainStream, build_samples
from assay.samples.split import TEST, TRAIN
from assay.sharding import write_shards
from assay.sources import shards as reading
from assay.sources.records import ProblemLog
from assay.sources.source import DataOptions
from assay.training.loop import Interrupted
from assay.training.state import Snapshot

DATA = DataOptions()
OPTIONS = TrainOptions(epochs=3, network="mlp", settings={"width": "16", "batch_size": "16"}, evidence="none")


@pytest.fixture(scope="module")
def shards(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("shards") / "digits"
    write_shards(digits, str(target), 64_000, DATA)
    return target


@pytest.fixture
def no_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing that is decoded may be kept on disk."""
    monkeypatch.setenv("ASSAY_CACHE_GB", "0")
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))


def samples_of(source: Path, log: ProblemLog | None = None) -> Samples:
    found = prepare(source, DATA)
    spec = found.task.fit_spec(found.records, found.split.side == TRAIN, DATA)
    return build_samples(found.task, found.records, spec, found.split.side, log)


def test_a_training_is_the_same_on_a_folder_on_shards_and_on_demand(
    digits: Path, shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, source in enumerate((digits, shards, shards)):
        monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / f"cache-{number}"))
        monkeypatch.setenv("ASSAY_CACHE_GB", "0" if number == 2 else "20")
        train(source, DATA, OPTIONS, tmp_path / f"run-{number}")
    weights = [(tmp_path / f"run-{number}" / "model" / "model.safetensors").read_bytes() for number in range(3)]
    assert weights[0] == weights[1] == weights[2]
    assert (tmp_path / "cache-1" / "samples").exists() and not (tmp_path / "cache-2" / "samples").exists()


@pytest.mark.slow
def test_two_processes_decode_on_demand_what_one_does(shards: Path, no_room: None, tmp_path: Path) -> None:
    for devices in (1, 2):
        settings = {**OPTIONS.settings, "activation": "gelu"}  # the kink of ReLU turns a rounding into a step
        train(shards, DATA, replace(OPTIONS, devices=devices, settings=settings), tmp_path / f"run-{devices}")
    losses = [
        [line["train_loss"] for line in RunFolder(tmp_path / f"run-{devices}").history() if "train_loss" in line]
        for devices in (1, 2)
    ]
    assert len(losses[0]) > 10 and losses[1] == pytest.approx(losses[0], rel=1e-5)


def test_batches_on_demand_are_those_of_the_cache(shards: Path, no_room: None, monkeypatch: pytest.MonkeyPatch) -> None:
    live = samples_of(shards)
    monkeypatch.setenv("ASSAY_CACHE_GB", "20")
    kept = samples_of(shards)
    assert isinstance(live.on_demand, OnDemand) and kept.on_demand is None
    assert live.window_bytes == pytest.approx(kept.window_bytes, rel=0.2)
    for windows in (np.asarray([5, 3, 90]), np.arange(7)[::-1], np.asarray([4])):
        one, other = (found.batch(windows) for found in (live, kept))
        assert all(bool((getattr(one, name) == getattr(other, name)).all()) for name in ("index", "image", "target"))
    assert np.array_equal(live.view(TEST).array("image"), kept.view(TEST).array("image"))
    assert live.view_of(np.zeros(0, np.int64)).array("image").shape == (0, 1, 8, 8)


def test_what_is_expected_is_decoded_beforehand_and_in_parts(shards: Path, no_room: None) -> None:
    samples = samples_of(shards)
    cache = samples.on_demand
    assert cache is not None
    whole = np.asarray([9, 2, 30, 4])
    cache.expect([whole, np.asarray([1, 7])], whole)
    calls: list[Any] = []
    cache._encoded = lambda windows: calls.append(windows)  # type: ignore[assignment, func-returns-value, method-assign]
    assert samples.batch(whole).index.tolist() == [9, 2, 30, 4]
    part, before = samples.batch(np.asarray([30, 2])), samples.batch(whole)
    assert bool((part.image == before.image[[2, 1]]).all()) and not calls, "as where processes share a step"


def test_the_order_mixes_pools_of_blocks(shards: Path, no_room: None) -> None:
    samples = samples_of(shards)
    units = np.arange(len(samples.side))
    assert samples._block is not None
    samples._block = (units // 10, 3)  # 14 blocks, of which three are mixed
    view = samples.view(TRAIN)
    stream, again = TrainStream(view, 8, 0), TrainStream(view, 8, 0)
    epochs = []
    for epoch in (0, 1):
        steps = range(epoch * stream.steps_per_epoch, (epoch + 1) * stream.steps_per_epoch)
        seen = np.concatenate([stream.windows(step)[1] for step in steps])
        assert len(set(seen.tolist())) == len(seen) > len(view.windows) - 8
        epochs.append(seen)
        blocks = [window // 10 for window in seen.tolist()]
        last = {block: place for place, block in enumerate(blocks)}
        first = {block: blocks.index(block) for block in last}
        open_at = [sum(first[one] <= place <= last[one] for one in last) for place in range(len(blocks))]
        assert max(open_at) == 3 and blocks != sorted(blocks)
    assert not np.array_equal(*epochs)
    assert np.array_equal(again.windows(stream.steps_per_epoch + 2)[1], stream.windows(stream.steps_per_epoch + 2)[1])


def test_stopped_and_resumed_each_sample_is_seen_once(
    shards: Path, no_room: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(shards, DATA, OPTIONS, tmp_path / "whole")
    seen: list[tuple[int, list[int]]] = []
    stop, before = threading.Event(), Samples.batch

    def noted(self: Samples, windows: Any, exact: bool = False) -> Any:
        if not exact:
            seen.append((0, windows.tolist()))
            if len(seen) == stop_at:
                stop.set()
        return before(self, windows, exact)

    monkeypatch.setattr(Samples, "batch", noted)
    stop_at = 9
    with pytest.raises(Interrupted):
        train(shards, DATA, OPTIONS, tmp_path / "run", stop=stop)
    saved = Snapshot.read(tmp_path / "run" / "checkpoint")
    assert saved is not None and saved.facts["position"]["step"] == 9
    stop_at = 10**9
    resume(tmp_path / "run")
    steps = [windows for _, windows in seen]
    size = 7  # steps an epoch: 112 training samples or a few more, 16 at a time
    assert len(steps) == 3 * size
    for epoch in range(3):
        windows = [window for step in steps[epoch * size : (epoch + 1) * size] for window in step]
        assert len(windows) == len(set(windows)) == size * 16
    files = [(tmp_path / name / "model" / "model.safetensors").read_bytes() for name in ("whole", "run")]
    assert files[0] == files[1]


@pytest.mark.parametrize("judged", [False, True])
def test_a_sample_that_cannot_be_decoded_is_noted(digits: Path, tmp_path: Path, no_room: None, judged: bool) -> None:
    import shutil

    folder = tmp_path / "photos"
    shutil.copytree(digits, folder)
    found = prepare(folder, DATA)
    row = int(np.flatnonzero((found.split.side != TRAIN) == judged)[3])
    name = found.records.index()["id"][row].as_py()
    content = bytearray((folder / name).read_bytes())
    start = content.index(b"IDAT") + 4
    content[start : start + 12] = b"\xff" * 12  # its header and its end are whole
    (folder / name).write_bytes(content)
    write_shards(folder, str(tmp_path / "shards"), 64_000, DATA)
    found = prepare(tmp_path / "shards", DATA)
    side = found.split.side.copy()
    side[row] = TEST if judged else TRAIN
    spec, log = found.task.fit_spec(found.records, side == TRAIN, DATA), ProblemLog()
    samples = build_samples(found.task, found.records, spec, side, log)
    names = samples.index["id"].to_pylist()
    if judged:
        assert name not in names and len(names) == 139, "whoever is judged is looked at beforehand, and left out"
        assert len(samples.side) == 139 and samples.view(TEST).array("image").shape[0] == len(samples.view(TEST))
    else:
        window = names.index(name)
        for exact in (False, True):
            batch: Any = samples.batch(np.asarray([0, window, 2]), exact)
            assert bool((batch.image[1] == batch.image[0]).all()) and batch.target[1] == batch.target[0]
        with pytest.raises(DataError, match="cannot be decoded"):
            samples.batch(np.asarray([window]))
    problems = [one for one in log.problems() if one.kind == "undecodable-sample"]
    assert [(one.count, one.action, one.examples[0].file) for one in problems] == [(1, "skipped", name)]


def test_a_shard_that_changes_while_it_is_read_ends_the_training(
    shards: Path, no_room: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, count = reading._member, [0]

    def changed(*arguments: Any) -> bytes:
        count[0] += 1
        if count[0] > 700:
            raise DataError("the shard is damaged or has changed", "Copy it again.", file=str(arguments[1]))
        return before(*arguments)

    monkeypatch.setattr(reading, "_member", changed)
    with pytest.raises(DataError, match=r"shard-.*has changed"):
        train(shards, DATA, OPTIONS, tmp_path / "run")


def test_how_long_steps_waited_stands_in_the_history(shards: Path, no_room: None, tmp_path: Path) -> None:
    run = train(shards, DATA, OPTIONS, tmp_path / "run")
    lines = [line for line in run.history() if "data_seconds" in line]
    waited = [line["data_seconds"] for line in lines]
    assert waited and waited == sorted(waited) and waited[-1] < lines[-1]["seconds"]
