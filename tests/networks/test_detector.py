"""The detector: its places, its loss, its boxes."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from assay.errors import MissingExtraError, SettingError
from assay.networks.detector import Detector, field_places, places
from assay.networks.detector_backbones import SmallBackbone, TimmBackbone
from assay.networks.detector_decoding import apart_in_classes, decode
from assay.networks.detector_loss import assign, detection_loss, pairwise_iou
from assay.networks.detector_networks import detector_networks
from assay.networks.image_networks import Pixels
from assay.samples.box_spec import BoxSpec

SPEC = BoxSpec(3, 64, 96, (0.0,) * 3, (1.0,) * 3, ("car", "bus"), 1.0, 20.0)


def small(finest: int = 8) -> Detector:
    torch.manual_seed(0)
    return Detector(Pixels(SPEC.mean, SPEC.deviation), SmallBackbone(3, 16, 1, finest, "relu"), 2, finest, 32, 1)


@pytest.mark.parametrize("finest", [4, 8])
def test_it_gives_a_box_and_logits_at_each_place(finest: int) -> None:
    network = small(finest).eval()
    centres, strides = field_places(64, 96, finest)
    with torch.inference_mode():
        found = network(torch.zeros(2, 3, 64, 96, dtype=torch.uint8))
    assert found.shape == (2, len(centres), 6)
    assert strides.unique().tolist() == [finest, 2 * finest, 4 * finest]
    assert ((found[0, :, :2] < centres) & (centres < found[0, :, 2:4])).all()
    assert found[..., 4:].sigmoid().mean() == pytest.approx(0.01, abs=0.01)


def test_places_are_the_centres_of_cells() -> None:
    centres, strides = places([(2, 3), (1, 2), (1, 1)], 8)
    assert centres[:6].tolist() == [[4, 4], [12, 4], [20, 4], [4, 12], [12, 12], [20, 12]]
    assert strides.tolist() == [8] * 6 + [16] * 2 + [32]


def test_overlaps_are_those_of_torchvision() -> None:
    from torchvision.ops import box_iou

    corner, side = torch.rand(2, 5, 2) * 50, torch.rand(2, 5, 2) * 30
    boxes = torch.cat([corner, corner + side], 2)
    mine = pairwise_iou(boxes[:, :3], boxes)
    for row in range(2):
        torch.testing.assert_close(mine[row], box_iou(boxes[row, :3], boxes[row]))


def test_each_object_gets_places_on_it_and_the_best_has_the_full_weight() -> None:
    where = field_places(64, 96, 8)
    centres, strides = where
    reach = strides[:, None] * 2.5
    boxes = torch.cat([centres - reach, centres + reach], 1)[None]
    objects = torch.tensor([[[0, 0, 40, 40, 1, 0], [50, 10, 90, 50, 0, 0], [60, 50, 64, 54, 0, 0.0]]])
    told = assign(boxes, torch.full((1, len(centres), 2), 0.01), objects, torch.ones(1, 3, dtype=torch.bool), where)
    for number, label in ((0, 1), (1, 0), (2, 0)):
        own = (told.weight[0] > 0) & (told.boxes[0] == objects[0, number, :4]).all(1)
        assert own.any()
        assert told.weight[0, own].max() == 1
        assert (told.quality[0, own, label] > 0).all()
        assert (told.quality[0, own, 1 - label] == 0).all()
    assert told.quality.max() <= 1


def test_places_on_a_hard_object_alone_are_asked_for_nothing() -> None:
    where = field_places(64, 96, 8)
    boxes = torch.cat([where[0] - 16, where[0] + 16], 1)[None]
    objects = torch.tensor([[[0, 0, 40, 40, 1, 1.0]]])
    told = assign(boxes, torch.full((1, len(where[0]), 2), 0.01), objects, torch.ones(1, 1, dtype=torch.bool), where)
    inside = (where[0] < 40).all(1)
    assert torch.equal(told.ignored[0], inside)
    assert not told.weight.any()


def test_the_loss_of_a_picture_does_not_depend_on_the_batch() -> None:
    torch.manual_seed(1)
    where = field_places(64, 96, 8)
    found = torch.cat([torch.cat([where[0] - 12, where[0] + 12], 1), torch.randn(len(where[0]), 2)], 1)
    found = found[None].repeat(3, 1, 1) + torch.randn(3, len(where[0]), 6)
    objects = torch.tensor(
        [[[0, 0, 40, 40, 1, 0], [50, 10, 90, 50, 0, 0]], [[0] * 6] * 2, [[9, 9, 30, 50, 0, 0], [0] * 6]]
    )
    real = torch.tensor([[True, True], [False, False], [True, False]])
    together = detection_loss(found, objects.float(), real, where, 1.5)
    for row in range(3):
        one = slice(row, row + 1)
        alone = detection_loss(found[one], objects[one].float(), real[one], where, 1.5)
        torch.testing.assert_close(alone, together[one])
    assert torch.isfinite(together).all()


def test_right_boxes_with_high_scores_cost_next_to_nothing() -> None:
    where = field_places(64, 96, 8)
    objects = torch.tensor([[[0, 0, 40, 40, 1, 0.0]]])
    found = torch.cat(
        [torch.tensor([[0.0, 0, 40, 40]]).expand(len(where[0]), 4), torch.full((len(where[0]), 2), -9.0)], 1
    )
    found = found[None].clone()
    real = torch.ones(1, 1, dtype=torch.bool)
    told = assign(found[..., :4], found[..., 4:].sigmoid(), objects, real, where)
    right = found.clone()
    right[0, told.weight[0] > 0, 5] = 9.0
    wrong = found.clone()
    wrong[0, told.weight[0] > 0, 4] = 9.0
    assert float(detection_loss(right, objects, real, where, 1.0)) < 0.05
    assert float(detection_loss(wrong, objects, real, where, 1.0)) > 1.0


def test_boxes_come_back_in_pixels_of_the_picture_without_doubles() -> None:
    found = torch.full((1, 3, 6), -9.0)
    found[0, 0, :4], found[0, 1, :4] = torch.tensor([8.0, 8, 40, 40]), torch.tensor([9.0, 8, 41, 40])
    found[0, 2, :4] = torch.tensor([50.0, 10, 120, 60])
    found[0, 0, 5], found[0, 1, 5], found[0, 2, 4] = 3.0, 2.0, 1.0
    (boxes,) = decode(found, np.asarray([[128, 192]]), SPEC, 0.0, 0.5)
    assert boxes[:, :4].tolist() == [[16, 16, 80, 80], [100, 20, 192, 120]]
    assert boxes[:, 5].tolist() == [1, 0]
    assert boxes[0, 4] == pytest.approx(1 / (1 + np.exp(-3.0)))
    assert len(decode(found, np.asarray([[128, 192]]), SPEC, 0.0, 0.5, overlap=1.0)[0]) == 3


def test_a_score_of_one_half_stands_where_the_threshold_is() -> None:
    found = torch.full((1, 1, 6), -9.0)
    found[0, 0, :4], found[0, 0, 5] = torch.tensor([8.0, 8, 40, 40]), -1.5
    (boxes,) = decode(found, np.asarray([[64, 96]]), SPEC, -1.5)
    assert boxes[0, 4] == pytest.approx(0.5)


def test_a_network_of_timm_gives_maps_of_the_strides() -> None:
    pytest.importorskip("timm")
    backbone = TimmBackbone("test_efficientnet", False, 3, 8)
    maps = backbone.eval()(torch.zeros(1, 3, 64, 96))
    assert [tuple(one.shape[2:]) for one in maps] == [(8, 12), (4, 6), (2, 3)]
    with pytest.raises(SettingError, match="strides"):
        TimmBackbone("test_vit", False, 3, 8)


def test_a_missing_torchvision_is_told_before_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    own = detector_networks(SPEC)[0]
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.setitem(sys.modules, "torchvision.ops", None)
    with pytest.raises(MissingExtraError, match="finding objects") as told:
        own.build(SPEC, own.settings())
    assert "assay[detection]" in str(told.value.hint)


def test_boxes_that_overlap_better_ones_are_dropped_as_torchvision_does() -> None:
    ops = pytest.importorskip("torchvision.ops")
    random = np.random.default_rng(0)
    low = random.uniform(0, 80, (200, 2)).astype(np.float32)
    boxes = np.concatenate([low, low + random.uniform(5, 40, (200, 2)).astype(np.float32)], axis=1)
    scores, labels = random.random(200).astype(np.float32), random.integers(0, 3, 200)
    for overlap in (0.2, 0.6):
        wanted = ops.batched_nms(*(torch.from_numpy(one) for one in (boxes, scores, labels)), overlap)
        assert apart_in_classes(boxes, scores, labels, overlap).tolist() == wanted.tolist()
    assert apart_in_classes(boxes[:0], scores[:0], labels[:0], 0.5).tolist() == []
