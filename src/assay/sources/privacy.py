"""Names that tell nobody who is meant: keyed hashes, whose key lies outside of every run.

A hash without a key is no protection: whoever knows the form of a hospital's patient numbers hashes them all. The key
(HMAC, RFC 2104) lies in the user's own folder, `privacy.key`, readable by that user alone, or in `ASSAY_PRIVACY_KEY`.
Which path a source had, and which file a hash means, is written beside the key and nowhere else: without that no run
could be resumed, and no answer be matched to a patient by those who may.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from assay.errors import RunError, SettingError

#: How a run's plan names a source whose path it does not hold.
MARK = "private:"
_LEAST = 16


def private_folder() -> Path:
    """Where the key lies: `ASSAY_PRIVATE`, else `assay` in the user's folder of settings."""
    chosen = os.environ.get("ASSAY_PRIVATE")
    base = os.environ.get("XDG_CONFIG_HOME") or os.environ.get("APPDATA")
    return Path(chosen) if chosen else Path(base or Path.home() / ".config") / "assay"


def privacy_key() -> bytes:
    """The key of this user, made at the first call; raises `SettingError` where it is too short or out of reach."""
    given = os.environ.get("ASSAY_PRIVACY_KEY")
    if given:
        if len(given) < _LEAST:
            raise SettingError(f"ASSAY_PRIVACY_KEY has {len(given)} characters", f"Give {_LEAST} at least.")
        return given.encode()
    file = private_folder() / "privacy.key"
    try:
        if not file.exists():
            _write_key(file)
        key = file.read_bytes().strip()
    except OSError as error:
        hint = "Set ASSAY_PRIVACY_KEY, or ASSAY_PRIVATE to a folder of yours."
        raise SettingError(f"the key of names, {file}, is out of reach ({error.strerror})", hint) from error
    if len(key) < _LEAST:
        raise SettingError(f"the key of names, {file}, is too short", "Delete it; a new one is made.")
    return key


def _write_key(file: Path) -> None:
    """A new random key, whole or not at all; of two programs that make one at once the first is heard."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    work = file.with_name(f"{file.name}.{os.getpid()}")
    with os.fdopen(os.open(work, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(secrets.token_hex(32).encode())
    try:
        os.link(work, file)
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links
        os.replace(work, file)
        return
    finally:
        work.unlink(missing_ok=True)


def pseudonym(key: bytes, kind: str, *parts: str) -> str:
    """16 hexadecimal digits that stand for something of a kind (a patient, a scan, content)."""
    text = "\x1f".join((kind, *parts)).encode("utf-8", "surrogatepass")
    return hmac.new(key, text, hashlib.sha256).hexdigest()[:16]


def hidden_source(path: Path) -> str:
    """How a plan names a source, so that this user alone can find it again."""
    whole = str(path.resolve())
    name = pseudonym(privacy_key(), "source", whole)
    _keep(name, {"source": whole})
    return MARK + name


def remember_files(path: Path, files: Mapping[str, Sequence[str]]) -> None:
    """Keep beside the key which files of a source each pseudonym means; where that place cannot be written, nothing."""
    whole = str(path.resolve())
    _keep(pseudonym(privacy_key(), "source", whole), {"source": whole, "files": dict(files)})


def names_file(path: Path) -> Path:
    """Where it stands which files of a source each pseudonym means; it may not exist."""
    return private_folder() / "sources" / f"{pseudonym(privacy_key(), 'source', str(path.resolve()))}.json"


def found_source(named: str) -> str:
    """The path of a source by the name in a plan; raises `RunError` where this user does not know it."""
    if not named.startswith(MARK):
        return named
    file = private_folder() / "sources" / f"{named.removeprefix(MARK)}.json"
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["source"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        hint = "Its path is kept beside the key of the user who trained it, and in no run: train again."
        raise RunError("the source of this run is not known here", hint) from error


def _keep(name: str, facts: Mapping[str, object]) -> None:
    file = private_folder() / "sources" / f"{name}.json"
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        known: dict[str, object] = {}
        with contextlib.suppress(OSError, ValueError):
            known = json.loads(file.read_text(encoding="utf-8"))
        work = file.with_name(f"{file.name}.{os.getpid()}")
        with os.fdopen(os.open(work, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
            json.dump({**known, **facts}, out, ensure_ascii=True)
        os.replace(work, file)
