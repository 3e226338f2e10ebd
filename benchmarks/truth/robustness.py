"""`robustness`: the six corruptions on photographs against an independent package, and what the finding takes.

The package is imagecorruptions (Michaelis et al. 2019, kept up as imagecorruptions-imaug), after the code of the
definition's authors. Where chance is part of the definition (noise), deviations and distributions are compared.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import _path  # noqa: F401
import numpy as np
from _common import Bench, Json, Target, data_root, open_bench
from _data import grey_images
from _runs import Planted, own_cache, trained

Array = np.ndarray[Any, Any]
_SIDE = 224
_PHOTOS = 60
#: What the package calls them.
_THEIRS = {"noise": "gaussian_noise", "defocus blur": "defocus_blur", "JPEG compression": "jpeg_compression",
           "brightness": "brightness", "contrast": "contrast", "pixelation": "pixelate"}  # fmt: skip


def photos(bench: Bench) -> Iterator[Array]:
    """(224, 224, 3) uint8, evenly from both classes; under `--smoke` a digit, enlarged and tinted."""
    from PIL import Image

    if bench.smoke:
        grey = Image.fromarray(grey_images(True).images[0]).resize((_SIDE, _SIDE))
        yield np.stack([np.asarray(grey), np.asarray(grey) // 2, 255 - np.asarray(grey)], axis=2)
        return
    files = sorted((data_root() / "cats_dogs" / "test").rglob("*.jpg"))
    if not files:
        raise SystemExit(f"{data_root() / 'cats_dogs'} is not there: set ASSAY_DATA to the folder that holds cats_dogs")
    for file in files[:: max(1, len(files) // _PHOTOS)][:_PHOTOS]:
        yield np.asarray(Image.open(file).convert("RGB").resize((_SIDE, _SIDE)))


def compare(bench: Bench, name: str) -> Json:
    """How far one corruption lies from the package's, by strength."""
    import torch

    from assay.samples.corruptions import image_corruptions
    from assay.samples.draws import Draws

    if importlib.util.find_spec("imagecorruptions") is None:
        return {"package": "absent"}
    from imagecorruptions import corrupt

    images = list(photos(bench))
    stacked = torch.from_numpy(np.stack(images).transpose(0, 3, 1, 2).copy())
    change = image_corruptions(_SIDE)[name].change
    found: Json = {}
    np.random.seed(0)
    for strength in range(1, 6):
        batch = change(_Images(stacked), strength, Draws(0, 0, np.arange(len(images)))).image
        ours = batch.numpy().transpose(0, 2, 3, 1).astype(float)
        theirs = np.stack([corrupt(image, strength, corruption_name=_THEIRS[name]) for image in images]).astype(float)
        if name == "noise":
            found[str(strength)] = _distributions(ours - np.stack(images), theirs - np.stack(images))
        else:
            apart = np.abs(ours - theirs)
            found[str(strength)] = {"largest": float(apart.max()), "mean": float(apart.mean()),
                                    "change": float(np.abs(theirs - np.stack(images)).mean())}  # fmt: skip
    return found


@dataclass(frozen=True)
class _Images:
    """A batch that is nothing but images."""

    image: Any


def _distributions(ours: Array, theirs: Array) -> Json:
    """Deviation and mean of what was added, and the largest distance of the two distribution functions."""
    values = np.arange(-255, 256)
    counts = [np.histogram(one, bins=np.append(values, 256) - 0.5)[0].cumsum() / one.size for one in (ours, theirs)]
    return {"deviation": float(ours.std()), "deviation of the package": float(theirs.std()),
            "mean": float(ours.mean()), "mean of the package": float(theirs.mean()),
            "distance": float(np.abs(counts[0] - counts[1]).max())}  # fmt: skip


def ask(bench: Bench) -> Json:
    """What the finding says of a network for Fashion-MNIST, and what it takes."""
    data = grey_images(bench.smoke)
    count, test = (500, 200) if bench.smoke else (30_000, 10_000)
    images = np.concatenate([data.images[:count], data.test_images[:test]])
    labels = np.concatenate([data.labels[:count], data.test_labels[:test]])
    side = np.repeat([0, 1, 2], [count - count // 10, count // 10, test])
    with own_cache() as folder:
        run = trained(Planted(images, labels, side), folder / "run", epochs=1.0 if bench.smoke else 6.0, seed=0,
                      settings={"width": "16" if bench.smoke else "32"}, findings=("robustness",))  # fmt: skip
    finding = run["findings"]["robustness"]
    return {key: finding[key] for key in ("status", "verdict", "next", "certainty", "seconds", "numbers")} | {
        "accuracy": run["accuracy"], "fit_s": run["fit_s"]}  # fmt: skip


def main() -> None:
    bench = open_bench("truth/robustness", __doc__)
    found = {name: bench.piece(name.replace(" ", "-"), partial(compare, bench, name)) for name in _THEIRS}
    asked = bench.piece("fashion-mnist", partial(ask, bench))
    known = {name: one for name, one in found.items() if "package" not in one}
    exact = [one[str(at)] for name, one in known.items() if name != "noise" for at in range(1, 6)]
    noisy = [known["noise"][str(at)] for at in range(1, 6)] if "noise" in known else []
    targets = [
        Target("largest mean distance, in values of 255", max((one["mean"] for one in exact), default=None), "<=", 0.5),
        Target("largest distance of a value", max((one["largest"] for one in exact), default=None), "<=", 2.0),
        Target("largest distance of the noise's distributions", max((one["distance"] for one in noisy), default=None),
               "<=", 0.01),
        Target("seconds of the finding less its share of the training (4 %, at least 1 s)",
               asked["seconds"] - max(1.0, 0.04 * asked["fit_s"]), "<=", 0.5),
    ]  # fmt: skip
    bench.settings = {"photographs": f"{_PHOTOS} of cats_dogs, {_SIDE} px"}
    summary = {"compared": found, "fashion-mnist": asked}
    bench.finish(summary, targets, packages=["imagecorruptions-imaug", "scikit-image", "pillow"])


if __name__ == "__main__":
    main()
