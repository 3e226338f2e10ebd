"""Pictures of 16 bits in a diagnosis and in a drive: their values become bytes as in all other applications."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from assay.samples.drive_encoding import brought_frame, fitted_drive_spec
from assay.samples.pixel_values import DEEPER, NOT_LEARNED
from assay.samples.scan_encoding import encoded_scans
from assay.samples.scan_windows import fit_scan_spec
from assay.sources.drives import read_drives
from assay.sources.records import ProblemLog
from assay.sources.scan_pictures import read
from assay.sources.source import DataOptions, open_source
from driving_examples import steered, write_table


def test_scans_with_an_offset_keep_their_greys(tmp_path: Path) -> None:
    """Hounsfield units that were stored from 32768 on, as DeepLesion does."""
    random = np.random.default_rng(0)
    for number in range(8):
        grey = (random.normal(0, 200, (24, 24)) + 32768).astype(np.uint16)
        file = tmp_path / ("ill" if number % 2 else "well") / f"{number}.png"
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(grey).save(file)
    options, log = DataOptions(), ProblemLog()
    records = read(open_source(tmp_path), options)
    spec = fit_scan_spec(records, np.ones(8, bool), options)
    (batch,) = records.batches()
    seen = encoded_scans(batch, records, spec, log, None).fields["image"]
    assert seen.dtype == np.uint8 and seen.std() > 25 and not log.problems()
    assert spec.image.pixels.black > 31000 and spec.image.deviation[0] > 25
    assert type(spec).from_json(spec.to_json()) == spec
    unlearned = type(spec).from_json({**spec.to_json(), "image": {**spec.image.to_json(), "pixels": None}})
    assert unlearned.image.pixels == NOT_LEARNED
    encoded_scans(batch, records, unlearned, log, None)
    assert [(problem.kind, problem.count) for problem in log.problems()] == [(DEEPER, 8)]


def test_frames_of_a_deep_camera(tmp_path: Path) -> None:
    """Twelve bits in files of sixteen are no night."""
    wheel, names = steered(120), []
    for number, angle in enumerate(wheel):
        frame = np.random.default_rng(number).integers(0, 4096, (24, 48)).astype(np.uint16)
        frame[:, : max(1, round(24 + 20 * angle))] //= 2
        names.append(f"{number:03}.png")
        Image.fromarray(frame).save(tmp_path / names[-1])
    write_table(tmp_path / "log.csv", {"frame": names, "steering": wheel.round(4).tolist()})
    options = DataOptions()
    records = read_drives(open_source(tmp_path), options)
    spec = fitted_drive_spec(records, np.ones(records.index().num_rows, bool), options)
    deep = np.asarray(Image.open(tmp_path / names[0]))[:, :, None]
    assert brought_frame(deep, spec).max() > 250 and spec.mean[0] > 60
    assert type(spec).from_json(spec.to_json()) == spec
