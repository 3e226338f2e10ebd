"""Numbers, names and durations as the page writes them."""

from __future__ import annotations

from typing import Any

import pytest

from assay.report._words import clean, duration, is_share, measure, moment, plain, prose, shared_decimals, words


def spaced(text: str) -> str:
    return text.replace("\u00a0", " ").replace("\u202f", " ").replace("\u2212", "-").replace("\u00d7", "x")


@pytest.mark.parametrize(
    ("given", "share", "told"),
    [
        ((0.9813, 0.97, 0.989), True, "98.1 % [97.0, 98.9]"),
        ((0.9813, 0.97, 0.989, "%"), False, "98.1 % [97.0, 98.9]"),
        ((0.908, 0.893, 0.921), False, "0.908 [0.893, 0.921]"),
        ((1.21, 1.18, 1.25, "classes"), False, "1.21 classes [1.18, 1.25]"),
        ((2100, 1400, 3200, "samples"), False, "2,100 samples [1,400, 3,200]"),
        ((3.1, None, None, "s"), False, "3.1 s"),
        ((0.00091, 0.00086, 0.00099, "s"), False, "910 µs [860, 990]"),
        ((1854336, None, None, "bytes"), False, "1.85 MB"),
        ((0.0000021,), False, "2.1 x 10⁻⁶"),
        ((-0.00001, -1, 1), False, "0 [-1, 1]"),
        ((0,), False, "0"),
        ((-0.024, -0.03, 0.001, "points"), False, "-2.4 points [-3.0, 0.1]"),
        ((None,), False, "not known"),
        ((float("nan"), 0, 1), False, "not known"),
        ((0.5, float("nan"), 1), False, "0.5"),
    ],
)
def test_measures(given: tuple[Any, ...], share: bool, told: str) -> None:
    assert spaced(" ".join(measure(*given, share=share)).strip()) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.4, "0.4 s"), (61.2, "1 min 1 s"), (59, "59 s"), (7500, "2 h 5 min"), (None, "not known"), (-1, "not known")],
)
def test_durations(seconds: float | None, told: str) -> None:
    assert spaced(duration(seconds)) == told


def test_names_in_words() -> None:
    assert words("macro_f1", capital=True) == "Macro F1"
    assert words("ece_after_scaling", capital=True) == "ECE after scaling"
    assert words("") == ""


def test_shares_are_known_by_name() -> None:
    assert is_share("accuracy") and is_share("word_error_rate") and is_share("share of doubtful labels")
    assert not is_share("learning_rate") and not is_share("bleu")


def test_thousands_are_set_apart() -> None:
    assert spaced(plain(-1234567)) == "-1,234,567"


def test_prose_sets_code_and_stays_inert() -> None:
    assert prose("run `assay <b>`") == "run <code>assay &lt;b&gt;</code>"


def test_clean_takes_what_xml_forbids() -> None:
    assert clean("a\x00b\udcffc\u202ed") == "a\ufffdb\ufffdc\ufffdd"


def test_a_moment_is_written_as_a_person_writes_it() -> None:
    assert moment("2026-11-27T05:30+00:00") == "27\u00a0November 2026, 05:30 UTC"
    assert moment("2026-01-02T05:30") == "2\u00a0January 2026, 05:30"
    assert (moment("yesterday"), moment(None)) == ("yesterday", "")


def test_names_of_metrics_of_tracks() -> None:
    assert words("ate", capital=True) == "ATE" and words("foreground_dice", capital=True) == "Foreground Dice"
    assert words("horizontal_95", capital=True) == "95 % of the places within"


@pytest.mark.parametrize(
    ("values", "decimals"),
    [((1, 1, 0.5), 1), ((303.2, 729.1, -39.2), 0), ((0.45, 0.37, 0), 2), ((0.45, 0.37, 0.0034), 3), ((1, 1, 1), 0),
     ((1, 1, 0.002), 2), ((0.26, 0, 0, 0), 2), ((0, 0), 0)],
)  # fmt: skip
def test_values_below_one_another_share_decimals_that_keep_each_what_it_is(
    values: tuple[float, ...], decimals: int
) -> None:
    """Where the network's AUC and the baseline's are 1, guessing is .5 and not 0."""
    assert shared_decimals([(value, value, value) for value in values], "") == decimals
