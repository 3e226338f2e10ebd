"""Driving as an application: the acceptance test in a tiny world and on records, rides, answers, what goes wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image

import assay
from assay.check import check_task
from assay.driving import _instead
from assay.errors import SettingError
from assay.evaluation.drive_loop import drive_tracks
from assay.flow import TrainOptions, prepare, train
from assay.model import Model
from assay.registry import load_task
from assay.report.figures import draw
from assay.samples.draws import Draws
from assay.samples.drive_augment import augmented_drive, mirrored, weights
from assay.samples.drive_corruptions import drive_corruptions, worse_terms
from assay.samples.drive_spec import DriveSpec, Loop
from assay.samples.samples import build_samples
from assay.samples.split import TEST, TRAIN
from assay.shell import _use
from assay.simulators import simulator
from assay.simulators.rides import Terms
from assay.sources.source import DataOptions
from assay.tasks.driving import Driving, _answer
from driving_examples import frame_of, steered, write_log
from programs import Result

TINY = {"drives": "8", "tests": "4", "collect": "3"}
SMALL = {"width": "8", "hidden": "48", "dropout": "0"}
SPEC = DriveSpec(
    24, 48, 1, 0.1, 10.0, (60.0,) * 3, (50.0,) * 3, ("steering", "throttle", "brake"), (-1.0, 0.0, 0.0),
    (1.0, 1.0, 1.0), (0.0, 0.5, 0.1), (0.3, 0.3, 0.2), (0.1, 0.4), (0.6, 0.3, 0.1), ((0, 24, 0, 48),),
    Loop("tiny-road", 3, 60.0),
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def tiny() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(simulator.SIMULATORS, "tiny-road", "driving_examples:TinyRoad")
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A policy of the tiny world, with all its evidence."""
    options = TrainOptions(epochs=14, settings=SMALL)
    data = DataOptions("driving", extra={**TINY, "tests": "10"})
    return Model(train("simulator:tiny-road", data, options, tmp_path_factory.mktemp("driving") / "run"))


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_log(tmp_path_factory.mktemp("log"), 700)


def test_a_simulator_passes_the_acceptance_test() -> None:
    options = DataOptions("driving", extra=TINY)
    broken = "simulator:nowhere"
    results = check_task(Driving(), "simulator:tiny-road", options, corrupt=[broken], settings=SMALL)
    assert all(result.ok for result in results), [result for result in results if not result.ok]
    assert {result.name: result.outcome for result in results}["closed_loop"] == "passed"


def test_records_pass_the_acceptance_test(log: Path, tmp_path: Path) -> None:
    still = write_log(tmp_path / "still", 60, steering=[0.0] * 60)
    results = check_task(Driving(), log, corrupt=[still, tmp_path / "still" / "IMG"], settings=SMALL)
    assert all(result.ok for result in results), [result for result in results if not result.ok]
    assert {result.name: result.outcome for result in results}["closed_loop"] == "inapplicable"


def test_it_learns_to_drive_where_it_never_drove(run: Model) -> None:
    summary = run.summary
    assert summary["metrics"]["score"] > 33 and summary["metrics"]["finished"] == 1.0
    assert summary["samples"]["train"] == 8 + 3 and summary["samples"]["test"] == 10
    told = {finding.name: finding for finding in run.evidence}
    assert told["leakage"].status == "good"
    assert told["accuracy"].numbers["a step on one core"].value is not None
    tried = {
        name.partition(",")[0] for name in told["robustness"].numbers
    }  # at as many strengths as there was time for
    assert {"latency", "recolouring", "noise", "darkness", "blur"} <= tried
    assert "usual steering" in told["explanation"].verdict or told["explanation"].status != "unknown"


def test_every_figure_can_be_drawn(run: Model) -> None:
    figures = [figure for finding in run.evidence for figure in finding.figures]
    titles = {figure.title for figure in figures}
    assert {"Score by track", "Braking"} <= titles
    assert all(draw(figure) for figure in figures)


