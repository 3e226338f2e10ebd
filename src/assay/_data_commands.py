"""The commands `assay data …`. As `assay.cli`, it imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assay._arguments import (
    MORE_OPTIONS,
    Group,
    Json,
    SourceArgument,
    SplitOption,
    Target,
    TaskOption,
    data_options,
)

data_app = typer.Typer(
    add_completion=False, no_args_is_help=True, rich_markup_mode=None, help="Public data sets, and shards of any data."
)


@data_app.command("list")
def data_list(json: Json = False) -> None:
    """The public data sets that can be fetched."""
    from assay.shell import list_datasets

    list_datasets(json)


@data_app.command("get")
def data_get(
    name: Annotated[str, typer.Argument(help="A name from assay data list.")],
    folder: Annotated[
        Path | None, typer.Argument(help="Where to put it; a folder of its name here by default.")
    ] = None,
    json: Json = False,
) -> None:
    """Fetch a public data set, with resume and a check of its hash."""
    from assay.shell import get_dataset

    get_dataset(name, folder, json)


@data_app.command("shard", epilog=MORE_OPTIONS)
def data_shard(
    context: typer.Context,
    source: SourceArgument,
    into: Annotated[str, typer.Argument(metavar="TARGET", help="A new folder, or a URL such as s3://bucket/shards.")],
    shard_size: Annotated[str, typer.Option("--shard-size", help="The most that a shard holds: 256MB, 1GB.")] = "256MB",
    task: TaskOption = None,
    target: Target = None,
    group: Group = None,
    split: SplitOption = None,
    json: Json = False,
) -> None:
    """Write data as tar shards that stream, with an index."""
    from assay.shell import shard_and_tell

    shard_and_tell(source, into, shard_size, data_options(context, task, target, group, split, 0), json)
