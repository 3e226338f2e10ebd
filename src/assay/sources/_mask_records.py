"""From pictures and the files of their masks to `Records`, whose targets are masks of class numbers as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.arrow import pa
from assay.errors import DataError, SettingError
from assay.sources._image_files import ImageCheck, check_files
from assay.sources._image_records import image_records
from assay.sources._listing import listing, note
from assay.sources._mask_classes import BACKGROUNDS, ClassTable
from assay.sources._mask_files import RawMask, read_mask
from assay.sources._mask_reading import Reading, background_of, class_mask, plan_reading
from assay.sources._parallel import ordered_map
from assay.sources.label_mask import VOID, LabelMask
from assay.sources.records import ProblemLog, Records
from assay.sources.source import DataOptions
from assay.sources.store import Store

Array = np.ndarray[Any, Any]
KINDS = ("classes", "instances")


@dataclass(frozen=True)
class Masked:
    """Pictures with the files of their masks, in the order of the rows.

    Attributes:
        pictures: the files.
        masks: of each its mask files by class; "" for one that holds all classes, or for objects.
        classes: of several mask files for a picture; empty where one file holds all.
        objects: the several files of a picture are its objects.
        split: the side of each; None where the data gives none.
        group: of each; None where the data gives none.
        table: of classes.
        voc: the masks lie in a folder `SegmentationClass`.
    """

    pictures: Sequence[str]
    masks: Sequence[Mapping[str, Sequence[str]]]
    classes: tuple[str, ...] = ()
    objects: bool = False
    split: Sequence[str] | None = None
    group: Sequence[str | None] | None = None
    table: ClassTable | None = None
    voc: bool = False


def records_of_masks(
    found: Masked, store: Store, options: DataOptions, log: ProblemLog, label: str, known: Sequence[str] = ()
) -> Records:
    """Records with `id`, `location` of the picture, `target` (a `LabelMask` as text), and where given `split`, `group`.

    `facts["classes"]` holds the names in the order of the class numbers. Where a network is judged by the masks, these
    are its own, `known`, and pixels of any other class are void.

    Raises:
        DataError: no picture has a mask of its size, or the masks are all of one class, or cannot be understood.
        SettingError: `--mask-kind` is not known.
    """
    kind = options.extra.get("mask_kind")
    if kind is not None and kind not in KINDS:
        raise SettingError(f"--mask-kind {kind} is not possible", f"Known: {', '.join(KINDS)}.")
    files = [name for masks in found.masks for group in masks.values() for name in group]
    by_colour = found.table is not None and found.table.values is None
    raws = _read_all(store, files, by_colour, log)
    if not raws:
        raise DataError("none of the masks can be read.", "Check that they open in another program.", file=label)
    reading = _reading(found, list(raws.values()), kind, known)
    checks = check_files(store.read, store.size, found.pictures)
    targets: list[LabelMask | None] = []
    for check, masks in zip(checks, found.masks, strict=True):
        note(check, log)
        targets.append(_fitting(check, _joined(masks, raws, reading, log), masks, log) if check.usable else None)
    _require_most(found, checks, targets, raws)
    keep = np.asarray([target is not None for target in targets], bool)
    facts = _facts([target for target in targets if target is not None], reading, label, judged=bool(known))
    if known:
        targets = _as_known(found.pictures, targets, reading.names, known, log)
        facts |= {"classes": list(known), "background": background_of(known)}
    rows = listing(
        id=found.pictures,
        location=found.pictures,
        target=[None if target is None else target.to_text() for target in targets],
        group=found.group,
        split=found.split,
    ).filter(pa.array(keep))
    kept = [check for check, use in zip(checks, keep, strict=True) if use]
    target = {"name": "mask", "kind": "mask"}
    return image_records(rows, kept, store.read, log, target=target, label=label, facts=facts)


def _read_all(store: Store, files: Sequence[str], by_colour: bool, log: ProblemLog) -> dict[str, RawMask]:
    """All masks by file; those that cannot be read are noted."""

    def read(name: str) -> RawMask | DataError:
        try:
            return read_mask(store.read(name), name, by_colour)
        except DataError as error:
            return error

    raws: dict[str, RawMask] = {}
    for name, raw in zip(files, ordered_map(read, files, chunk=8), strict=True):
        if isinstance(raw, DataError):
            log.add("unreadable-mask", "skipped", name)
        else:
            raws[name] = raw
    return raws


def _as_known(
    pictures: Sequence[str],
    masks: Sequence[LabelMask | None],
    names: Sequence[str],
    known: Sequence[str],
    log: ProblemLog,
) -> list[LabelMask | None]:
    """Masks with the numbers that classes have for a network; those that it does not know are noted and made void."""
    numbers = np.full(VOID + 1, VOID, np.uint8)
    for number, name in enumerate(names):
        numbers[number] = known.index(name) if name in known else VOID
    unknown = [number for number, name in enumerate(names) if name not in known]
    for picture, mask in zip(pictures, masks, strict=True):
        if mask is not None and np.isin(mask.values, unknown).any():
            log.add("class-not-in-training", "skipped", picture)
    return [None if mask is None else mask.renumbered(numbers) for mask in masks]


def _reading(found: Masked, raws: Sequence[RawMask], kind: str | None, known: Sequence[str]) -> Reading:
    if found.classes:
        names = found.classes
        if not any(name.lower() in BACKGROUNDS for name in names):
            names = ("background", *names)
        return Reading(names, "a mask for each class")
    if found.objects:
        return plan_reading(raws, None, "instances", False)
    return plan_reading(raws, found.table, kind, found.voc, known)


def _joined(
    masks: Mapping[str, Sequence[str]], raws: Mapping[str, RawMask], reading: Reading, log: ProblemLog
) -> LabelMask | None:
    """The one mask of a picture; of several files a later one lies over those before. None where there is none."""
    whole: Array | None = None
    first: LabelMask | None = None
    for name, group in masks.items():
        for file in group:
            if file not in raws:
                continue
            one = class_mask(raws[file], reading, log)
            if one is None:
                continue
            if not name and len(masks) == len(group) == 1:
                return one
            if first is not None and (one.height, one.width) != (first.height, first.width):
                log.add("mask-of-another-size", "skipped", file)
                continue
            first = one
            whole = np.zeros((one.height, one.width), np.uint8) if whole is None else whole
            pixels = one.array()
            number = reading.names.index(name) if name else 0
            whole = np.where(pixels != 0, np.uint8(number) if name else pixels, whole)
    return None if whole is None else LabelMask.of(whole)


def _fitting(
    check: ImageCheck, mask: LabelMask | None, masks: Mapping[str, Sequence[str]], log: ProblemLog
) -> LabelMask | None:
    """The mask where it is as large as its picture; else it is noted."""
    if mask is None:
        return None
    if (mask.height, mask.width) != (check.height, check.width):
        log.add("mask-of-another-size", "skipped", next(iter(masks.values()))[0])
        return None
    if not (mask.values != 0).any():
        log.add("empty-mask", "kept", next(iter(masks.values()))[0])
    return mask


def _require_most(
    found: Masked, checks: Sequence[ImageCheck], targets: Sequence[LabelMask | None], raws: Mapping[str, RawMask]
) -> None:
    """Raise where most masks do not fit their pictures, or none is left."""
    wrong = []
    for check, masks, target in zip(checks, found.masks, targets, strict=True):
        file = next(iter(masks.values()))[0]
        if check.usable and target is None and file in raws:
            raw = raws[file]
            if (raw.height, raw.width) != (check.height, check.width):
                wrong.append((file, raw, check))
    if wrong and len(wrong) >= 0.5 * len(targets):
        file, raw, check = wrong[0]
        raise DataError(
            f"the mask has {raw.width} x {raw.height} pixels, its picture {check.name} {check.width} x {check.height}"
            + (f"; so it is with {len(wrong)} of {len(targets)} masks" if len(targets) > 1 else ""),
            "Save masks in the size of their pictures, without interpolation.",
            file=file,
        )
    if all(target is None for target in targets):
        raise DataError("no picture is left that has a mask.", "See the problems that assay inspect lists.")


def _facts(masks: Sequence[LabelMask], reading: Reading, label: str, judged: bool) -> dict[str, Any]:
    counts = np.sum([mask.pixels(len(reading.names)) for mask in masks], axis=0)
    if (counts > 0).sum() < 2 and not judged:
        only = reading.names[int(counts.argmax())]
        raise DataError(
            f"all pixels of all masks are of one class, {only!r}: there is nothing to learn.",
            "Check that the masks hold what you have drawn.",
            file=label,
        )
    shares = counts / max(1, counts.sum())
    return {
        "classes": list(reading.names),
        "class_counts": {
            name: count
            for number, (name, count) in enumerate(zip(reading.names, counts.tolist(), strict=True))
            if count and number != reading.background
        },
        "masks": reading.why,
        "pixels": {name: f"{100 * share:.3g} %" for name, share in zip(reading.names, shares.tolist(), strict=True)},
        "background": reading.background,
    }