def test_assay_drive(run: Model, command: Any, tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    film = tmp_path / "out.mp4"
    told: Result = command("drive", run.run.path, "--episodes", 2, "--seed", 77, "--video", film, "--json")
    found = told.json
    assert [row["track"] for row in found["episodes"]] == [77, 78] and found["format"] == 1
    scores = [row["score"] for row in found["episodes"]]
    assert found["metrics"]["score"]["value"] == pytest.approx(np.mean(scores), abs=0.01) and film.stat().st_size > 1000
    again = command("drive", run.run.path, "--episodes", 2, "--seed", 77)
    assert again.out.startswith(f"track-77\t{scores[0]:.0f} points")
    assert command("drive", run.run.path, "--baseline", "--episodes", 1, "--json").json["driver"] == "baseline"


def test_runs_are_compared_and_judged_on_other_tracks(run: Model, command: Any) -> None:
    found = command("compare", run.run.path, run.run.path, "--json").json
    assert found["metric"] == "score" and found["samples"] == 10 and found["differences"][0]["verdict"] == "tie"
    told = command("evaluate", run.run.path, "simulator:tiny-road", "--tests", 3, "--json").json
    assert told["samples"] == 3 and told["metrics"]["finished"]["value"] == 1.0


def test_what_cannot_be_driven_is_said(run: Model, log: Path, command: Any, tmp_path: Path) -> None:
    assert "0 episodes are not possible" in command("drive", run.run.path, "--episodes", 0).err
    assert "cannot be written as out.txt" in command("drive", run.run.path, "--video", tmp_path / "out.txt").err
    for place in (tmp_path / "nowhere" / "out.mp4", run.run.summary / "out.mp4"):
        told = command("drive", run.run.path, "--video", place)
        assert "there is no folder" in told.err and not told.out  # before anything was driven
    assert _use(run.run) == f"drive: assay drive {run.run.path}"
    model = assay.train(log, out=tmp_path / "run", epochs=1, settings=SMALL, evidence="none")
    assert "was not learned in a simulator" in command("drive", model.run.path).err
    with pytest.raises(SettingError, match="learned from records"):
        list(drive_tracks(_answer(model.predictor), model.spec, [1]))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("positioning", "answers logs of drives"),
        ("driving", "answers pictures and videos"),
        ("table", "answers tables"),
    ],
)
def test_a_run_that_cannot_drive_says_what_it_answers(name: str, words: str) -> None:
    hint = _instead(cast(Any, SimpleNamespace(task=load_task(name))), Path("runs/mine"))
    assert hint == f"It is of {name}: assay predict {Path('runs/mine')} INPUT {words}."


def test_late_actions_are_named_as_late_as_they_are() -> None:
    slow = replace(SPEC, loop=Loop("tiny-road", 3, 60.0, rate_hz=10.0))
    assert drive_corruptions(slow)["latency"].strengths == ("100 ms", "200 ms", "300 ms", "400 ms", "500 ms")
    assert drive_corruptions(SPEC)["latency"].strengths == ("20 ms", "40 ms", "80 ms", "120 ms", "160 ms")
    assert [worse_terms("latency", strength, 50.0, Terms()).delay for strength in range(1, 6)] == [1, 2, 4, 6, 8]


def test_a_simulator_says_which_numbers_it_takes() -> None:
    for extra, words in (
        ({"drives": "one"}, "--drives one"),
        ({"tests": "1"}, "--tests 1"),
        ({"steps": "9999"}, "--steps"),
    ):
        with pytest.raises(SettingError, match=words):
            prepare("simulator:tiny-road", DataOptions("driving", extra=extra))
    with pytest.raises(SettingError, match="tracks cannot be split"):
        prepare("simulator:tiny-road", DataOptions("driving", split="80/10/10"))
    with pytest.raises(SettingError, match="there is no simulator 'tiny-rod'"):
        prepare("simulator:tiny-rod", DataOptions())


def test_a_run_in_a_simulator_is_resumed_by_its_name(tmp_path: Path) -> None:
    from assay.fitting import finish
    from assay.planning import choose, reopen
    from assay.progress import Progress
    from assay.run import RunFolder

    data, options = DataOptions("driving", extra=TINY), TrainOptions(epochs=1, settings=SMALL, evidence="none")
    folder = RunFolder.create(tmp_path / "run")
    choose(prepare("simulator:tiny-road", data), data, options, folder, Progress())
    import threading

    assert json.loads(folder.plan.read_text())["source"] == "simulator:tiny-road"
    finish(reopen(folder, Progress()), folder, Progress(), threading.Event())
    assert Model(folder).summary["task"] == "driving"


