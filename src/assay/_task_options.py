"""The options that applications add (`Traits.options`, `Traits.answering`), taken from a command line beforehand.

Which there are follows from the applications, third parties' too, so that they are no parameters of the commands.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from assay.errors import SettingError

if TYPE_CHECKING:
    from assay.task import Task

#: The commands that read data as an application wants it, and those that answer.
READING = ("inspect", "train", "evaluate", "tune", "data shard")
COMMANDS = (*READING, "predict", "listen")


def take_task_options(
    words: Sequence[str], own: Collection[str], answering: bool = False
) -> tuple[list[str], dict[str, str]]:
    """A command line without the options that applications add, and these, by name.

    Args:
        words: what follows `assay`.
        own: the options that the command has itself, such as `--out`.
        answering: options of answers instead of those of data.

    Returns:
        The words that are left, and each value as text: `--image-size 64` gives `{"image_size": "64"}`. What no
        application knows stays where it is, for the command to complain about.

    Raises:
        typer.BadParameter: an option without a value.
    """
    if not any(word.startswith("--") and word.partition("=")[0] not in own for word in words):
        return list(words), {}
    known = set(task_options(answering))
    left: list[str] = []
    found: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        key = name.removeprefix("--").replace("-", "_")
        if word == "--":
            left += [word, *rest]
        elif name in own or not name.startswith("--") or key not in known:
            left.append(word)
        elif equals:
            found[key] = value
        else:
            found[key] = _value(word, rest)
    return left, found


def task_options(answering: bool = False) -> dict[str, str]:
    """Every option of data, or of answers, that an application adds, by its name, with its help text."""
    from assay.registry import load_tasks

    tasks = [task.traits for task in load_tasks()]
    return {name: text for one in tasks for name, text in (one.answering if answering else one.options).items()}


def answering_options(task: Task, options: Mapping[str, Any] | None, session: bool = False) -> dict[str, Any]:
    """Options of answers that an application knows; raises `SettingError` where it knows one not.

    Args:
        task: the application.
        options: by name.
        session: input arrives in chunks, so that options of a session count, too.
    """
    known = task.traits.answering
    for name in options or {}:
        if name in task.traits.listening and not session:
            shown = name.replace("_", "-")
            raise SettingError(f"--{shown} counts for nothing where whole inputs are answered", "See assay listen.")
        if name not in known:
            listed = ", ".join(f"--{other.replace('_', '-')}" for other in known)
            hint = f"Known: {listed}." if listed else "Leave it out."
            raise SettingError(f"{task.name} has no option --{name.replace('_', '-')}", hint)
    return dict(options or {})


def _value(word: str, rest: Iterator[str]) -> str:
    value = next(rest, None)
    if value is None:
        import typer

        raise typer.BadParameter(f"{word} needs a value")
    return value
