"""A trained network is judged by the classes that it knows: others are told, and data with none of its own refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import assay
from assay.errors import DataError
from assay.sources.source import DataOptions, open_source
from assay.tasks.segmentation import Segmentation
from box_scenes import write_voc
from cell_examples import write_points
from mask_examples import write_mask, write_pairs
from scan_examples import slices_folder

Write = Callable[[Path], Path]


def replaced(folder: Path, pattern: str, *names: tuple[str, str]) -> Path:
    for file in folder.rglob(pattern):
        text = file.read_text()
        for old, new in names:
            text = text.replace(old, new)
        file.write_text(text)
    return folder


def colours(folder: Path, names: str) -> Path:
    """Masks with a table of their classes."""
    (folder / "classes.csv").write_text(f"name,id\n{names}")
    return folder


def renamed(folder: Path) -> Path:
    for name in ("lesion", "normal"):
        (folder / name).rename(folder / f"{name} 2")
    return folder


APPLICATIONS: dict[str, tuple[Write, Write, dict[str, Any]]] = {
    "object-detection": (
        lambda folder: write_voc(folder, count=9),
        lambda folder: replaced(write_voc(folder, count=3), "*.xml", ("disc", "car"), ("plate", "bus")),
        {"width": 16, "depth": 0, "neck": 32, "head": 1},
    ),
    "segmentation": (
        lambda folder: colours(write_pairs(folder, count=9), "background,0\ndisc,1\nsquare,2\n"),
        lambda folder: colours(write_pairs(folder, count=3), "background,0\ncar,1\nbus,2\n"),
        {"width": 8, "levels": 2},
    ),
    "cell-detection": (
        lambda folder: write_points(folder, count=9),
        lambda folder: replaced(write_points(folder, count=3), "*.csv", ("round", "car"), ("long", "bus")),
        {"width": 8, "levels": 2},
    ),
    "scan-diagnosis": (
        lambda folder: slices_folder(folder, patients=12),
        lambda folder: renamed(slices_folder(folder, patients=6)),
        {"width": 8},
    ),
}


@pytest.mark.parametrize("task", APPLICATIONS)
def test_data_with_none_of_the_classes_learned_is_an_error(task: str, tmp_path: Path) -> None:
    write, write_other, settings = APPLICATIONS[task]
    source = write(tmp_path / "data")
    model = assay.train(source, task=task, epochs=1, evidence="none", settings=settings, out=tmp_path / "run")
    assert len(model.evaluate(source)[1])
    with pytest.raises(DataError, match="of other classes") as told:
        model.evaluate(write_other(tmp_path / "other"))
    assert all(name in told.value.hint for name in model.task.classes(model.spec))


def judged(tmp_path: Path, masks: list[list[int]], known: tuple[str, ...]) -> tuple[list[list[int]], list[str]]:
    """The class numbers of masks of a row each, read as a network of these classes is judged by them."""
    for number, mask in enumerate(masks):
        values = np.repeat(np.asarray([mask], np.uint8), 4, axis=0)
        write_mask(tmp_path / "masks" / f"{number}.png", values)
        write_mask(tmp_path / "images" / f"{number}.png", values * 0)
    records = Segmentation().read_like(open_source(tmp_path), DataOptions(), spec_of(known))
    truths = Segmentation().truths(records.index()["target"], spec_of(known))
    return [truth.array()[0].tolist() for truth in truths], [problem.kind for problem in records.problems]


def spec_of(known: tuple[str, ...]) -> Any:
    from assay.samples.mask_spec import MaskSpec

    return MaskSpec(known, 0, 64, 1.0, False, (0.0,) * 3, (1.0,) * 3, (0.5,) * len(known))


def test_classes_of_masks_are_known_by_name_and_not_by_their_number_here(tmp_path: Path) -> None:
    """Of classes 0, 1 and 2 these masks show 0 and 2: these are not foreground and background."""
    found, problems = judged(tmp_path, [[0, 2, 2], [0, 0, 2]], ("background", "1", "2"))
    assert found == [[0, 2, 2], [0, 0, 2]] and "class-not-in-training" not in problems


def test_a_class_of_masks_that_was_not_learned_is_void(tmp_path: Path) -> None:
    found, problems = judged(tmp_path, [[0, 1, 3], [0, 2, 1]], ("background", "1", "2"))
    assert found == [[0, 1, 255], [0, 2, 1]] and "class-not-in-training" in problems


def test_two_values_are_foreground_and_background_where_the_network_learned_these(tmp_path: Path) -> None:
    assert judged(tmp_path, [[0, 9, 9], [0, 0, 9]], ("background", "foreground"))[0] == [[0, 1, 1], [0, 0, 1]]


def test_masks_that_show_nothing_can_be_judged(tmp_path: Path) -> None:
    assert judged(tmp_path, [[0, 0, 0], [0, 0, 0]], ("background", "1", "2"))[0] == [[0, 0, 0]] * 2
