"""Drives as `Records`: a row a drive or a stretch of one, with its frames and what was done at each.

Every source of drives ends here: logs, videos with a table, a simulator, drives that a policy made while it learned.

Shapes: T frames of a drive.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.arrow import pa
from assay.errors import DataError
from assay.sources._digest import fingerprint_of
from assay.sources.records import ProblemLog, Records, records_from_table

Array = np.ndarray[Any, Any]
#: What may be known of a frame beside what the driver did: metres a second, points of a simulator.
BESIDE = ("speed", "reward")
#: Rows are drives, whose frames take megabytes: few are decoded at once.
_ROWS = 4


@dataclass(frozen=True)
class Drive:
    """A drive, or a stretch of one.

    Attributes:
        id: its name, the same on every machine.
        frames: (T,) where each frame lies.
        values: (T,) each, what was done by the control's name, and of `BESIDE` what is known.
        group: what never crosses the split.
        side: "train", "validation" or "test" where the source says so.
        digest: a hash of its content.
    """

    id: str
    frames: Sequence[str]
    values: Mapping[str, Array]
    group: str | None = None
    side: str | None = None
    digest: str = ""


def drive_records(
    drives: Sequence[Drive],
    controls: Sequence[str],
    load: Callable[[str], Any],
    facts: Mapping[str, Any],
    log: ProblemLog | None = None,
    label: str = "",
) -> Records:
    """Records of drives: `target` is a list of structs, `frames` a list of locations that `load` takes.

    Args:
        drives: in any order.
        controls: the names of what a driver sets, steering first.
        load: gives a frame, as bytes of an image or an array (H, W, 3).
        facts: at least `rate_hz`, frames a second, and where there is one `simulator`; told by `assay inspect`.
        log: takes no note here; its problems go along.
        label: how messages name the source.

    Raises:
        DataError: there is no drive.
    """
    if not drives:
        raise DataError(
            "there is no drive with a frame in it.", "See above what was skipped and why.", file=label or None
        )
    known = [name for name in (*controls, *BESIDE) if any(name in drive.values for drive in drives)]
    columns: dict[str, pa.Array] = {
        "id": pa.array([drive.id for drive in drives], pa.string()),
        **({"target": _targets(drives, known)} if any(name in known for name in controls) else {}),
        "frames": pa.array([list(drive.frames) for drive in drives], pa.list_(pa.string())),
    }
    for column, values in (
        ("group", [drive.group for drive in drives]),
        ("split", [drive.side for drive in drives]),
        ("digest", [drive.digest or None for drive in drives]),
    ):
        if any(value is not None for value in values):
            columns[column] = pa.array(values, pa.string())
    table = pa.table(columns)
    frames = sum(len(drive.frames) for drive in drives)
    told: dict[str, Any] = {
        "samples": len(drives),
        "frames": frames,
        "minutes": round(frames / facts["rate_hz"] / 60, 2),
        "controls": list(controls),
        "target": {"name": controls[0], "kind": "controls"},
        **facts,
    }
    if "split" in table.column_names:
        told["split"] = dict(sorted(Counter(table["split"].to_pylist()).items()))
    return records_from_table(
        table,
        fingerprint_of(table.to_batches()),
        rows_per_batch=_ROWS,
        problems=log.problems() if log is not None else (),
        load=load,
        facts=told,
        sides_cut="split" in table.column_names,
    )


def driven(target: pa.Array | pa.ChunkedArray) -> list[dict[str, Array]]:
    """(U,) what each drive's target holds: (T,) float64 by name, NaN where nothing is known.

    Args:
        target: the column `target` of drives; rows without one give an empty dict.
    """
    whole = target.combine_chunks() if isinstance(target, pa.ChunkedArray) else target
    if isinstance(whole, pa.ChunkedArray):  # no chunk at all
        return []
    found: list[dict[str, Array]] = []
    for row in whole:
        if not row.is_valid:
            found.append({})
            continue
        inside = row.values
        found.append({field.name: inside.field(field.name).to_numpy(zero_copy_only=False) for field in inside.type})
    return found


def _targets(drives: Sequence[Drive], names: Sequence[str]) -> pa.Array:
    sizes = [len(drive.frames) for drive in drives]
    columns = [
        np.concatenate([np.asarray(drive.values.get(name, np.full(size, np.nan)), np.float64)
                        for drive, size in zip(drives, sizes, strict=True)])
        for name in names
    ]  # fmt: skip
    inside = pa.StructArray.from_arrays([pa.array(column, pa.float64()) for column in columns], list(names))
    return pa.ListArray.from_arrays(pa.array(np.cumsum([0, *sizes]), pa.int32()), inside)
