"""Inputs unlike the training data: distances, their limit, what is stored, and what answers say of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import assay
from assay.errors import RunError
from assay.evidence._unlike import mixed_up
from assay.serving._neighbours import Neighbours, along, nearest, whitened
from assay.serving.features import Features, noted_features, pooled
from assay.serving.likeness import FILE, Likeness, by_unit, read_likeness
from assay.serving.stand_in import StandIn
from assay.tasks.table import TableBatch
from assay.tasks.text_classification import TextBatch
from export_examples import far_before_and_after


def test_distances_are_those_to_the_fifth_nearest() -> None:
    draws = np.random.default_rng(0)
    asked, known = draws.normal(size=(7, 3)), draws.normal(size=(40, 3))
    slow = [np.sort(np.linalg.norm(known - one, axis=1))[4] for one in asked]
    assert np.allclose(nearest(asked.astype(np.float32), known.astype(np.float32)), slow, atol=1e-3)


def test_whitened_features_vary_alike_in_all_directions() -> None:
    draws = np.random.default_rng(1)
    values = draws.normal(size=(3000, 3)) * [1, 2, 4] @ np.linalg.qr(draws.normal(size=(3, 3)))[0] + 5
    values = np.c_[values, np.full(len(values), 2.0)]  # a unit that never moves
    centre, whitening = whitened(values)
    found = along(values, centre, whitening)
    assert np.isfinite(found).all() and np.allclose(found.mean(axis=0), 0, atol=1e-2)
    assert np.allclose(np.sort(found.var(axis=0))[-3:], 1, atol=0.05)
    for count in (40, 400):  # fewer samples than features, and more
        wide = whitened(draws.normal(size=(count, 300)))[1]
        assert wide.shape[0] == 300 and wide.shape[1] == min(count - 1, 256) and np.isfinite(wide).all()


def test_of_several_windows_the_middle_one_counts() -> None:
    assert by_unit(np.asarray([1.0, 9.0, 2.0, 5.0]), np.asarray([0, 0, 0, 1])).tolist() == [2.0, 5.0]
    assert by_unit(np.asarray([1.0, 3.0, 5.0]), np.asarray([0, 0, 2])).tolist() == [2.0, 5.0]
    assert by_unit(np.zeros(0), np.zeros(0, int)).tolist() == []


class Last(nn.Module):
    """Numbers to logits; several views of the inputs go through the head together where `views` says so."""

    def __init__(self, views: int = 1) -> None:
        super().__init__()
        self.body, self.head, self.views = nn.Linear(3, 4), nn.Linear(4, 2), views

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.cat([self.body(x + view) for view in range(self.views)]))[: len(x)]


@pytest.mark.parametrize("views", [1, 3])
def test_features_are_what_the_last_layer_is_given_for_the_inputs_as_they_are(views: int) -> None:
    network, x = Last(views), torch.rand(5, 3)
    predictor: Any = SimpleNamespace(
        network=network, task=SimpleNamespace(traits=SimpleNamespace(variable_length=False))
    )
    with noted_features(predictor) as noted:
        network(x[:2])
        network(x[2:])
    assert torch.allclose(torch.from_numpy(noted.of(5)), network.body(x))
    assert noted.of(4) is None


def test_layers_for_each_place_give_no_features() -> None:
    values = torch.rand(2, 7, 4)
    assert pooled(values, (torch.rand(2, 7),), by_place=True) is None
    assert pooled(values, (torch.rand(2, 7),), by_place=False).shape == (2, 28)
    found = Features()
    found.note(np.zeros((1, 3)))
    found.note(np.zeros((1, 4)))
    assert found.of(2) is None and Features().of(0) is None


def test_an_export_hides_its_features_and_tells_them_where_asked() -> None:
    class Graph:
        inputs, outputs = ("x",), ("output", "features")

        def __call__(self, *values: Any, **named: Any) -> tuple[np.ndarray[Any, Any], ...]:
            return values[0], values[0] * 2

    stand_in = StandIn({"model": Graph()}, {})
    x = np.ones((3, 2))
    assert stand_in(x) is x
    with noted_features(SimpleNamespace(network=stand_in)) as noted:  # type: ignore[arg-type]
        stand_in(x)
    assert noted.of(3).tolist() == (x * 2).tolist() and not stand_in.beside


def test_it_is_kept_without_pickles_and_damage_is_told(tmp_path: Path) -> None:
    around = Neighbours(np.zeros(2, np.float32), np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32))
    kept = Likeness(around, 0.5, 0.01, learned=2, judged=30)
    assert read_likeness(tmp_path) is None
    kept.write(tmp_path)
    found = read_likeness(tmp_path)
    assert found is not None and (found.limit, found.learned, found.judged, found.by) == (0.5, 2, 30, "features")
    assert found.known.distances(np.ones((1, 2)))[0] == pytest.approx(1.0)
    np.savez(tmp_path / FILE, **around.arrays(), limit=1.0, promised=0.01)  # of a time before it said on how many
    old = read_likeness(tmp_path)
    assert old is not None and (old.learned, old.judged) == (2, 0)
    np.savez(tmp_path / FILE, centre=np.zeros(3), whitening=np.eye(2), known=np.eye(2), limit=1.0, promised=0.01)
    with pytest.raises(RunError, match="do not fit"):
        read_likeness(tmp_path)
    (tmp_path / FILE).write_bytes(b"PK no archive")
    with pytest.raises(RunError, match="damaged"):
        read_likeness(tmp_path)


def test_only_what_is_kept_of_the_features_is_held() -> None:
    found = Features(np.asarray([True, False, False, True, True]))
    found.note(np.arange(6.0).reshape(3, 2))
    found.note(np.arange(6.0, 10.0).reshape(2, 2))
    assert found.of(5).tolist() == [[0, 1], [6, 7], [8, 9]]  # type: ignore[union-attr]
    found.note(np.zeros((1, 2)))  # a network that is asked again: whose features they are is not known
    assert found.of(5) is None
    wide = Features(np.ones(1, bool))
    wide.note(np.zeros((1, 5000)))
    assert wide.of(1) is None


def test_mixed_up_inputs_keep_every_column_and_no_row() -> None:
    numbers = torch.arange(20.0).view(5, 4)
    batch = TableBatch(index=torch.arange(5), numbers=numbers, categories=torch.zeros(5, 0, dtype=torch.int64),
                       target=torch.arange(5))  # fmt: skip
    mixed = mixed_up(batch)
    assert torch.equal(mixed.numbers.sort(dim=0).values, numbers) and mixed.target is batch.target
    assert not (mixed.numbers == numbers).any() and mixed.categories.shape == (5, 0)


def test_mixed_up_texts_stay_as_long_as_they_were() -> None:
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 1, 1]], dtype=torch.bool)
    tokens = torch.tensor([[1, 2, 3, 0], [4, 5, 0, 0], [6, 7, 8, 9]]) * mask
    batch = TextBatch(index=torch.arange(3), tokens=tokens, mask=mask, text=tokens.to(torch.uint8), text_mask=mask)
    mixed = mixed_up(batch, ["text"])
    assert torch.equal(mixed.tokens > 0, mask) and torch.equal(mixed.text > 0, mask)
    assert not (mixed.tokens == tokens)[:, :2].any() and mixed.tokens[2, 3] == 9  # no other is as long


@pytest.fixture(scope="module")
def familiar(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run on 300 rows of two heaps, and rows of both and of neither."""
    folder, draws = tmp_path_factory.mktemp("familiar"), np.random.default_rng(0)
    middle = np.repeat([[0.0] * 4, [3.0] * 4], 150, axis=0)
    rows = middle + draws.normal(size=middle.shape) * 0.3
    lines = [",".join([*(f"{value:.4f}" for value in row), "ab"[place // 150]]) for place, row in enumerate(rows)]
    (folder / "heaps.csv").write_text("\n".join(["p,q,r,s,kind", *lines]) + "\n")
    asked = ["p,q,r,s", "0.1,-0.1,0.2,0", "3.1,2.9,3,3.2", "3,-3,0,9", "-40,55,-60,70"]
    (folder / "asked.csv").write_text("\n".join(asked) + "\n")
    run = folder / "run"
    assay.train(str(folder / "heaps.csv"), target="kind", out=run, network="mlp", epochs=4, evidence="none",
                settings={"width": 16})  # fmt: skip
    return run, folder / "asked.csv"


def test_answers_say_what_is_unlike(familiar: tuple[Path, Path], command: Any, tmp_path: Path) -> None:
    run, asked = familiar
    assert (run / "model" / FILE).exists()
    told = json.loads((run / "summary.json").read_text())
    known = {"by": "features", "train": told["samples"]["train"], "validation": told["samples"]["validation"]}
    facts = json.loads((run / "model" / "likeness.json").read_text())
    assert facts == {**known, "told_falsely": 0.05}
    rows = [json.loads(line) for line in command("predict", run, asked, "--json").out.splitlines()]
    assert [row["unlike"] for row in rows] == [False, False, True, True]
    assert all(row["unlike"] == (row["unlike_ratio"] > 1) for row in rows)
    told = command("predict", run, asked).out.splitlines()
    assert [line.endswith("unlike the training data") for line in told] == [False, False, True, True]
    copy = tmp_path / "old"  # of a time before there was such
    shutil.copytree(run, copy)
    (copy / "model" / FILE).unlink()
    rows = [json.loads(line) for line in command("predict", copy, asked, "--json").out.splitlines()]
    assert {row["unlike"] for row in rows} == {None} == {row["unlike_ratio"] for row in rows}


def test_an_export_tells_the_same(familiar: tuple[Path, Path]) -> None:
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    before, after = far_before_and_after(*familiar)
    assert after == pytest.approx(before, rel=1e-3)


def test_too_small_a_validation_side_tells_nothing(digits_run: Any) -> None:
    assert not (digits_run[0] / "model" / FILE).exists()  # ten samples
    why = json.loads((digits_run[0] / "model" / "likeness.json").read_text())
    assert why["by"] is None and "needed" in why["why"]


def test_no_pass_through_the_network_is_taken_for_it(
    familiar: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from assay.samples.split import TRAIN, VALIDATION
    from assay.serving.likeness_learning import LikenessLearner

    samples, predictor = _opened(familiar[0])
    calls: list[int] = []
    hook = predictor.network.register_forward_hook(lambda module, given, output: calls.append(len(output)))
    learner = LikenessLearner(predictor, samples)
    for side in (VALIDATION, TRAIN):
        with learner.noting(samples.view(side), side):
            predictor.task.evaluate(predictor, samples.view(side))
    asked = sum(calls)
    found = learner.learned()
    hook.remove()
    assert sum(calls) == asked == (samples.side != 2).sum() and found is not None and found.judged == 30


def _opened(run: Path) -> Any:
    from assay.planning import reopen
    from assay.progress import Progress
    from assay.run import RunFolder

    predictor = assay.load(run).predictor
    predictor.likeness = None
    return reopen(RunFolder(run), Progress()).samples, predictor
