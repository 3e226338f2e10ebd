"""Options that applications add: taken from the command line wherever they stand."""

from __future__ import annotations

import pytest

from assay._task_options import take_task_options, task_options

OWN = {"--out", "--json", "--target"}


@pytest.mark.parametrize(
    ("words", "left", "found"),
    [
        (["train", "x", "--image-size", "64"], ["train", "x"], {"image_size": "64"}),
        (["train", "--image-size=64", "x", "--json"], ["train", "x", "--json"], {"image_size": "64"}),
        (["train", "--fit", "--json", "x"], ["train", "x"], {"fit": "--json"}),
        (["train", "x", "--out", "y"], ["train", "x", "--out", "y"], {}),
        (["train", "x", "--nonsense", "1"], ["train", "x", "--nonsense", "1"], {}),
        (["train", "--encoding", "cp1252", "--", "--fit", "x"], ["train", "--", "--fit", "x"], {"encoding": "cp1252"}),
    ],
)
def test_options_of_applications_are_taken_and_all_else_is_left(
    words: list[str], left: list[str], found: dict[str, str]
) -> None:
    assert take_task_options(words, OWN) == (left, found)


def test_an_option_without_a_value_is_wrong_usage(command: object) -> None:
    result = command("inspect", "x", "--fit")  # type: ignore[operator]
    assert result.code == 2 and "--fit needs a value" in result.err


def test_every_application_says_what_its_options_are_for() -> None:
    assert all(task_options().values()) and "encoding" in task_options()
