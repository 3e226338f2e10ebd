"""The paths of the view "Inside" on real runs of pictures and of a table."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

from inside_studio import Studio, make_app


class Asked:
    """A browser's place: `get` and `post` below the paths of one run."""

    def __init__(self, client: Any, run: str) -> None:
        self._client, self._base = client, f"/api/runs/{run}/inside/"

    def get(self, path: str, status: int = 200) -> dict[str, Any]:
        return self._told(self._client.get(self._base + path), status)

    def post(self, path: str, body: Any, status: int = 200) -> dict[str, Any]:
        return self._told(self._client.post(self._base + path, json=body), status)

    def _told(self, response: Any, status: int) -> dict[str, Any]:
        assert response.status_code == status, response.text
        found: dict[str, Any] = response.json()
        assert found["format"] == 1
        return found


@pytest.fixture(scope="module")
def client(digits_run: Any, wine_run: Any) -> Iterator[Any]:
    from fastapi.testclient import TestClient

    with TestClient(make_app(Studio(digits_run[0], wine_run[0]))) as found:
        yield found


@pytest.fixture(scope="module")
def digits_inside(client: Any) -> Asked:
    return Asked(client, "digits")


@pytest.fixture(scope="module")
def wine_inside(client: Any) -> Asked:
    return Asked(client, "wine")


def cells(plane: dict[str, Any]) -> np.ndarray[Any, Any]:
    values = np.frombuffer(base64.b64decode(plane["cells"]), np.uint8)
    return values.reshape(plane["rows"], plane["columns"])


def test_a_picture_flows_through_the_layers(digits_inside: Asked, digits_run: Any) -> None:
    about = digits_inside.get("about")
    assert (about["task"], about["takes"], about["value"]) == ("image-classification", ["picture"], None)
    assert about["finding"]["verdict"].startswith(f"{about['network']['parameters']:,} parameters")
    listed = digits_inside.get("samples?count=3")
    assert (len(listed["samples"]), listed["side"]) == (3, "test") and listed["of"] == 10
    assert all(one["drawing"]["image"].startswith("data:image/") for one in listed["samples"])
    first = listed["samples"][0]
    flow = digits_inside.post("flow", {"id": first["id"]})
    layers = {layer["name"]: layer for layer in flow["layers"]}
    pixels, head = layers["pixels"], layers["body.head"]
    assert (pixels["form"], pixels["shape"], cells(pixels["planes"][0]).shape) == ("maps", [1, 8, 8], (8, 8))
    assert (head["form"], head["shape"], head["parameters"]) == ("vector", [10], 330)
    assert head["names"] == [str(digit) for digit in range(10)]
    assert flow["truth"] == first["target"] and flow["answer"].startswith(head["names"][int(np.argmax(head["bars"]))])
    owned = sum(layer["parameters"] for layer in flow["layers"])
    assert owned == json.loads((digits_run[0] / "summary.json").read_text())["network"]["parameters"]


def test_one_layer_larger_and_one_that_is_not_there(digits_inside: Asked) -> None:
    name = digits_inside.get("samples?count=1&order=worst")["samples"][0]["id"]
    layer = digits_inside.post("flow", {"id": name, "layer": "body.hidden.0"})["layer"]
    assert (layer["of"], len(layer["bars"])) == (32, 32)
    assert "no layer" in digits_inside.post("flow", {"id": name, "layer": "nowhere"}, 422)["error"]
    assert "not in the data" in digits_inside.post("flow", {"id": "another.png"}, 422)["error"]
    assert digits_inside.post("flow", {}, 422)["hint"]


def test_a_picture_of_ones_own_is_taken_and_a_text_is_not(digits_inside: Asked, digits: Path) -> None:
    photo = next(digits.rglob("*.png"))
    sent = {"name": photo.name, "base64": base64.b64encode(photo.read_bytes()).decode()}
    flow = digits_inside.post("flow", {"inputs": [sent]})
    assert flow["id"] == photo.name and not flow["truth"] and len(flow["layers"]) > 5
    digits_inside.post("flow", {"inputs": [{**sent, "name": "page.pdf"}]}, 415)
    broken = {"name": "a.png", "base64": base64.b64encode(b"no picture").decode()}
    assert digits_inside.post("flow", {"inputs": [broken]}, 422)["hint"]


def test_weights_over_pixels_are_pictures_and_histograms_count_all(digits_inside: Asked) -> None:
    told = digits_inside.get("weights")
    filters = told["filters"]
    assert (filters["form"], filters["of"], filters["shape"]) == ("filters", 32, [32, 1, 8, 8])
    assert cells(filters["planes"][0]).shape == (8, 8) and filters["low"] == -filters["high"]
    assert all(sum(layer["bins"]) == layer["count"] for layer in told["layers"])


def test_gradients_are_those_of_the_finding(digits_inside: Asked) -> None:
    told = digits_inside.get("gradients")
    assert "kind-heat" in told["figure"] and "body.head" in told["figure"] and told["finding"]["numbers"]


def test_a_row_flows_through_and_its_sliders_know_the_run(wine_inside: Asked, wine_run: Any) -> None:
    about = wine_inside.get("about")
    assert about["value"] == "row" and "alcohol" in about["columns"] and "cultivar" not in about["columns"]
    row = dict.fromkeys(about["columns"], "1.5")
    flow = wine_inside.post("flow", {"inputs": [row]})
    assert flow["layers"][-1]["names"] == ["barbera", "barolo", "grignolino"]
    settings = wine_inside.get("settings")
    sliders = {one["name"]: one for one in settings["sliders"]}
    written = json.loads((wine_run[0] / "plan.json").read_text())
    assert sliders["width"]["value"] == 16 and sliders["width"]["group"] == "size"
    assert sliders["learning_rate"]["value"] == written["plan"]["learning_rate"]
    assert sliders["dropout"]["meaning"] and sliders["weight_decay"]["off"]
    assert settings["ends"]["run"] and settings["ends"]["changed"] is None


def test_odd_questions_are_refused(client: Any, digits_inside: Asked) -> None:
    assert Asked(client, "nowhere").get("about", 422)["error"] == "there is no run 'nowhere'"
    assert "no setting" in digits_inside.post("trials", {"set": {"speed": 1}}, 422)["error"]
    assert "not possible" in digits_inside.post("trials", {"seconds": 1e9}, 422)["error"]
    assert digits_inside.post("trials", {"set": 3}, 422)["hint"]
    assert "no such side training" in digits_inside.get("trials/0123", 422)["error"]
    assert client.post("/api/runs/digits/inside/flow", content=b"{").status_code == 422
