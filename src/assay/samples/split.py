"""Which side of the data a sample is on: train, validation or test, so that nothing leaks between them.

A sample's side follows from a hash of its group (or content) and the split seed. Samples that share a group or are
copies of one another, exact or changed a little, form a component, and a component is never cut.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from assay.arrow import pa, pc
from assay.errors import DataError, SettingError, did_you_mean
from assay.samples.draws import key_of, mix
from assay.sources._splits import split_of
from assay.sources.records import ProblemLog

SIDES = ("train", "validation", "test")
TRAIN, VALIDATION, TEST = 0, 1, 2
DEFAULT = (0.8, 0.1, 0.1)


@dataclass(frozen=True)
class Split:
    """The side of each sample.

    Attributes:
        side: (N,) int8, an index into `SIDES`.
        by: what decided: each sample's content, its group, or a split that came with the data.
    """

    side: np.ndarray[Any, Any]
    by: Literal["content", "group", "given"]

    def counts(self) -> dict[str, int]:
        """How many samples are on each side."""
        return {name: int((self.side == number).sum()) for number, name in enumerate(SIDES)}


def parse_shares(text: str | None) -> tuple[float, float, float] | None:
    """`80/10/10` as shares that sum to 1; None where `text` names a column instead (or is None)."""
    if text is None or "/" not in text:
        return None
    try:
        parts = [float(part) for part in text.split("/")]
    except ValueError:
        parts = []
    if len(parts) != 3 or min(parts) < 0 or parts[0] <= 0 or not 99.0 <= sum(parts) <= 101.0:
        raise SettingError(f"--split {text!r} is not three shares that sum to 100", "Write it as 80/10/10.")
    total = sum(parts)
    return parts[0] / total, parts[1] / total, parts[2] / total


def split(
    index: pa.Table,
    asked: str | None,
    seed: int,
    log: ProblemLog | None = None,
    copies: np.ndarray[Any, Any] | None = None,
    whole: bool = False,
) -> Split:
    """The side of each row of `index` (see `Records.index`).

    Args:
        index: columns `id`, `target`, and where there are any `group`, `digest`, `split`.
        asked: the user's `--split`: shares, or None (a column's values are already in `split`).
        seed: the split seed.
        log: takes a note where exact duplicates lie across a split that came with the data.
        copies: (P, 2) pairs of rows that belong together though neither group nor digest says so.
        whole: the sides that came with the data are all that there shall be; else a missing one is cut from training.
    """
    shares = parse_shares(asked)
    components = _components(index, copies)
    strata = _strata(index)
    key = _keys(index, components, seed)
    given = index.column("split").to_pylist() if "split" in index.column_names else []
    if shares is None and any(value is not None for value in given):
        sides = _given(given, index)
        return Split(sides if whole else _complete(sides, components, strata, key, index, log), "given")
    side = _assign(components, strata, key, shares or DEFAULT)
    grouped = "group" in index.column_names and index.column("group").null_count < index.num_rows
    return Split(side, "group" if grouped else "content")


def check_sides(
    found: Split, index: pa.Table, asked: str | None, copies: np.ndarray[Any, Any] | None = None, whole: bool = False
) -> None:
    """Raise `DataError` where a side that there shall be has no sample; arguments as of `split`.

    A given split may lack validation: nothing is then chosen on that side, but what is learnt can be judged.
    """
    counts = found.counts()
    given = found.by == "given"
    if given and whole:
        return
    shares = parse_shares(asked) or DEFAULT
    wanted = ("train", "test") if given else [name for name, share in zip(SIDES, shares, strict=True) if share > 0]
    empty = [name for name in wanted if not counts[name]]
    if not empty:
        return
    without = f"the {' and the '.join(empty)} side {'get' if len(empty) > 1 else 'gets'} none"
    if given and not counts["train"]:
        raise DataError(
            "the split that came with the data puts no sample on the training side",
            "Put some there, or pass --split 80/10/10 to split anew.",
        )
    rows, apart = index.num_rows, len(np.unique(_components(index, copies)))
    many = f"{rows} sample{'s' if rows != 1 else ''}"
    if apart < rows:
        many += f" in {apart} group{'s' if apart != 1 else ''} (or sets of copies), which are never cut,"
    raise DataError(
        f"{many} cannot be split: {without}",
        "Add samples, at least ten or so, or pass --split 100/0/0 to learn from all and judge nothing.",
    )


def _components(index: pa.Table, copies: np.ndarray[Any, Any] | None = None) -> np.ndarray[Any, Any]:
    """(N,) the component of each row: rows that share a group or a digest, or are copies, share a component."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    rows = index.num_rows
    links: list[np.ndarray[Any, Any]] = [] if copies is None or not len(copies) else [np.asarray(copies).T]
    for name in ("group", "digest"):
        if name in index.column_names:
            codes = pc.dictionary_encode(index.column(name)).combine_chunks().indices.to_numpy(zero_copy_only=False)
            known = np.flatnonzero(~np.isnan(codes.astype(float)))
            first: np.ndarray[Any, Any] = np.unique(codes[known].astype(np.int64), return_index=True)[1]
            if len(first) < len(known):
                links.append(np.stack([known, known[first][codes[known].astype(np.int64)]]))
    if not links:
        return np.arange(rows)
    pairs = np.concatenate(links, axis=1)
    graph = coo_matrix((np.ones(pairs.shape[1], np.int8), (pairs[0], pairs[1])), shape=(rows, rows))
    return np.asarray(connected_components(graph, directed=False)[1])


