"""Arguments and options that several commands take; loads nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assay.errors import SettingError

if TYPE_CHECKING:
    from assay.sources.source import DataOptions

#: Stands under the help of commands that read data.
MORE_OPTIONS = "Applications add options of their own, such as --image-size or --encoding: see assay tasks."
SourceArgument = Annotated[
    str, typer.Argument(help="A folder, archive or file with data; or demo:digits, data that comes along.")
]
RunArgument = Annotated[Path, typer.Argument(help="The folder of a run.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
TaskOption = Annotated[str | None, typer.Option("--task", help="The application; recognised where not given.")]
Target = Annotated[str | None, typer.Option("--target", help="The column to predict.")]
Group = Annotated[str | None, typer.Option("--group", help="The column whose values never cross the split.")]
SplitOption = Annotated[
    str | None, typer.Option("--split", help="80/10/10, or a column that gives each sample's side.")
]
SplitSeed = Annotated[int, typer.Option("--split-seed", help="Moves samples between the sides.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="A hyper-parameter, KEY=VALUE; may be repeated.")]


RunOutOption = Annotated[
    Path | None, typer.Option("--out", help="The run folder, or a URL; the next free one in runs/ by default.")
]
ClusterOption = Annotated[
    str | None,
    typer.Option("--cluster", help="Work on a Ray cluster: HOST:PORT, auto, or local for one of its own."),
]
EvidenceOption = Annotated[str, typer.Option("--evidence", help="full, quick or none.")]


def settings_of(texts: list[str] | None) -> dict[str, str]:
    """`--set KEY=VALUE` by key; raises `SettingError` where one has no value."""
    settings: dict[str, str] = {}
    for text in texts or []:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise SettingError(f"--set {text} has no value", "Write it as --set KEY=VALUE.")
        settings[name] = value
    return settings


def data_options(
    context: typer.Context,
    task: str | None,
    target: str | None,
    group: str | None,
    split: str | None,
    split_seed: int,
) -> DataOptions:
    """How the data is to be read, with the options that applications add."""
    from assay.sources.source import DataOptions

    return DataOptions(task, target, group, split, split_seed, extra=dict(context.obj or {}))
