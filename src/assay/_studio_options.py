"""The command `assay studio` with its options. As `assay.cli`, it imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def studio(
    folder: Annotated[Path, typer.Option("--folder", help="Where projects are kept.")] = Path("studio"),
    port: Annotated[int, typer.Option("--port", help="The port; 0 for any that is free.")] = 8001,
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    json: Annotated[bool, typer.Option("--json", help="The address as JSON on standard output.")] = False,
) -> None:
    """Teach, test and look inside a network in the browser."""
    from assay.studio.server import studio_and_tell

    studio_and_tell(folder, port, show, json)
