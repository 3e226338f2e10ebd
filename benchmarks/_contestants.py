"""The contestants of `time_to_90.py`: each trains once in a process of its own and prints what it took.

    python benchmarks/_contestants.py keras-convnet '{"epochs": 3, "seed": 0, "goal": 0.9, "smoke": false}'

All start from the same arrays in memory, which nobody's time includes. `prepare_s` is what a user cannot avoid before
the training of the first batch; `train_s` lasts from there to the end of the last batch, without any validation.
Imports are in neither. All are judged by the last images of the training part, and none sees the test set.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from _data import VALIDATION, Array, grey_images

Json = dict[str, Any]
#: What is else imported where it is needed first, in the middle of a time; PyTorch does so with its first optimiser.
_LAZY = {
    "assay": ("torch._dynamo", "assay.planning", "assay.sources.images", "assay.networks.image_networks"),
    "fastai-resnet18": ("torch._dynamo",),
    "fastai-assay-convnet": ("torch._dynamo",),
    "keras-convnet": ("torch._dynamo",),
}


class Stopwatch:
    """Seconds since the last call."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def __call__(self) -> float:
        now = time.perf_counter()
        passed, self._last = now - self._last, now
        return passed


def sides(smoke: bool) -> tuple[Array, Array, Array, Array]:
    """Training images and labels, validation images and labels."""
    data = grey_images(smoke)
    last = 50 if smoke else VALIDATION
    first = len(data.images) - 150 if smoke else 0
    return data.images[first:-last], data.labels[first:-last], data.images[-last:], data.labels[-last:]


def prepared_of(images: Array, labels: Array, kept: int) -> tuple[Any, Any]:
    """Arrays as Assay reads them, the first `kept` of them to train, the others to be judged by; and the options."""
    from dataclasses import replace

    from assay.flow import prepare
    from assay.samples.split import TEST, TRAIN, Split
    from assay.sources.source import DataOptions

    options = DataOptions("image-classification")
    prepared = prepare((images, labels.astype(str)), options)
    side = np.where(np.arange(len(images)) < kept, TRAIN, TEST).astype(np.int8)
    return replace(prepared, split=Split(side, "given")), options


@contextmanager
def own_cache() -> Iterator[Path]:
    """A folder in which nothing is decoded yet."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ASSAY_CACHE"] = str(Path(folder) / "cache")
        yield Path(folder)


def assay_convnet(asked: Json) -> Json:
    """Assay's own network in its own loop, with its own plan for that many epochs."""
    from assay.flow import TrainOptions
    from assay.planning import choose
    from assay.progress import Progress
    from assay.run import RunFolder
    from assay.samples.split import TEST
    from assay.serving.predictor import Predictor
    from assay.training.loop import fit

    x, y, x_validation, y_validation = sides(asked["smoke"])
    settings = {name: str(value) for name, value in asked["network"].items()}
    train = TrainOptions(None, asked["epochs"], "convnet", settings, asked["seed"], "none")
    with own_cache() as folder:
        watch = Stopwatch()
        whole, labels = np.concatenate([x, x_validation]), np.concatenate([y, y_validation])
        prepared, options = prepared_of(whole, labels, len(x))
        run = RunFolder.create(folder / "run")
        made = choose(prepared, options, train, run, Progress())
        network = made.build()
        prepare_s = watch()
        fit(network, made.job(run))
        train_s = watch()
        found = made.task.evaluate(Predictor(made.task, made.spec, network), made.samples.view(TEST))
        accuracy = float(found.measure(made.task.metrics(made.spec)[0]).value)
    count = sum(value.numel() for value in network.parameters())
    return {"prepare_s": prepare_s, "train_s": train_s, "accuracy": accuracy, "steps": made.plan.steps,
            "batch_size": made.plan.batch_size, "parameters": count}  # fmt: skip


