"""Which of several spoken commands a clip says, or none of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import SettingError
from assay.samples.sound_spec import OTHER, ClipSpec
from assay.sources.recordings import OPTIONS
from assay.targets.task import TargetTask
from assay.task import (
    Amount,
    Batch,
    Corruption,
    Drawing,
    Encoded,
    InUse,
    NetworkKind,
    Session,
    Traits,
    no_targets,
    number_of,
)

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor, nn

    from assay.baselines.baseline import Baseline
    from assay.evaluation.metrics import Values
    from assay.progress import Progress
    from assay.samples.draws import Draws
    from assay.samples.lookalikes import Lookalikes
    from assay.samples.samples import Samples
    from assay.serving.ears import Ear
    from assay.serving.listening import Detector, Hearing
    from assay.serving.predictor import Answering, Predictor
    from assay.sources.records import ProblemLog, Records
    from assay.sources.source import DataOptions, Recognition, Source
    from assay.training.plan import Plan


@dataclass(frozen=True, kw_only=True)
class SoundBatch(Batch):
    """Sounds (B, T), int16 as cached or float32 from -1 to 1, and the numbers of their classes (B,)."""

    sound: Tensor
    target: Tensor | None = None


class VoiceCommands(TargetTask):
    """See the module."""

    name = "voice-commands"
    traits = Traits(
        title="spoken commands: one of several words, or none of them",
        data="a folder of clips (WAV, FLAC, OGG, MP3) per command; CSV/TSV/JSONL of paths and commands; zips of these",
        extra="audio",
        takes=("sound",),
        options={
            **OPTIONS,
            "seconds": "of the window in which a command fits; from the training clips where it is not given",
            "rate": "8000 or 16000 values a second; from the training clips where it is not given",
        },
        streams=True,
        answering={"threshold": "the confidence that commands in a stream take, instead of what validation taught"},
        listening=("threshold",),
        mixing=("background",),
    )
    batch_type = SoundBatch
    spec_type = ClipSpec

    def recognise(self, source: Source) -> Recognition | None:
        """Clips with a command each, in any of the known layouts."""
        from assay.sources.recordings import recognise_clips

        return recognise_clips(source)

    def read(self, source: Source, options: DataOptions) -> Records:
        """See `assay.sources.recordings` and `assay.sources.other_clips`."""
        from assay.sources.other_clips import with_others
        from assay.sources.recordings import read_clips

        return with_others(read_clips(source, options))

    def read_inputs(self, source: Source, spec: ClipSpec) -> Records:
        """Sound files, folders or archives of them, without commands; see `assay.sources.clip_inputs`."""
        from assay.samples.clip_facts import DECODED_S
        from assay.sources.clip_inputs import read_clip_inputs

        return read_clip_inputs(source, DECODED_S)

    def copied_rows(self, records: Records, progress: Progress) -> np.ndarray[Any, Any] | None:
        """See `assay.samples.sound_copies`."""
        from assay.samples.sound_copies import copied_sound_rows

        return copied_sound_rows(records, progress)

    def lookalikes(self, samples: Samples, asked: np.ndarray[Any, Any], budget_s: float) -> Lookalikes | None:
        """See `assay.samples.sound_copies`."""
        from assay.samples.sound_copies import sound_lookalikes

        return sound_lookalikes(samples, asked, budget_s, samples.spec.rate)

    def amount(self, samples: Samples, units: np.ndarray[Any, Any], spec: ClipSpec) -> Amount:
        """Minutes of speech."""
        from assay.samples.sound_windows import minutes_of_sound

        return Amount(minutes_of_sound(samples, units, spec.rate), "minutes of speech")

    def fit_spec(self, records: Records, train: np.ndarray[Any, Any], options: DataOptions) -> ClipSpec:
        """Rate and seconds from a sample of the training clips; the class of no command is always there."""
        from assay.samples.clip_facts import look_at, rate_of, seconds_of
        from assay.targets.class_target import ClassTarget
        from assay.targets.target import fit_target

        target = fit_target(records.index().column("target"), train)
        if not isinstance(target, ClassTarget):
            raise SettingError("a command is a word, not a number or several labels", "Choose it with --target.")
        if OTHER not in target.classes:
            target = ClassTarget((*target.classes, OTHER))
        seen = look_at(records, train) if {"rate", "seconds"} - set(options.extra) else []
        return ClipSpec(rate_of(seen, options), seconds_of(seen, options), target)

    def encode(self, batch: pa.RecordBatch, records: Records, spec: ClipSpec, log: ProblemLog) -> Encoded:
        """Decode on all cores; what cannot be decoded, or is next to nothing, is skipped."""
        from assay.samples.clip_facts import DECODED_S, is_clip
        from assay.samples.sound_windows import window_of
        from assay.sources.other_clips import sound_at

        locations, names = batch.column("location").to_pylist(), batch.column("id").to_pylist()
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            sounds = list(pool.map(lambda location: sound_at(records, location, spec.rate, DECODED_S), locations))
        usable = np.asarray([is_clip(sound, name, log) for sound, name in zip(sounds, names, strict=True)], bool)
        fields: dict[str, Any] = {}
        if (targets := self.encode_targets(batch, spec, log)) is not None:
            usable &= targets[1]
            fields["target"] = targets[0][usable]
        kept = [window_of(sound.samples, spec.length) for sound, use in zip(sounds, usable, strict=True)
                if use and sound is not None]  # fmt: skip
        fields["sound"] = np.stack(kept) if kept else np.zeros((0, spec.length), np.int16)
        return Encoded(fields, np.flatnonzero(usable))

    def networks(self, spec: ClipSpec) -> Sequence[NetworkKind]:
        """See `assay.networks.sound_networks`."""
        from assay.networks.sound_networks import sound_networks

        return sound_networks(spec)

    def augment(self, batch: SoundBatch, draws: Draws, plan: Plan, spec: ClipSpec) -> SoundBatch:
        """Other voices, rooms and microphones, as strong as the plan says; a share becomes sounds of no command.

        A stream's windows hold a word anywhere, and now and then a piece of it: `place` and `cut` (see
        `assay.samples.sound_position`).
        """
        from assay.samples.sound_augment import augmented
        from assay.samples.sound_windows import as_waves

        sound, target, cut, others = as_waves(batch.sound), batch.target, None, None
        if target is not None and spec.other is not None:
            import torch

            from assay.samples.sound_others import made_others

            others = target == spec.other
            chosen = draws.uniform("other") < plan.augment.get("other", 0.0)
            cut = ~chosen & (draws.uniform("cut") < plan.augment.get("cut", 0.0))
            sound = torch.where(chosen[:, None], made_others(sound, draws), sound) if chosen.any() else sound
            target = torch.where(chosen | cut, torch.full_like(target, spec.other), target)
        return replace(batch, sound=augmented(sound, plan.augment, spec.rate, draws, cut, others), target=target)

    def objective(self, network: nn.Module, batch: SoundBatch, plan: Plan, spec: ClipSpec) -> Tensor:
        """Cross-entropy."""
        from assay.samples.sound_windows import as_waves

        if batch.target is None:
            raise no_targets("these clips have no commands")
        return spec.target.loss(network(as_waves(batch.sound)), batch.target, plan.label_smoothing)

    def predict(self, network: nn.Module, batch: SoundBatch, spec: ClipSpec, options: Mapping[str, Any]) -> Values:
        """(B, C) probabilities."""
        from assay.samples.sound_windows import as_waves

        return spec.target.output(network(as_waves(batch.sound)))

    def settled(self, predictor: Predictor, samples: Samples) -> Mapping[str, Any]:
        """The thresholds of a session: see `assay.evaluation.settled_listening`."""
        from assay.evaluation.settled_listening import settle_thresholds
        from assay.samples.split import VALIDATION

        spec: ClipSpec = predictor.spec
        view, classes = samples.view(VALIDATION), _classes(spec)
        return settle_thresholds(partial(_ear, predictor), classes, spec.other, _hearing(spec), view)

    def in_use(self, predictor: Predictor, samples: Samples) -> InUse | None:
        """Recall and false alarms an hour in streams: see `assay.evidence.sound_in_use`."""
        from assay.evidence.sound_in_use import sound_in_use
        from assay.samples.split import TEST

        spec, hearing = predictor.spec, self._detector(predictor).hearing
        return sound_in_use(partial(_ear, predictor), _classes(spec), spec.other, hearing, samples.view(TEST))

    def session(self, predictor: Predictor) -> Session:
        """Hears commands in a stream; the option `threshold` counts for all of them."""
        return self._detector(predictor)

    def _detector(self, predictor: Predictor) -> Detector:
        from assay.serving.listening import Detector

        spec: ClipSpec = predictor.spec
        known = {name: predictor.settled[name] for name in ("threshold", "thresholds") if name in predictor.settled}
        if "threshold" in predictor.options:
            known = {"threshold": number_of(predictor.options, "threshold", 0.5, 0.01, 1.0)}
        hearing = _hearing(spec, **known)
        return Detector(_ear(predictor), _classes(spec), hearing, [] if spec.other is None else [OTHER])

    def stream(self, samples: Samples, unit: int, spec: ClipSpec) -> np.ndarray[Any, Any]:
        """The clip with a second of silence on both sides."""
        return np.pad(_sound(samples, unit), spec.rate)

    def baselines(self, spec: ClipSpec) -> Sequence[Baseline]:
        """Cepstral statistics with an SVM, or DTW to templates, as the validation side chooses; the floor."""
        from assay.baselines.best_of import BestOf
        from assay.baselines.dtw_templates import DtwTemplates
        from assay.baselines.dummy import Dummy
        from assay.baselines.mfcc_svm import MfccSvm

        known = (spec.target, spec.rate, spec.other)
        return (BestOf(spec.target, (MfccSvm(*known), DtwTemplates(*known))), Dummy(spec.target))

    def corruptions(self, spec: ClipSpec) -> Mapping[str, Corruption]:
        """Noise, a telephone's band, reverberation."""
        from assay.samples.sound_corruptions import sound_corruptions

        return sound_corruptions(spec.rate)

    def regularisation(self, spec: ClipSpec) -> Mapping[str, tuple[float, float]]:
        """Other voices first: what a few speakers have in common is what is most easily memorised."""
        voices = {"augment.throat": (0.0, 0.15), "augment.speed": (0.0, 0.15), "augment.mask_band": (0.0, 0.2),
                  "augment.mask_time": (0.0, 0.2), "augment.tilt": (0.0, 6.0), "augment.noise": (0.0, 0.5)}  # fmt: skip
        return {**voices, **super().regularisation(spec)}

    def parts(self, spec: ClipSpec) -> Mapping[str, np.ndarray[Any, Any]]:
        """See `assay.samples.sound_places`."""
        from assay.samples.sound_places import sound_parts

        return sound_parts(spec)

    def masked(self, batch: SoundBatch, kept: Tensor, spec: ClipSpec, instead: SoundBatch | None = None) -> SoundBatch:
        """See `assay.samples.sound_places`."""
        from assay.samples.sound_places import mask_sounds
        from assay.samples.sound_windows import as_waves

        other = None if instead is None else as_waves(instead.sound)
        return replace(batch, sound=mask_sounds(as_waves(batch.sound), kept, spec, other))

    def explain(self, predictor: Answering, batch: SoundBatch) -> np.ndarray[Any, Any]:
        """See `assay.evidence.sound_attribution`."""
        from assay.evidence.sound_attribution import explain_sounds
        from assay.samples.sound_windows import as_waves

        return explain_sounds(getattr(predictor, "network", None), as_waves(batch.sound), predictor.spec)

    def draw(self, samples: Samples, unit: int, spec: ClipSpec) -> Drawing:
        """The waveform above its spectrum, and the sound."""
        from assay.report.sounds import sound_drawing

        return sound_drawing(_sound(samples, unit), spec.rate, (samples.id(unit),))

    def draw_explained(
        self,
        samples: Samples,
        unit: int,
        weights: np.ndarray[Any, Any],
        spec: ClipSpec,
        window: int | None = None,
    ) -> Drawing:
        """The same in grey with what weighed in colour."""
        from assay.report.sounds import sound_drawing

        return sound_drawing(_sound(samples, unit), spec.rate, (samples.id(unit),), weights)


