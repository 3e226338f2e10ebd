"""Boxes: bright squares in small images, with statistics of objects and an average precision that is no sum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from assay.evaluation.metrics import Metric
from assay.task import Batch, Encoded, NetworkKind, Traits
from fakes.common import ColumnTask, Constant, PlainSpec, Rule, small_network

SIDE = 12
BOX = pa.struct([("x", pa.float64()), ("y", pa.float64()), ("size", pa.float64())])


def examples(count: int = 120, seed: int = 0) -> pa.Table:
    random = np.random.default_rng(seed)
    pixels, targets = [], []
    for _ in range(count):
        image = random.integers(0, 40, (SIDE, SIDE), np.uint8)
        boxes = []
        for column in (0, SIDE // 2)[: random.integers(1, 3)]:
            size = int(random.integers(3, 5))
            x, y = column + int(random.integers(0, 7 - size)), int(random.integers(0, SIDE - size + 1))
            image[y : y + size, x : x + size] = random.integers(150, 255)
            boxes.append({"x": float(x), "y": float(y), "size": float(size)})
        pixels.append(image.tobytes())
        targets.append(boxes)
    names = [f"image-{number}" for number in range(count)]
    groups = [f"camera-{number // 4}" for number in range(count)]
    return pa.table({"id": names, "pixels": pixels, "target": pa.array(targets, pa.list_(BOX)), "group": groups})


@dataclass(frozen=True)
class GridSpec(PlainSpec):
    mean: float


@dataclass(frozen=True, kw_only=True)
class GridBatch(Batch):
    image: Tensor  # (B, 1, H, W) uint8
    boxes: Tensor | None = None  # (B, N, 3): x, y, size
    boxes_mask: Tensor | None = None


@dataclass(frozen=True)
class Found:
    boxes: tuple[Mapping[str, float], ...]


@dataclass(frozen=True)
class GridSettings:
    width: int = 24


class AveragePrecision(Metric):
    """The mean precision over recall at an overlap of one half; all objects of all units are ranked together."""

    name = "ap50"

    def statistics(self, outputs: Any, truths: Any) -> list[Any]:
        return [_matched(found, wanted) for found, wanted in zip(outputs, truths, strict=True)]

    def aggregate(self, statistics: Any, weights: np.ndarray) -> float:
        wanted = sum(weight * count for (_, count), weight in zip(statistics, weights, strict=True))
        ranked = [(score, hit, weight) for (found, _), weight in zip(statistics, weights, strict=True)
                  for score, hit in found if weight]  # fmt: skip
        if not wanted:
            return float("nan")
        ranked.sort(key=lambda item: (-item[0], item[1]))
        scores, hits, counts = (np.asarray([item[place] for item in ranked], float) for place in range(3))
        last = np.r_[scores[1:] != scores[:-1], True] if len(ranked) else np.zeros(0, bool)  # ties enter together
        right, seen = np.cumsum(hits * counts)[last], np.cumsum(counts)[last]
        return float((np.diff(np.r_[0, right]) * right / np.maximum(seen, 1e-9)).sum() / wanted)


def _matched(found: Any, wanted: Any) -> tuple[list[tuple[float, bool]], int]:
    """(score, hit) of each box found, best first, and how many there are to find."""
    left, kept = list(wanted), []
    for box in sorted(found, key=lambda box: -box["score"]):
        best = max(left, key=lambda truth: overlap(box, truth), default=None)
        hit = best is not None and overlap(box, best) >= 0.5
        if hit:
            left.remove(best)
        kept.append((box["score"], hit))
    return kept, len(wanted)


def overlap(first: Mapping[str, float], second: Mapping[str, float]) -> float:
    """The area that two squares share over the area that they cover."""
    shared = 1.0
    for axis in ("x", "y"):
        end = min(first[axis] + first["size"], second[axis] + second["size"])
        shared *= max(0.0, end - max(first[axis], second[axis]))
    return shared / (first["size"] ** 2 + second["size"] ** 2 - shared)


class Squares(ColumnTask):
    name, column = "squares", "pixels"
    traits = Traits("squares in images", "a table with a column pixels", "train")
    batch_type, spec_type = GridBatch, GridSpec

    def fit_spec(self, records: Any, train: np.ndarray, options: Any) -> GridSpec:
        sizes = [
            box["size"] for boxes in records.index()["target"].filter(pa.array(train)).to_pylist() for box in boxes
        ]
        return GridSpec(float(np.mean(sizes)))

    def encode(self, batch: pa.RecordBatch, records: Any, spec: GridSpec, log: Any) -> Encoded:
        raw = batch.column("pixels").to_pylist()
        rows = np.asarray([row for row, pixels in enumerate(raw) if len(pixels) == SIDE * SIDE], np.int64)
        for row in set(range(len(raw))) - set(rows.tolist()):
            log.add("truncated-image", "skipped", batch.column("id")[row].as_py())
        images = [np.frombuffer(raw[row], np.uint8).reshape(1, SIDE, SIDE) for row in rows]
        fields: dict[str, Any] = {"image": np.stack(images) if images else np.zeros((0, 1, SIDE, SIDE), np.uint8)}
        if "target" in batch.schema.names:
            wanted = batch.column("target").to_pylist()
            table = [[(box["x"], box["y"], box["size"]) for box in wanted[row]] for row in rows]
            fields["boxes"] = [np.asarray(boxes, np.float32).reshape(-1, 3) for boxes in table]
        return Encoded(fields, rows)

    def networks(self, spec: GridSpec) -> Sequence[NetworkKind]:
        def build(spec: GridSpec, settings: GridSettings) -> nn.Module:
            wide = settings.width
            first = nn.Sequential(
                nn.Conv2d(1, wide, 5, padding=2), nn.ReLU(), nn.Conv2d(wide, wide, 5, padding=2), nn.ReLU()
            )
            return nn.Sequential(first, nn.Conv2d(wide, 2, 1))

        return small_network("grid", GridSettings, build, "an object or none at each pixel")

    def augment(self, batch: GridBatch, draws: Any, plan: Any, spec: GridSpec) -> GridBatch:
        """Mirrored left to right, boxes too."""
        chosen = draws.uniform("mirror") < 0.5
        image = torch.where(chosen[:, None, None, None], batch.image.flip(3), batch.image)
        boxes = batch.boxes.clone()
        turned = (SIDE - boxes[..., 0] - boxes[..., 2]) * batch.boxes_mask
        boxes[..., 0] = torch.where(chosen[:, None], turned, boxes[..., 0])
        return replace(batch, image=image, boxes=boxes)

    def objective(self, network: nn.Module, batch: GridBatch, plan: Any, spec: GridSpec) -> Tensor:
        """A logit and a size at the pixel of each square's first corner."""
        there, size = network(batch.image.float() / 255).unbind(1)
        wanted, sizes = torch.zeros_like(there), torch.zeros_like(there)
        for row, (boxes, keep) in enumerate(zip(batch.boxes, batch.boxes_mask, strict=True)):
            for x, y, side in boxes[keep].tolist():
                wanted[row, int(y), int(x)], sizes[row, int(y), int(x)] = 1.0, side - spec.mean
        found = binary_cross_entropy_with_logits(there, wanted, reduction="none").flatten(1).sum(1)
        return found + (((size - sizes) ** 2) * wanted).flatten(1).sum(1)

    def predict(self, network: nn.Module, batch: GridBatch, spec: GridSpec, options: Mapping[str, Any]) -> list[Any]:
        there, size = network(batch.image.float() / 255).unbind(1)
        found = [self._boxes(scores, sides + spec.mean) for scores, sides in zip(there.sigmoid(), size, strict=True)]
        return [suppress(boxes, float(options.get("overlap", 0.3))) for boxes in found]

    @staticmethod
    def _boxes(scores: Tensor, sizes: Tensor) -> list[dict[str, float]]:
        values, places = scores.flatten().topk(8)
        return [_box(int(place), sizes.flatten(), float(value)) for value, place in zip(values, places, strict=True)]

    def answer(self, output: Any, spec: GridSpec) -> Found:
        return Found(tuple(output))

    def metrics(self, spec: GridSpec) -> Sequence[Any]:
        return (AveragePrecision(),)

    def baselines(self, spec: GridSpec) -> Sequence[Any]:
        middle = [{"x": 4.0, "y": 4.0, "size": 4.0, "score": 0.5}]
        return (Rule("connected bright pixels", bright), Constant(lambda truths: middle))


def _box(place: int, sizes: Tensor, score: float) -> dict[str, float]:
    size = max(1.0, float(sizes[place]))
    return {"x": float(place % SIDE), "y": float(place // SIDE), "size": size, "score": round(score, 5)}


def suppress(boxes: list[dict[str, float]], most: float) -> list[dict[str, float]]:
    """Without the boxes that overlap a better one by more than `most`."""
    kept: list[dict[str, float]] = []
    for box in sorted(boxes, key=lambda box: -box["score"]):
        if all(overlap(box, other) <= most for other in kept):
            kept.append(box)
    return kept


def bright(batch: GridBatch) -> list[list[dict[str, float]]]:
    from scipy.ndimage import find_objects, label

    found = []
    for image in batch.image[:, 0].numpy():
        pieces = find_objects(label(image > 100)[0])
        found.append([{"x": float(across.start), "y": float(down.start), "size": float(across.stop - across.start),
                       "score": 1.0} for down, across in pieces])  # fmt: skip
    return found