def _strata(index: pa.Table) -> np.ndarray[Any, Any]:
    """(N,) what a row counts as when sides are balanced: its class, its rarest label, or its tenth of the numbers.

    The numbers follow from the values alone, so that the order of the rows changes nothing.
    """
    target = index.column("target") if "target" in index.column_names else None
    if target is None or target.null_count == len(target):
        return np.zeros(index.num_rows, np.int64)
    if pa.types.is_floating(target.type) or pa.types.is_integer(target.type):
        values = target.to_numpy()
        edges = np.nanquantile(values, np.linspace(0, 1, 11)[1:-1])
        return np.asarray(np.searchsorted(edges, values), np.int64)
    if pa.types.is_string(target.type) or pa.types.is_large_string(target.type):
        return _classes(target)
    if pa.types.is_list(target.type) and pa.types.is_string(target.type.value_type):
        return _rarest(target)
    return np.zeros(index.num_rows, np.int64)


def _classes(target: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    """(N,) the number of each row's text in sorted order from 1, 0 for none; all 0 where texts hardly ever repeat.

    A text that is another one in almost every row (a sentence, a transcript) is no class: balanced one by one, no row
    would ever leave the training side.
    """
    names = sorted(name for name in target.unique().to_pylist() if name is not None)
    if 3 * len(names) > len(target):
        return np.zeros(len(target), np.int64)
    codes = pc.fill_null(pc.index_in(target, pa.array(names, target.type)), -1)
    return np.asarray(codes.to_numpy(), np.int64) + 1


def _rarest(target: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    """(N,) the number of each row's rarest label; rows without one share a number."""
    counts = {item["values"]: item["counts"] for item in pc.value_counts(pc.list_flatten(target)).to_pylist()}
    number = {label: place for place, label in enumerate(sorted(counts, key=lambda label: (counts[label], label)))}
    rows = [min((number[label] for label in labels or []), default=len(number)) for labels in target.to_pylist()]
    return np.asarray(rows, np.int64)


def _keys(index: pa.Table, components: np.ndarray[Any, Any], seed: int) -> np.ndarray[Any, Any]:
    """(N,) uint64: the same for all rows of a component, and independent of the order of the rows."""
    name = next((name for name in ("group", "digest", "id") if name in index.column_names), "id")
    texts = index.column(name).to_pylist()
    ids = index.column("id").to_pylist() if name != "id" else texts
    raw = np.asarray(
        [_hash(str(text if text is not None else other)) for text, other in zip(texts, ids, strict=True)], np.uint64
    )
    keys = mix(raw ^ key_of("split", seed))
    least = np.full(int(components.max(initial=-1)) + 1, np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(least, components, keys)
    return np.asarray(least[components])


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _assign(
    components: np.ndarray[Any, Any],
    strata: np.ndarray[Any, Any],
    key: np.ndarray[Any, Any],
    shares: tuple[float, float, float],
) -> np.ndarray[Any, Any]:
    """Large components first, each to the side that lacks it most; then single samples, class by class.

    A side that would stay empty gets the smallest component of the training side, if that has another.
    """
    count = int(strata.max(initial=-1)) + 1
    wanted = np.outer(shares, np.bincount(strata, minlength=count))
    have = np.zeros_like(wanted)
    side = np.full(len(key), TRAIN, np.int8)
    sizes = np.bincount(components)
    members = np.flatnonzero(sizes[components] > 1)
    order = members[np.lexsort((key[members], components[members]))]
    starts = np.flatnonzero(np.r_[True, np.diff(components[order]) != 0]) if len(order) else np.zeros(0, int)
    blocks = np.split(order, starts[1:]) if len(order) else []
    for block in sorted(blocks, key=lambda rows: (-len(rows), int(key[rows[0]]))):
        need = np.bincount(strata[block], minlength=count)
        change = ((have + need - wanted) ** 2 - (have - wanted) ** 2) / (wanted + 1)
        cost = np.where(np.asarray(shares) > 0, change.sum(axis=1), np.inf)
        best = int(np.argmin(cost))
        side[block] = best
        have[best] += need
    singles = np.flatnonzero(sizes[components] == 1)
    for stratum in np.unique(strata[singles]):
        rows = singles[strata[singles] == stratum]
        rows = rows[np.argsort(key[rows], kind="stable")]
        cuts = _cuts(len(rows), wanted[:, stratum] - have[:, stratum], shares)
        side[rows[: cuts[0]]] = TEST
        side[rows[cuts[0] : cuts[0] + cuts[1]]] = VALIDATION
    for empty in (TEST, VALIDATION):
        if shares[empty] > 0 and not (side == empty).any():
            movable = [rows for rows in blocks if side[rows[0]] == TRAIN]
            if len(movable) > 1 or (movable and (side[singles] == TRAIN).any()):
                side[min(movable, key=lambda rows: (len(rows), int(key[rows[0]])))] = empty
    return side


def _cuts(rows: int, lack: np.ndarray[Any, Any], shares: tuple[float, float, float]) -> tuple[int, int]:
    """How many of `rows` samples of one class go to test and to validation; at least one each where there are three."""
    least = 1 if rows >= 3 else 0
    test, validation = (
        0 if shares[number] == 0 else max(least, round(max(0.0, float(lack[number])))) for number in (TEST, VALIDATION)
    )
    if test + validation >= rows:
        test, validation = (min(test, least), min(validation, least)) if rows >= 3 else (0, 0)
    return test, validation


def _given(values: list[str | None], index: pa.Table) -> np.ndarray[Any, Any]:
    """(N,) the side that came with the data, -1 where a row has none."""
    side = np.full(len(values), -1, np.int8)
    for row, value in enumerate(values):
        if value is not None:
            name = split_of(str(value))
            if name is None:
                raise DataError(
                    f"split {value!r} is not train, validation or test",
                    did_you_mean(str(value), SIDES),
                    file=index.column("id")[row].as_py(),
                )
            side[row] = SIDES.index(name)
    return side


def _complete(
    side: np.ndarray[Any, Any],
    components: np.ndarray[Any, Any],
    strata: np.ndarray[Any, Any],
    key: np.ndarray[Any, Any],
    index: pa.Table,
    log: ProblemLog | None,
) -> np.ndarray[Any, Any]:
    """A given split with the sides that it lacks cut from its training part: a tenth of it each."""
    side = np.where(side < 0, TRAIN, side).astype(np.int8)
    if log is not None:
        least, most = np.full(components.max() + 1, 9), np.full(components.max() + 1, -1)
        np.minimum.at(least, components, side)
        np.maximum.at(most, components, side)
        crossing = np.flatnonzero((least != most)[components])
        if len(crossing):
            log.add(
                "duplicate-across-given-split",
                "kept",
                index.column("id")[int(crossing[0])].as_py(),
                count=len(crossing),
            )
    missing = [number for number in (VALIDATION, TEST) if not (side == number).any()]
    if not missing:
        return side
    rows = np.flatnonzero(side == TRAIN)
    shares = (1 - 0.1 * len(missing), *(0.1 if number in missing else 0.0 for number in (VALIDATION, TEST)))
    local = np.unique(components[rows], return_inverse=True)[1]
    side[rows] = _assign(local, strata[rows], key[rows], (shares[0], shares[1], shares[2]))
    return side
