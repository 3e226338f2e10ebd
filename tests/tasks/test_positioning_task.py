"""Positioning against the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.check import check_task
from assay.tasks.positioning import Positioning
from route_examples import made_drive, write_csv, write_drive, write_drives


@pytest.fixture(scope="module")
def drives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_drives(tmp_path_factory.mktemp("drives"), 24, 40.0)


def test_it_fulfils_the_contract(drives: Path, tmp_path: Path) -> None:
    broken = write_drive(tmp_path / "no-poses" / "a", made_drive(), poses=False).parent
    write_csv(tmp_path / "words" / "imu.csv", {"time": [1.0, 2.0], "gyro_z": [0.1, 0.2]})
    results = check_task(Positioning(), drives, corrupt=[broken, tmp_path / "words"], settings={"width": "8"})
    for result in results:
        print(result)
    bad = [result for result in results if not result.ok]
    assert not bad, bad
