"""The command `assay listen` with its options. As `assay.cli`, it imports nothing heavy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from assay._arguments import Json, RunArgument


def listen(
    context: typer.Context,
    run: RunArgument,
    wav: Annotated[Path | None, typer.Option("--wav", help="A recording to listen to.")] = None,
    microphone: Annotated[bool, typer.Option("--microphone", help="Listen to a microphone.")] = False,
    camera: Annotated[bool, typer.Option("--camera", help="Watch a camera; its number may follow.")] = False,
    video: Annotated[Path | None, typer.Option("--video", help="A video to watch.")] = None,
    device: Annotated[
        str | None, typer.Option("--input", help="Which microphone, by number or name; which camera, by number.")
    ] = None,
    actions: Annotated[Path | None, typer.Option("--actions", help="What follows from commands: actions.toml.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    threshold: Annotated[float | None, typer.Option("--threshold", help="The confidence that a command takes.")] = None,
    rate: Annotated[float | None, typer.Option("--rate", help="Of pictures: how many a second are looked at.")] = None,
    smoothing: Annotated[
        float | None, typer.Option("--smoothing", help="Of pictures: seconds over which confidences are averaged.")
    ] = None,
    refractory: Annotated[
        float | None, typer.Option("--refractory", help="Of pictures: seconds in which nothing else is told.")
    ] = None,
    json: Json = False,
) -> None:
    """Answer while sound or pictures arrive, and do what follows from commands."""
    from assay.listening import Pictures, Sound, listen_and_tell

    options = dict(context.obj or {})
    timing = {"rate_hz": rate, "smoothing_s": smoothing, "refractory_s": refractory}
    given: Sound | Pictures
    if camera or video is not None:
        given = Pictures(video, camera, device, {**timing, "threshold": threshold}, (wav is not None) + microphone)
    else:
        options |= {} if threshold is None else {"threshold": threshold}
        given = Sound(wav, microphone, device, timing)
    listen_and_tell(run, given, actions, dry_run, json, options)


def with_camera_number(words: Sequence[str]) -> list[str]:
    """A command line in which `--camera 1` is `--camera --input 1`: the number need not be given.

    >>> with_camera_number(["listen", "run", "--camera", "1", "--json"])
    ['listen', 'run', '--camera', '--input', '1', '--json']
    >>> with_camera_number(["listen", "--camera", "run"])
    ['listen', '--camera', 'run']
    """
    found: list[str] = []
    for word in words:
        if found[-1:] == ["--camera"] and word.isdecimal():
            found.append("--input")
        found.append(word)
    return found
