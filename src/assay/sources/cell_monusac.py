"""MoNuSAC (Verma et al. 2021) and MoNuSeg: parts of slides (SVS or TIFF), each with an XML of polygons beside it.

The XML is Aperio's: an `Annotation` a class, whose `Attribute` names it, with a `Region` of `Vertex` a nucleus. Regions
of the class `Ambiguous` are no nuclei: what the annotators could not tell lies there, and it is ignored. A folder a
patient; patients never cross a split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from assay.errors import AssayError, DataError
from assay.evaluation.cells import painted, spans_of
from assay.sources._cell_pictures import check_pictures, loader
from assay.sources._cell_records import NOTHING, Marked, Pictures, cell_records
from assay.sources._image_files import ImageCheck
from assay.sources._image_header import suffix_of
from assay.sources._listing import note
from assay.sources._safe_xml import xml_events
from assay.sources._splits import given_sides
from assay.sources.cell_masks import marked_by
from assay.sources.records import ProblemLog, Records
from assay.sources.source import DataOptions, Recognition, Source
from assay.sources.store import Store

Array = np.ndarray[Any, Any]
_PREFERRED = (".svs", ".tif", ".tiff", ".png", ".jpg")
#: The class of regions that are no nucleus: see the module.
_AMBIGUOUS = "ambiguous"
_MOST_EVENTS = 500


def recognise(source: Source) -> Recognition | None:
    """How well the source looks like pictures with Aperio's XML; None where it does not."""
    if source.path is None:
        return None
    pairs = pairs_of(source.store.names)
    if not pairs or not _is_aperio(source.store, next(iter(pairs.values()))):
        return None
    return Recognition(0.98, f"{len(pairs)} images with polygons of nuclei (Aperio XML, as MoNuSAC has them)")


def pairs_of(names: list[str]) -> dict[str, str]:
    """The XML file of each picture: of the same name, or in a folder of annotations."""
    xml = {name.rsplit("/", 1)[-1].rpartition(".")[0]: name for name in names if suffix_of(name) == ".xml"}
    best: dict[str, str] = {}
    for name in names:
        stem, ending = name.rsplit("/", 1)[-1].rpartition(".")[0], suffix_of(name)
        if stem in xml and ending in _PREFERRED:
            known = best.get(stem)
            if known is None or _PREFERRED.index(ending) < _PREFERRED.index(suffix_of(known)):
                best[stem] = name
    return {name: xml[stem] for stem, name in sorted(best.items())}


def read(source: Source, options: DataOptions) -> Records:
    """The pictures with their outlined nuclei.

    Raises:
        DataError: no pictures with polygons, or none that can be used.
    """
    log, store = ProblemLog(), source.store
    pairs = pairs_of(store.names)
    names: list[str] = []
    cells: list[Marked] = []
    checks: list[ImageCheck] = []
    checked, slides = check_pictures(store, list(pairs))
    for check in checked:
        note(check, log)
        try:
            marked = _marked(store, pairs[check.name], check, log) if check.usable else NOTHING
        except AssayError:
            log.add("unreadable-annotation", "skipped", pairs[check.name])
            continue
        names.append(check.name)
        cells.append(marked)
        checks.append(check)
    if not names:
        raise DataError(
            "none of the images has polygons that can be read.",
            "Check that each image has an XML file of the same name, as ImageScope writes them.",
            file=source.label,
        )
    columns: dict[str, list[str | None]] = {"group": [patient_of(name) for name in names]}
    sides = given_sides(names, options)
    if sides is not None:
        columns["split"] = [sides[name] for name in names]
        kept = _of_one_side(names, columns, log)
        names, cells = [names[place] for place in kept], [cells[place] for place in kept]
        checks = [checks[place] for place in kept]
        columns = {name: [values[place] for place in kept] for name, values in columns.items()}

    return cell_records(
        Pictures(names, cells, columns=columns, outlined=True), checks, loader(store, slides), log, source.label
    )


def _of_one_side(names: list[str], columns: dict[str, list[str | None]], log: ProblemLog) -> list[int]:
    """The pictures but those of patients who are tested, too: in MoNuSAC two are given on both sides."""
    tested = {patient for patient, side in zip(columns["group"], columns["split"], strict=True) if side == "test"}
    kept = []
    for place, (name, patient, side) in enumerate(zip(names, columns["group"], columns["split"], strict=True)):
        if side != "test" and patient in tested:
            log.add("patient-on-two-sides", "skipped", name)
        else:
            kept.append(place)
    return kept


