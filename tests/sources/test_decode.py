from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from assay.errors import DataError, MissingExtraError
from assay.sources import _tiff
from assay.sources._image_files import check_image
from assay.sources.decode import decode_image, decode_within, resize


def kinds(payload: bytes, name: str = "x") -> dict[str, str]:
    return {kind: str(action) for kind, action in check_image(payload, name).problems}


def tiff(values: np.ndarray[Any, Any], **options: Any) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, values, **options)
    return stream.getvalue()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000"])
def test_formats(encode: Any, form: str) -> None:
    values = decode_image(encode(form))
    assert values.shape == (24, 32, 3)
    assert values.dtype == np.uint8
    check = check_image(encode(form), "x")
    assert (check.height, check.width, check.channels, check.format) == (24, 32, 3, form)
    assert check.usable


@pytest.mark.parametrize(("mode", "form", "channels"), [
    ("CMYK", "JPEG", 3), ("P", "PNG", 3), ("RGBA", "PNG", 3), ("LA", "PNG", 1), ("1", "PNG", 1), ("CMYK", "TIFF", 3),
])  # fmt: skip
def test_other_colour_is_converted_and_told(encode: Any, mode: str, form: str, channels: int) -> None:
    payload = encode(form, mode=mode)
    assert decode_image(payload).shape == (24, 32, channels)
    assert kinds(payload) == {"converted-colour": "repaired"}


def test_transparency_becomes_white() -> None:
    stream = io.BytesIO()
    Image.new("RGBA", (4, 4), (200, 0, 0, 0)).save(stream, "PNG")
    assert (decode_image(stream.getvalue()) == 255).all()


