"""What happens inside: activations as they were, dead units, and how gradients flow."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from evidence_examples import NOTHING, classes, context
from torch import Tensor, nn

from assay.errors import MissingExtraError
from assay.evidence.context import Context
from assay.evidence.finding import Finding
from assay.evidence.network import find, look_inside

ROWS = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))


class Predictor:
    """Answers by calling the network as many times as a search would."""

    def __init__(self, network: nn.Module, calls: int = 1) -> None:
        self.network, self.calls = network, calls

    def respond(self, batch: Tensor) -> list[Any]:
        with torch.inference_mode():
            return [self.network(batch + call) for call in range(self.calls)]


def inside(network: nn.Module, history: Any = (), calls: int = 1, settings: Any = None) -> Context:
    samples = SimpleNamespace(
        view_of=lambda units: SimpleNamespace(windows=units), batch=lambda windows: ROWS[torch.from_numpy(windows)]
    )
    side = classes(20, 0.5)
    predictor = Predictor(network.eval(), calls)
    return context(side, NOTHING, side, samples=samples, predictor=predictor, history=history, settings=settings)


def three_layers() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2))


def norms(*rows: tuple[float | None, ...]) -> list[dict[str, Any]]:
    return [{"step": step, "gradient_norms": dict(zip("024", row, strict=True))} for step, row in enumerate(rows)]


def test_activations_are_those_that_the_layer_gave() -> None:
    """A ReLU that works in place must not change what the layer before it is said to have given."""
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True))
    linear, relu = look_inside(inside(network))
    np.testing.assert_allclose(linear.first, network[0](ROWS)[0].detach().numpy(), atol=1e-6)
    np.testing.assert_allclose(relu.first, np.maximum(linear.first, 0))
    assert (linear.shape, linear.parameters, linear.kind) == ("4", 16, "Linear")


def test_a_layer_that_a_search_calls_again_is_one_layer() -> None:
    layers = look_inside(inside(three_layers(), calls=5))
    assert [layer.name for layer in layers] == list("01234")


def test_dead_units_are_counted_over_all_layers() -> None:
    network = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 6), nn.ReLU())
    with torch.no_grad():
        network[0].bias.fill_(100.0)
        network[2].bias.fill_(-1000.0)
    found = find(inside(network))
    assert found.numbers["dead units"].value == pytest.approx(6 / 8)
    assert found.status == "watch" and "75 % of the units never move on 20 samples" in found.verdict
    assert "--set width=…" in found.next
    assert [layer["dead"] for layer in found.figures[0].data["layers"]] == [None, 0.0, None, 1.0]


def flow(*rows: tuple[float | None, ...], settings: Any = None) -> Finding:
    return find(inside(three_layers(), norms(*rows), settings=settings))


def test_gradients_that_reach_every_layer() -> None:
    found = flow((1.0, 2.0, 3.0), (1.0, 2.0, 3.0))
    assert (found.status, found.verdict) == ("good", "46 parameters in 3 layers; gradients reach every one of them.")


def test_gradients_that_vanish_or_explode() -> None:
    found = flow((1e-5, 0.01, 1.0), (1e-5, 0.01, 1.0))
    assert found.status == "watch"
    assert "vanishing: first and last layers differ 100,000-fold" in found.verdict
    assert found.next == "Try another activation: --set activation=…"
    found = flow((5e3, 1.0, 1.0), settings=SimpleNamespace())
    assert "exploding" in found.verdict and found.next == "Try another network."


def test_a_norm_that_was_not_finite_is_not_taken_for_none() -> None:
    assert flow((None, 2.0, 3.0), (1.0, 2.0, 3.0), (1.0, 2.0, 3.0)).status == "good"


def test_frozen_layers_do_not_count_as_vanishing() -> None:
    found = flow((0.0, 2.0, 3.0), (0.0, 2.0, 3.0))
    assert "gradients reach 2 of 3 layers, the others are frozen or cut off" in found.verdict


def test_without_a_history_nothing_is_claimed_of_gradients() -> None:
    assert "gradients reach" not in find(inside(three_layers())).verdict


def test_without_pillow_there_are_no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    from assay.report import images

    def missing(array: Any, size: int = 0) -> str:
        raise MissingExtraError("drawing pictures", "image")

    monkeypatch.setattr(images, "heatmap", missing)
    layers = find(inside(three_layers())).figures[0].data["layers"]
    assert [layer["activations"] for layer in layers] == [[]] * 5
