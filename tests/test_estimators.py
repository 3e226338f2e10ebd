"""`assay.Classifier` and `assay.Regressor` among scikit-learn's own tools."""

import pickle
import time

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_wine
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.utils.estimator_checks import parametrize_with_checks

from assay import AssayError, Classifier, Regressor

SMALL = {"members": 4, "width": 48}


@parametrize_with_checks([Classifier(random_state=0, settings=SMALL), Regressor(random_state=0, settings=SMALL)])
def test_keeps_the_contract_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def wines():
    X, y = load_wine(return_X_y=True, as_frame=True)
    return train_test_split(X, y.map({0: "barolo", 1: "grignolino", 2: "barbera"}), random_state=0, stratify=y)


@pytest.fixture(scope="module")
def fitted(wines):
    return Classifier(random_state=0).fit(wines[0], wines[2])


def test_learns_classes(fitted, wines):
    _, X, _, y = wines
    assert fitted.score(X, y) > 0.9
    assert list(fitted.classes_) == ["barbera", "barolo", "grignolino"]
    assert list(fitted.feature_names_in_) == list(X.columns)
    assert fitted.predict_proba(X).sum(axis=1) == pytest.approx(1)


def test_learns_numbers():
    X, Xt, y, yt = train_test_split(*load_diabetes(return_X_y=True), random_state=0)
    assert Regressor(random_state=0).fit(X, y).score(Xt, yt) > 0.25


def test_is_kept_in_a_pickle_without_modules(fitted, wines):
    kept = pickle.dumps(fitted)
    assert b"torch" not in kept
    np.testing.assert_array_equal(pickle.loads(kept).predict_proba(wines[1]), fitted.predict_proba(wines[1]))


def test_the_same_seed_gives_the_same_answers(fitted, wines):
    again = Classifier(random_state=0).fit(wines[0], wines[2])
    np.testing.assert_array_equal(again.predict_proba(wines[1]), fitted.predict_proba(wines[1]))
    other = Classifier(random_state=1).fit(wines[0], wines[2])
    assert (other.predict_proba(wines[1]) != fitted.predict_proba(wines[1])).any()


def test_a_row_is_answered_alone_as_among_others(fitted, wines):
    X = wines[1]
    alone = np.concatenate([fitted.predict_proba(X.iloc[[row]]) for row in range(3)])
    np.testing.assert_array_equal(alone, fitted.predict_proba(X)[:3])


def test_takes_frames_of_all_kinds():
    import pandas

    random = np.random.default_rng(0)
    rows = 60
    frame = pandas.DataFrame(
        {
            "size": random.normal(size=rows),
            "colour": random.choice(["red", "blue", None], rows),
            "kind": pandas.Categorical(random.choice(["x", "y"], rows)),
            "day": pandas.date_range("2024-01-01", periods=rows),
            "new": random.random(rows) > 0.5,
            "missing": np.full(rows, np.nan),
        }
    )
    frame.loc[3, "size"] = np.nan
    y = frame["new"].to_numpy()
    model = Classifier(random_state=0, epochs=3).fit(frame, y)
    assert model.classes_.tolist() == [False, True]
    unseen = frame.head(2).assign(colour=["green", "red"])
    assert model.predict(unseen).dtype == bool
    with pytest.raises(ValueError, match="size"):
        model.predict(frame.assign(size="large"))
    with pytest.raises(ValueError, match="infinity"):
        model.predict(frame.assign(size=np.inf))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.rename(columns={"size": "length"}))


def test_takes_arrays_of_text():
    X = np.array([["red", 1.5], ["blue", 2.5], ["red", 3.5], ["blue", 0.5]] * 5)
    model = Classifier(random_state=0, epochs=40).fit(X, X[:, 0])
    assert model.score(X, X[:, 0]) == 1
    model = Classifier(random_state=0, epochs=2).fit(X.astype(object), X[:, 0])
    assert model.predict(X[:3]).shape == (3,)


@pytest.mark.parametrize("form", [np.asarray, list])
@pytest.mark.parametrize("estimator", [Classifier(), Regressor()])
def test_images_are_sent_to_where_they_are_trained(estimator, form):
    for shape in ((6, 8, 8), (6, 8, 8, 3)):
        with pytest.raises(ValueError, match=r"assay\.train\(\(images, labels\)\)"):
            estimator.fit(form(np.zeros(shape, np.uint8)), [0, 1] * 3)


def test_one_row_and_one_class():
    assert Classifier(random_state=0).fit([[1.0, 2.0]], ["a"]).predict([[3.0, 4.0]]).tolist() == ["a"]
    assert np.isfinite(Regressor(random_state=0).fit([[1.0, 2.0]], [5.0]).predict([[3.0, 4.0]])).all()
    with pytest.raises(ValueError, match="0 sample"):
        Classifier().fit(np.zeros((0, 2)), [])


def test_tells_what_it_is_worth(wines):
    model = Classifier(random_state=0, epochs=2, evidence="quick").fit(wines[0], wines[2])
    assert [finding.name for finding in model.evidence_][:2] == ["accuracy", "baseline"]
    assert not hasattr(Classifier(random_state=0, epochs=1).fit(wines[0], wines[2]), "evidence_")


def test_settings_reach_the_network(wines):
    X, _, y, _ = wines
    small = Classifier(network="mlp", settings={"width": 8, "depth": 1}, epochs=1, validation=0).fit(X, y)
    assert sum(weight.numel() for weight in small.network_.parameters()) < 500
    begun = time.perf_counter()
    Classifier(budget=0.5, network="mlp").fit(X, y)
    assert time.perf_counter() - begun < 30
    for wrong in ({"network": "tabluar"}, {"settings": {"widht": 3}}):
        with pytest.raises(AssayError, match=r"there is no|has no"):
            Classifier(**wrong).fit(X, y)
    for wrong in ({"validation": 0.9}, {"evidence": "much"}, {"budget": 1, "epochs": 1}):
        with pytest.raises(ValueError):
            Classifier(**wrong).fit(X, y)


def test_leaves_no_files_behind(wines, tmp_path, monkeypatch):
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Classifier(random_state=0, epochs=1).fit(wines[0], wines[2]).predict(wines[1])
    assert list(tmp_path.iterdir()) == []


def test_works_in_the_tools_of_scikit_learn(wines):
    with pytest.raises(NotFittedError):
        Classifier().predict(wines[0])
    scores = cross_val_score(Classifier(random_state=0, epochs=5), wines[0], wines[2], cv=2)
    assert scores.mean() > 0.5
