"""What `assay studio` does: serve the studio on this machine until a signal ends it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from assay.errors import MissingExtraError, SettingError
from assay.serving.http.server import listening, run
from assay.shell import print_json

_HOST = "127.0.0.1"


def studio_and_tell(folder: Path, port: int, show: bool, as_json: bool) -> None:
    """Serve the studio.

    Args:
        folder: of its projects.
        port: 0 for any that is free.
        show: open it in the browser.
        as_json: tell the address as JSON.
    """
    if not 0 <= port <= 65535:
        raise SettingError(f"--port {port} is no port", "Give a number from 1 to 65535.")
    opened = listening(_HOST, port)
    try:
        from assay.studio.app import make_app
        from assay.studio.requests import ZIPS
        from assay.studio.studio import Studio
    except ImportError as error:
        opened.close()
        raise MissingExtraError("assay studio", "studio") from error
    try:
        studio = Studio(folder)
    except BaseException:
        opened.close()
        raise

    def make(fatal: Callable[[Exception], None]) -> Any:
        return make_app(studio)

    def say(address: str) -> None:
        if as_json:
            print_json({"format": 1, "address": address, "folder": str(folder)}, one_line=True)
            sys.stdout.flush()
        else:
            sys.stderr.write(f"{address} (projects in {folder}; end with Ctrl-C)\n")
            sys.stderr.flush()
        if show:
            import webbrowser

            webbrowser.open(address)

    run(make, opened, ZIPS, say)