def test_pictures_are_answered_one_by_one(log: Path, tmp_path: Path) -> None:
    model = assay.train(log, out=tmp_path / "run", epochs=30, settings=SMALL, evidence="none")
    for number, angle in enumerate((-0.5, 0.5)):
        Image.fromarray(frame_of(angle, 5000 + number)).save(tmp_path / f"{number}.png")
    answers = model.predict([str(tmp_path / "0.png"), str(tmp_path / "1.png")])
    left, right = (answer.controls["steering"] for answer in answers)
    assert left < -0.2 and right > 0.2 and answers[0].frames == 1
    explanation = model.explain(str(tmp_path / "1.png"))[0]
    assert explanation.faithfulness.beaten > 0.5 and explanation.plain.image != explanation.drawn.image


def test_memory_sees_the_frames_before() -> None:
    data = DataOptions("driving", extra={**TINY, "memory": "3"})
    task = load_task("driving")
    made = prepare("simulator:tiny-road", data, task=task)
    spec = task.fit_spec(made.records, made.split.side == TRAIN, data)
    samples = build_samples(task, made.records, spec, made.split.side)
    windows = samples.view_of(samples.view(TEST).units[:1]).windows
    image = samples.batch(windows).image.numpy()  # type: ignore[attr-defined]
    assert image.shape[1] == 9 and spec.back(spec.rate_hz) == 1
    assert np.array_equal(image[5, :3], image[4, 3:6]) and np.array_equal(image[5, 3:6], image[4, 6:])
    assert np.array_equal(image[0, :3], image[0, 6:])  # before the first frame stands the first
    seen: list[Any] = []

    def answer(frames: Any, number: int) -> Any:
        seen.append(frames[0])
        return truth[len(seen) - 1]

    truth = np.stack([samples.view(TEST).truths()[0][name] for name in spec.controls], axis=1)
    list(drive_tracks(answer, spec, [10000], Terms(most_steps=4)))
    assert all(np.array_equal(one, image[place]) for place, one in enumerate(seen[:5]))


def test_mirrored_frames_have_a_mirrored_wheel() -> None:
    image = torch.randint(0, 255, (8, 3, 24, 48), dtype=torch.uint8)
    action = torch.rand(8, 3) - 0.5
    draws = Draws(0, 0, np.arange(8))
    changed, turned, _ = augmented_drive(image, action, {"mirror": 1.0}, SPEC, draws)
    assert turned is not None and torch.equal(changed, image.flip(3))
    assert torch.equal(turned[:, 0], -action[:, 0]) and torch.equal(turned[:, 1:], action[:, 1:])
    boxes = ((0, 20, 0, 48), (20, 24, 10, 20))
    part = mirrored(image, boxes)
    assert torch.equal(part[:, :, :20], image[:, :, :20].flip(3)) and torch.equal(
        part[:, :, 20:, :10], image[:, :, 20:, :10]
    )
    assert torch.equal(mirrored(part, boxes), image)


@pytest.mark.parametrize("balance", [0.0, 0.5, 1.0])
def test_balanced_weights_have_mean_one(balance: float) -> None:
    steering = torch.tensor([0.0] * 60 + [0.2] * 30 + [0.9] * 10)
    found = weights(steering, balance, SPEC)
    assert float(found.mean()) == pytest.approx(1.0, abs=1e-5)
    sums = [float(part.sum()) for part in (found[:60], found[60:90], found[90:])]
    assert (max(sums) - min(sums) < 1e-3) == (balance == 1.0)


def test_the_whole_spec_is_written_and_read() -> None:
    assert DriveSpec.from_json(json.loads(json.dumps(SPEC.to_json()))) == SPEC


def test_steered_examples_turn_both_ways() -> None:
    assert steered(700).min() < -0.3 and steered(700).max() > 0.3
