"""Shapes, words and commands of the view "Inside", without a run."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

pytest.importorskip("fastapi")

from assay.networks.met_layers import layers_met, liveliest
from assay.networks.mlp import MlpSettings
from assay.run import RunFolder
from assay.studio.inside_curves import compared
from assay.studio.inside_flow import walk
from assay.studio.inside_planes import plane, shrunk, strongest
from assay.studio.inside_settings import Chosen, attribute_texts
from assay.studio.inside_trials import Trial, Trials, command
from assay.studio.inside_weights import filters_of
from assay.training.plan import Plan


class Several(nn.Module):
    """Pictures, over a sequence with channels first and one with channels last, to a vector."""

    def __init__(self) -> None:
        super().__init__()
        self.pictures = nn.Conv2d(1, 4, 3)
        self.first = nn.Conv1d(4, 6, 1)
        self.bent = nn.ReLU()
        self.last = nn.Linear(6, 5)
        self.recurrent = nn.GRU(5, 7, batch_first=True)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(7, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        sequence = self.bent(self.first(self.pictures(x).flatten(2)))
        found = self.recurrent(self.last(sequence.transpose(1, 2)))[0]
        return self.head(self.dropout(found[:, -1]))


def met(network: nn.Module, x: torch.Tensor) -> dict[str, Any]:
    predictor: Any = SimpleNamespace(network=network.eval(), respond=network)
    return {one.name: one for one in walk(predictor, x)}


def test_forms_follow_from_shapes_and_weights() -> None:
    layers = met(Several(), torch.rand(2, 1, 5, 6))
    forms = {name: (one.form, one.values.shape) for name, one in layers.items()}
    assert forms == {
        "pictures": ("maps", (4, 3, 4)), "first": ("sequence", (6, 12)), "bent": ("sequence", (6, 12)),
        "last": ("sequence", (5, 12)), "recurrent": ("sequence", (7, 12)), "dropout": ("vector", (7,)),
        "head": ("vector", (2,)),
    }  # fmt: skip
    assert layers["dropout"].passes and not layers["bent"].passes
    assert layers["recurrent"].parameters == sum(one.numel() for one in Several().recurrent.parameters())


def test_layers_are_met_once_and_hooks_are_gone() -> None:
    network, seen = nn.Sequential(nn.Linear(3, 3), nn.ReLU()), []
    with layers_met(network, lambda module: isinstance(module, nn.Linear), lambda name, *_: seen.append(name)):
        network(torch.rand(2, 3))
        network(torch.rand(2, 3))
    network(torch.rand(2, 3))
    assert seen == ["0"]
    maps = np.zeros((3, 2, 2))
    maps[1, 0, 0] = 1
    assert liveliest(maps, 1).tolist() == [1]


def test_small_pictures_keep_means_and_extremes() -> None:
    values = np.arange(24.0).reshape(4, 6)
    small = shrunk(values, (2, 3))
    assert small.shape == (2, 3) and small.mean() == pytest.approx(values.mean())
    assert strongest(np.asarray([1.0, -3.0, 2.0, 0.0]), 2).tolist() == [-3.0, 2.0]
    assert plane(np.asarray([[np.nan, 1.0]]), 0.0, 1.0, (8, 8))["cells"] == "AP8="


@pytest.mark.parametrize(
    ("shape", "form", "planes"),
    [((5, 3, 4, 4), "colours", 5), ((5, 2, 4, 4), "filters", 5), ((5, 2, 9), "filters", 5), ((5, 7), "matrix", 1)],
)
def test_filters_by_the_shape_of_the_first_weights(shape: tuple[int, ...], form: str, planes: int) -> None:
    found = filters_of(np.ones(shape))
    assert (found["form"], len(found["planes"]), found["shape"]) == (form, planes, list(shape))


def test_docstrings_tell_what_settings_mean() -> None:
    texts = attribute_texts(Plan)
    assert texts["learning_rate"] == "the largest of the schedule."
    assert texts["steps"].endswith("the training runs.") and "seed" in texts


def chosen() -> Chosen:
    return Chosen("mlp", MlpSettings(), Plan(steps=100, batch_size=10, augment={"flip": 0.5}), 200, 50.0)


def test_a_side_training_is_as_long_as_was_asked_and_no_longer_than_the_run() -> None:
    assert chosen().passes(5.0) == 0.5 and chosen().passes(1000.0) == 5.0
    told = chosen().as_set()
    assert (told["augment.flip"], told["normalise"], told["depth"]) == ("0.5", "true", "2")
    assert not {"steps", "seed", "compile"} & set(told)


def run_of(folder: Path) -> RunFolder:
    run = RunFolder(folder)
    run.path.mkdir(exist_ok=True)
    run.write(run.plan, {"source": str(folder), "task": "table", "seed": 3, "options": {"device": "cpu"},
                         "data": {"target": "kind", "group": None, "split": "80/10/10", "split_seed": 1,
                                  "extra": {"image_size": "32"}}})  # fmt: skip
    return run


def test_the_command_repeats_the_run_with_the_change_alone(tmp_path: Path) -> None:
    words = command(run_of(tmp_path), chosen(), {"width": "64"}, 0.5)
    assert words[:2] == ["train", str(tmp_path)]
    joined = " ".join(words)
    for part in ("--target kind", "--split 80/10/10", "--split-seed 1", "--seed 3", "--image-size 32", "--epochs 0.5",
                 "--evidence none", "--set width=64", "--set depth=2", "--network mlp"):  # fmt: skip
        assert part in joined
    assert "width=256" not in joined and "--group" not in joined


def test_a_failed_side_training_says_why_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "side"
    monkeypatch.setattr("assay.studio.inside_trials.tempfile.mkdtemp", lambda prefix: folder.mkdir() or str(folder))
    trials, run = Trials(), run_of(tmp_path / "run")
    trial = trials.begin(run, chosen(), {"width": 64}, 5.0)  # its folder holds no table
    for _ in range(3000):
        if trial.state != "running" and not folder.exists():
            break
        time.sleep(0.1)
    assert trial.state == "failed" and trial.error[0] and not folder.exists()
    assert trials.find(trial.id) is trial and isinstance(trial, Trial)


def test_curves_of_both_sides_stand_on_one_scale() -> None:
    def lines(steps: int, loss: float) -> list[dict[str, Any]]:
        return [{"step": 1, "train_loss": 9.0}, {"step": steps, "validation_loss": loss, "train_sample_loss": loss / 2}]

    told = compared(lines(1000, 4.0), lines(100, 3.0), [])
    assert told["ends"] == {"run": {"step": 1000, "train": 2.0, "validation": 4.0},
                            "unchanged": {"step": 100, "train": 1.5, "validation": 3.0}, "changed": None}  # fmt: skip
    assert all("unchanged" in figure and "4.0" in figure for figure in told["figures"].values())
    assert "nothing" in compared([], [], [])["figures"]["train"].lower()