def _classes(spec: ClipSpec) -> tuple[str, ...]:
    names: tuple[str, ...] = spec.target.classes  # type: ignore[attr-defined]
    return names


def _hearing(spec: ClipSpec, **known: Any) -> Hearing:
    """How a stream is listened to: the answer comes within a quarter of a second of a word's end."""
    from assay.serving.listening import Hearing
    from assay.serving.standing_alone import Alone

    return Hearing(spec.rate, spec.seconds, hop_s=0.03, smoothing_s=0.06, alone=Alone(), **known)


def _ear(predictor: Predictor) -> Ear:
    """What hears the windows of one stream by the predictor's network."""
    spec, network, given = predictor.spec, predictor.network, predictor.given

    def whole(windows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        found = predictor.respond(SoundBatch(index=given(np.arange(len(windows))), sound=given(windows)))
        return np.asarray(found, np.float32)

    if predictor.exported:
        from assay.serving.ears import WholeWindows

        return WholeWindows(whole, spec.length)
    from assay.serving.shared_windows import ear_of

    def judge(energies: Tensor) -> np.ndarray[Any, Any]:
        if network.training:
            network.eval()
        found = predictor.scaled(spec.target.output(network.judge(energies)))  # type: ignore[operator]
        return np.asarray(found, np.float32)

    return ear_of(network, judge, whole, spec.length, round(_hearing(spec).hop_s * spec.rate))


def _sound(samples: Samples, unit: int) -> np.ndarray[Any, Any]:
    """(T,) float32 of a clip as the network hears it."""
    from assay.samples.sound_windows import SCALE

    window = samples.view_of(np.asarray([unit])).windows[:1]
    return np.asarray(samples.field("sound", window)[0], np.float32) / np.float32(SCALE)
