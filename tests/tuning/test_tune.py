"""A whole search: trials, best and defaults in full, the run, its finding; stopped, resumed, shared, failing."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import pytest

import assay
from assay.errors import AssayError, RunError, SettingError, TrainingError
from assay.evidence.finding import Finding
from assay.run import RunFolder, owned
from assay.training.plan import Plan
from assay.tuning import finals, flow, plan, search
from assay.tuning.storage import open_storage
from programs import Result

Command = Callable[..., Result]
#: Hyper-parameters that do not change how long a step takes, and time enough for the most steps that are useful to so
#: small a network: a search is then the same on any machine, and takes some seconds.
QUICK: dict[str, Any] = {
    "target": "cultivar",
    "networks": ("mlp",),
    "settings": {"width": 16},
    "search": ("learning_rate", "dropout", "label_smoothing"),
    "evidence": "quick",
    "budget": 900,
}


def trials_of(run: Path) -> list[optuna.trial.FrozenTrial]:
    """What the journal of a run holds."""
    file = run / "tuning" / "journal.jsonl"
    storage = open_storage(str(file), file)
    return optuna.load_study(study_name=None, storage=storage).trials


@pytest.fixture(scope="module")
def tuned(command: Command, wine: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A complete search by the command, and its summary."""
    run = tmp_path_factory.mktemp("tuned") / "run"
    words = ("--target", "cultivar", "--network", "mlp", "--trials", 5, "--budget", "15m", "--evidence", "quick")
    done = command("tune", wine, *words, "--set", "width=16", "--json", "--out", run)
    assert done.code == 0, done.err
    return run, json.loads(done.out)


def test_the_best_trial_becomes_a_run_like_any_other(wine: Path, tuned: tuple[Path, dict[str, Any]]) -> None:
    run, summary = tuned
    folder = RunFolder(run)
    for file in (folder.plan, folder.samples, folder.metrics, folder.summary, folder.evidence, folder.report):
        assert file.exists()
    assert not folder.checkpoint.exists() and (folder.model / "model.json").exists()
    assert summary["network"]["name"] == "mlp"
    assert len(assay.load(run).predict(wine)) == 178
    plan = json.loads(folder.plan.read_text())
    assert plan["network"]["settings"]["width"] == 16


def test_the_finding_tells_gain_importance_and_path(tuned: tuple[Path, dict[str, Any]]) -> None:
    run, summary = tuned
    told = summary["findings"]["tuning"]
    gain = told["numbers"]["gain over the defaults"]
    assert gain["low"] <= gain["value"] <= gain["high"] and gain["unit"] == "points"
    assert told["numbers"]["trials"]["value"] == 5 and told["verdict"]
    found: Finding = next(one for one in assay.load(run).evidence if one.name == "tuning")
    assert [figure.kind for figure in found.figures][:2] == ["intervals", "lines"]
    assert "path of the search" in (run / "report.html").read_text()


def test_each_trial_is_in_the_journal_once_and_none_is_open(tuned: tuple[Path, dict[str, Any]]) -> None:
    trials = trials_of(tuned[0])
    assert [one.number for one in trials] == list(range(len(trials)))
    assert all(one.state.is_finished() and "owner" in one.user_attrs for one in trials)
    first = trials[0]
    assert first.state == optuna.trial.TrialState.COMPLETE and "fixed_params" in first.system_attrs


def test_the_network_that_was_not_kept_is_a_run_beside_it(tuned: tuple[Path, dict[str, Any]]) -> None:
    kept = json.loads((tuned[0] / "tuning" / "kept.json").read_text())
    left = {name for name in ("found", "defaults") if (tuned[0] / "tuning" / name / "plan.json").exists()}
    assert left == (set() if kept["same"] else {"found", "defaults"} - {kept["kept"]})


def test_a_finished_search_is_left_as_it_is(command: Command, tuned: tuple[Path, dict[str, Any]]) -> None:
    run = tuned[0]
    before = (run / "summary.json").stat().st_mtime_ns
    assert command("resume", run, "--json").code == 0
    assert (run / "summary.json").stat().st_mtime_ns == before


def test_another_search_does_not_go_into_its_folder(wine: Path, tuned: tuple[Path, dict[str, Any]]) -> None:
    with pytest.raises(RunError, match="holds another search"):
        assay.tune(wine, out=tuned[0], **QUICK)


def test_two_processes_do_not_write_one_folder(wine: Path, tuned: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "tuning").mkdir(parents=True)
    (run / "tuning" / "tuning.json").write_text((tuned[0] / "tuning" / "tuning.json").read_text())
    with owned(run / "tuning"), pytest.raises(RunError, match="another process is writing"):
        flow.resume(run, flow.Progress(), flow.threading.Event())


