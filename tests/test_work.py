"""Small trainings are the same wherever they are done: sent as plain values, and about what an address opens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.baselines.fit import Fit
from assay.cluster.address import subject_address
from assay.errors import AssayError, DataError, MissingExtraError, SettingError, raised, told
from assay.evidence._side_training import Training
from assay.flow import TrainOptions, prepare
from assay.planning import Made, choose
from assay.progress import Progress
from assay.run import RunFolder
from assay.samples.split import TEST
from assay.sources.source import DataOptions
from assay.work import InTurn


@pytest.fixture(scope="module")
def made(wine: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    data = DataOptions(target="cultivar")
    options = TrainOptions(epochs=2, network="mlp", settings={"width": "16"})
    run = RunFolder.create(tmp_path_factory.mktemp("work") / "run")
    return choose(prepare(wine, data), data, options, run, Progress())


def test_an_address_opens_the_same_samples(made: Made) -> None:
    found = subject_address(made).open()
    assert np.array_equal(found.samples.side, made.samples.side) and found.settings == made.settings
    assert found.plan == made.plan and found.kind.name == made.kind.name
    ours, theirs = (samples.batch(np.arange(5)) for samples in (made.samples, found.samples))
    assert all(bool((getattr(ours, name) == getattr(theirs, name)).all()) for name in ("index", "target"))


def test_what_is_done_elsewhere_is_what_is_done_here(made: Made) -> None:
    there = subject_address(made).open()
    some, view = np.flatnonzero(made.samples.side == 0)[::2], made.samples.view(TEST)
    training = Training("half", some, made.plan)
    ours = next(InTurn()(made.subject, [training]))
    theirs = training.unpacked(training.packed(training.do(there)), made.subject)
    for (name, value), other in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        assert np.array_equal(value.numpy(), other.numpy()), name
    for place, model in enumerate(made.task.baselines(made.spec)):
        fit = Fit(place, 1.0, 0)
        done: Any = fit.do(there)
        again = fit.unpacked(fit.packed(done), made.subject)
        assert type(again.model) is type(model) and again.note == done.note and again.seconds == done.seconds
        np.testing.assert_allclose(again.model.predict(view), done.model.predict(view))


@pytest.mark.parametrize("error", [SettingError("a", "b"), DataError("a", "b", file="f", row=2), AssayError("a")])
def test_an_error_arrives_as_it_was_told(error: AssayError) -> None:
    found = raised(told(error))
    assert type(found) is type(error) and (found.message, found.hint) == (error.message, error.hint)


def test_an_error_that_cannot_be_made_again_keeps_its_words() -> None:
    error = MissingExtraError("--cluster", "cluster")
    found = raised(told(error))
    assert (found.message, found.hint) == (error.message, error.hint)
