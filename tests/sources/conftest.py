"""Small images and folders that the tests of `sources/` share."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sounds import put

from real_data import DATA

Encode = Callable[..., bytes]


def picture(seed: int = 0, height: int = 24, width: int = 32) -> Image.Image:
    """A coloured picture with some structure, different for each seed."""
    values = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(values).resize((width, height))


@pytest.fixture
def encode() -> Encode:
    """Encodes a picture: `encode("PNG", mode="P", seed=3, **options of save)`."""

    def encoded(form: str = "JPEG", *, mode: str = "RGB", seed: int = 0, **options: Any) -> bytes:
        stream = io.BytesIO()
        picture(seed).convert(mode).save(stream, form, **options)
        return stream.getvalue()

    return encoded


@pytest.fixture
def folder(tmp_path: Path, encode: Encode) -> Path:
    """Two class folders with four photos each."""
    for number, name in enumerate(["cat", "dog"]):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for seed in range(4):
            (tmp_path / "photos" / name / f"{seed}.jpg").write_bytes(encode(seed=10 * number + seed))
    return tmp_path / "photos"


@pytest.fixture
def data_set() -> Callable[[str], Path]:
    """The place of a real data set by its name; the test is skipped where it is not here."""

    def found(name: str) -> Path:
        root = DATA
        if not (root / name).exists():
            pytest.skip(f"the data set {name} is not here; ASSAY_DATA names the folder that holds it")
        return root / name

    return found


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """Two commands with four recordings each."""
    for number, name in enumerate(["go", "stop"]):
        for seed in range(4):
            put(tmp_path / "commands" / name / f"{seed}.wav", 10 * number + seed)
    return tmp_path / "commands"