class Killed(BaseException):
    """As far as the code can tell, the end of the process."""


@pytest.mark.parametrize("at", ["trial", "full", "kept"])
def test_a_search_that_was_killed_goes_on(at: str, wine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        places = {"trial": (search.Search, "_behind"), "full": (finals, "fitted"), "kept": (flow, "become_run")}
        owner, name = places[at]
        left = [12 if at == "trial" else 1]
        before = getattr(owner, name)

        def dying(*given: Any, **more: Any) -> Any:
            left[0] -= 1
            if left[0] < 0 or at == "kept":
                raise Killed
            return before(*given, **more)

        patch.setattr(owner, name, dying)
        # So that two are trained in full: the last trial, and the defaults.
        patch.setattr(search, "pruner_of", lambda pruning: optuna.pruners.NopPruner())
        patch.setattr(finals, "best_of", lambda found: found[-1])
        with pytest.raises(Killed):
            assay.tune(wine, out=run, trials=3, **QUICK)
    known = {one.number: one.params for one in trials_of(run)}
    model = assay.tune(wine, out=run, trials=3, **QUICK)  # the same command again
    after = trials_of(run)
    assert all(one.state.is_finished() for one in after)
    assert {number: after[number].params for number in known}.items() >= {
        number: values for number, values in known.items() if len(values) == 3
    }.items()
    assert "tuning" in model.summary["findings"]


@pytest.mark.parametrize("brief", [True, False])
def test_the_length_that_suits_the_best_trial_is_kept(
    brief: bool, wine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, rename, fidelity = tmp_path / "run", Path.rename, plan._fidelity
    losses = iter([0.5, 0.4 if brief else 0.6, 0.7])  # in full, brief, the defaults
    monkeypatch.setattr(plan, "_fidelity", lambda *given: replace(fidelity(*given), steps=30))
    monkeypatch.setattr(search, "pruner_of", lambda pruning: optuna.pruners.NopPruner())
    monkeypatch.setattr(finals, "best_of", lambda found: found[-1])
    with monkeypatch.context() as patch:
        score = SimpleNamespace(each=lambda network, plan: np.full(9, next(losses)), groups=np.arange(9))
        patch.setattr(finals, "Score", lambda *given: score)
        patch.setattr(Path, "rename", lambda self, to: 1 / 0 if self.name == "brief" else rename(self, to))
        with pytest.raises(ZeroDivisionError) if brief else nullcontext():  # killed between the two lengths
            assay.tune(wine, out=run, trials=2, **QUICK)
    model = assay.tune(wine, out=run, trials=2, **QUICK)
    kept = json.loads((run / "tuning" / "kept.json").read_text())
    assert kept["kept"] == "found" and kept["brief"] is brief
    assert kept["validation"] == pytest.approx([0.4 if brief else 0.5, 0.7])
    assert "tuning" in model.summary["findings"]
    steps = json.loads((run / "plan.json").read_text())["plan"]["steps"]
    assert (steps == 30) is brief
    assert [one.name for one in (run / "tuning").iterdir() if one.is_dir()] == ["defaults"]


def test_processes_share_a_storage(wine: Path, tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/trials.db"
    assay.tune(wine, out=tmp_path / "one", trials=2, storage=address, **{**QUICK, "evidence": "none"})
    assay.tune(wine, out=tmp_path / "two", trials=4, storage=address, **{**QUICK, "evidence": "none"})
    found = optuna.load_study(study_name=None, storage=open_storage(address, tmp_path)).trials
    owners = [one.user_attrs["owner"] for one in found]
    assert len(found) == 4 and owners[0] == owners[1] != owners[2] == owners[3]


def test_what_was_chosen_stays_chosen_when_others_find_better_ones(
    wine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, run = str(tmp_path / "trials.jsonl"), tmp_path / "run"
    asked = {**QUICK, "trials": 3, "storage": address}
    with monkeypatch.context() as patch:
        patch.setattr(flow.Folder, "candidate", lambda self, name: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            assay.tune(wine, out=run, **asked)
    chosen = json.loads((run / "tuning" / "chosen.json").read_text())
    study = optuna.load_study(study_name=None, storage=open_storage(address, tmp_path))
    told = study.trials[chosen["best"]]
    other = optuna.trial.create_trial(params=told.params, distributions=dict(told.distributions), value=-9.0)
    study.add_trial(other)
    assay.tune(wine, out=run, **asked)
    kept = json.loads((run / "tuning" / "kept.json").read_text())
    assert kept["best"] == chosen["best"] and kept["seconds"] == chosen["seconds"]


def test_a_password_is_not_written_down_and_asked_for_again(
    wine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, journal = tmp_path / "run", tmp_path / "trials.jsonl"
    address = "postgresql://me@host/trials?password=pa55word"
    monkeypatch.setattr(flow, "open_storage", lambda address, file: open_storage(str(journal), file))
    with monkeypatch.context() as patch:
        patch.setattr(flow, "choose", lambda *given: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            assay.tune(wine, out=run, trials=1, storage=address, **QUICK)
    assert all("pa55word" not in file.read_text() for file in run.rglob("*.json*"))
    with pytest.raises(RunError, match=r"does not hold the password of postgresql://me@host/trials\?password=…"):
        flow.resume(run, flow.Progress(), flow.threading.Event())
    monkeypatch.setenv("ASSAY_STORAGE", address)
    assert flow.resume(run, flow.Progress(), flow.threading.Event()).summary.exists()


def test_a_journal_that_lost_the_best_trial_is_told(
    wine: Path, tuned: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(tuned[0], run)
    (run / "summary.json").unlink()
    (run / "tuning" / "journal.jsonl").unlink()
    with pytest.raises(RunError, match=r"the journal of the run does not hold trial \d+") as raised:
        flow.resume(run, flow.Progress(), flow.threading.Event())
    assert raised.value.hint


def test_where_all_trials_fail_the_first_reason_is_told(
    wine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*given: Any, **more: Any) -> Any:
        raise SettingError("this cannot be built", "Change width.")

    monkeypatch.setattr(search, "build", broken)
    with pytest.raises(TrainingError, match="all 3 trials failed, the first because this cannot be built") as raised:
        assay.tune(wine, out=tmp_path / "run", trials=3, **QUICK)
    assert raised.value.hint == "Change width."


def test_where_the_range_of_the_user_makes_all_fail_it_is_named(wine: Path, tmp_path: Path) -> None:
    asked = {**QUICK, "search": {"dropout": "2..3"}}
    with pytest.raises(TrainingError, match="all 2 trials failed") as raised:
        assay.tune(wine, out=tmp_path / "run", trials=2, **asked)
    assert raised.value.hint == "Give --search dropout another range, or none."


def test_a_disk_that_fills_is_told_and_nothing_is_lost(
    wine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from optuna.storages.journal import JournalFileBackend

    before, left = JournalFileBackend.append_logs, [25]

    def full(self: Any, logs: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        before(self, logs)

    with monkeypatch.context() as patch:
        patch.setattr(JournalFileBackend, "append_logs", full)
        with pytest.raises(RunError, match="no space is left"):
            assay.tune(wine, out=tmp_path / "run", trials=2, **QUICK)
    assay.tune(wine, out=tmp_path / "run", trials=2, **QUICK)
    assert all(one.state.is_finished() for one in trials_of(tmp_path / "run"))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"search": ("learning_rat",)}, "no hyper-parameter 'learning_rat'"),
        ({"settings": {"widht": 3}}, "no setting 'widht'"),
        ({"networks": ("mpl",)}, "no network 'mpl'"),
        ({"sampler": "grid"}, "--sampler grid"),
        ({"trials": 0}, "--trials 0"),
        ({"settings": {"dropout": 0.1}}, "searched and held fixed"),
        ({"storage": "sqlite:////no/such/folder/x.db"}, "cannot be reached"),
    ],
)
def test_what_is_not_possible_is_told_and_leaves_no_folder(
    changed: dict[str, Any], words: str, wine: Path, tmp_path: Path
) -> None:
    with pytest.raises(AssayError) as raised:
        assay.tune(wine, out=tmp_path / "run", **{**QUICK, "trials": 1, **changed})
    assert words in raised.value.message and raised.value.hint
    assert not (tmp_path / "run").exists()


def test_several_networks_are_a_choice(wine: Path, tmp_path: Path) -> None:
    several = {**QUICK, "networks": ("mlp", "tabular"), "evidence": "none", "settings": {"embedding": "none"}}
    assay.tune(wine, out=tmp_path / "run", trials=4, **several)
    found = trials_of(tmp_path / "run")
    assert {one.params["network"] for one in found[:2]} == {"mlp", "tabular"}
    assert all(name.startswith(("network", one.params["network"])) for one in found for name in one.params)


def test_pictures_are_searched_with_their_augmentations(digits: Path, tmp_path: Path) -> None:
    model = assay.tune(digits, out=tmp_path / "run", trials=2, budget=40, networks=("mlp",), settings={"width": 16},
                       evidence="none")  # fmt: skip
    names = set(trials_of(tmp_path / "run")[0].params)
    assert {"learning_rate", "augment.shift", "mixup", "label_smoothing", "depth"} <= names and "width" not in names
    assert model.summary["findings"] == {}


def test_ranges_do_not_change_what_a_plan_is() -> None:
    assert Plan().learning_rate == 1e-3 and Plan.weight_decay == 0.0
