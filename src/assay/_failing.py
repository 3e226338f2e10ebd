"""How a command that cannot be done ends: a problem in one line, how to mend it in another, and an exit status."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from typing import Any

import typer

#: What the system refuses for a reason that is the user's, and how to mend it.
_REFUSALS = {
    errno.ENOSPC: "Free some space, or choose another place.",
    getattr(errno, "EDQUOT", errno.ENOSPC): "Free some space, or choose another place.",
    errno.EACCES: "Check its permissions, or choose another place.",
    errno.EPERM: "Check its permissions, or choose another place.",
    errno.EROFS: "Choose a place that can be written.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
    errno.EIO: "Check the disk, or the connection to it.",
}


def unexpected(error: Exception) -> int:
    """Wrong usage and what the system refuses are told in two lines; anything else is a bug."""
    show: Any = getattr(error, "format_message", None)
    context: Any = getattr(error, "ctx", None)
    if show is not None and type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(show(), err=True)
        return 2
    if show is not None:
        command = "assay" if context is None else context.command_path
        fail(show().rstrip("."), f"{command} --help tells how it is used.")
        return 2
    if isinstance(error, ModuleNotFoundError) and not str(error.name).startswith("assay"):
        return fail(f"this needs the package {error.name!r}, which is not installed", 'pip install "assay[all]"')
    if not isinstance(error, OSError) or error.errno not in (*_REFUSALS, errno.EPIPE):
        raise error
    _empty_output()
    if error.errno == errno.EPIPE:  # nobody reads any further, as behind `head`
        return 1
    return fail(f"{error.filename or 'the output'}: {error.strerror}", _REFUSALS.get(error.errno or 0, ""))


def _empty_output() -> None:
    """Write what waits for standard output, or throw it away: Python would complain of it once more at its end."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def fail(message: str, hint: str) -> int:
    """Tell a problem in a line, how to mend it in another; gives the exit status."""
    typer.echo(f"error: {' '.join(message.split())}", err=True)
    if hint:
        typer.echo(f"hint: {' '.join(hint.split())}", err=True)
    return 1
