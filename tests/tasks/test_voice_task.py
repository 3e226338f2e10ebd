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


def test_rate_and_window_do_not_follow_what_is_no_command(tmp_path: Path) -> None:
    clips = write_words(tmp_path / "words", count=4)
    for number in range(30):
        write_background(clips / OTHER / f"{number}.wav", 1.9, seed=number, rate=44100)
    spec, _, _, _ = read(clips)
    assert (spec.rate, spec.seconds) == (8000, 0.4)


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


def test_pieces_do_not_drown_the_commands_and_what_is_left_out_is_told(tmp_path: Path) -> None:
    from assay.flow import prepare

    clips = write_words(tmp_path / "words", count=4)
    write_background(clips / "noise" / "long.wav", 600.0, rate=1000)
    for number in range(3):
        write_background(clips / "noise" / f"{number}.wav", 40.0, seed=number, rate=1000)
    made = prepare(clips, DataOptions(), task=VoiceCommands())
    ids, told = made.records.index().column("id").to_pylist(), made.records.facts[OTHER]
    assert told == {"clips": 0, "pieces": 300, "pieces_left_out": 420}
    assert sum("long.wav" in name for name in ids) == pytest.approx(250, abs=3)
    (problem,) = (one for one in made.problems if one.kind == "more-of-no-command-than-commands")
    assert (problem.count, problem.action) == (420, "skipped")


def test_a_lone_long_recording_of_no_command_is_on_every_side_in_stretches(tmp_path: Path) -> None:
    from assay.flow import prepare

    clips = write_words(tmp_path / "words", count=90)
    write_background(clips / OTHER / "room.wav", 320.0, rate=1000)
    made = prepare(clips, DataOptions(), task=VoiceCommands())
    assert not [one for one in made.problems if one.kind == "long-recording"]
    index = made.records.index()
    sides: dict[int, list[int]] = {0: [], 1: [], 2: []}
    for name, side in zip(index.column("id").to_pylist(), made.split.side.tolist(), strict=True):
        if "#t=" in name:
            sides[side].append(int(name.rpartition("=")[2]))
    assert sum(map(len, sides.values())) == made.records.facts[OTHER]["pieces"] == 311
    assert len(sides[0]) > 200 and min(len(sides[1]), len(sides[2])) >= 25
    for side, starts in sides.items():
        for other, others in sides.items():
            if side < other:
                assert np.abs(np.subtract.outer(starts, others)).min() > 1  # a second lies between two sides


def test_a_command_of_more_than_a_minute_is_none(tmp_path: Path) -> None:
    clips = write_words(tmp_path / "words", count=4)
    write_background(clips / "up" / "long.wav", 61.0, rate=1000)
    write_background(clips / OTHER / "long.wav", 61.0, rate=1000)
    records = VoiceCommands().read(open_source(clips), DataOptions())
    assert [(one.kind, one.count) for one in records.problems] == [("long-recording", 1)]
    assert records.facts[OTHER]["pieces"] > 50


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


def test_a_long_recording_is_no_clip_and_the_hint_says_what_hears_it(tmp_path: Path) -> None:
    from assay.errors import DataError

    clips = write_words(tmp_path / "words", count=1)
    long = write_background(tmp_path / "hour.wav", 3600.0, rate=1000)
    with pytest.raises(DataError, match="60 minutes") as caught:
        VoiceCommands().read_inputs(open_source(long), SPEC)
    assert "assay listen RUN --wav" in caught.value.hint
    write_background(clips / "long.wav", 121.0, rate=1000)
    records = VoiceCommands().read_inputs(open_source(clips), SPEC)
    assert records.index().num_rows == len(WORDS)
    assert [(one.kind, one.action, one.count) for one in records.problems] == [("long-recording", "skipped", 1)]


def test_a_long_recording_whose_header_did_not_say_so_is_not_answered_either(tmp_path: Path) -> None:
    from assay.sources.recordings import read_recordings_inputs

    write_background(tmp_path / "long.wav", 121.0, rate=1000)
    write_background(tmp_path / "short.wav", 1.0, rate=1000)
    records, log = read_recordings_inputs(open_source(tmp_path)), ProblemLog()
    (batch,) = records.batches()
    assert len(VoiceCommands().encode(batch, records, SPEC, log).fields["sound"]) == 1
    assert [one.kind for one in log.problems()] == ["long-recording"]


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


# Streams --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained on words of two tones."""
    import assay

    folder = tmp_path_factory.mktemp("runs")
    clips = write_words(folder / "words", count=30)
    return assay.train(clips, task="voice-commands", epochs=60, evidence="none", out=folder / "run").run.path


