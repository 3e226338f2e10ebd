"""Opening an image's header: by its content, whatever its name says, and without Pillow's global pixel limit."""

from __future__ import annotations

import io
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from assay.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

#: The most pixels that an image may have; more is taken for a decompression bomb.
MOST_PIXELS = 100_000_000
TOO_LARGE = "the image has more than 100 million pixels"

#: File name endings of images that are read, with their format.
SUFFIXES = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".png": "PNG",
    ".apng": "PNG",
    ".gif": "GIF",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
    ".avif": "AVIF",
    ".ppm": "PPM",
    ".pgm": "PPM",
    ".pbm": "PPM",
    ".pnm": "PPM",
    ".jp2": "JPEG2000",
    ".j2k": "JPEG2000",
}

#: Endings of images that cannot be read here, but are no stray files either.
OTHER_SUFFIXES = {".heic", ".heif", ".svg", ".raw", ".cr2", ".cr3", ".nef", ".arw", ".dng", ".psd", ".ico", ".tga"}

_CLASSES = {
    "JPEG": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "TIFF": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "WEBP": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "AVIF": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "PPM": ("PIL.PpmImagePlugin", "PpmImageFile"),
    "JPEG2000": ("PIL.Jpeg2KImagePlugin", "Jpeg2KImageFile"),
}

_STARTS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF8", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\x00\x00\x00\x0cjP", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
    (b"BM", "BMP"),
    (b"P1", "PPM"),
    (b"P2", "PPM"),
    (b"P3", "PPM"),
    (b"P4", "PPM"),
    (b"P5", "PPM"),
    (b"P6", "PPM"),
)


def suffix_of(name: str) -> str:
    """The ending of a file's name in lower case, with its dot; "" where it has none."""
    base = name.rsplit("/", 1)[-1]
    dot = base.rfind(".")
    return base[dot:].lower() if dot > 0 else ""


def is_image_name(name: str) -> bool:
    """Whether a file's name ends as an image's does (also one that cannot be read here)."""
    suffix = suffix_of(name)
    return suffix in SUFFIXES or suffix in OTHER_SUFFIXES


def content_format(payload: bytes) -> str | None:
    """The image format that the first bytes show: a key of `SUFFIXES`' values, "HEIC", or None."""
    for start, name in _STARTS:
        if payload.startswith(start):
            return name
    if payload[:4] == b"RIFF" and payload[8:12] == b"WEBP":
        return "WEBP"
    if payload[4:8] == b"ftyp":
        return "AVIF" if payload[8:12] in (b"avif", b"avis") else "HEIC"
    return None


def open_image(payload: bytes, name: str = "image") -> Image.Image:
    """A lazily decoded Pillow image with its size and mode.

    The format's own class is opened instead of `Image.open`, whose pixel limit is a global that warns; the caller
    compares the size with `MOST_PIXELS` itself.

    Raises:
        DataError: the bytes are not an image, or its header is damaged.
    """
    found = content_format(payload)
    if found not in _CLASSES:
        what = "HEIC images cannot be read" if found == "HEIC" else "the content is no image that can be read"
        raise DataError(what, "Convert it to JPEG or PNG.", file=name)
    try:
        image: Image.Image = _image_class(found)(io.BytesIO(payload))
    except Exception as error:  # Pillow's readers fail on damaged headers in every way that Python knows
        raise DataError(
            f"the image is damaged ({error or type(error).__name__})",
            "Check that it opens in another program, and save it again.",
            file=name,
        ) from error
    return image


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation, 1 (upright) to 8; 1 where there is none or it makes no sense."""
    try:
        if image.format == "TIFF":
            found = image.tag_v2.get(274, 1)  # type: ignore[attr-defined]
        elif "exif" in image.info:  # asked for only where it is there: for a PNG, `getexif` decodes all of it
            found = image.getexif().get(0x0112, 1)
        else:
            return 1
        return found if isinstance(found, int) and 1 <= found <= 8 else 1
    except Exception:  # a damaged EXIF block is no reason to lose the image
        return 1


@cache
def _image_class(name: str) -> Any:
    if name == "TIFF":
        quiet_libtiff()
    module, attribute = _CLASSES[name]
    return getattr(import_module(module), attribute)


@cache
def quiet_libtiff() -> None:
    """Keep libtiff from writing onto standard error, for as long as the process lasts.

    Of a damaged picture Pillow raises an error, while libtiff writes one straight to the file descriptor, and Pillow
    has no switch for that. libtiff's own is a pointer that all threads share, so it is set before the first TIFF is
    decoded rather than around each. Found through Pillow's module, it is that of the libtiff in it; where that is
    linked in without names (Windows), libtiff goes on writing.
    """
    import ctypes

    from PIL import _imaging

    with suppress(AttributeError, OSError):
        library = ctypes.CDLL(_imaging.__file__)
        for switch in (library.TIFFSetWarningHandler, library.TIFFSetErrorHandler):
            switch.argtypes, switch.restype = [ctypes.c_void_p], ctypes.c_void_p
            switch(None)
