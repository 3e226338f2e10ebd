"""The next trial follows from the seed, its number and the trials so far, whoever asks."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

import optuna
import pytest

from assay.training.plan import Plan
from assay.tuning.importance import FEWEST, importances
from assay.tuning.plan import of_trial
from assay.tuning.sampling import CHECKS, COST_WITH_PRUNING, KeyedSampler, pruner_of
from assay.tuning.storage import open_storage

warnings.simplefilter("ignore")


def opened(file: Path, by_lot: bool = False, proposed: Mapping[str, float] | None = None) -> optuna.Study:
    storage = open_storage(str(file), file)
    study = optuna.create_study(study_name="s", storage=storage, load_if_exists=True, pruner=pruner_of(True))
    study.sampler = KeyedSampler(7, by_lot, [proposed or {"x": 0.9}])
    return study


def one_trial(study: optuna.Study) -> float:
    trial = study.ask()
    x = trial.suggest_float("x", 0.0, 1.0)
    study.tell(trial, (x - 0.3) ** 2)
    return x


@pytest.mark.parametrize("by_lot", [False, True])
def test_a_search_that_is_gone_on_with_draws_what_it_would_have(tmp_path: Path, by_lot: bool) -> None:
    whole = opened(tmp_path / "whole", by_lot)
    values = [one_trial(whole) for _ in range(12)]
    cut = [one_trial(opened(tmp_path / "cut", by_lot)) for _ in range(12)]
    assert cut == values and len(set(values)) == 12


def test_it_learns_from_the_trials_so_far(tmp_path: Path) -> None:
    study = opened(tmp_path / "journal")
    drawn = [one_trial(study) for _ in range(30)]
    assert sum(abs(x - 0.3) < 0.2 for x in drawn[15:]) >= 9


@pytest.mark.parametrize("by_lot", [False, True])
def test_the_first_trials_change_few_hyper_parameters(tmp_path: Path, by_lot: bool) -> None:
    proposed = {f"x{number}": 0.5 for number in range(10)}
    study = opened(tmp_path / "journal", by_lot, proposed)
    study.enqueue_trial(proposed)
    changed = []
    for _ in range(16):
        trial = study.ask()
        drawn = {name: trial.suggest_float(name, 0.0, 1.0) for name in proposed}
        study.tell(trial, sum(drawn.values()))
        changed.append({name for name, value in drawn.items() if value != 0.5})
    assert not changed[0]
    assert all(len(one) == 10 for one in changed[9:])
    assert [len(one) for one in changed[1:9]] == [10 if by_lot else 4] * 8
    assert by_lot or len(set().union(*changed[1:9])) >= 8


def test_a_trial_that_is_far_behind_is_stopped(tmp_path: Path) -> None:
    study = opened(tmp_path / "journal", by_lot=True)
    stopped = 0
    for number in range(12):
        trial = study.ask()
        trial.suggest_float("x", 0.0, 1.0)
        for check in range(1, CHECKS + 1):
            trial.report(float(number), check)  # each trial is worse than those before
            if check < CHECKS and trial.should_prune():
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                stopped += 1
                break
        else:
            study.tell(trial, float(number))
    assert stopped == 11


def test_a_third_goes_on_at_each_rung(tmp_path: Path) -> None:
    study = opened(tmp_path / "journal", by_lot=True)
    ends = []
    for _ in range(90):
        trial = study.ask()
        x = trial.suggest_float("x", 0.0, 1.0)
        for check in range(1, CHECKS + 1):
            trial.report(x, check)
            if check < CHECKS and trial.should_prune():
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                break
        else:
            study.tell(trial, x)
        ends.append(check)
    assert set(ends) == {2, 6, CHECKS}
    assert 0.55 < ends.count(2) / 90 < 0.75
    assert sum(ends) / (90 * CHECKS) == pytest.approx(COST_WITH_PRUNING, abs=0.06)


def test_importance_finds_what_matters(tmp_path: Path) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(0))
    for number in range(FEWEST * 3):
        trial = study.ask()
        x, y = trial.suggest_float("x", 0.0, 1.0), trial.suggest_float("y", 0.0, 1.0)
        trial.report(abs(x - 0.2) + 0.01 * y, 2)
        if number % 3 == 2:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            study.tell(trial, abs(x - 0.2) + 0.01 * y)
    shares = importances(study.trials)
    assert shares["x"] > 0.7 and sum(shares.values()) == pytest.approx(1.0)
    assert importances(study.trials[: FEWEST - 1]) == {}


def test_a_trial_is_judged_by_the_mean_of_its_latest_weights() -> None:
    assert of_trial(Plan(), 400, CHECKS).averaging == pytest.approx(0.95)
    assert of_trial(Plan(averaging=0.999), 400, CHECKS).averaging == 0.999
    assert of_trial(Plan(), 9, CHECKS).averaging == 0
