"""Recordings of speech: what is said in them, and when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.transcripts import Heard, Segment, Transcript
from assay.samples.transcript_spec import RATE, TranscriptSpec
from assay.sources.recordings import OPTIONS
from assay.task import Amount, Batch, Confusion, Corruption, Drawing, Encoded, NetworkKind, Support, Task, Traits

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor, nn

    from assay.baselines.baseline import Baseline
    from assay.evaluation.evaluation import Evaluation
    from assay.evaluation.metrics import Metric, Values
    from assay.evidence.finding import Figure
    from assay.progress import Progress
    from assay.samples.draws import Draws
    from assay.samples.lookalikes import Lookalikes
    from assay.samples.samples import Samples
    from assay.serving.dictation import Dictation
    from assay.serving.predictor import Answering, Predictor
    from assay.sources.records import ProblemLog, Records
    from assay.sources.source import DataOptions, Recognition, Source
    from assay.training.plan import Plan


@dataclass(frozen=True, kw_only=True)
class RecordingBatch(Batch):
    """Windows of sound (B, T) with `mask`, and their transcripts' tokens (B, N).

    Attributes:
        sound: (B, T) int16, or float32 from -1 to 1 once it was changed.
        start: (B,) float32, where each window begins in its recording, in seconds.
        tokens: (B, N) int32, their mask bool; none where a window is a part of a recording, which cuts no transcript.
    """

    sound: Tensor
    start: Tensor
    tokens: Tensor | None = None
    tokens_mask: Tensor | None = None


class Transcription(Task):
    """See the module. An output is what was `Heard` in a recording."""

    name = "transcription"
    traits = Traits(
        title="recordings: what is said in them",
        data="WAV, FLAC, OGG, MP3 with transcripts: CSV, TSV or JSONL, LibriSpeech, Common Voice and Kaldi layouts",
        extra="audio",
        takes=("sound",),
        exported_by="assay.serving.speech_export",
        default_budget_s=600.0,
        variable_length=True,
        several_windows=True,
        streams=True,
        options={
            **OPTIONS,
            "language": "of the transcripts, such as en, where they are not to tell",
            "tokens": "characters or pieces (of words) for a network of ours (characters)",
        },
        answering={
            "beams": "transcripts that are followed at once (8; 1 for a pretrained network)",
            "language_weight": "what the language model counts, of a network of ours (0.4)",
            "token_bonus": "nats that each token gains there (0.5)",
            "words": "1 for the times of words, 0 for none (1)",
            "partials": "with assay listen: seconds between partial answers, 0 for none (1)",
        },
        listening=("partials",),
    )
    batch_type = RecordingBatch
    spec_type = TranscriptSpec

    def recognise(self, source: Source) -> Recognition | None:
        """Recordings with transcripts, in any of the known layouts."""
        from assay.sources.recordings import recognise_transcripts

        return recognise_transcripts(source)

    def read(self, source: Source, options: DataOptions) -> Records:
        """See `assay.sources.recordings`."""
        from assay.sources.recordings import read_transcripts

        return read_transcripts(source, options)

    def read_inputs(self, source: Source, spec: TranscriptSpec) -> Records:
        """Recordings: a file, a folder, an archive."""
        from assay.sources.recordings import read_recordings_inputs

        return read_recordings_inputs(source)

    def copied_rows(self, records: Records, progress: Progress) -> np.ndarray[Any, Any] | None:
        """See `assay.samples.sound_copies`."""
        from assay.samples.sound_copies import copied_sound_rows

        return copied_sound_rows(records, progress)

    def lookalikes(self, samples: Samples, asked: np.ndarray[Any, Any], budget_s: float) -> Lookalikes | None:
        """See `assay.samples.sound_copies`."""
        from assay.samples.sound_copies import sound_lookalikes

        return sound_lookalikes(samples, asked, budget_s, RATE)

    def amount(self, samples: Samples, units: np.ndarray[Any, Any], spec: TranscriptSpec) -> Amount:
        """Minutes of speech whose transcripts can be learned."""
        from assay.samples.sound_windows import minutes_of_sound

        return Amount(minutes_of_sound(samples, units, RATE, learned="tokens"), "minutes of speech")

    def fit_spec(self, records: Records, train: np.ndarray[Any, Any], options: DataOptions) -> TranscriptSpec:
        """See `assay.samples.transcript_spec`."""
        from assay.samples.transcript_spec import fitted_spec

        return fitted_spec(records, train, options)

    def encode(self, batch: pa.RecordBatch, records: Records, spec: TranscriptSpec, log: ProblemLog) -> Encoded:
        """Windows of sound; the tokens of a transcript beside a recording that is heard as a whole."""
        from assay.samples.recording_windows import cut_recordings

        found = cut_recordings(batch, records, spec.longest_s, log)
        fields: dict[str, Any] = {"sound": found.sound, "start": found.start}
        if "target" in batch.schema.names:
            ids = batch.column("id").to_pylist()
            tokens = spec.tokens_of([text or "" for text in batch.column("target").to_pylist()])
            fits = [not spec.most_tokens or len(one) <= spec.most_tokens for one in tokens]
            fields["tokens"] = [
                tokens[row] if whole and fits[row] else np.zeros(0, np.int32)
                for row, whole in zip(found.row, found.whole, strict=True)
            ]
            for row in np.unique(found.row[found.whole]).tolist():
                if not fits[row]:
                    log.add("transcript-too-long-to-learn-from", "kept", ids[row])
            for row in np.unique(found.row[~found.whole]).tolist():
                log.add("recording-too-long-to-learn-from", "kept", ids[row])
        return Encoded(fields, found.row)

    def networks(self, spec: TranscriptSpec) -> Sequence[NetworkKind]:
        """See `assay.networks.speech_networks`."""
        from assay.networks.speech_networks import speech_networks

        return speech_networks(spec)

    def augment(self, batch: RecordingBatch, draws: Draws, plan: Plan, spec: TranscriptSpec) -> RecordingBatch:
        """See `assay.samples.speech_augment`."""
        import torch

        from assay.samples.sound_windows import as_waves
        from assay.samples.speech_augment import speech_augmented

        mask = torch.ones_like(batch.sound, dtype=torch.bool) if batch.mask is None else batch.mask
        sound, mask = speech_augmented(as_waves(batch.sound), mask, plan.augment, RATE, draws)
        return replace(batch, sound=sound, mask=mask)

    def objective(self, network: nn.Module, batch: RecordingBatch, plan: Plan, spec: TranscriptSpec) -> Tensor:
        """Nats a token of each transcript; 0 for windows without one, so that the mean is that of the others."""
        from assay.networks.transcribing import transcript_losses

        return transcript_losses(network, batch, plan.label_smoothing)

    def predict(
        self, network: nn.Module, batch: RecordingBatch, spec: TranscriptSpec, options: Mapping[str, Any]
    ) -> Values:
        """What is heard in each window."""
        from assay.networks.transcribing import transcribed

        found = transcribed(network, batch.sound, batch.mask, spec, options)
        return [Heard((one.moved(start),)) for one, start in zip(found, batch.start.tolist(), strict=True)]

    def merge(self, outputs: Values, spec: TranscriptSpec) -> Heard:
        """What is heard in all windows, one after the other."""
        return Heard.joined(list(outputs))

    def deciding(self, outputs: Values, spec: TranscriptSpec) -> int:
        """The window in which most is said."""
        return int(np.argmax([output.tokens for output in outputs]))

    def answer(self, output: Heard, spec: TranscriptSpec) -> Transcript:
        """The transcript with its lines and words."""
        told = [one for one in output.stretches if one.text]
        segments = tuple(Segment(one.text, one.start, one.end) for one in told)
        return Transcript(output.text, output.confidence, segments, tuple(word for one in told for word in one.words))

    def words(self, output: Heard, spec: TranscriptSpec) -> str:
        """The transcript."""
        return output.text or "(nothing)"

    def truth_words(self, truth: Any, spec: TranscriptSpec) -> str:
        """The transcript."""
        return str(truth) or "(nothing)"

    def metrics(self, spec: TranscriptSpec) -> Sequence[Metric]:
        """Word and character error rate; see `assay.evaluation.spoken_text` for what counts."""
        from assay.evaluation.transcription_metrics import CharacterErrorRate, WordErrorRate

        return (WordErrorRate(spec.language), CharacterErrorRate(spec.language))

    def figures(self, evaluation: Evaluation, spec: TranscriptSpec) -> Sequence[Figure]:
        """See `assay.evidence.word_figures`."""
        from assay.evidence.word_figures import word_figures

        return word_figures(evaluation, spec.language)

    def confusions(self, outputs: Values, truths: Values, spec: TranscriptSpec) -> Sequence[Confusion]:
        """See `assay.evaluation.word_errors`."""
        from assay.evaluation.word_errors import confusions

        return confusions(outputs, truths, spec.language)

    def losses(self, outputs: Values, truths: Values, spec: TranscriptSpec) -> np.ndarray[Any, Any]:
        """(U,) the word error rate of each recording."""
        return _error_rates(outputs, truths, spec)

    def mistakes(self, outputs: Values, truths: Values, spec: TranscriptSpec) -> np.ndarray[Any, Any]:
        """(U,) whether any word is wrong."""
        return _error_rates(outputs, truths, spec) > 0

    def confidences(
        self, outputs: Values, truths: Values, spec: TranscriptSpec
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """The mean probability of a transcript's tokens; the share of words that are right."""
        sure = np.asarray([output.confidence for output in outputs], float)
        return sure, np.clip(1 - _error_rates(outputs, truths, spec), 0, 1)

    def why_no_baseline(self, spec: TranscriptSpec) -> str:
        """See `Task.why_no_baseline`."""
        from assay.baselines.transcription_classical import why_none

        return why_none(spec)

    def baselines(self, spec: TranscriptSpec) -> Sequence[Baseline]:
        """PocketSphinx for English; templates for few words; the commonest transcript as the floor."""
        from assay.baselines.transcription_classical import transcription_baselines

        return transcription_baselines(spec)

    def regularisation(self, spec: TranscriptSpec) -> Mapping[str, tuple[float, float]]:
        """Masks of time and frequency, speed, noise."""
        return {
            "augment.mask_time": (0.0, 0.15),
            "augment.mask_band": (0.0, 0.25),
            "augment.speed": (0.0, 0.12),
            "augment.noise": (0.0, 0.5),
        }

    def corruptions(self, spec: TranscriptSpec) -> Mapping[str, Corruption]:
        """Noise, a telephone's band, reverberation."""
        from assay.samples.sound_corruptions import sound_corruptions

        return sound_corruptions(RATE)

    def session(self, predictor: Predictor) -> Dictation:
        """Takes sound (T,) float32 at 16 kHz and gives `Partial`s."""
        from assay.serving.dictation import Dictation

        return Dictation(predictor)

    def stream(self, samples: Samples, unit: int, spec: TranscriptSpec) -> np.ndarray[Any, Any]:
        """(T,) float32, all that is heard of a recording."""
        from assay.samples.sound_windows import SCALE

        windows = samples.field("sound", samples.view_of(np.asarray([unit])).windows)
        return np.concatenate([np.asarray(one, np.float32) for one in windows]) / SCALE

    def streamed(
        self, records: Records, spec: TranscriptSpec, log: ProblemLog
    ) -> Iterator[tuple[str, Iterator[Any]]] | None:
        """Recordings that are too long to be held: see `Task.streamed`."""
        from assay.samples.recording_windows import long_recordings

        return long_recordings(records, log)

    def gathered(self, answers: Iterable[Any], spec: TranscriptSpec) -> Transcript:
        """One transcript out of a session's final answers."""
        from assay.serving.dictation import gathered

        return gathered(answers)

    def part_names(self, samples: Samples, window: int, spec: TranscriptSpec) -> Sequence[str]:
        """When each cell of the grid over a window is, and which frequencies it holds."""
        from assay.samples.speech_places import place_names

        begin = float(samples.field("start", np.asarray([window]))[0])
        return place_names(len(samples.field("sound", np.asarray([window]))[0]), begin)

    def masked(self, batch: RecordingBatch, kept: Tensor, spec: TranscriptSpec, instead: Any = None) -> RecordingBatch:
        """Silence where nothing is kept; see `assay.samples.speech_places`."""
        from assay.samples.sound_windows import as_waves
        from assay.samples.speech_places import mask_speech

        return replace(batch, sound=mask_speech(as_waves(batch.sound), batch.mask, kept))

    def support(self, outputs: Values, answered: Values, spec: TranscriptSpec) -> Support:
        """The share of the characters of a transcript that is still heard."""
        from assay.evaluation.transcription_metrics import CharacterErrorRate

        counts = CharacterErrorRate(spec.language).statistics(outputs, [answer.text for answer in answered])
        return Support(np.clip(1 - counts[:, :3].sum(axis=1) / np.maximum(1, counts[:, 3]), 0, 1))

    def explain(self, predictor: Answering, batch: RecordingBatch) -> np.ndarray[Any, Any]:
        """How much less probable (nats) the transcript is where a band of a stretch of the sound is silent."""
        from assay.evidence.speech_attribution import explain_transcripts

        return explain_transcripts(predictor, batch)

    def writings(self) -> Mapping[str, Any]:
        """Plain text and subtitles; see `Task.writings`."""
        from assay.serving.subtitles import srt, vtt

        return {".txt": lambda answer: f"{answer['text']}\n", ".srt": srt, ".vtt": vtt}

    def draw(self, samples: Samples, unit: int, spec: TranscriptSpec) -> Drawing:
        """The waveform above its spectrum, the sound, and how long the recording is; of a long one the beginning."""
        from assay.report.sounds import sound_drawing

        sound = self.stream(samples, unit, spec)
        return sound_drawing(sound, RATE, (samples.id(unit), f"seconds: {len(sound) / RATE:.1f}"))

    def draw_explained(
        self,
        samples: Samples,
        unit: int,
        weights: np.ndarray[Any, Any],
        spec: TranscriptSpec,
        window: int | None = None,
    ) -> Drawing:
        """The window in grey with the places that weighed in colour, and its sound."""
        from assay.report.sounds import sound_drawing
        from assay.samples.sound_windows import SCALE
        from assay.samples.speech_places import stretches

        windows = samples.view_of(np.asarray([unit])).windows[:1] if window is None else np.asarray([window])
        sound = np.asarray(samples.field("sound", windows)[0], np.float32) / SCALE
        begin = float(samples.field("start", windows)[0])
        told = f"seconds: {begin:.1f} to {begin + len(sound) / RATE:.1f}"
        return sound_drawing(sound, RATE, (samples.id(unit), told), weights[:, : stretches(len(sound))])


def _error_rates(outputs: Values, truths: Values, spec: TranscriptSpec) -> np.ndarray[Any, Any]:
    from assay.evaluation.transcription_metrics import WordErrorRate

    counts = WordErrorRate(spec.language).statistics(outputs, truths)
    return np.asarray(counts[:, :3].sum(axis=1) / np.maximum(1, counts[:, 3]))
