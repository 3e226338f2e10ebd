"""Which shares of the training side the side trainings get, and how long they train."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from assay.baselines.fit import Fitted
from assay.evidence._side_training import Training
from assay.evidence.side import CLASSICAL_TIME, FEWEST_OF_SHARE, Side
from assay.training.plan import Plan
from assay.work import Mapper


class Samples:
    """Training units alone, of which `together` in a row are one group."""

    def __init__(self, count: int, together: int = 1) -> None:
        self.side, self.together = np.zeros(count, np.int8), together

    def view(self, side: int) -> Any:
        return self.view_of(np.arange(len(self.side)))

    def view_of(self, units: Any) -> Any:
        class View(SimpleNamespace):
            def __len__(self) -> int:
                return len(self.units)

        return View(units=units, groups=lambda: units // self.together)


def side_of(samples: Samples, steps: int = 1000) -> tuple[Side, dict[str, Any]]:
    """Side trainings that are only written down: by name, the units and the steps."""
    plan = Plan(steps=steps)
    side = Side(None, None, samples, None, None, plan)  # type: ignore[arg-type]
    trained: dict[str, Any] = {}

    def made(training: Training) -> SimpleNamespace:
        trained[training.name] = (training.units, training.plan.steps)
        return SimpleNamespace(name=training.name, units=training.units)

    side._made = made  # type: ignore[assignment, method-assign]
    return side, trained


def test_smaller_shares_lie_inside_larger_ones() -> None:
    side, _ = side_of(Samples(8000))
    shares = side.shares((4, 8))
    assert {divisor: len(part) for divisor, part in shares.items()} == {4: 2000, 8: 1000}
    assert set(shares[8]) < set(shares[4])


def test_the_point_of_the_curve_takes_a_quarter_of_the_training() -> None:
    side, trained = side_of(Samples(8000), 1600)
    assert [len(run.units) for runs in side.nested().values() for run in runs] == [1000]
    assert [steps for _, steps in trained.values()] == [400]


@pytest.mark.parametrize(("count", "divisors"), [(60, []), (100, []), (200, [8])])
def test_shares_of_a_few_samples_are_left_out(count: int, divisors: list[int]) -> None:
    side, trained = side_of(Samples(count))
    assert list(side.nested()) == divisors
    assert all(len(units) >= FEWEST_OF_SHARE for units, _ in trained.values())


def test_groups_stay_whole_in_the_halves() -> None:
    side, _ = side_of(Samples(2000, together=4))
    assert side.halves is not None
    first, second = side.halves
    assert len(first) + len(second) == 2000 and not set(first // 4) & set(second // 4)


def test_the_first_half_of_the_classical_model_is_a_point_of_its_curve() -> None:
    side, _ = side_of(Samples(8000))
    asked: list[tuple[int, float]] = []

    class Model:
        def load_libraries(self) -> None:
            """It needs none."""

        def fit(self, view: Any, validation: Any, seconds: float, seed: int) -> str:
            asked.append((len(view), seconds))
            return ""

    side.task = SimpleNamespace(baselines=lambda spec: iter([Model()]), evaluate=lambda model, view: None)  # type: ignore[assignment]
    time = CLASSICAL_TIME * 16.0
    curve = side.classical(16.0)
    (first, others), (second, those) = side.classical_out_of_fold(16.0)
    assert asked == [(4000, 0.5 * time), (1000, 0.125 * time), (4000, 0.5 * time)]
    assert first.model is curve[2].model and second.model is not first.model
    assert side.halves is not None and others is side.halves[1] and those is side.halves[0]


def test_what_will_be_asked_for_is_made_at_once() -> None:
    calls: list[list[Any]] = []

    class Wide(Mapper):
        width = 4

        def __call__(self, subject: Any, work: Any) -> Any:
            calls.append([one.name if isinstance(one, Training) else len(one.units) for one in work])
            for one in work:
                model: Any = SimpleNamespace()
                network = SimpleNamespace(eval=lambda: None)
                yield network if isinstance(one, Training) else Fitted(model, 1.0, "", None)

    side = Side(None, None, Samples(8000), None, None, Plan(steps=1000), mapper=Wide())  # type: ignore[arg-type]
    side.ahead(curve=True, halves=True, classical_s=16.0)
    assert calls == [["curve-8", "2-0", "2-1"], [4000, 1000, 4000]]
    assert list(side.nested()) == [8] and len(side.out_of_fold()) == 2 and len(side.classical_out_of_fold(16.0)) == 2
    assert sum(map(bool, calls)) == 2, "nothing is made again"


def test_a_network_whose_parts_share_weights_is_written_and_read_back(tmp_path: Path) -> None:
    """As translators do: safetensors refuses to write one tensor under two names."""
    import torch
    from torch import nn

    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3, bias=False)
            self.second.weight = self.first.weight

    counts: list[int] = []

    class Maker(Mapper):
        width = 1

        def __call__(self, subject: Any, work: Any) -> Any:
            counts.append(len(work))
            yield from (Shared() for _ in work)

    kind: Any = SimpleNamespace(build=lambda spec, settings: Shared())
    made = []
    for _ in range(2):
        side = Side(None, None, Samples(8000), kind, Nothing(), Plan(steps=1000), tmp_path, mapper=Maker())  # type: ignore[arg-type]
        made.append([run.predictor.network for runs in side.nested().values() for run in runs])
    for one, other in zip(*made, strict=True):
        assert torch.equal(one.first.weight, other.first.weight) and torch.equal(one.first.bias, other.first.bias)
        assert other.second.weight is other.first.weight
    assert counts[0] and not any(counts[1:]), "the second reads back what the first has made"


@dataclass(frozen=True)
class Nothing:
    """Hyper-parameters of a network that has none."""


def test_of_crops_a_network_sees_what_is_kept_of_the_whole() -> None:
    """Where the augmentation cuts a smaller piece out, what is hidden goes before that; else it goes afterwards."""
    torch = pytest.importorskip("torch")
    from assay.evidence._side_training import seeing
    from assay.samples.image_places import rim_of

    class Cropping:
        side = 0

        def augment(self, batch: Any, draws: Any, plan: Any, spec: Any) -> Any:
            return SimpleNamespace(image=batch.image[..., self.side :, self.side :])

        def masked(self, batch: Any, part: Any, spec: Any) -> Any:
            return SimpleNamespace(image=batch.image * part)

        def objective(self, network: Any, batch: Any, plan: Any, spec: Any) -> Any:
            return batch.image

        predict = objective

    rim = rim_of(16, 16)
    task: Any = seeing(Cropping(), rim)  # type: ignore[arg-type]
    batch = SimpleNamespace(image=torch.ones(2, 3, 16, 16))
    for task.side in (0, 4):
        changed = task.augment(batch, None, None, None)
        assert bool((changed.image == 1).all()) == (task.side == 0)
        seen = task.objective(None, changed, None, None)
        assert (seen[0, 0].numpy() == rim[task.side :, task.side :]).all()
