"""Wrong and missing boxes that were planted in the labels of pictures are found by networks trained on those labels."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evidence_examples import NOTHING, context

from assay._check_subject import Subject
from assay.evaluation.box_matching import overlaps
from assay.evidence.labels import find
from assay.evidence.side import SHARE, Side
from assay.samples.samples import build_samples
from assay.samples.split import TEST, TRAIN, VALIDATION
from assay.sources.source import DataOptions, open_source
from assay.tasks.object_detection import ObjectDetection
from box_scenes import write_voc

Array = np.ndarray[Any, Any]
_PICTURES, _STEPS = 200, 80
_SMALL = {"width": "16", "depth": "0", "neck": "32", "head": "1", "finest": "4"}


def mislabelled(number: int, objects: Array) -> Array:
    """Every tenth picture lacks a label, every tenth has one of the wrong class, every tenth one where nothing is."""
    if number % 10 == 0:
        return objects[1:]
    changed = objects.copy()
    if number % 10 == 3:
        changed[0, 4] = 1 - changed[0, 4]
    if number % 10 == 6:
        places = np.asarray([[x, y, x + 15, y + 15, 0] for x in range(0, 50, 7) for y in range(0, 50, 7)])
        free = places[overlaps(places, objects).max(axis=1) == 0]
        return np.concatenate([changed, free[:1]])
    return changed


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    folder = tmp_path_factory.mktemp("mislabelled")
    source = write_voc(folder / "shapes", _PICTURES, labelled=mislabelled)
    return Subject(ObjectDetection(), open_source(source), DataOptions(), (), None, folder, _SMALL)


def test_planted_errors_are_found(subject: Subject, tmp_path: Path) -> None:
    task, spec, sides = subject.task, subject.spec, subject.prepared.split.side
    samples = build_samples(task, subject.prepared.records, spec, sides, folder=tmp_path)
    kind, settings, plan = subject.chosen
    plan = replace(plan, steps=round(_STEPS / SHARE * 2**0.5), augment={"flip": 0.5}, precision="float32")
    side = Side(task, spec, samples, kind, settings, plan)
    judge = side.out_of_fold()[0][0].predictor
    test, validation = (task.evaluate(judge, samples.view(which)) for which in (TEST, VALIDATION))
    made = context(NOTHING, validation, test, samples=samples, side=side)
    found = find(replace(made, task=task, spec=spec, predictor=judge))
    assert found.status == "act" and (found.numbers["labels looked at"].value or 0) > 250
    gallery, table = found.figures
    wanted = {"missing": 0, "another class": 3, "nothing there": 6}
    named = Counter((kind, int(str(name).split("/")[-1][:3]) % 10 == wanted[str(kind)])
                    for name, kind, *_ in table.data["rows"])  # fmt: skip
    for one in wanted:
        assert named[one, True] >= 5, (one, named)  # of about twenty of each kind
        assert named[one, False] <= 0.25 * named[one, True], (one, named)
    assert sum(named[one, True] for one in wanted) >= 24, named
    assert all(item["image"] for item in gallery.data["items"])
    assert int((samples.side == TRAIN).sum()) > 100
