"""The images that benchmarks train on, and the forms in which they lie on disk."""

from __future__ import annotations

import gzip
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _common import ROOT, data_root

Array = np.ndarray[Any, Any]
#: As Debian's package dataset-fashion-mnist installs it.
FASHION_MNIST = Path(os.environ.get("ASSAY_FASHION_MNIST", "/usr/share/datasets/fashion-mnist"))
VALIDATION = 6000

# N images, H height, W width, C channels


@dataclass(frozen=True)
class Images:
    """Grey images (N, 28, 28) uint8 with labels (N,) uint8 of ten classes, for training and for the test."""

    images: Array
    labels: Array
    test_images: Array
    test_labels: Array


def grey_images(smoke: bool) -> Images:
    """Fashion-MNIST; under `--smoke` scikit-learn's digits, enlarged, so that no data set has to be there."""
    return enlarged_digits() if smoke else fashion_mnist()


def fashion_mnist() -> Images:
    """60,000 and 10,000 images, from the folder that `ASSAY_FASHION_MNIST` names."""
    require_fashion_mnist()
    read = [_read_idx(FASHION_MNIST / f"{side}-{what}-ubyte.gz")
            for side in ("train", "t10k") for what in ("images-idx3", "labels-idx1")]  # fmt: skip
    return Images(*read)


def require_fashion_mnist() -> Path:
    """The folder of Fashion-MNIST; stops with advice where it is not there."""
    if not (FASHION_MNIST / "train-images-idx3-ubyte.gz").exists():
        raise SystemExit(f"Fashion-MNIST is not in {FASHION_MNIST}: install Debian's dataset-fashion-mnist, "
                         "or set ASSAY_FASHION_MNIST to the folder of its four .gz files")  # fmt: skip
    return FASHION_MNIST


def pretrained_folder(name: str = "tf_efficientnet_lite0", variable: str = "ASSAY_PRETRAINED") -> Path:
    """The folder with a pretrained network and its weights; stops with advice where it is not there.

    Args:
        name: of the folder, as the tool that makes it calls it.
        variable: of the environment, that names another folder.
    """
    folder = Path(os.environ.get(variable, ROOT / ".pretrained" / name))
    if not (folder / "model.safetensors").exists():
        tool = data_root().parent / "tools" / "pretrained.py"
        raise SystemExit(f"{folder} holds no pretrained network; make one with\n    python {tool} .pretrained\n"
                         f"or set {variable} to a folder as a model hub writes them")  # fmt: skip
    return folder


def minilm() -> list[str]:
    """What asks a command for MiniLM-L6."""
    return ["--network", f"hf/{pretrained_folder('minilm-l6', 'ASSAY_MINILM').resolve()}"]


def enlarged_digits() -> Images:
    """scikit-learn's digits at 28 px: 600 to train, 200 for the test."""
    from sklearn.datasets import load_digits

    data = load_digits()
    large = np.kron(data.images[:800] * 255 / 16, np.ones((3, 3))).round().astype(np.uint8)
    images, labels = np.pad(large, ((0, 0), (2, 2), (2, 2))), data.target[:800].astype(np.uint8)
    return Images(images[:600], labels[:600], images[600:], labels[600:])


def write_idx(folder: Path, data: Images) -> Path:
    """The four files of a data set in MNIST's form, compressed."""
    folder.mkdir(parents=True, exist_ok=True)
    sides = {"train": (data.images, data.labels), "t10k": (data.test_images, data.test_labels)}
    for side, (images, labels) in sides.items():
        for name, values in ((f"{side}-images-idx3-ubyte.gz", images), (f"{side}-labels-idx1-ubyte.gz", labels)):
            header = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
            (folder / name).write_bytes(gzip.compress(header + values.tobytes(), 1))
    return folder


def write_photos(folder: Path, count: int, side: int, smoke: bool, seed: int = 0) -> Path:
    """`count` JPEG files in ten class folders, made of the grey training images.

    Args:
        folder: where the class folders go.
        count: how many files.
        side: 28 for the grey images as they are; more for colour images of that side, each with a tint and noise.
        smoke: make them of the digits.
        seed: of tints and noise.
    """
    from PIL import Image

    data = grey_images(smoke)
    random = np.random.default_rng(seed)
    for label in range(10):
        (folder / f"class-{label}").mkdir(parents=True, exist_ok=True)
    for number in range(count):
        place = number % len(data.images)
        pixels = data.images[place] if side == 28 else _coloured(data.images[place], side, random)
        file = folder / f"class-{data.labels[place]}" / f"{number:05}.jpg"
        Image.fromarray(pixels).save(file, quality=85)
    return folder


def _coloured(image: Array, side: int, random: np.random.Generator) -> Array:
    """(28, 28) grey to (side, side, 3), enlarged, tinted, with noise, so that no two files are alike."""
    times = side // 28
    large = np.kron(image, np.ones((times, times), np.uint8))
    edge = side - large.shape[0]
    large = np.pad(large, (edge // 2, edge - edge // 2))
    tint = random.uniform(0.5, 1.0, 3)
    noise = random.integers(0, 24, (side, side, 3))
    return np.asarray(np.clip(large[:, :, None] * tint + noise, 0, 255), np.uint8)


def _read_idx(file: Path) -> Array:
    content = gzip.decompress(file.read_bytes())
    axes = content[3]
    shape = struct.unpack_from(f">{axes}I", content, 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)
