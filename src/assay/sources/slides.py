"""Slides: TIFF pictures of any size (also SVS, NDPI, SCN, BIF, which are TIFF), read in parts, never as a whole.

Only the first, finest level is read. Parts are decoded by `tifffile`, compressed ones with `imagecodecs`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from assay.errors import DataError
from assay.sources._image_header import suffix_of
from assay.sources._tiff import load_tifffile
from assay.sources.decode import unscaled

Array = np.ndarray[Any, Any]
SUFFIXES = frozenset({".svs", ".ndpi", ".scn", ".bif", ".tif", ".tiff", ".btf"})
#: Of these suffixes a file is a slide whatever its size; a TIFF is one from so many pixels on.
ALWAYS, LEAST_PIXELS = frozenset({".svs", ".ndpi", ".scn", ".bif", ".btf"}), 16_000_000
#: Rows that `rows` gives at once, about.
_ROWS = 512
#: The most pixels of one strip that is decoded as a whole, and the compressions of JPEG's kind.
_MOST_STRIP, _JPEG = 120_000_000, {6, 7, 34892, 33007}
#: More channels than this are none.
_MOST_CHANNELS = 64
#: The photometric interpretation of TIFF in which 0 is white.
_WHITE_IS_ZERO = 0


def is_slide_name(name: str) -> bool:
    """Whether a file may be a slide by its name."""
    return suffix_of(name) in SUFFIXES


class Slide:
    """One slide, open for reading.

    Args:
        path: the file.
        name: how messages call it.

    Attributes:
        height, width: of the finest level, in pixels.
        dtype: the type that `read` gives: uint8, uint16 or float32.

    Raises:
        DataError: the file is empty, damaged, or no picture of one or three channels.
        MissingExtraError: tifffile is not installed.
    """

    def __init__(self, path: Path, name: str | None = None) -> None:
        self.name = name or path.name
        tifffile = load_tifffile("slides", "cells")
        if not path.stat().st_size:
            raise DataError("the slide is empty (0 bytes)", "Copy it again.", file=self.name)
        try:
            self._file = tifffile.TiffFile(path)
            self._open(path)
        except DataError:
            raise
        except Exception as error:  # tifffile fails on damaged tags in every way that Python knows
            raise DataError(
                f"the slide is damaged ({error or type(error).__name__})",
                "Check that it opens in another program, such as QuPath, and copy or export it again.",
                file=self.name,
            ) from error

    def _open(self, path: Path) -> None:
        """Find the finest level, and check that it is one that can be read in parts."""
        self._page: Any = self._finest(self._file)
        self.height, self.width = int(self._page.imagelength), int(self._page.imagewidth)
        if self._page.dtype is None or self._page.dtype.kind not in "iubf" or self._page.imagedepth != 1:
            raise DataError(
                f"a slide holds numbers, not {self._page.dtype}",
                "Write it as TIFF with 8 or 16 bits a channel.",
                file=self.name,
            )
        if self._page.planarconfig != 1 and self._page.samplesperpixel > 1:
            raise DataError("the slide keeps its channels apart", "Write it with interleaved channels.", file=self.name)
        if self._page.samplesperpixel > _MOST_CHANNELS:
            raise DataError(
                f"the slide has {self._page.samplesperpixel} channels", "Write it with one or three.", file=self.name
            )
        self._down = int(self._page.tilelength if self._page.is_tiled else self._page.rowsperstrip)
        self._across = int(self._page.tilewidth if self._page.is_tiled else self.width)
        parts = -(-self.height // self._down) * -(-self.width // self._across)
        if self._end() > path.stat().st_size or len(self._page.dataoffsets) < parts:
            raise DataError("the slide ends too early", "Copy it again.", file=self.name)
        self._plain = self._mapped(path) if self._page.is_memmappable else None
        if self._plain is None and self._down * self._across > _MOST_STRIP:
            raise DataError("the slide is one compressed piece", "Write it in tiles.", file=self.name)

    @property
    def dtype(self) -> np.dtype[Any]:
        """See the class."""
        kind: np.dtype[Any] = self._white.dtype
        return kind

    @staticmethod
    def _finest(file: Any) -> Any:
        pages = [page for page in (series.keyframe for series in file.series) if page is not None]
        return max(pages, key=lambda page: page.imagelength * page.imagewidth)

    def _end(self) -> int:
        page = self._page
        return max(
            (offset + count for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True)), default=0
        )

    def _mapped(self, path: Path) -> Array:
        """(H, W, C) of a slide that lies in the file as it is."""
        shape = (self.height, self.width, int(self._page.samplesperpixel))
        kind = np.dtype(self._page.dtype).newbyteorder(self._file.byteorder)
        return np.memmap(path, kind, "r", self._page.dataoffsets[0], shape)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def rows(self, most: int = _ROWS) -> Iterator[Array]:
        """All rows from the top, in parts (n, W, C), see `read`.

        Args:
            most: rows of a part, about: no row of the slide's own tiles is decoded twice.
        """
        step = most if self._plain is not None else max(self._down, most // self._down * self._down)
        for top in range(0, self.height, step):
            yield self.read(top, 0, min(step, self.height - top), self.width)

    def read(self, top: int, left: int, height: int, width: int) -> Array:
        """(height, width, C) of a part that lies in the slide: uint8, uint16 or float32; 1 bit is 0 or 255.

        Raises:
            DataError: the part is damaged, or compressed in a way that is not known.
        """
        if self._plain is not None:
            return self._values(np.asarray(self._plain[top : top + height, left : left + width]))
        found = np.zeros((height, width, int(self._page.samplesperpixel)), self._white.dtype)
        columns = -(-self.width // self._across)
        for line in range(top // self._down, (top + height - 1) // self._down + 1):
            for column in range(left // self._across, (left + width - 1) // self._across + 1):
                part = self._decoded(line * columns + column)
                y, x = line * self._down - top, column * self._across - left
                own = part[max(0, -y) : height - y, max(0, -x) : width - x]
                found[max(0, y) : max(0, y) + own.shape[0], max(0, x) : max(0, x) + own.shape[1]] = own
        return found

    def _decoded(self, number: int) -> Array:
        """(h, w, C) of one of the slide's own tiles or strips; white where it was left out."""
        page = self._page
        count = page.databytecounts[number]
        if not count:
            return np.full((self._down, self._across, int(page.samplesperpixel)), self._white)
        try:
            handle = self._file.filehandle
            handle.seek(page.dataoffsets[number])
            held = handle.read(count)  # before the decoder is asked for, which may read elsewhere
            tables = {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader} if page.compression in _JPEG else {}
            decoded = page.decode(held, number, **tables)[0]
        except Exception as error:  # decoders fail on damaged data in every way that Python knows
            raise DataError(
                f"a part of the slide cannot be decoded ({error})",
                "Copy it again, or export it as tiled TIFF with JPEG or Deflate compression.",
                file=self.name,
            ) from error
        return self._values(np.asarray(decoded)[0])

    @cached_property
    def _white(self) -> Any:
        """What stands for white where nothing was written, of the type that `read` gives."""
        kind = self._values(np.zeros((1, 1, 1), self._page.dtype)).dtype
        return kind.type(np.inf if kind.kind == "f" else np.iinfo(kind).max)

    def _values(self, values: Array) -> Array:
        """(h, w, C) as `read` gives them: fewer than 8 bits are spread over 8, and 0 is black."""
        bits, inverted = int(self._page.bitspersample), self._page.photometric == _WHITE_IS_ZERO
        if values.dtype == np.bool_:
            values = values != inverted
        elif values.dtype.kind == "u" and inverted:
            values = np.asarray(2**bits - 1 - values, values.dtype)
        if values.dtype == np.uint8 and bits < 8:
            values = values * np.uint8(255 // (2**bits - 1))
        return unscaled(values, self.name, finite=False)
