"""Where the trials of a search are kept: a journal in the run folder, a journal file elsewhere, or a database.

A journal is a file to which each change is appended as a line of JSON (Optuna's `JournalStorage`). A process that is
killed while it writes leaves half a line behind, to which the next would append: such a line is cut off first.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.storages.journal._file import LOCK_FILE_SUFFIX
from sqlalchemy.exc import SQLAlchemyError

from assay.errors import RunError, SettingError
from assay.run import is_full
from assay.sources._remote import without_password

#: Databases by the scheme of their address, with the package that Python needs for them.
_DATABASES = {"sqlite": "", "postgresql": "psycopg2-binary", "mysql": "PyMySQL"}
_HOW = "Write it as sqlite:///FILE, postgresql://USER:PASSWORD@HOST/NAME, or the name of a journal file."
#: Seconds that a database in a file waits for another process to be done with it.
_WAIT_S = 60
#: How every line of a journal begins.
_BEGIN = b'{"op_code":'
_GO_ON = "The same command, or assay resume, goes on where it stopped."


def open_storage(address: str | None, journal: Path) -> BaseStorage:
    """The storage at an address, or in the run's own journal where there is none; raises `RunError`, `SettingError`."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if address is None:
        # The folder is this process' own (`run.owned`): a lock in it is one that a killed process left behind.
        with reaching(None):
            journal.with_name(journal.name + LOCK_FILE_SUFFIX).unlink(missing_ok=True)
        return _open_journal(journal)
    if "://" not in address:
        return _open_journal(Path(address).expanduser())
    scheme = address.partition("://")[0].partition("+")[0]
    if scheme not in _DATABASES:
        raise SettingError(f"--storage {without_password(address)} is of no known kind", _HOW)
    with reaching(address):
        return RDBStorage(address, engine_kwargs=_engine(scheme))


def _engine(scheme: str) -> dict[str, object]:
    kept: dict[str, object] = {"pool_pre_ping": True}
    return {**kept, "connect_args": {"timeout": _WAIT_S}} if scheme == "sqlite" else kept


def _open_journal(file: Path) -> BaseStorage:
    if file.is_dir():
        raise SettingError(f"--storage {file} is a folder", "Give the name of a file in it.")
    with reaching(str(file)):
        lock = JournalFileOpenLock(str(file))
        _cut_half_line(file, lock)
        try:
            return JournalStorage(JournalFileBackend(str(file), lock_obj=lock))
        except (TypeError, AttributeError, IndexError, AssertionError) as error:
            raise ValueError(f"a line of it is none of a journal: {error}") from error


def _cut_half_line(file: Path, lock: JournalFileOpenLock) -> None:
    """Drop what a killed process, or a full disk, left of a line; raises `ValueError` for a file of another kind."""
    if not file.exists():
        return
    with open(file, "rb") as opened:
        begin = opened.read(len(_BEGIN))
    if not _BEGIN.startswith(begin):
        raise ValueError("it is no journal of a search")
    lock.acquire()
    try:
        with open(file, "r+b") as opened:
            content = opened.read()
            whole = content.rfind(b"\n") + 1
            if whole < len(content):
                opened.truncate(whole)
    finally:
        lock.release()


def told(address: str | None) -> str:
    """How messages call a storage."""
    return "the journal of the run" if address is None else f"the storage {without_password(address)}"


@contextmanager
def reaching(address: str | None) -> Iterator[None]:
    """Turns what a storage that is full, gone or none at all leads to into an error that names it."""
    shown = told(address)
    try:
        with warnings.catch_warnings():
            # Searches over networks with parameters of their own are marked as experimental; so is telling a trial's
            # values again when it is done again after a kill.
            warnings.simplefilter("ignore")
            yield
    except (optuna.exceptions.StorageInternalError, SQLAlchemyError) as error:
        raise RunError(f"{shown} cannot be reached ({_reason(error)})", f"Look after it. {_GO_ON}") from error
    except ImportError as error:
        package = _DATABASES.get((address or "").partition("://")[0].partition("+")[0], "")
        hint = f"pip install {package}" if package else _HOW
        raise SettingError(f"{shown} needs a package that is not installed", hint) from error
    except OSError as error:
        if is_full(error):
            raise RunError(f"no space is left for {shown}", f"Free some space. {_GO_ON}") from error
        raise RunError(f"{shown} cannot be used ({error.strerror or error})", _HOW) from error
    except (KeyError, ValueError) as error:
        raise RunError(f"{shown} is damaged ({error})", "Choose another one, or another --out.") from error


def _reason(error: BaseException) -> str:
    """The innermost reason, on one line and without links."""
    inner: BaseException = error
    while inner.__cause__ is not None or getattr(inner, "orig", None) is not None:
        inner = getattr(inner, "orig", None) or inner.__cause__ or inner
    text = str(inner).strip() or type(inner).__name__
    return without_password(text.splitlines()[0].removesuffix("."))
