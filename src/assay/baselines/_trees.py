"""A check of LightGBM's text form before LightGBM reads it: its reader trusts the numbers that it finds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from assay.baselines._storage import damaged, require

Array = np.ndarray[Any, Any]


def check_model_text(text: str, path: Path, columns: int, outputs: int) -> None:
    """Raise `RunError` unless every tree is whole, free of cycles and looks only at columns that exist.

    Args:
        text: what `Booster.model_to_string` gave.
        path: the file it was read from, for the error.
        columns: how many columns the model may look at.
        outputs: how many scores it gives.
    """
    head, *trees = re.split(r"^Tree=\d+\n", text.partition("\nend of trees")[0], flags=re.MULTILINE)
    require("\nend of trees" in text, path, "the end is missing")
    about = _entries(head)
    require(_integer(about, "max_feature_idx", path) == columns - 1, path, "another number of columns")
    for name in ("num_class", "num_tree_per_iteration"):
        require(_integer(about, name, path) == outputs, path, "another number of outputs")
    starts = [match.start() for match in re.finditer(r"^Tree=\d+\n", text, flags=re.MULTILINE)]
    sizes = np.diff([*starts, text.index("\nend of trees") + 1])
    require(text.isascii() and bool(starts), path, "no trees")
    require(np.array_equal(_numbers(about, "tree_sizes", path), sizes), path, "trees of another size than it says")
    for tree in trees:
        _check_tree(_entries(tree), path, columns)


def _check_tree(tree: Mapping[str, str], path: Path, columns: int) -> None:
    leaves = _integer(tree, "num_leaves", path)
    require(1 <= leaves <= 100_000, path, "a tree without leaves")
    require(_integer(tree, "is_linear", path, missing=0) == 0, path, "a tree with linear leaves")
    require(len(_numbers(tree, "leaf_value", path)) == leaves, path, "a tree with missing leaves")
    categories = _integer(tree, "num_cat", path)
    if leaves == 1:
        return
    fields = {name: _numbers(tree, name, path) for name in ("split_feature", "threshold", "decision_type")}
    children = [_numbers(tree, name, path) for name in ("left_child", "right_child")]
    node = np.arange(leaves - 1)
    for values in (*fields.values(), *children):
        require(len(values) == leaves - 1, path, "a tree with missing nodes")
    for child in children:  # a child comes after its parent, or is a leaf, counted down from -1
        fits = np.where(child >= 0, (child > node) & (child < leaves - 1), child >= -leaves)
        require(bool(fits.all()), path, "a tree whose nodes form no tree")
    split = fields["split_feature"]
    require(bool(((split >= 0) & (split < columns)).all()), path, "a column that does not exist")
    by_category = fields["decision_type"].astype(np.int64) % 2 == 1
    _check_categories(tree, path, categories, fields["threshold"][by_category])


def _check_categories(tree: Mapping[str, str], path: Path, categories: int, used: Array) -> None:
    """The sets of categories: places in a list of 32-bit words, in order and within it."""
    if not categories:
        require(not len(used), path, "categories that do not exist")
        return
    bounds, words = _numbers(tree, "cat_boundaries", path), _numbers(tree, "cat_threshold", path)
    require(len(bounds) == categories + 1 and bounds[0] == 0, path, "sets of categories that do not fit")
    require(bool((np.diff(bounds) >= 0).all()) and bounds[-1] == len(words), path, "sets of categories that do not fit")
    require(bool(((used >= 0) & (used < categories)).all()), path, "categories that do not exist")


def _entries(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def _integer(entries: Mapping[str, str], name: str, path: Path, missing: int | None = None) -> int:
    try:
        return int(entries[name]) if missing is None else int(entries.get(name, missing))
    except (KeyError, ValueError) as error:
        raise damaged(path, f"{name!r} is missing or no whole number") from error


def _numbers(entries: Mapping[str, str], name: str, path: Path) -> Array:
    try:
        return np.asarray([float(value) for value in entries[name].split()])
    except (KeyError, ValueError) as error:
        raise damaged(path, f"{name!r} is missing or no list of numbers") from error
