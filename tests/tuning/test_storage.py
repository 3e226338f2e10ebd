"""Where trials are kept, and what can be wrong with it."""

from __future__ import annotations

import errno
from pathlib import Path

import optuna
import pytest

from assay.errors import AssayError, RunError, SettingError
from assay.sources._remote import without_password
from assay.tuning.storage import open_storage, reaching


def test_half_a_line_of_a_killed_process_is_cut_off(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    study = optuna.create_study(storage=open_storage(None, file), study_name="s")
    study.tell(study.ask(), 1.0)
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"op_code": 4, "wor')
    (tmp_path / "journal.jsonl.lock").touch()  # was killed while it held it
    again = optuna.load_study(storage=open_storage(None, file), study_name="s")
    again.tell(again.ask(), 2.0)
    assert file.read_bytes().startswith(whole)
    third = optuna.load_study(storage=open_storage(str(file), file), study_name="s")
    assert [one.value for one in third.trials] == [1.0, 2.0]


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("sqlite:///{}/missing/s.db", "cannot be reached"),
        ("postgresql://me:secret@127.0.0.1:9/x", "storage postgresql://me:…@127.0.0.1:9/x"),
        ("redis://127.0.0.1", "no known kind"),
        ("{}/missing/journal", "cannot be used"),
        ("{}", "is a folder"),
    ],
)
def test_a_storage_that_cannot_be_reached_is_named(address: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(AssayError) as raised:
        open_storage(address.format(tmp_path), tmp_path / "journal")
    assert words in raised.value.message and raised.value.hint
    assert "secret" not in raised.value.message + raised.value.hint


def test_a_damaged_journal_is_told(tmp_path: Path) -> None:
    file = tmp_path / "journal"
    file.write_text("no json\n{}\n")
    with pytest.raises(RunError, match="is damaged"):
        open_storage(None, file)


def test_a_full_disk_is_told() -> None:
    with pytest.raises(RunError, match="no space is left"), reaching(None):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_other_errors_are_left_alone() -> None:
    with pytest.raises(SettingError), reaching(None):
        raise SettingError("x", "y")


def test_a_file_of_something_else_is_told_and_left_whole(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text("a,b\n1,2\n3,4")  # whose last line has no end
    with pytest.raises(RunError, match=r"table.csv is damaged \(it is no journal"):
        open_storage(str(file), file)
    assert file.read_text() == "a,b\n1,2\n3,4"


def test_a_line_of_another_kind_is_told(tmp_path: Path) -> None:
    file = tmp_path / "journal"
    study = optuna.create_study(storage=open_storage(None, file), study_name="s")
    study.tell(study.ask(), 1.0)
    file.write_bytes(file.read_bytes() + b"[1, 2]\n")
    with pytest.raises(RunError, match="is damaged"):
        open_storage(None, file)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("mysql+pymysql://a:b@h/d", "mysql+pymysql://a:…@h/d"),
        ("postgresql://a:b@c@h/d", "postgresql://a:…@h/d"),
        ("postgresql://a:b/c@h/d", "postgresql://a:…@h/d"),
        ("postgresql://h/d?user=a&password=b", "postgresql://h/d?user=a&password=…"),
        ("https://token@h/d", "https://…@h/d"),
        ("https://h/i.parquet?X-Amz-Date=1&X-Amz-Signature=b", "https://h/i.parquet?X-Amz-Date=1&X-Amz-Signature=…"),
        ("https://h/d?sv=1&sig=b%3D", "https://h/d?sv=1&sig=…"),
        ("sqlite:///x.db", "sqlite:///x.db"),
        ("http://h:8080/a@b.csv", "http://h:8080/a@b.csv"),
        ("hf://datasets/o/n@main/x", "hf://datasets/o/n@main/x"),
    ],
)
def test_what_is_secret_in_an_address_is_hidden(address: str, shown: str) -> None:
    assert without_password(address) == shown
    assert without_password(shown) == shown