def stream_of(words: list[str], seed: int) -> tuple[np.ndarray, list[tuple[str, float, float]]]:
    """Words of new voices two seconds apart in a little noise, and when each is said."""
    from sound_examples import spoken

    random = np.random.default_rng(1000 + seed)
    parts, said, at = [np.zeros(8000)], [], 8000
    for word in words:
        parts += [spoken(word, random), np.zeros(16000)]
        said.append((word, at / 8000, (at + len(parts[-2])) / 8000))
        at += len(parts[-2]) + 16000
    sound = np.concatenate(parts)
    return (sound + random.normal(0, 0.002, len(sound))).astype(np.float32), said


def test_thresholds_are_learned_and_kept_with_the_model(run: Path) -> None:
    import json

    import assay

    settled = json.loads((run / "model" / "model.json").read_text())["settled"]
    assert 0 < settled["threshold"] <= 1 and settled["validation"]["said"] > 0
    session = assay.load(run).session()
    assert session.hearing.threshold == settled["threshold"]
    assert dict(session.hearing.thresholds) == settled["thresholds"]
    assert set(session.commands) == set(WORDS) and session.rate_hz == 8000
    other = assay.load(run).session({"threshold": "0.7"})
    assert (other.hearing.threshold, dict(other.hearing.thresholds)) == (0.7, {})
    with pytest.raises(SettingError):
        assay.load(run).session({"threshold": "2"})


def test_a_run_tells_how_it_listens_on_its_test_side(run: Path, tmp_path: Path) -> None:
    import assay
    from assay.samples.samples import hold_samples

    task, predictor = VoiceCommands(), assay.load(run).predictor
    records = task.read(open_source(write_words(tmp_path / "words", count=5, seed=99)), DataOptions())
    samples = hold_samples(task, records, predictor.spec, ProblemLog())  # all of it on the test side
    found = task.in_use(predictor, samples)
    assert found is not None and "of 20 words" in found.words
    heard, alarms = found.numbers["words heard in a stream"], found.numbers["false alarms"]
    assert heard.value is not None and heard.value >= 0.7
    assert alarms.high is not None and alarms.value is not None and alarms.high > alarms.value


def test_commands_are_heard_in_a_stream_in_time(run: Path) -> None:
    import assay
    from assay.evaluation.false_alarms import Spoken, matched

    words = ["up", "left", "down", "right", "down", "up"]
    delays: list[float] = []
    alarms = 0
    for seed in range(4):
        session, (sound, spoken) = assay.load(run).session(), stream_of(words, seed)
        found = [one for start in range(0, len(sound), 777) for one in session.push(sound[start : start + 777])]
        events = [(one.command, one.at_s) for one in [*found, *session.close()]]
        heard, wrong = matched(events, [Spoken(*one) for one in spoken], tolerance_s=0.3)
        delays, alarms = delays + heard, alarms + wrong
    assert len(delays) >= 21 and alarms <= 3


def test_a_run_from_before_there_were_thresholds_listens_too(run: Path, tmp_path: Path) -> None:
    import json

    import assay
    from assay.errors import RunError

    copy = assay.load(run).save(tmp_path / "copy")
    file = copy / "model" / "model.json"
    facts = json.loads(file.read_text())
    file.write_text(json.dumps({name: value for name, value in facts.items() if name != "settled"}))
    assert assay.load(copy).session().hearing.threshold == 0.8
    for wrong in ([], "high", 3):
        file.write_text(json.dumps({**facts, "settled": wrong}))
        with pytest.raises(RunError, match="damaged"):
            assay.load(copy).session()
    for wrong in (7, "high", None):
        file.write_text(json.dumps({**facts, "settled": {"threshold": wrong}}))
        with pytest.raises(AssayError):
            assay.load(copy).session()


def test_words_anywhere_and_cut_off_ones_while_training() -> None:
    sound = torch.zeros(300, SPEC.length, dtype=torch.int16)
    sound[:, 1200:2000] = 9000
    batch = SoundBatch(index=torch.arange(300), sound=sound, target=torch.arange(300) % 4)
    draws = Draws(0, 0, np.arange(300))
    changed = VoiceCommands().augment(batch, draws, Plan(augment={"place": 1.0, "cut": 0.2}), SPEC)
    other = changed.target == SPEC.other
    heard = (changed.sound > 0).sum(dim=1)
    assert float(other.float().mean()) == pytest.approx(0.2, abs=0.07)
    assert bool((heard[~other] == 800).all()) and bool((heard[other] < 400).all())
    assert int((changed.sound > 0).int().argmax(dim=1)[~other].max()) > 2000
