"""JSON files of labels: finding them, reading each once, and the pictures that they speak of."""

from __future__ import annotations

from typing import Any

from assay.errors import AssayError
from assay.sources._box_pictures import Pictures
from assay.sources._decoding import text_blocks
from assay.sources._image_header import is_image_name, suffix_of
from assay.sources._json_lines import parse_json
from assay.sources._lines import whole_text
from assay.sources._path_tables import Beside, is_one_file
from assay.sources.source import Source
from assay.sources.store import Store

_HEAD = 1 << 16


def json_files(source: Source) -> list[str]:
    """The JSON files of a source that has pictures, or of one JSON file by itself, whose pictures lie beside it."""
    names = [name for name in source.store.names if suffix_of(name) == ".json"]
    return names if names and (is_one_file(source) or any(map(is_image_name, source.store.names))) else []


def beginning(store: Store, name: str) -> str:
    """The first characters of a file; "" where it is no text."""
    try:
        return next(text_blocks(store, name), "")[:_HEAD].lstrip()
    except AssayError:
        return ""


def parsed(store: Store, name: str) -> Any:
    """What a JSON file holds; raises `DataError` where it is broken."""
    return parse_json(whole_text(store, name) or "", name)


def one_store(source: Source) -> tuple[Store, Pictures]:
    """Where the pictures of a label file lie: in the source, or, for one file by itself, in its folder."""
    if is_one_file(source) and source.path is not None:
        beside = Beside(source.path.parent)
        return beside, Pictures((), beside.resolve)
    return source.store, Pictures(source.store.names)
