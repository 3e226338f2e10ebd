"""A text's class, its labels, or a number that belongs to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.samples.text_spec import TextSpec
from assay.targets.task import TargetTask
from assay.task import Batch, Corruption, Drawing, Encoded, NetworkKind, Traits, no_targets

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor, nn

    from assay.baselines.baseline import Baseline
    from assay.evaluation.metrics import Values
    from assay.progress import Progress
    from assay.samples.lookalikes import Lookalikes
    from assay.samples.samples import Samples
    from assay.serving.predictor import Answering
    from assay.sources.records import ProblemLog, Records
    from assay.sources.source import DataOptions, Recognition, Source
    from assay.training.plan import Plan

#: Tokens of a window, where no pretrained network says otherwise.
_LONGEST = 256
#: Tokens of a vocabulary of ours at least and at most, and the characters of training text that are worth one: of words
#: that were seen twice, their pieces say more.
_LEAST_VOCABULARY, _VOCABULARY, _CHARACTERS_A_TOKEN = 1000, 8000, 120
#: Training texts that a vocabulary is learned from at most.
_LOOK_AT = 100_000
_SHOWN = 600


@dataclass(frozen=True, kw_only=True)
class TextBatch(Batch):
    """Tokens (B, T) with `mask`, their targets as `Target.encode` gives them, and the texts themselves.

    Attributes:
        tokens: (B, T) int32, with the marks about a text.
        text: (B, N) uint8, the UTF-8 bytes of a text beside its first window, for classical models and drawings.
        text_mask: (B, N) bool.
        target: (B, ...).
    """

    tokens: Tensor
    text: Tensor | None = None
    text_mask: Tensor | None = None
    target: Tensor | None = None


class TextClassification(TargetTask):
    """See the module."""

    name = "text-classification"
    traits = Traits(
        title="texts: a class, several labels, or a number",
        data="CSV, TSV, JSONL or Parquet with a column of text and one to predict; a folder of texts per class",
        extra="text",
        takes=("text",),
        worded=("text",),
        variable_length=True,
        several_windows=True,
        options={
            "text": "the column of text, where several could be it; several, joined, with commas between them",
            "target_kind": "class, labels or number, where the target could be several",
            "encoding": "of the text files, such as cp1252",
        },
    )
    batch_type = TextBatch
    spec_type = TextSpec

    def recognise(self, source: Source) -> Recognition | None:
        """Texts with labels, in any of the known layouts."""
        from assay.sources.texts import recognise_texts

        return recognise_texts(source)

    def read(self, source: Source, options: DataOptions) -> Records:
        """See `assay.sources.texts`."""
        from assay.sources.texts import read_texts

        return read_texts(source, options)

    def read_like(self, source: Source, options: DataOptions, spec: TextSpec) -> Records:
        """See `Task.read_like`: columns and target are those of the training; one class alone is as good as any."""
        from assay.sources.texts import read_texts

        trained: dict[str, Any] = {"target_kind": spec.target.kind}
        if spec.columns:
            trained["text"] = ",".join(spec.columns)
        return read_texts(source, replace(options, extra={**trained, **options.extra}), learnable=False)

    def read_inputs(self, source: Source, spec: TextSpec) -> Records:
        """Text files, tables with the columns of text of the training, or texts in memory, without labels."""
        from assay.sources.texts import read_texts_inputs

        return read_texts_inputs(source, spec.columns or None)

    def fit_spec(self, records: Records, train: np.ndarray[Any, Any], options: DataOptions) -> TextSpec:
        """A vocabulary learned from the training texts, or that of the pretrained network."""
        from assay.networks.text_networks import context_of, pretrained_argument
        from assay.samples.tokens import pretrained, train_bpe
        from assay.samples.unit_texts import training_texts
        from assay.targets.target import fit_target

        target = fit_target(records.index().column("target"), train)
        columns = tuple(records.facts.get("text", {}).get("columns", ()))
        name = pretrained_argument(options.network)
        if name is not None:
            return TextSpec(pretrained(name), min(_LONGEST, context_of(name)), target, columns)
        texts = training_texts(records, train, "text", _LOOK_AT)
        size = int(np.clip(sum(map(len, texts)) // _CHARACTERS_A_TOKEN, _LEAST_VOCABULARY, _VOCABULARY))
        return TextSpec(train_bpe(texts, size, one_case=True), _LONGEST, target, columns)

    def encode(self, batch: pa.RecordBatch, records: Records, spec: TextSpec, log: ProblemLog) -> Encoded:
        """Tokens in windows; a text without a target that is known is left out."""
        from assay.samples.text_windows import cut

        targets = self.encode_targets(batch, spec, log)
        usable = np.arange(batch.num_rows) if targets is None else np.flatnonzero(targets[1])
        texts = batch.column("text").to_pylist()
        windows = cut([texts[row] or "" for row in usable], spec.tokenizer, spec.longest)
        row = usable[windows.row]
        fields: dict[str, Any] = {"tokens": windows.tokens, "text": windows.text}
        if targets is not None:
            fields["target"] = targets[0][row]
        return Encoded(fields, row)

    def networks(self, spec: TextSpec) -> Sequence[NetworkKind]:
        """See `assay.networks.text_networks`."""
        from assay.networks.text_networks import text_networks

        return text_networks(spec)

    def objective(self, network: nn.Module, batch: TextBatch, plan: Plan, spec: TextSpec) -> Tensor:
        """Cross-entropy, binary cross-entropy or squared error, by the kind of target; each window by itself."""
        if batch.target is None:
            raise no_targets("these texts have no targets")
        return spec.target.loss(network(batch.tokens, batch.mask), batch.target, plan.label_smoothing)

    def predict(self, network: nn.Module, batch: TextBatch, spec: TextSpec, options: Mapping[str, Any]) -> Values:
        """Probabilities or numbers, as `Target.output` gives them."""
        return spec.target.output(network(batch.tokens, batch.mask))

    def merge(self, outputs: Values, spec: TextSpec) -> Any:
        """The mean over the windows of a text."""
        return np.mean(np.asarray(outputs), axis=0)

    def deciding(self, outputs: Values, spec: TextSpec) -> int:
        """The window that says what the whole text answers most strongly."""
        whole = np.repeat(np.asarray(self.merge(outputs, spec))[None], len(outputs), axis=0)
        return int(np.argmax(np.asarray(spec.target.support(np.asarray(outputs), whole).values)))

    def baselines(self, spec: TextSpec) -> Sequence[Baseline]:
        """TF-IDF of words and characters with a linear model; the dummy floor."""
        from assay.baselines.dummy import Dummy
        from assay.baselines.text_classical import TextClassical

        return (TextClassical(spec.target), Dummy(spec.target))

    def corruptions(self, spec: TextSpec) -> Mapping[str, Corruption]:
        """Typing errors, changed case, careless spacing."""
        from assay.samples.text_corruptions import text_corruptions

        tokenizer, room = spec.tokenizer, spec.longest - spec.tokenizer.marks()

        def encode(text: str) -> np.ndarray[Any, Any]:
            return tokenizer.join(tokenizer.encode_batch([text])[0][:room]).ids

        return text_corruptions(tokenizer.decode, encode)

    def copied_rows(self, records: Records, progress: Progress) -> np.ndarray[Any, Any] | None:
        """See `assay.samples.text_copies`."""
        from assay.samples.text_copies import copied_record_rows

        return copied_record_rows(records, "text", progress)

    def lookalikes(self, samples: Samples, asked: np.ndarray[Any, Any], budget_s: float) -> Lookalikes:
        """See `assay.samples.text_copies`."""
        from assay.samples.text_copies import text_lookalikes

        return text_lookalikes(samples, asked, budget_s)

    def masked(self, batch: TextBatch, kept: Tensor, spec: TextSpec, instead: Any = None) -> TextBatch:
        """Tokens that are not kept are left out of what the network attends to; marks stay."""
        from assay.samples.text_places import mask_tokens

        return replace(batch, mask=mask_tokens(batch.tokens, batch.mask, kept, spec.tokenizer))

    def explain(self, predictor: Answering, batch: TextBatch) -> np.ndarray[Any, Any]:
        """See `assay.evidence.text_attribution`."""
        from assay.evidence.text_attribution import explain_texts

        return explain_texts(self, predictor, batch, predictor.spec.target.strength)

    def draw(self, samples: Samples, unit: int, spec: TextSpec) -> Drawing:
        """The text, its beginning where it is long."""
        from assay.samples.unit_texts import unit_texts

        (text,) = unit_texts(samples.view_of(np.asarray([unit])))
        shown = text[:_SHOWN] + ("…" if len(text) > _SHOWN else "")
        return Drawing(lines=(samples.id(unit), f"text: {shown}"))

    def part_names(self, samples: Samples, window: int, spec: TextSpec) -> Sequence[str]:
        """What each token says."""
        from assay.samples.text_windows import names
        from assay.samples.unit_texts import unit_texts

        view = samples.view_of(samples.unit[[window]])
        (text,) = unit_texts(view)
        return names(text, int(np.flatnonzero(view.windows == window)[0]), spec.tokenizer, spec.longest)
