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


def test_layers_that_no_gradient_reaches_are_named() -> None:
    found = flow((0.0, 2.0, 3.0), (0.0, 2.0, 3.0))
    assert found.status == "watch"
    assert "no gradient ever reached layer 0, which learned nothing" in found.verdict
    assert "no gradient" not in flow((0.0, 2.0, 3.0)).verdict  # the first step says nothing of branches that start at 0


def test_frozen_layers_are_no_fault() -> None:
    network = three_layers()
    for parameter in network[0].parameters():
        parameter.requires_grad = False
    found = find(inside(network, norms((0.0, 2.0, 3.0), (0.0, 2.0, 3.0))))
    assert found.status == "good"
    assert "gradients reach every one that is not frozen (2 of 3)" in found.verdict


def test_gradients_that_grow_over_the_steps_explode() -> None:
    calm = [(1.0, 2.0, 3.0)] * 6
    assert flow(*calm, *[(10.0, 20.0, 30.0)] * 6).status == "good"
    assert flow(*[(1e3, 2e3, 3e3)] * 6, *calm).status == "good", "fading over the steps is what learning ends with"
    found = flow(*calm, *[(1e3, 2e3, 3e3)] * 6)
    assert found.status == "watch" and "exploding: they grew 1,000-fold" in found.verdict
    assert "learning_rate" in found.next
    found = flow(*calm, *[(None, 2.0, 3.0)] * 2)
    assert "gradients are exploding: they broke" in found.verdict


def stack(bend: type[nn.Module], depth: int) -> nn.Sequential:
    """`depth` layers of 16 units whose weights alone would keep the size of what goes through."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for number in range(depth):
        layer = nn.Linear(3 if number == 0 else 16, 16)
        nn.init.normal_(layer.weight, std=1 / layer.in_features**0.5)
        layers += [layer, bend()]
    return nn.Sequential(*layers, nn.Linear(16, 2))


def noted(network: nn.Module) -> list[dict[str, Any]]:
    """The norms that a training writes down, of gradients that went back through the network."""
    from assay.training.loop import _norms, layers_with_parameters

    network(ROWS).square().mean().backward()
    return [{"step": 1, "gradient_norms": _norms(dict(layers_with_parameters(network)))}]


class Wave(nn.Module):
    """Keeps what goes forward within bounds, and makes what goes back some four times larger."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(6 * x)


@pytest.mark.parametrize(("bend", "word"), [(nn.Sigmoid, "vanishing"), (Wave, "exploding"), (nn.Identity, "")])
def test_gradients_of_real_networks(bend: type[nn.Module], word: str) -> None:
    """A sigmoid makes what goes back at least four times smaller."""
    network = stack(bend, 10)
    found = find(inside(network, noted(network)))
    assert ("vanishing" in found.verdict, "exploding" in found.verdict) == (word == "vanishing", word == "exploding")
    assert found.status == ("watch" if word else "good")


def test_a_layer_of_which_most_units_are_dead_is_named() -> None:
    network = nn.Sequential(nn.Linear(3, 60), nn.ReLU(), nn.Linear(60, 20), nn.ReLU(), nn.Linear(20, 2))
    with torch.no_grad():
        network[0].bias.fill_(100.0)
        network[2].weight.mul_(0.01)
        network[2].bias.fill_(100.0)
        network[2].bias[:12].fill_(-10_000.0)
    found = find(inside(network))
    assert found.status == "watch"
    assert "15 % of the units never move on 20 samples, 60 % of those of 3" in found.verdict
    assert found.numbers["dead units of the worst layer"].value == pytest.approx(0.6)
    bars = next(figure for figure in found.figures if figure.title == "Dead units by layer")
    assert bars.data["rows"] == [{"label": "1", "value": 0.0}, {"label": "3", "value": pytest.approx(0.6)}]
    assert "fewer than 3 in 20" in found.certainty


def test_a_layer_without_a_living_unit_is_a_fault() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    with torch.no_grad():
        network[2].bias.fill_(-1000.0)
    found = find(inside(network))
    assert found.status == "act" and "all units of 3 are dead" in found.verdict


def test_without_dead_units_none_are_drawn() -> None:
    titles = [figure.title for figure in find(inside(three_layers())).figures]
    assert "Dead units by layer" not in titles and "Weight norm by layer" in titles


def test_weights_that_faded_or_broke_are_named() -> None:
    network = three_layers()
    with torch.no_grad():
        network[2].weight.mul_(1e-7)
    found = find(inside(network))
    assert found.status == "act" and "the weights of layer 2 have faded to nothing" in found.verdict
    with torch.no_grad():
        network[4].weight[0, 0] = torch.inf
    assert "weights of layer 4 are not finite" in find(inside(network)).verdict


def test_weight_norms_are_those_of_the_layers() -> None:
    network = three_layers()
    rows = {row["label"]: row["value"] for row in find(inside(network)).figures[-1].data["rows"]}
    assert rows == {name: pytest.approx(float(network[int(name)].weight.detach().norm())) for name in "024"}


def test_without_a_history_nothing_is_claimed_of_gradients() -> None:
    assert "gradients reach" not in find(inside(three_layers())).verdict


def test_without_pillow_there_are_no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    from assay.report import images

    def missing(array: Any, size: int = 0) -> str:
        raise MissingExtraError("drawing pictures", "image")

    monkeypatch.setattr(images, "heatmap", missing)
    layers = find(inside(three_layers())).figures[0].data["layers"]
    assert [layer["activations"] for layer in layers] == [[]] * 5
