"""What the values or colours of masks mean, told from all of them together, and masks of class numbers from there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from assay.errors import DataError
from assay.sources._mask_classes import BACKGROUNDS, VOC, ClassTable
from assay.sources._mask_files import RawMask
from assay.sources.label_mask import VOID, LabelMask
from assay.sources.records import ProblemLog

Array = np.ndarray[Any, Any]
#: Without a table of classes more values than this are no classes.
_MOST_UNNAMED = 64
#: With a table, a colour this near to one of a class (in every channel) is taken for it.
_LIKE = 32
_BINARY = ("background", "foreground")
_NO_CLASSES = (
    "Save masks as PNG, since JPEG changes their values; name the classes in a classes.csv beside them (name, r, g, b "
    "or name, id); or say --mask-kind instances where each object has a number of its own."
)


@dataclass(frozen=True)
class Reading:
    """How masks are read.

    Attributes:
        names: of the classes.
        why: in a few words.
        of_value: the class of each value or colour; empty where anything but 0 is foreground.
        void: values or colours that are of no class.
        coloured: values are colours.
        nearest: a colour that is none of a class's is taken for the nearest.
    """

    names: tuple[str, ...]
    why: str
    of_value: Mapping[int, int] = field(default_factory=dict)
    void: frozenset[int] = frozenset()
    coloured: bool = False
    nearest: bool = False

    @property
    def background(self) -> int | None:
        """The class that stands for "nothing here"; None where none does."""
        return background_of(self.names)


def background_of(names: Sequence[str]) -> int | None:
    """The number of the class that stands for "nothing here"; None where none does."""
    return next((place for place, name in enumerate(names) if name.lower() in BACKGROUNDS), None)


def plan_reading(
    masks: Sequence[RawMask], table: ClassTable | None, kind: str | None, voc: bool, known: Sequence[str] = ()
) -> Reading:
    """How to read masks, from what all of them hold.

    Args:
        masks: all of a source.
        table: of classes, where one lies beside them.
        kind: "classes" or "instances" where the user says so.
        voc: they lie in a folder `SegmentationClass`.
        known: the classes of a network that is judged by them; where one of several is missing here, two values are
            not yet foreground and background.

    Raises:
        DataError: the values are no classes.
    """
    binary = not known or _BINARY[1] in known
    if kind == "instances" or (kind is None and table is None and _are_objects(masks)):
        return Reading(_BINARY, "instance masks, read as foreground and background")
    if sum(mask.many and mask.two_levels > 0.97 for mask in masks) > 0.5 * len(masks):
        return Reading(_BINARY, "masks of two levels, blurred by compression")
    usable = [mask for mask in masks if not mask.many or (table is not None and mask.places is not None)]
    if len(usable) < 0.5 * len(masks):
        worst = max(masks, key=lambda mask: len(mask.values))
        raise DataError(f"the mask holds {len(worst.values)} different values", _NO_CLASSES, file=worst.file)
    coloured = any(mask.coloured for mask in usable)
    values = sorted({int(value) for mask in usable for value in _values(mask, coloured)})
    if table is not None:
        return _by_table(usable, table, coloured)
    if coloured:
        return _by_colours(values, usable, binary)
    return _by_values(values, usable, voc, binary)


def _are_objects(masks: Sequence[RawMask]) -> bool:
    """Whether values are numbers of objects: 0 to n, with another n from mask to mask, and large ones among them."""
    plain = [mask for mask in masks if not mask.coloured and not mask.lossy]
    if not plain or len(plain) < len(masks):
        return False
    if any(mask.values[-1] > VOID for mask in plain):
        return True
    counts = {len(mask.values) for mask in plain}
    numbered = sum(mask.numbered for mask in plain)
    return numbered >= 0.9 * len(plain) and len(counts) >= 3 and max(counts) > 8


def _values(mask: RawMask, coloured: bool) -> Array:
    return mask.values * 0x010101 if coloured and not mask.coloured else mask.values


def _by_table(masks: Sequence[RawMask], table: ClassTable, coloured: bool) -> Reading:
    why = f"classes named in {table.file}"
    if coloured or table.values is None:
        if table.colours is None:
            raise DataError(
                "the masks are coloured, but the table of classes tells no colours",
                "Add the columns r, g and b.",
                file=table.file,
            )
        of_value = {_packed(colour): place for place, colour in enumerate(table.colours)}
        void = frozenset(map(_packed, table.void_colours))
        if coloured:
            return Reading(table.names, why, of_value, void, coloured=True, nearest=True)
        if all(mask.values[-1] in (*range(len(table.names)), VOID) for mask in masks):
            return Reading(table.names, why, {place: place for place in range(len(table.names))}, frozenset({VOID}))
        return Reading(table.names, why, of_value, void, coloured=True, nearest=True)
    of_value = {value: place for place, value in enumerate(table.values)}
    reading = Reading(table.names, why, of_value, frozenset({*table.void_values, *({VOID} - of_value.keys())}))
    _check_range(masks, reading, table.file)
    return reading


def _check_range(masks: Sequence[RawMask], reading: Reading, file: str) -> None:
    """Raise where most masks hold values that the table does not have: then it is the wrong one."""
    known = {*reading.of_value, *reading.void}
    wrong = [mask for mask in masks if not known.issuperset(mask.values.tolist())]
    if len(wrong) > 0.5 * len(masks):
        values = sorted(set(wrong[0].values.tolist()) - known)
        told = ", ".join(map(str, values[:5]))
        raise DataError(
            f"the mask holds {told}, which {file} does not name ({len(reading.names)} classes)",
            "Correct the table of classes, or remove it.",
            file=wrong[0].file,
        )


def _by_colours(values: Sequence[int], masks: Sequence[RawMask], binary: bool) -> Reading:
    if len(values) > _MOST_UNNAMED:
        worst = max(masks, key=lambda mask: len(mask.values))
        raise DataError(
            f"the masks hold {len(values)} colours, this one {len(worst.values)}", _NO_CLASSES, file=worst.file
        )
    of_value = {value: place for place, value in enumerate(values)}
    if binary and len(values) <= 2 and 0 in of_value:
        return Reading(_BINARY, "masks of two colours", of_value, coloured=True)
    names = tuple("background" if value == 0 else f"#{value:06x}" for value in values)
    return Reading(names, f"masks of {len(names)} colours", of_value, coloured=True)


def _by_values(values: Sequence[int], masks: Sequence[RawMask], voc: bool, binary: bool) -> Reading:
    grey = [value for value in values if value not in (0, VOID)]
    levels = not grey or (min(grey) >= 32 and len(values) <= 8)  # of grey, such as 0, 128 and 255
    void = frozenset() if levels else frozenset({VOID})
    kept = [value for value in values if value not in void]
    if len(kept) > _MOST_UNNAMED:
        worst = max(masks, key=lambda mask: len(mask.values))
        raise DataError(
            f"the masks hold {len(kept)} different values, this one {len(worst.values)}", _NO_CLASSES, file=worst.file
        )
    if voc and kept[-1] < len(VOC):
        return Reading(VOC, "Pascal VOC", {place: place for place in range(len(VOC))}, void)
    of_value = {value: place for place, value in enumerate(kept)}
    if binary and len(kept) == 2 and kept[0] == 0:
        return Reading(_BINARY, "masks of two values", of_value, void)
    names = tuple("background" if value == 0 else str(value) for value in kept)
    return Reading(names, f"masks of {len(names)} values", of_value, void)


def class_mask(mask: RawMask, reading: Reading, log: ProblemLog) -> LabelMask | None:
    """The class numbers of a mask; None where it cannot be read, which is noted."""
    if not reading.of_value:
        if mask.many and mask.two_levels > 0.97 and not mask.numbered:
            log.add("mask-with-many-values", "repaired", mask.file)
            return mask.bright
        return mask.foreground
    if mask.places is None or (mask.many and not reading.nearest):
        log.add("mask-with-many-values", "skipped", mask.file)
        return None
    values = _values(mask, reading.coloured)
    classes = np.asarray([_class_of(int(value), reading) for value in values], np.int64)
    unknown = classes < 0
    if unknown.any():
        log.add("colour-without-class" if reading.coloured else "value-without-class", "repaired", mask.file)
    known = np.where(unknown, VOID, classes).astype(np.uint8)
    return LabelMask.of(known[mask.places.array()])


def _class_of(value: int, reading: Reading) -> int:
    """The class of a value or colour; 255 for void, -1 where it is of none."""
    if value in reading.of_value:
        return reading.of_value[value]
    if value in reading.void:
        return VOID
    if reading.nearest:
        away = {known: _distance(value, known) for known in reading.of_value}
        nearest = min(away, key=lambda known: away[known])
        if away[nearest] <= _LIKE:
            return reading.of_value[nearest]
    return -1


def _packed(colour: Sequence[int]) -> int:
    return colour[0] << 16 | colour[1] << 8 | colour[2]


def _distance(first: int, second: int) -> int:
    """The largest difference in a channel of two packed colours."""
    return max(abs((first >> shift & 255) - (second >> shift & 255)) for shift in (0, 8, 16))