class Stream:
    """A data set for fastai's DataLoader: `epochs` passes over tensors in memory, each pass in a new order."""

    def __init__(self, images: Any, labels: Any, epochs: float, seed: int) -> None:
        draw = np.random.default_rng(seed)
        passes = [draw.permutation(len(images)) for _ in range(int(np.ceil(epochs)))]
        self._order = np.concatenate(passes)[: round(epochs * len(images))].tolist()
        self._images, self._labels = images, labels

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, place: int) -> tuple[Any, Any]:
        row = self._order[place]
        return self._images[row], self._labels[row]


def _fastai_loaders(asked: Json, scaled: bool) -> Any:
    """The DataLoaders of fastai over tensors: kinder to it than its usual way through image files and PIL.

    A whole schedule is one long epoch, so that one-cycle may be shorter than a pass over the data, and so that
    validation is run once alone.
    """
    import torch
    from fastai.data.core import DataLoaders
    from fastai.data.load import DataLoader

    x, y, x_validation, y_validation = sides(asked["smoke"])
    watch = Stopwatch()
    images, held = (torch.from_numpy(np.array(part)).float().unsqueeze(1) for part in (x, x_validation))
    if scaled:
        mean, deviation = images.mean(), images.std()
        images, held = (images - mean) / deviation, (held - mean) / deviation
    labels, truths = (torch.from_numpy(part.astype(np.int64)) for part in (y, y_validation))
    train = DataLoader(Stream(images, labels, asked["epochs"], asked["seed"]), bs=64, drop_last=True)
    valid = DataLoader(list(zip(held, truths, strict=True)), bs=256)
    return DataLoaders(train, valid, device=torch.device("cpu")), watch()


def _fit_fastai(learn: Any, rate: float | None) -> tuple[float, float]:
    """Seconds of training, and the accuracy on the validation side."""
    import fastai.callback.progress
    import fastai.callback.schedule  # noqa: F401 - both add methods to Learner
    from fastai.callback.core import Callback

    ended: list[float] = []

    class Ended(Callback):
        def after_train(self) -> None:
            ended.append(time.perf_counter())

    begun = time.perf_counter()
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(1, rate, cbs=Ended())
    outputs, truths = learn.get_preds()
    return ended[0] - begun, float((outputs.argmax(dim=1) == truths).float().mean())


def fastai_resnet18(asked: Json) -> Json:
    """The vision_learner(resnet18, pretrained=False) of fastai with its one-cycle, head, optimiser and batch size."""
    from fastai.losses import CrossEntropyLossFlat
    from fastai.torch_core import set_seed
    from fastai.vision.learner import vision_learner
    from torchvision.models import resnet18

    loaders, prepare_s = _fastai_loaders(asked, scaled=True)
    set_seed(asked["seed"])
    watch = Stopwatch()
    learn = vision_learner(loaders, resnet18, pretrained=False, n_in=1, n_out=10, loss_func=CrossEntropyLossFlat())
    prepare_s += watch()
    train_s, accuracy = _fit_fastai(learn, asked["rate"])
    count = sum(value.numel() for value in learn.model.parameters())
    return {
        "prepare_s": prepare_s,
        "train_s": train_s,
        "accuracy": accuracy,
        "steps": len(loaders.train),
        "parameters": count,
    }


def fastai_convnet(asked: Json) -> Json:
    """Assay's network, the one that served Assay best, in fastai's Learner with its one-cycle."""
    from fastai.learner import Learner
    from fastai.losses import CrossEntropyLossFlat
    from fastai.torch_core import set_seed

    spec, kind = _spec_and_kind(asked)
    set_seed(asked["seed"])
    network = kind.build(spec, kind.settings(**asked["network"]))
    loaders, prepare_s = _fastai_loaders(asked, scaled=False)
    learn = Learner(loaders, network, loss_func=CrossEntropyLossFlat())
    train_s, accuracy = _fit_fastai(learn, asked["rate"])
    return {"prepare_s": prepare_s, "train_s": train_s, "accuracy": accuracy, "steps": len(loaders.train)}