def test_sixteen_bits_are_kept() -> None:
    values = np.arange(600, dtype=np.uint16).reshape(20, 30) * 100
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "PNG")
    for payload in (stream.getvalue(), tiff(values)):
        decoded = decode_image(payload)
        assert decoded.dtype == np.uint16
        np.testing.assert_array_equal(decoded[:, :, 0], values)
        assert kinds(payload) == {"sixteen-bit": "kept"}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("shape", "options"), [
    ((5, 20, 30), {"photometric": "minisblack"}),
    ((20, 30, 5), {"photometric": "minisblack", "planarconfig": "contig"}),
    ((5, 20, 30), {"ome": True, "metadata": {"axes": "CYX"}}),
])  # fmt: skip
def test_tiff_with_many_channels(shape: tuple[int, ...], options: dict[str, Any]) -> None:
    values = np.random.default_rng(0).integers(0, 60000, shape, dtype=np.uint16)
    payload = tiff(values, **options)
    expected = values.transpose(1, 2, 0) if shape[0] == 5 else values
    np.testing.assert_array_equal(decode_image(payload), expected)
    assert check_image(payload, "x.tif").channels == 5
    assert kinds(payload[: len(payload) // 2], "x.tif") == {"truncated-image": "skipped"}


def test_ome_tiff_with_time_keeps_the_first_plane() -> None:
    values = np.random.default_rng(0).integers(0, 60000, (2, 3, 20, 30), dtype=np.uint16)
    payload = tiff(values, ome=True, metadata={"axes": "TCYX"})
    np.testing.assert_array_equal(decode_image(payload), values[0].transpose(1, 2, 0))
    assert kinds(payload)["animated"] == "kept"


def test_a_tiff_whose_values_are_not_as_its_tags_say(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(values: Any, axes: str) -> Any:
        raise ValueError("axes don't match array")

    payload = tiff(np.zeros((5, 20, 30), np.uint16), photometric="minisblack")
    monkeypatch.setattr(_tiff, "_channels_last", fail)
    with pytest.raises(DataError, match="the TIFF image is damaged"):
        decode_image(payload)


def test_pages_in_a_compression_that_tifffile_lacks() -> None:
    pages = [Image.fromarray(np.full((20, 30), page, np.uint16)) for page in range(3)]
    stream = io.BytesIO()
    pages[0].save(stream, "TIFF", compression="tiff_lzw", save_all=True, append_images=pages[1:])
    decoded = decode_image(stream.getvalue())
    assert decoded.shape == (20, 30, 3)
    assert decoded[0, 0].tolist() == [0, 1, 2]


def test_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    payload = tiff(np.zeros((5, 20, 30), np.uint16), photometric="minisblack")

    def missing() -> None:
        raise MissingExtraError("TIFF images with many channels", "tiff")

    monkeypatch.setattr(_tiff, "load_tifffile", missing)
    with pytest.raises(MissingExtraError, match="TIFF images"):
        decode_image(payload)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_exif_orientation(encode: Any, orientation: int) -> None:
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    for form in ("JPEG", "PNG"):
        payload = encode(form, exif=exif)
        upright = ImageOps.exif_transpose(Image.open(io.BytesIO(payload)))
        np.testing.assert_array_equal(decode_image(payload), np.asarray(upright))
        check = check_image(payload, "x")
        assert (check.height, check.width) == decode_image(payload).shape[:2]
        assert kinds(payload) == {"rotated-by-exif": "repaired"}


def test_animation_keeps_the_first_frame() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    stream = io.BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    assert decode_image(stream.getvalue())[0, 0].tolist() == [255, 0, 0]
    assert kinds(stream.getvalue())["animated"] == "kept"


@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP", "TIFF", "WEBP", "PPM"])
def test_truncated(encode: Any, form: str) -> None:
    payload = encode(form)
    assert kinds(payload[: len(payload) * 2 // 3]) == {"truncated-image": "skipped"}
    with pytest.raises(DataError, match=r"x\.jpg: the image is damaged"):
        decode_image(payload[: len(payload) * 2 // 3], name="x.jpg")


def test_truncated_behind_a_thumbnail(encode: Any) -> None:
    thumbnail = b"\xff\xe1" + (2 + 6 + 4).to_bytes(2, "big") + b"thumb\0" + b"..\xff\xd9"
    payload = encode()
    whole = payload[:2] + thumbnail + payload[2:]
    assert kinds(whole) == {}
    assert kinds(whole[: len(whole) * 2 // 3]) == {"truncated-image": "skipped"}


def test_bytes_behind_the_end_are_no_problem(encode: Any) -> None:
    assert kinds(encode() + b"\0" * 16) == {}
    assert kinds(encode() + b"trailing bytes of a camera") == {}


def test_empty_and_foreign_files(encode: Any) -> None:
    assert kinds(b"", "a.jpg") == {"empty-file": "skipped"}
    assert kinds(b"hello", "a.jpg") == {"unreadable-image": "skipped"}
    assert kinds(encode("JPEG"), "a.png") == {"mislabelled-file": "kept"}
    with pytest.raises(DataError, match=r"a\.jpg: the content is no image"):
        decode_image(b"hello", name="a.jpg")


@pytest.mark.parametrize("side", [9_600, 10_500, 20_000])
def test_decompression_bomb(side: int) -> None:
    stream = io.BytesIO()
    Image.new("1", (side, side)).save(stream, "PNG")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = kinds(stream.getvalue())
        if side > 10_000:
            assert found == {"too-large": "skipped"}
            with pytest.raises(DataError, match="100 million"):
                decode_image(stream.getvalue())
        else:
            assert "too-large" not in found


def test_least_side_decodes_a_large_jpeg_smaller() -> None:
    stream = io.BytesIO()
    Image.new("RGB", (1600, 1200), "green").save(stream, "JPEG")
    small = decode_image(stream.getvalue(), least_side=224)
    assert 224 <= min(small.shape[:2]) < 600


def test_arrays_and_channels() -> None:
    assert decode_image(np.zeros((3, 10, 12), np.uint8)).shape == (10, 12, 3)
    assert decode_image(np.ones((10, 12), np.float32)).max() == 255
    assert decode_image(np.full((10, 12), 200.0)).max() == 200
    assert decode_image(np.full((10, 12), True)).max() == 255
    assert decode_image(np.full((10, 12), 3000)).dtype == np.uint16
    assert decode_image(np.zeros((10, 12), np.uint8), channels=3).shape == (10, 12, 3)
    assert decode_image(np.full((10, 12, 3), 7, np.uint8), channels=1)[0, 0, 0] == 7
    with pytest.raises(DataError, match="not finite"):
        decode_image(np.full((4, 4), np.nan))
    with pytest.raises(DataError, match="shape"):
        decode_image(np.zeros(4, np.uint8))


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 5)),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    mode=st.sampled_from(["squash", "cover", "pad"]),
    dtype=st.sampled_from([np.uint8, np.uint16]),
)
def test_resize_gives_the_size_and_keeps_a_plain_colour(
    shape: tuple[int, int, int], size: tuple[int, int], mode: Any, dtype: Any
) -> None:
    resized = resize(np.full(shape, 77, dtype), *size, mode)
    assert resized.shape == (*size, shape[2])
    assert resized.dtype == dtype
    assert set(np.unique(resized)) <= ({77, 0} if mode == "pad" else {77})


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=200), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"GIF89a", b"BM"])
)
def test_any_bytes_give_an_image_or_a_data_error(content: bytes, start: bytes) -> None:
    check_image(start + content, "x.png")
    with contextlib.suppress(DataError):
        decode_image(start + content)


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_large_jpeg_is_decoded_no_larger_than_a_frame_needs(orientation: int) -> None:
    random = np.random.default_rng(0)
    smooth = resize(random.integers(0, 255, (12, 16, 3)).astype(np.uint8), 900, 1200)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    Image.fromarray(smooth).save(stream, "JPEG", quality=95, exif=exif)
    upright = (900, 1200) if orientation == 1 else (1200, 900)
    small, whole = decode_within(stream.getvalue(), 100, 100)
    assert whole == upright and small.shape[:2] == tuple(side // 4 for side in upright)
    expected = resize(decode_image(stream.getvalue()), upright[0] // 12, upright[1] // 12)
    got = resize(small, upright[0] // 12, upright[1] // 12)
    assert np.abs(got.astype(int) - expected).max() <= 3
    image, frame = decode_within(stream.getvalue(), 600, 600)
    assert image.shape[:2] == frame == upright


def test_other_images_are_decoded_as_a_whole(encode: Any) -> None:
    image, frame = decode_within(encode("PNG"), 4, 4)
    assert image.shape == (24, 32, 3) and frame == (24, 32)
    image, frame = decode_within(np.zeros((50, 40), np.uint8), 4, 4)
    assert image.shape == (50, 40, 1) and frame == (50, 40)
    with pytest.raises(DataError):
        decode_within(b"\xff\xd8\xff\xe0 broken", 4, 4)


def damaged_tiffs() -> list[bytes]:
    """TIFF pictures whose pixels are damaged so that libtiff writes of it onto standard error by itself."""
    found = []
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40), np.uint8))
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "jpeg"):
        buffer = io.BytesIO()
        picture.save(buffer, "TIFF", compression=compression)
        middle = len(buffer.getvalue()) // 2
        found.append(buffer.getvalue()[:middle] + b"\xff\x13" * 20 + buffer.getvalue()[middle + 40 :])
    return found


@pytest.mark.skipif(sys.platform == "win32", reason="there libtiff is a part of Pillow's module and cannot be reached")
def test_damaged_tiffs_write_nothing_onto_standard_error(tmp_path: Path) -> None:
    """In processes of their own: libtiff is told to be silent for as long as a process lasts."""
    for number, payload in enumerate(damaged_tiffs()):
        (tmp_path / f"{number}.tif").write_bytes(payload)
        (tmp_path / f"{number}.png").write_bytes(payload)
    plain = "from PIL import Image; Image.open(r'{}').load()"
    told = [
        subprocess.run([sys.executable, "-c", plain.format(tmp_path / f"{number}.tif")], capture_output=True, text=True)
        for number in range(3)
    ]
    assert all(one.stderr.partition("Traceback")[0] for one in told)  # else this proves nothing
    program = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from assay.errors import DataError
from assay.sources.cell_masks import read_labels
from assay.sources.decode import decode_image
from assay.studio.data_paths import _small

def refused(read, *asked, **named):
    try:
        return read(*asked, **named) is None
    except DataError:
        return True

def look(file):
    payload = file.read_bytes()
    return {"pixels": lambda: refused(decode_image, payload), "labels": lambda: refused(read_labels, payload, "a.png"),
            "small": lambda: refused(_small, file)}[sys.argv[2]]()

files = sorted(Path(sys.argv[1]).iterdir()) * 5
with ThreadPoolExecutor(4) as pool:
    print(sum(pool.map(look, files)), len(files))
"""
    for way in ("pixels", "labels", "small"):
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path), way], capture_output=True, text=True, check=True
        )
        refused, every = map(int, done.stdout.split())
        assert refused > every / 2 and done.stderr == "", (way, done)
