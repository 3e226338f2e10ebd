"""The pictures beside marks of cells: checked as any, but for slides, of which only the header is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from assay.errors import DataError
from assay.sources._digest import content_digest
from assay.sources._image_files import ImageCheck, check_files
from assay.sources._image_header import is_image_name, suffix_of
from assay.sources.slides import ALWAYS, LEAST_PIXELS, Slide, is_slide_name
from assay.sources.store import Store

_ENDS = 1 << 20


def is_picture_name(name: str) -> bool:
    """Whether a file's name ends as that of a picture or of a slide."""
    return is_image_name(name) or is_slide_name(name)


def check_pictures(store: Store, names: Sequence[str]) -> tuple[list[ImageCheck], frozenset[str]]:
    """A check of every picture, in the order of the names, and which of them are slides.

    A slide is what ends as one, or a TIFF of very many pixels; both only where they lie in a folder, since members of
    archives can be read as a whole alone.
    """
    slides = {name: check for name in names if (check := slide_check(store, name)) is not None}
    others = [name for name in names if name not in slides]
    checks = {check.name: check for check in check_files(store.read, store.size, others)}
    return [slides[name] if name in slides else checks[name] for name in names], frozenset(slides)


def loader(store: Store, slides: frozenset[str]) -> Callable[[str], Any]:
    """What gives the bytes of a picture, or an open `Slide`."""

    def load(location: str) -> Any:
        return Slide(_path(store, location), location) if location in slides else store.read(location)

    return load


def slide_check(store: Store, name: str) -> ImageCheck | None:
    """The check of a slide from its header and its ends; None for what is no slide."""
    path = _path(store, name)
    if not is_slide_name(name) or not path.is_file():
        return None
    size = path.stat().st_size
    try:
        slide = Slide(path, name)
    except DataError:
        if suffix_of(name) not in ALWAYS:
            return None  # what is wrong with any other TIFF, the check of pictures says
        return ImageCheck(name, (("unreadable-slide" if size else "empty-file", "skipped"),))
    height, width = slide.height, slide.width
    slide.close()
    if suffix_of(name) not in ALWAYS and height * width < LEAST_PIXELS:
        return None
    digest = content_digest(f"{size} {height} {width}".encode() + _ends(path, size))
    return ImageCheck(name, (), digest, height, width, 3, 8, "RGB", "TIFF")


def _ends(path: Path, size: int) -> bytes:
    """The first and last megabyte of a file, by which slides are told apart."""
    with open(path, "rb") as file:
        head = file.read(_ENDS)
        file.seek(max(0, size - _ENDS))
        return head + file.read(_ENDS)


def _path(store: Store, name: str) -> Path:
    """Where a file of a folder lies, or a file by itself; members of archives lie nowhere."""
    return store.path if store.path.name == name and store.path.is_file() else store.path / name
