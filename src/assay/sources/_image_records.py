"""From the images that a reader found, and the check of each, to `Records`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from assay.arrow import pa, pc
from assay.sources._digest import fingerprint_of
from assay.sources._image_files import ImageCheck, check_files
from assay.sources._listing import note, target_facts, usable_files
from assay.sources.records import ProblemLog, Records, records_from_table
from assay.sources.store import Store


def records_of_files(images: pa.Table, store: Store, log: ProblemLog, **others: Any) -> Records:
    """Records of image files whose `location` is a name in a store; each file is checked once.

    Args:
        images: columns `id`, `location` and, as there are, `target`, `group`, `split`.
        store: holds the files.
        log: the problems so far; those of the files are added.
        others: as `image_records` takes them.
    """
    unique = pc.unique(images["location"]).to_pylist()
    checks = dict(zip(unique, check_files(store.read, store.size, unique), strict=True))
    for check in checks.values():
        note(check, log)
    in_order = [checks[name] for name in images["location"].to_pylist()]
    return image_records(images, in_order, store.read, log, **others)


def image_records(
    images: pa.Table,
    checks: Sequence[ImageCheck],
    load: Callable[[str], Any],
    log: ProblemLog,
    *,
    target: Mapping[str, Any],
    label: str,
    facts: Mapping[str, Any] | None = None,
) -> Records:
    """Records of the usable images of a listing.

    Args:
        images: columns `id`, `location` and, as there are, `target`, `group`, `split`.
        checks: one for each row.
        load: gives the payload at a location.
        log: all problems, those of the checks included.
        target: `{"name": …, "kind": "class" | "labels" | "number" | "none"}`.
        label: how messages name the source.
        facts: what a reader adds to the facts.

    Raises:
        DataError: no image is usable.
    """
    kept = usable_files(images, checks, noun="images", label=label)
    usable = [check for check in checks if check.usable]
    about = {"samples": kept.num_rows, **target_facts(kept, target), **_look(usable), **(facts or {})}
    if "split" in kept.column_names:
        about["split"] = dict(sorted(Counter(kept["split"].to_pylist()).items()))
    return records_from_table(kept, fingerprint_of(kept.to_batches()), problems=log.problems(), load=load, facts=about)


def _look(checks: Sequence[ImageCheck]) -> dict[str, Any]:
    """What the images look like: the commonest number of channels, bits, sizes, formats and colour modes."""
    sides = {side: sorted(getattr(check, side) for check in checks) for side in ("height", "width")}
    facts: dict[str, Any] = {
        "channels": Counter(check.channels for check in checks).most_common(1)[0][0],
        "bits": max(check.bits for check in checks),
    }
    for side, values in sides.items():
        middle = (values[(len(values) - 1) // 2] + values[len(values) // 2]) // 2
        facts[side] = {"min": values[0], "median": middle, "max": values[-1]}
    facts["formats"] = dict(Counter(check.format for check in checks).most_common())
    facts["modes"] = dict(Counter(check.mode for check in checks).most_common())
    return facts
