"""Sentences in another language, learned from sentences and their translations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.sequences import Hypothesis
from assay.samples.pair_spec import PairSpec
from assay.task import Batch, Corruption, Drawing, Encoded, NetworkKind, Support, Task, Traits

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor, nn

    from assay.baselines.baseline import Baseline
    from assay.evaluation.metrics import Metric, Values
    from assay.progress import Progress
    from assay.samples.lookalikes import Lookalikes
    from assay.samples.samples import Samples
    from assay.serving.predictor import Answering
    from assay.sources.records import ProblemLog, Records
    from assay.sources.source import DataOptions, Recognition, Source
    from assay.training.plan import Plan

#: Tokens of a sentence at most.
_LONGEST = 128
#: Tokens of the vocabulary that both languages share: fewer where few pairs teach them.
_SMALL_VOCABULARY, _VOCABULARY, _MANY_PAIRS = 4000, 8000, 200_000
#: Training pairs that a vocabulary is learned from at most.
_LOOK_AT = 100_000
#: Of the training pairs so many are no longer, for their source, than the longest translation that is searched for.
_USUAL = 0.999


@dataclass(frozen=True, kw_only=True)
class PairBatch(Batch):
    """Source tokens (B, S) with `mask` and target tokens (B, T), both without marks, and the sentences themselves.

    Attributes:
        tokens: (B, S) int32, of the source.
        target: (B, T) int32; None where translations are wanted.
        target_mask: (B, T) bool.
        source_text: (B, N) uint8, the UTF-8 bytes of a source beside its first piece.
        source_text_mask: (B, N) bool.
        target_text: (B, M) uint8, likewise.
        target_text_mask: (B, M) bool.
    """

    tokens: Tensor
    target: Tensor | None = None
    target_mask: Tensor | None = None
    source_text: Tensor | None = None
    source_text_mask: Tensor | None = None
    target_text: Tensor | None = None
    target_text_mask: Tensor | None = None


@dataclass(frozen=True)
class TranslationAnswer:
    """A translation.

    Attributes:
        text: the translation.
        confidence: the mean probability (geometric) of its tokens.
    """

    text: str
    confidence: float


class Translation(Task):
    """See the module. An output is the `Hypothesis` that a search found."""

    name = "translation"
    traits = Traits(
        title="sentences: their translation",
        data="two aligned text files (train.en, train.de), TSV, CSV or JSONL with two columns, TMX, gettext PO",
        extra="text",
        takes=("text",),
        worded=("source_text",),
        exported_by="assay.serving.translation_export",
        default_budget_s=600.0,
        variable_length=True,
        several_windows=True,
        options={
            "languages": "source and target, such as en-de, where there are several",
            "test_set": "which of several test sets is used",
            "text": "the column of the source, in a table; --target names that of the target",
            "encoding": "of the text files, such as cp1252",
        },
        answering={
            "beams": "translations that are followed at once (4)",
            "length_penalty": "the power of the length that log-probabilities are divided by (1)",
        },
    )
    batch_type = PairBatch
    spec_type = PairSpec

    def recognise(self, source: Source) -> Recognition | None:
        """Sentence pairs, in any of the known layouts."""
        from assay.sources.sentence_pairs import recognise_sentence_pairs

        return recognise_sentence_pairs(source)

    def read(self, source: Source, options: DataOptions) -> Records:
        """See `assay.sources.sentence_pairs`."""
        from assay.sources.sentence_pairs import read_sentence_pairs

        return read_sentence_pairs(source, options)

    def read_like(self, source: Source, options: DataOptions, spec: PairSpec) -> Records:
        """See `Task.read_like`: the languages are those of the training."""
        trained = {"languages": spec.languages} if spec.languages else {}
        return self.read(source, replace(options, extra={**trained, **options.extra}))

    def read_inputs(self, source: Source, spec: PairSpec) -> Records:
        """Text files, a sentence a line; a table's column; strings in memory."""
        from assay.sources.sentence_pairs import read_sentence_pairs_inputs

        return read_sentence_pairs_inputs(source, language=spec.languages.partition("-")[0])

    def fit_spec(self, records: Records, train: np.ndarray[Any, Any], options: DataOptions) -> PairSpec:
        """A vocabulary learned from the training pairs, both languages together, or that of the pretrained network."""
        from assay.networks.text_networks import pretrained_argument
        from assay.samples.tokens import pretrained, train_bpe
        from assay.samples.unit_texts import training_texts

        sources, targets = (training_texts(records, train, side, _LOOK_AT) for side in ("source", "target"))
        name = pretrained_argument(options.network)
        size = _VOCABULARY if np.count_nonzero(train) >= _MANY_PAIRS else _SMALL_VOCABULARY
        tokenizer = train_bpe([*sources, *targets], size) if name is None else pretrained(name)
        sizes = [np.asarray([len(ids) for ids in tokenizer.encode_batch(texts)]) for texts in (sources, targets)]
        growth = float(np.quantile(sizes[1] / np.maximum(1, sizes[0]), _USUAL))
        return PairSpec(tokenizer, _LONGEST, max(1.0, growth), str(records.facts.get("languages") or ""))

    def encode(self, batch: pa.RecordBatch, records: Records, spec: PairSpec, log: ProblemLog) -> Encoded:
        """Tokens of sentences; where there are translations, a pair with too long a side is left out."""
        from assay.samples.sentence_windows import cut_sentences
        from assay.samples.text_windows import text_bytes

        sources = [text or "" for text in batch.column("source").to_pylist()]
        if "target" not in batch.schema.names:
            found = cut_sentences(sources, spec.tokenizer, spec.longest)
            return Encoded({"tokens": found.tokens, "source_text": found.text}, found.row)
        targets = [text or "" for text in batch.column("target").to_pylist()]
        read, written = spec.tokenizer.encode_batch(sources), spec.tokenizer.encode_batch(targets)
        fits = [max(len(one), len(other)) <= spec.longest for one, other in zip(read, written, strict=True)]
        for place in np.flatnonzero(~np.asarray(fits, bool)):
            log.add("overlong-sentence", "skipped", str(batch.column("id")[int(place)]), None)
        rows = np.flatnonzero(np.asarray(fits, bool))
        fields: dict[str, Any] = {
            "tokens": [read[row] for row in rows],
            "target": [written[row] for row in rows],
            "source_text": [text_bytes(sources[row]) for row in rows],
            "target_text": [text_bytes(targets[row]) for row in rows],
        }
        return Encoded(fields, rows)

    def networks(self, spec: PairSpec) -> Sequence[NetworkKind]:
        """See `assay.networks.translation_networks`."""
        from assay.networks.translation_networks import translation_networks

        return translation_networks(spec)

    def objective(self, network: nn.Module, batch: PairBatch, plan: Plan, spec: PairSpec) -> Tensor:
        """Cross-entropy of every token of the translations, in nats a token."""
        network_: Any = network
        losses: Tensor = network_.losses(
            batch.tokens, batch.target, batch.mask, batch.target_mask, plan.label_smoothing
        )
        return losses

    def predict(self, network: nn.Module, batch: PairBatch, spec: PairSpec, options: Mapping[str, Any]) -> Values:
        """The best translation of each that a beam search finds."""
        from assay.networks.translating import translations

        return translations(network, batch, spec, options)

    def merge(self, outputs: Values, spec: PairSpec) -> Hypothesis:
        """The translations of a text's pieces, one after the other."""
        if len(outputs) == 1:
            return outputs[0]  # type: ignore[no-any-return]
        from assay.evaluation.translation_metrics import SPACED, tokenise_for

        between = " " if tokenise_for(spec.languages) == SPACED else ""
        text = between.join(output.text.strip() for output in outputs)
        return Hypothesis(
            text, sum(output.log_probability for output in outputs), sum(output.tokens for output in outputs)
        )

    def deciding(self, outputs: Values, spec: PairSpec) -> int:
        """The longest piece."""
        return int(np.argmax([output.tokens for output in outputs]))

    def answer(self, output: Hypothesis, spec: PairSpec) -> TranslationAnswer:
        """The translation, and how sure the network is."""
        return TranslationAnswer(output.text, _confidence(output))

    def words(self, output: Hypothesis, spec: PairSpec) -> str:
        """The translation."""
        return output.text or "(nothing)"

    def metrics(self, spec: PairSpec) -> Sequence[Metric]:
        """BLEU and chrF, as sacreBLEU computes them."""
        from assay.evaluation.translation_metrics import Bleu, Chrf, tokenise_for

        return (Bleu(tokenise_for(spec.languages)), Chrf())

    def losses(self, outputs: Values, truths: Values, spec: PairSpec) -> np.ndarray[Any, Any]:
        """(U,) 100 minus chrF of each sentence."""
        return np.asarray(100 - _chrf(outputs, truths))

    def confidences(
        self, outputs: Values, truths: Values, spec: PairSpec
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """The mean probability of a translation's tokens, and its chrF over 100."""
        return np.asarray([_confidence(output) for output in outputs], float), _chrf(outputs, truths) / 100

    def baselines(self, spec: PairSpec) -> Sequence[Baseline]:
        """A phrase-based system; a translation memory."""
        from assay.baselines.translation_classical import TranslationClassical
        from assay.baselines.translation_memory import TranslationMemory
        from assay.evaluation.translation_metrics import tokenise_for

        return (TranslationClassical(tokenise=tokenise_for(spec.languages)), TranslationMemory())

    def regularisation(self, spec: PairSpec) -> Mapping[str, tuple[float, float]]:
        """Dropout, label smoothing."""
        return {"dropout": (0.0, 0.3), "label_smoothing": (0.0, 0.1)}

    def corruptions(self, spec: PairSpec) -> Mapping[str, Corruption]:
        """Typing errors, changed case, careless spacing in the source."""
        from assay.samples.text_corruptions import text_corruptions

        def encode(text: str) -> np.ndarray[Any, Any]:
            return spec.tokenizer.encode_batch([text])[0][: spec.longest]

        return text_corruptions(spec.tokenizer.decode, encode, "tokens", "source_text")

    def copied_rows(self, records: Records, progress: Progress) -> np.ndarray[Any, Any] | None:
        """See `assay.samples.text_copies`; a pair is a copy where its source is one."""
        from assay.samples.text_copies import copied_record_rows

        return copied_record_rows(records, "source", progress)

    def lookalikes(self, samples: Samples, asked: np.ndarray[Any, Any], budget_s: float) -> Lookalikes:
        """See `assay.samples.text_copies`."""
        from assay.samples.text_copies import text_lookalikes

        return text_lookalikes(samples, asked, budget_s, "source_text")

    def masked(self, batch: PairBatch, kept: Tensor, spec: PairSpec, instead: Any = None) -> PairBatch:
        """Source tokens that are not kept are left out; what follows them moves up."""
        import torch

        real = torch.ones_like(batch.tokens, dtype=torch.bool) if batch.mask is None else batch.mask
        stay = real & kept
        order = torch.argsort(~stay, dim=1, stable=True)
        mask = stay.gather(1, order)
        return replace(batch, tokens=batch.tokens.gather(1, order).masked_fill(~mask, 0), mask=mask)

    def support(self, outputs: Values, answered: Values, spec: PairSpec) -> Support:
        """How much of a translation stands in the one that is made instead: chrF."""
        return Support(_chrf(outputs, [answer.text for answer in answered]) / 100)

    def explain(self, predictor: Answering, batch: PairBatch) -> np.ndarray[Any, Any]:
        """How much less probable (nats) the translation is without each source token."""
        from assay.evidence.translation_attribution import explain_translations

        return explain_translations(self, predictor, batch)

    def draw(self, samples: Samples, unit: int, spec: PairSpec) -> Drawing:
        """The source sentence."""
        from assay.samples.unit_texts import unit_texts

        (text,) = unit_texts(samples.view_of(np.asarray([unit])), "source_text")
        return Drawing(lines=(samples.id(unit), f"source: {text}"))

    def part_names(self, samples: Samples, window: int, spec: PairSpec) -> Sequence[str]:
        """What each source token says."""
        (ids,) = samples.field("tokens", np.asarray([window]))
        return spec.tokenizer.token_texts(ids)


def _confidence(output: Hypothesis) -> float:
    return float(np.exp(min(0.0, output.log_probability / max(1, output.tokens))))


def _chrf(outputs: Values, truths: Values) -> np.ndarray[Any, Any]:
    """(U,) chrF of each sentence, 0 to 100."""
    from assay.evaluation.translation_metrics import Chrf

    if not len(outputs):
        return np.zeros(0)
    metric = Chrf()
    return np.nan_to_num(metric.from_sums(np.asarray(metric.statistics(outputs, truths), float)))
