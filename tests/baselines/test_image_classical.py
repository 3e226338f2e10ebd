from __future__ import annotations

import gzip
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from baseline_examples import FakeSamples, FakeView, split
from baseline_examples import digits as load

from assay.baselines.image_classical import HogSvm
from assay.errors import RunError
from assay.targets.class_target import ClassTarget
from assay.targets.labels_target import LabelsTarget
from assay.targets.number_target import NumberTarget

FASHION = Path("/usr/share/datasets/fashion-mnist")
TEN = ClassTarget(tuple("0123456789"))
Views = tuple[FakeView, FakeView, FakeView]


@pytest.fixture
def digits() -> Views:
    return load()


def test_digits(digits: Views, tmp_path: Path) -> None:
    train, validation, test = digits
    model = HogSvm(TEN)
    assert "all 1,078" in model.fit(train, validation, 60.0, 0)
    outputs = np.asarray(model.predict(test))
    assert (outputs.argmax(axis=1) == test.truths()).mean() > 0.97
    np.testing.assert_allclose(outputs.sum(axis=1), 1)
    assert TEN.losses(outputs, test.truths()).mean() < 0.15
    model.save(tmp_path)
    again = HogSvm(TEN)
    again.load(tmp_path)
    np.testing.assert_array_equal(again.predict(test), outputs)


def test_many_samples_go_through_centres(digits: Views, monkeypatch: pytest.MonkeyPatch) -> None:
    from assay.baselines import kernel_machine

    monkeypatch.setattr(kernel_machine, "EXACT", 400)
    monkeypatch.setattr(kernel_machine, "_LEAST", 400)
    train, validation, test = digits
    model = HogSvm(TEN)
    assert "centres" in model.fit(train, validation, 60.0, 0)
    assert (np.asarray(model.predict(test)).argmax(axis=1) == test.truths()).mean() > 0.96


def test_numbers_and_labels_of_images(digits: Views) -> None:
    train, validation, test = digits
    number = HogSvm(NumberTarget(4.5, 2.9))
    train.samples.targets = train.samples.targets.astype(float)
    number.fit(train, validation, 5.0, 0)
    assert NumberTarget(4.5, 2.9).metrics()[0].value(number.predict(test), test.truths()) > 0.85
    whole = train.samples.targets
    train.samples.targets = np.stack([whole % 2, whole > 4], axis=1).astype(np.float32)
    target = LabelsTarget(("odd", "large"))
    labels = HogSvm(target)
    labels.fit(train, validation, 5.0, 0)
    assert target.metrics()[0].value(labels.predict(test), test.truths()) > 0.93


@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_tiny_data_of_one_colour(count: int) -> None:
    images = np.full((count + 4, 3, 20, 12), 7, np.uint16)
    samples = FakeSamples(np.arange(count + 4) % 2, {"image": images})
    model = HogSvm(ClassTarget(("a", "b", "never")))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(samples.view_of(np.arange(count)), samples.view_of(np.zeros(0)), 0.1, 0)
        outputs = np.asarray(model.predict(samples.view_of(np.arange(count, count + 4))))
    assert outputs.shape == (4, 3)
    np.testing.assert_allclose(outputs.sum(axis=1), 1)


def test_colour_alone_tells_classes_apart() -> None:
    draws = np.random.default_rng(0)
    truths = draws.integers(0, 2, 120)
    images = draws.integers(0, 80, (120, 3, 16, 16)).astype(np.uint8)
    images[np.arange(120), truths] += 60
    train, validation, test = split(truths, image=images)
    model = HogSvm(ClassTarget(("red", "green")))
    model.fit(train, validation, 5.0, 0)
    assert (np.asarray(model.predict(test)).argmax(axis=1) == test.truths()).mean() == 1


def test_same_seed_same_answers(digits: Views) -> None:
    train, validation, test = digits
    outputs = []
    for _ in range(2):
        model = HogSvm(TEN)
        model.fit(train.sample(300), validation, 60.0, 3)
        outputs.append(np.asarray(model.predict(test)))
    np.testing.assert_array_equal(*outputs)


@pytest.mark.parametrize("bad", ["pickle", "shape", "nan", "cut", "json"])
def test_tampered_files(digits: Views, tmp_path: Path, bad: str) -> None:
    train, validation, _ = digits
    model = HogSvm(TEN)
    model.fit(train.sample(100), validation, 1.0, 0)
    model.save(tmp_path)
    path = tmp_path / "svm.npz"
    with np.load(path) as file:
        arrays: dict[str, Any] = dict(file)
    witness = tmp_path / "executed"

    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (witness,))

    if bad == "pickle":
        np.savez(path, **{**arrays, "weights": np.array([Bomb()], object)})
    elif bad == "shape":
        np.savez(path, **{**arrays, "weights": arrays["weights"][1:]})
    elif bad == "nan":
        np.savez(path, **{**arrays, "mean": arrays["mean"] * np.nan})
    elif bad == "cut":
        path.write_bytes(path.read_bytes()[:1000])
    else:
        (tmp_path / "svm.json").write_text('{"scale": 1}')
    with pytest.raises(RunError):
        HogSvm(TEN).load(tmp_path)
    assert not witness.exists()


def _fashion(name: str, offset: int) -> Any:
    return np.frombuffer(gzip.decompress((FASHION / name).read_bytes()), np.uint8, offset=offset)


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.skipif(not FASHION.exists(), reason="Fashion-MNIST is not here")
def test_fashion_mnist() -> None:
    """A tenth of the images; `benchmarks/fashion_mnist.py` fits all of them."""
    images = [_fashion(f"{part}-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28) for part in ("train", "t10k")]
    truths = [_fashion(f"{part}-labels-idx1-ubyte.gz", 8).astype(np.int64) for part in ("train", "t10k")]
    samples = FakeSamples(np.concatenate(truths), {"image": np.concatenate(images)})
    model = HogSvm(TEN)
    begun = time.perf_counter()
    model.fit(samples.view_of(np.arange(5_400)), samples.view_of(np.arange(5_400, 6_000)), 12.0, 0)
    assert time.perf_counter() - begun < 1.2 * 12
    test = samples.view_of(np.arange(60_000, 62_000))
    assert (np.asarray(model.predict(test)).argmax(axis=1) == test.truths()).mean() >= 0.85
