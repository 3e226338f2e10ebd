"""Text files in a folder for each class, also below train/, validation/ and test/; in a folder or an archive."""

from __future__ import annotations

from collections.abc import Iterator

from assay.arrow import pa
from assay.errors import DataError
from assay.sources._class_folders import ClassFolders, class_folders
from assay.sources._lines import begins_as_prose, is_about, is_text_name, whole_text
from assay.sources._splits import asks_for_shares, split_column_name, split_of
from assay.sources._text_records import Sample, Shape, text_records
from assay.sources._text_values import LONGEST
from assay.sources.records import ProblemLog, Records
from assay.sources.source import DataOptions, Recognition, Source
from assay.sources.store import Store

#: Folders that hold texts without a class.
_UNLABELLED = ("unsup", "unlabeled", "unlabelled")


def recognise(source: Source) -> Recognition | None:
    """0.9 for folders of text files, one per class; 0.3 for one such folder; None where other files are many."""
    if source.path is None:
        return None
    names = [name for name in source.store.names if not is_about(name)]
    layout = _layout(names)
    classes = sorted(set(layout.classes))
    if len(layout.names) < 0.9 * len(names) or all(split_of(name) is not None for name in classes):
        return None
    if not any(begins_as_prose(source.store, name) for name in layout.names[:: -(-len(layout.names) // 3)]):
        return None
    sides = sorted(set(layout.sides), key=("train", "validation", "test").index)
    below = f", below {', '.join(sides)}" if sides else ""
    if len(classes) == 1:
        return Recognition(0.3, f"1 folder of texts, {classes[0]!r}{below}")
    return Recognition(0.9, f"{len(classes)} folders of texts, one per class{below}")


def read(source: Source, options: DataOptions) -> Records:
    """The texts of every class folder, a file each; what lies elsewhere is noted as `stray-file`."""
    layout = _layout(source.store.names)
    if not layout.names:
        raise DataError(
            "there are no folders of text files, one per class.",
            "Put the texts of each class into a folder of its name.",
            file=source.label,
        )
    log = ProblemLog()
    for name in layout.stray:
        log.add("stray-file", "skipped", name)
    unlabelled = [name for name, kind in zip(layout.names, layout.classes, strict=True) if kind in _UNLABELLED]
    for name in unlabelled:
        log.add("text-without-class", "skipped", name)
    split_column_name(options, ())
    given = bool(layout.sides) and not asks_for_shares(options)
    encoding = options.extra.get("encoding")

    def samples(noted: ProblemLog | None) -> Iterator[Sample]:
        sides = layout.sides if given else [None] * len(layout.names)
        for name, kind, side in zip(layout.names, layout.classes, sides, strict=True):
            if kind not in _UNLABELLED and (text := _document(source.store, name, encoding, noted)) is not None:
                yield Sample(name, (text,), name, None, kind, None, side)

    shape = Shape(("text",), pa.string(), split=given, labelled=True, label=source.label)
    facts = {"target": {"name": "folder", "kind": "class", "chosen": "a folder each", "missing": 0}}
    return text_records(samples, shape, log, facts)


def read_inputs(source: Source, encoding: str | None) -> Records:
    """Every text file of a source, or the one file whatever its name, as a document each."""
    store = source.store
    names = [name for name in store.names if is_text_name(name)] or store.names
    log = ProblemLog()
    for name in sorted(set(store.names) - set(names)):
        log.add("stray-file", "skipped", name)
    if not names:
        raise DataError("there are no text files.", "Give a folder of .txt files.", file=source.label)

    def samples(noted: ProblemLog | None) -> Iterator[Sample]:
        for name in names:
            if (text := _document(store, name, encoding, noted)) is not None:
                yield Sample(name, (text,), name)

    return text_records(samples, Shape(("text",), empty="kept", label=source.label), log)


def _document(store: Store, name: str, encoding: str | None, log: ProblemLog | None) -> str | None:
    """A file's text; None, and a note, where it is too long."""
    text = whole_text(store, name, encoding, LONGEST)
    if text is None and log is not None:
        log.add("overlong-text", "skipped", name)
    return text


def _layout(names: list[str]) -> ClassFolders:
    return class_folders(names, lambda name: _is_document(name) and not is_about(name))


def _is_document(name: str) -> bool:
    """Whether a file is a text by its ending, or has none, as in collections of newsgroups."""
    return is_text_name(name) or "." not in name.rsplit("/", 1)[-1]