def patient_of(name: str) -> str:
    """The patient by the name of a file: the first three parts of a TCGA code, else the folder."""
    folder, _, base = name.rpartition("/")
    parts = base.split("-")
    return "-".join(parts[:3]) if parts[0] == "TCGA" and len(parts) >= 3 else folder or base


def _marked(store: Store, xml: str, check: ImageCheck, log: ProblemLog) -> Marked:
    """The nuclei and ambiguous regions of one XML; polygons of fewer than three points, or outside, are noted."""
    spans: list[Array] = []
    labels: list[str | None] = []
    ambiguous: list[Array] = []
    for label, points in regions(store, xml):
        told = label is None or label.lower() != _AMBIGUOUS
        if len(points) < 3:
            log.add("polygon-of-few-points", "skipped", xml)
            continue
        covered = _covered(points, check)
        if covered is None:
            log.add("cell-outside-image" if told else "ambiguous-region-outside-image", "skipped", xml)
        elif told:
            spans.append(covered)
            labels.append(label)
        else:
            log.add("ambiguous-region", "kept", xml)
            ambiguous.append(covered)
    return replace(marked_by(spans, labels), ignored=_without(ambiguous, spans))


def _covered(points: Array, check: ImageCheck) -> Array | None:
    """The rows (K, 3) of a picture that a polygon (P, 2) covers; None where it lies outside."""
    from skimage.draw import polygon

    rows, columns = polygon(points[:, 1], points[:, 0], (check.height, check.width))
    if not len(rows):
        return None
    top, left = int(rows.min()), int(columns.min())
    own = np.zeros((int(rows.max()) - top + 1, int(columns.max()) - left + 1), np.uint8)
    own[rows - top, columns - left] = 1
    return np.asarray(spans_of(own)[1][0] + np.asarray([top, left, left], np.int32))


def _without(regions: Sequence[Array], nuclei: Sequence[Array]) -> tuple[Array, ...]:
    """What regions (K, 3) cover but nuclei do not, for a nucleus that was outlined could be told; none of no pixels."""
    found: list[Array] = []
    low, high = _bounds(nuclei)
    for region in regions:
        (first,), (last,) = _bounds([region])
        near = np.flatnonzero(((low < last) & (high > first)).all(axis=1))
        corner, (height, width) = first[[0, 1, 1]], (last - first).tolist()
        others = painted([nuclei[at] - corner for at in near.tolist()], height, width)
        free = (painted([region - corner], height, width) > 0) & (others == 0)
        found += [rows + corner for rows in spans_of(free.astype(np.uint8))[1]]
    return tuple(found)


def _bounds(outlines: Sequence[Array]) -> tuple[Array, Array]:
    """Of N outlines (K, 3) the first row and column (N, 2), and one after the last (N, 2)."""
    first = [(one[:, 0].min(), one[:, 1].min()) for one in outlines]
    last = [(one[:, 0].max() + 1, one[:, 2].max()) for one in outlines]
    return np.asarray(first, np.int32).reshape(-1, 2), np.asarray(last, np.int32).reshape(-1, 2)


def regions(store: Store, xml: str) -> list[tuple[str | None, Array]]:
    """The class and the corners (P, 2), x and y in pixels, of each region of an Aperio XML; raises `DataError`."""
    found: list[tuple[str | None, Array]] = []
    label: str | None = None
    points: list[tuple[float, float]] = []
    for event in xml_events(store, xml):
        name, given = event.name.lower(), event.attributes
        if event.kind == "start" and name == "annotation":
            label = None
        elif event.kind == "start" and name == "attribute" and given.get("Name", "").lower() not in ("", "description"):
            label = given["Name"].strip()
        elif event.kind == "start" and name == "region":
            points = []
        elif event.kind == "start" and name == "vertex":
            try:
                points.append((float(given["X"]), float(given["Y"])))
            except (KeyError, ValueError) as error:
                raise DataError(
                    f"a vertex has no X and Y ({error})", "Export the annotations again.", file=xml, row=event.line
                ) from error
        elif event.kind == "end" and name == "region":
            found.append((label, np.asarray(points, float).reshape(-1, 2)))
    return found


def _is_aperio(store: Store, xml: str) -> bool:
    """Whether a document holds regions of annotations: Pascal VOC and CVAT have annotations of other kinds."""
    seen: set[str] = set()
    try:
        for count, event in enumerate(xml_events(store, xml)):
            seen.add(event.name.lower() if event.kind == "start" else "")
            if {"annotations", "region"} <= seen:
                return True
            if count > _MOST_EVENTS:
                break
    except AssayError:
        return False
    return False
