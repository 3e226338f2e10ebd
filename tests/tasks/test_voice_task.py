"""Spoken commands: what is learned of the clips, what is no command, and what augmentation does to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from assay.errors import AssayError, SettingError
from assay.samples.draws import Draws
from assay.samples.sound_spec import OTHER, ClipSpec
from assay.sources.records import ProblemLog
from assay.sources.source import DataOptions, open_source
from assay.targets.class_target import ClassTarget
from assay.training.plan import Plan
from sound_examples import WORDS, write_background, write_words

pytest.importorskip("soundfile")
pytest.importorskip("soxr")

from assay.tasks.voice_commands import SoundBatch, VoiceCommands

SPEC = ClipSpec(8000, 0.4, ClassTarget((*WORDS, OTHER)))


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_words(tmp_path_factory.mktemp("clips") / "words", count=6)


def read(folder: Path, **extra: str) -> tuple[ClipSpec, dict[str, np.ndarray], list[str], dict]:
    """The spec, the encoded fields, the ids, and what is told of no command."""
    task, options = VoiceCommands(), DataOptions(extra=extra)
    records = task.read(open_source(folder), options)
    count = records.index().num_rows
    spec = task.fit_spec(records, np.ones(count, bool), options)
    log = ProblemLog()
    encoded = [task.encode(batch, records, spec, log) for batch in records.batches()]
    fields = {name: np.concatenate([part.fields[name] for part in encoded]) for name in ("sound", "target")}
    return spec, fields, records.index().column("id").to_pylist(), dict(records.facts[OTHER])


def test_rate_and_window_follow_from_the_clips(words: Path) -> None:
    spec, fields, ids, other = read(words)
    assert (spec.rate, spec.seconds) == (8000, 0.4)
    assert spec.target.classes == (*sorted(WORDS), OTHER) and spec.other == len(WORDS)
    assert fields["sound"].shape == (len(ids), 3200) and fields["sound"].dtype == np.int16
    assert other["pieces"] == other["clips"] == 0 and "synthetic" in other["made"]
    assert ClipSpec.from_json(spec.to_json()) == spec


def test_what_is_asked_for_is_taken(words: Path) -> None:
    spec, fields, _, _ = read(words, rate="16000", seconds="0.8")
    assert (spec.rate, spec.seconds) == (16000, 0.8) and fields["sound"].shape[1] == 12800
    for wrong in ({"rate": "44100"}, {"seconds": "0"}, {"seconds": "long"}):
        with pytest.raises(SettingError):
            read(words, **wrong)


@pytest.mark.parametrize("folder", ["_background_noise_", "unknown", "Noise"])
def test_long_recordings_of_no_command_become_pieces_of_one_class(tmp_path: Path, folder: str) -> None:
    clips = write_words(tmp_path / "words", count=4)
    write_background(clips / folder / "room.wav", 9.5)
    spec, fields, ids, other = read(clips)
    pieces = [name for name in ids if "room.wav" in name]
    assert len(pieces) == len(set(pieces)) == other["pieces"] == 9
    assert int((fields["target"] == spec.other).sum()) == 9
    sounds = fields["sound"][fields["target"] == spec.other]
    assert len(np.unique(sounds, axis=0)) == 9 and (np.abs(sounds).max(axis=1) > 1000).all()


def test_no_piece_of_a_recording_is_on_another_side_than_the_rest(tmp_path: Path) -> None:
    from assay.flow import prepare

    clips = write_words(tmp_path / "words", count=10)
    for number in range(6):
        write_background(clips / OTHER / f"{number}.wav", 5.0, seed=number)
    made = prepare(clips, DataOptions(), task=VoiceCommands())
    ids = made.records.index().column("id").to_pylist()
    sides: dict[str, set[int]] = {}
    for name, side in zip(ids, made.split.side.tolist(), strict=True):
        if "#t=" in name:
            sides.setdefault(name.partition("#")[0], set()).add(side)
    assert len(sides) == 6 and all(len(found) == 1 for found in sides.values())
    assert len(set().union(*sides.values())) > 1


def test_pieces_do_not_drown_the_commands(tmp_path: Path) -> None:
    clips = write_words(tmp_path / "words", count=4)
    write_background(clips / "noise" / "long.wav", 59.0)
    write_background(clips / "noise" / "other.wav", 40.0, seed=1)
    _, fields, ids, other = read(clips)
    assert other["pieces"] == 60 == int((fields["target"] == 2).sum())
    assert sum("long.wav" in name for name in ids) == pytest.approx(36, abs=2)


def test_a_share_of_the_training_clips_becomes_no_command() -> None:
    random = torch.Generator().manual_seed(0)
    sound = (3000 * torch.randn(300, SPEC.length, generator=random)).to(torch.int16)
    batch = SoundBatch(index=torch.arange(300), sound=sound, target=torch.arange(300) % 4)
    task, draws = VoiceCommands(), Draws(0, 0, np.arange(300))
    changed = task.augment(batch, draws, Plan(augment={"other": 0.2}), SPEC)
    other = changed.target == SPEC.other
    assert float(other.float().mean()) == pytest.approx(0.2, abs=0.07)
    same = (changed.sound - sound / 32767).abs().amax(dim=1) < 1e-4
    assert bool((same == ~other).all())
    unchanged = task.augment(batch, draws, Plan(augment={"other": 0.0}), SPEC)
    assert torch.equal(unchanged.target, batch.target)


def test_what_holds_memorising_back_does_nothing_at_one_value_and_something_at_the_other() -> None:
    sound = torch.randn(4, SPEC.length, generator=torch.Generator().manual_seed(1)) / 8
    batch = SoundBatch(index=torch.arange(4), sound=sound, target=torch.arange(4))
    task = VoiceCommands()

    def changed(name: str, value: float) -> torch.Tensor:
        plan = Plan(augment={name.removeprefix("augment."): value})
        return task.augment(batch, Draws(0, 0, np.arange(4)), plan, SPEC).sound

    for name, (off, on) in task.regularisation(SPEC).items():
        if name.startswith("augment."):
            assert torch.equal(changed(name, off), sound), name
            assert not torch.allclose(changed(name, on), sound, atol=1e-3), name


def test_broken_files_are_told_and_left_out(words: Path, tmp_path: Path) -> None:
    import shutil

    import soundfile

    clips = tmp_path / "words"
    shutil.copytree(words, clips)
    (clips / "up" / "broken.wav").write_bytes(b"RIFF nothing of the kind")
    (clips / "up" / "empty.wav").write_bytes(b"")
    soundfile.write(clips / "up" / "short.wav", np.full(80, 0.1, np.float32), 8000)
    soundfile.write(clips / "up" / "still.wav", np.zeros(4000, np.float32), 8000)
    holes = np.full(4000, np.nan, np.float32)
    holes[::2] = 0.1
    soundfile.write(clips / "up" / "holes.wav", holes, 8000, subtype="FLOAT")
    soundfile.write(clips / "up" / "eight.wav", np.full((9600, 8), 0.1, np.float32) * np.arange(9600)[:, None] % 0.3,
                    192000)  # fmt: skip
    _, fields, ids, _ = read(clips)
    known = {Path(name).name for name in ids}
    assert {"still.wav", "holes.wav", "eight.wav"} <= known and not {"broken.wav", "empty.wav", "short.wav"} & known
    assert len(fields["sound"]) == len(ids)


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(AssayError):
        VoiceCommands().read(open_source(tmp_path / "empty"), DataOptions())


def test_a_sound_is_drawn_and_can_be_heard(words: Path) -> None:
    from assay.report.sounds import audio_uri, explained_picture, picture
    from sound_examples import spoken

    sound = spoken("up", np.random.default_rng(0))
    assert picture(sound, 8000).startswith("data:image/")
    assert explained_picture(sound, 8000, np.ones((10, 8))).startswith("data:image/")
    assert picture(np.zeros(3200, np.float32), 8000) != picture(sound, 8000)
    uri = audio_uri(sound, 8000)
    import base64
    import io

    import soundfile

    heard, rate = soundfile.read(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
    assert uri.startswith("data:audio/") and rate == 8000
    assert len(heard) == pytest.approx(len(sound), rel=0.5) and np.abs(heard).max() > 0.5