def _spec_and_kind(asked: Json) -> tuple[Any, Any]:
    """What Assay knows of the images, by which the network scales them, and the kind of network."""
    from assay.planning import decode, pick_network
    from assay.progress import Progress

    x, y, _, _ = sides(asked["smoke"])
    with own_cache():
        prepared, options = prepared_of(x, y, len(x))
        spec = decode(prepared, options, Progress())[1]
    return spec, pick_network(prepared.task, spec, "convnet")[0]


def keras_convnet(asked: Json) -> Json:
    """The network, optimiser and batch size of Keras' example "Simple MNIST convnet", stopped at the first good epoch.

    Its schedule is constant, so one run tells of all numbers of epochs; it stops where `goal` is reached first.
    """
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    x, y, x_validation, y_validation = sides(asked["smoke"])
    keras.utils.set_random_seed(asked["seed"])
    watch = Stopwatch()
    x, x_validation = (np.expand_dims(part.astype("float32") / 255, -1) for part in (x, x_validation))
    y, y_validation = (keras.utils.to_categorical(part, 10) for part in (y, y_validation))
    model = _simple_convnet(keras)
    prepare_s = watch()
    train_s, history = 0.0, []
    for _ in range(int(asked["epochs"])):
        watch()
        model.fit(x, y, batch_size=128, epochs=1, verbose=0)
        train_s += watch()
        history.append(float(model.evaluate(x_validation, y_validation, batch_size=256, verbose=0)[1]))
        if history[-1] >= asked["goal"]:
            break
    return {"prepare_s": prepare_s, "train_s": train_s, "accuracy": history[-1], "accuracy_by_epoch": history,
            "epochs": len(history), "backend": keras.backend.backend(), "parameters": model.count_params()}  # fmt: skip


def _simple_convnet(keras: Any) -> Any:
    layers = keras.layers
    model = keras.Sequential([
        keras.Input(shape=(28, 28, 1)),
        layers.Conv2D(32, kernel_size=(3, 3), activation="relu"),
        layers.MaxPooling2D(pool_size=(2, 2)),
        layers.Conv2D(64, kernel_size=(3, 3), activation="relu"),
        layers.MaxPooling2D(pool_size=(2, 2)),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.Dense(10, activation="softmax"),
    ])  # fmt: skip
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    return model


def boosted_trees(asked: Json) -> Json:
    """scikit-learn's HistGradientBoostingClassifier on the pixels, as it comes."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    x, y, x_validation, y_validation = sides(asked["smoke"])
    watch = Stopwatch()
    x, x_validation = (part.reshape(len(part), -1) for part in (x, x_validation))
    model = HistGradientBoostingClassifier(random_state=asked["seed"], max_iter=5 if asked["smoke"] else 100)
    prepare_s = watch()
    model.fit(x, y)
    train_s = watch()
    accuracy = float((model.predict(x_validation) == y_validation).mean())
    return {"prepare_s": prepare_s, "train_s": train_s, "accuracy": accuracy, "rounds": int(model.n_iter_)}


CONTESTANTS: dict[str, Callable[[Json], Json]] = {
    "assay": assay_convnet,
    "fastai-resnet18": fastai_resnet18,
    "fastai-assay-convnet": fastai_convnet,
    "keras-convnet": keras_convnet,
    "hist-gradient-boosting": boosted_trees,
}


def main() -> None:
    name, asked = sys.argv[1], json.loads(sys.argv[2])
    random.seed(asked["seed"])
    for module in _LAZY.get(name, ()):
        importlib.import_module(module)
    answer = CONTESTANTS[name](asked)
    if "torch" in sys.modules:
        answer["threads"] = sys.modules["torch"].get_num_threads()
    # Libraries may print on standard output; the answer is its last line.
    print("\n" + json.dumps(answer))


if __name__ == "__main__":
    main()
