"""Unpacking an archive safely and in one step."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from assay._download import disk_errors
from assay.errors import DataError, SettingError


def unpack(archive: Path, target: Path, note: str) -> None:
    """Unpack a zip or tar file so that `target` appears complete, in one step, or not at all.

    If everything in the archive lies in one folder, that folder becomes `target`.

    Args:
        archive: a zip or tar file (also compressed).
        target: the folder to make; must not exist.
        note: the name of an empty file that is put into `target`, by which it is known later.

    Raises:
        DataError: a damaged archive, one that would write outside of `target`, no space, no permission.
    """
    staging = target.with_name(f".{target.name}.unpacking")
    with disk_errors(target):
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        try:
            _extract(archive, staging)
            entries = list(staging.iterdir())
            root = entries[0] if len(entries) == 1 and entries[0].is_dir() else staging
            (root / note).touch()
            os.replace(root, target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _extract(archive: Path, folder: Path) -> None:
    import tarfile
    import zipfile
    import zlib

    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as zipped:
                _check_names(zipped.namelist(), folder, archive)
                zipped.extractall(folder)
        elif not hasattr(tarfile, "data_filter"):
            raise SettingError("tar files are only unpacked by Python 3.11.4 or newer, safely.", "Update Python.")
        else:
            with tarfile.open(archive) as tarred:
                tarred.extractall(folder, filter="data")
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DataError(
            f"cannot be unpacked ({error}).", "Remove it and run the command again.", file=str(archive)
        ) from error


def _check_names(names: list[str], folder: Path, archive: Path) -> None:
    """A zip file's members must stay inside the folder (tarfile's filter checks that itself)."""
    inside = folder.resolve()
    for name in names:
        if not (inside / name).resolve().is_relative_to(inside):
            raise DataError(
                f"its member {name!r} would be written outside of {folder}.", "Do not use this file.", file=str(archive)
            )
