"""What many tests share: a cache of their own, the commands, a folder of photos, a table, and a run on each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from programs import Result, told

# Tests ask whether it is installed before Assay imports it, which would keep it from sending anything.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

Command = Callable[..., Result]


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Decoded samples and keys go into folders of the test run, never into the user's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("ASSAY_PRIVATE", str(tmp_path_factory.mktemp("private")))
        yield


@pytest.fixture(scope="session")
def command() -> Command:
    """Runs a command in this process: `command("inspect", folder, "--json")`."""

    def run(*words: object) -> Result:
        from assay.cli import main

        return told(main, "assay", *words)

    return run


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """140 scanned digits, a folder a class."""
    from PIL import Image
    from sklearn.datasets import load_digits

    folder = tmp_path_factory.mktemp("photos") / "digits"
    data = load_digits()
    for number in range(140):
        file = folder / str(data.target[number]) / f"{number:04d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((data.images[number] * 255 / 16).round().astype(np.uint8)).save(file)
    return folder


@pytest.fixture(scope="session")
def wine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """178 wines of three cultivars, as a CSV file."""
    from sklearn.datasets import load_wine

    frame = load_wine(as_frame=True).frame
    frame["cultivar"] = np.asarray(["barolo", "grignolino", "barbera"])[frame.pop("target")]
    file = tmp_path_factory.mktemp("tables") / "wine.csv"
    frame.to_csv(file, index=False)
    return file


@pytest.fixture(scope="session")
def digits_run(command: Command, digits: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A complete run on the digits, and what training printed."""
    run = tmp_path_factory.mktemp("runs") / "digits"
    words = ("--epochs", 1, "--network", "mlp", "--set", "width=32", "--evidence", "quick", "--json")
    return run, command("train", digits, "--out", run, *words)


@pytest.fixture(scope="session")
def wine_run(command: Command, wine: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A complete run on the wines, and what training printed."""
    run = tmp_path_factory.mktemp("runs") / "wine"
    words = ("--epochs", 2, "--network", "mlp", "--set", "width=16", "--evidence", "quick", "--json")
    return run, command("train", wine, "--target", "cultivar", "--out", run, *words)
