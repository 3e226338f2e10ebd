"""The answer to a question: the stretch of a text that holds it, or that there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.spans import Span, decide, left_of, surest_window
from assay.samples.question_spec import QuestionSpec
from assay.task import Batch, Corruption, Drawing, Encoded, NetworkKind, Support, Task, Traits, no_targets

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor, nn

    from assay.baselines.baseline import Baseline
    from assay.evaluation.metrics import Metric, Values
    from assay.samples.draws import Draws
    from assay.samples.samples import Samples
    from assay.serving.predictor import Answering
    from assay.sources.records import ProblemLog, Records
    from assay.sources.source import DataOptions, Recognition, Source
    from assay.training.plan import Plan

#: Tokens of a window, where no pretrained network says otherwise; and of a vocabulary of ours at most.
_LONGEST, _VOCABULARY = 384, 8000
#: A window holds so many of the longest question, and of the longest answer.
_QUESTION, _ANSWER = 4, 4
#: Characters of a text that are shown after the answer; half as many before it.
_SHOWN = 400


@dataclass(frozen=True, kw_only=True)
class QuestionBatch(Batch):
    """Questions and stretches of their texts, as `assay.samples.question_windows.QuestionWindows` has them.

    Attributes:
        tokens: (B, T) int32, with `mask`.
        segments: (B, T) int32.
        places: (B, T, 2) int32.
        looks: (B, T) int32.
        question: (B, Q) uint8, with `question_mask` (B, Q) bool.
        text: (B, N) uint8, with `text_mask` (B, N) bool.
        shift: (B,) int32.
        span: (B, 2) int64.
    """

    tokens: Tensor
    segments: Tensor
    places: Tensor
    looks: Tensor
    question: Tensor
    question_mask: Tensor
    text: Tensor
    text_mask: Tensor
    shift: Tensor
    span: Tensor | None = None


@dataclass(frozen=True)
class TextAnswer:
    """What a text answers to a question.

    Attributes:
        text: the answer; None where the text holds none.
        start: the character of the text at which it starts.
        end: the character behind its last one.
        confidence: the probability that this is the answer, from 0 to 1.
    """

    text: str | None
    start: int | None
    end: int | None
    confidence: float


class QuestionAnswering(Task):
    """See the module."""

    name = "question-answering"
    traits = Traits(
        title="questions about texts: the place of the answer",
        data="SQuAD JSON (1.1, 2.0); CSV, JSONL or Parquet with columns of question, context and answer",
        extra="text",
        takes=("question",),
        worded=("question", "text"),
        variable_length=True,
        several_windows=True,
        options={"encoding": "of the text files, such as cp1252"},
    )
    batch_type = QuestionBatch
    spec_type = QuestionSpec

    def recognise(self, source: Source) -> Recognition | None:
        """See `assay.sources.squad`."""
        from assay.sources.squad import recognise_squad

        return recognise_squad(source)

    def read(self, source: Source, options: DataOptions) -> Records:
        """See `assay.sources.squad`."""
        from assay.sources.squad import read_squad

        return read_squad(source, options)

    def read_inputs(self, source: Source, spec: QuestionSpec) -> Records:
        """SQuAD's JSON, tables with columns of question and context, or pairs of both in memory."""
        from assay.sources.squad import read_squad_inputs

        return read_squad_inputs(source)

    def fit_spec(self, records: Records, train: np.ndarray[Any, Any], options: DataOptions) -> QuestionSpec:
        """A vocabulary learned from the training texts, or that of the pretrained network."""
        from assay.networks.question_networks import context_of, pretrained_argument
        from assay.samples.question_spec import training_texts
        from assay.samples.tokens import pretrained, train_bpe

        seen = training_texts(records, train)
        name = pretrained_argument(options.network)
        tokenizer = train_bpe(seen.texts, _VOCABULARY) if name is None else pretrained(name)
        longest = _LONGEST if name is None else min(_LONGEST, context_of(name))
        answer = seen.longest_answer(tokenizer, longest // _ANSWER)
        return QuestionSpec(tokenizer, longest, longest // _QUESTION, answer, seen.may_lack)

    def encode(self, batch: pa.RecordBatch, records: Records, spec: QuestionSpec, log: ProblemLog) -> Encoded:
        """Tokens in windows; each says where the answer stands in it."""
        from assay.samples.question_windows import cut_questions

        truths = list(self.truths(batch.column("target"), spec))
        labelled = batch.column("target").null_count < batch.num_rows
        asked, texts = batch.column("question").to_pylist(), batch.column("context").to_pylist()
        windows = cut_questions(asked, texts, truths, spec)
        fields: dict[str, Any] = {name: value for name, value in vars(windows).items() if name not in ("row", "span")}
        return Encoded({**fields, "span": windows.span} if labelled else fields, windows.row)

    def truths(self, targets: pa.ChunkedArray, spec: QuestionSpec) -> Values:
        """The true answers of each question, (text, start) each; none where the text has none."""
        return [tuple((answer["text"], answer["start"]) for answer in answers or ()) for answers in targets.to_pylist()]

    def networks(self, spec: QuestionSpec) -> Sequence[NetworkKind]:
        """See `assay.networks.question_networks`."""
        from assay.networks.question_networks import question_networks

        return question_networks(spec)

    def augment(self, batch: QuestionBatch, draws: Draws, plan: Plan, spec: QuestionSpec) -> QuestionBatch:
        """Texts lose their beginning and end, as much as the plan says."""
        from assay.samples.question_cropping import crop_texts

        least = plan.augment.get("text_crop", 1.0)
        return batch if least >= 1 or batch.span is None else crop_texts(batch, least, draws)

    def objective(self, network: nn.Module, batch: QuestionBatch, plan: Plan, spec: QuestionSpec) -> Tensor:
        """The cross-entropy of the answer's first and last token, or of there being none in the window."""
        if batch.span is None:
            raise no_targets("these questions have no answers")
        scores = network(batch.tokens, batch.segments, batch.looks, batch.mask)
        losses: Tensor = scores.losses(batch.span[:, 0], batch.span[:, 1])
        return losses

    def predict(
        self, network: nn.Module, batch: QuestionBatch, spec: QuestionSpec, options: Mapping[str, Any]
    ) -> Values:
        """The span of each window that shares most with what may be right, and how probable the others are."""
        from assay.networks.question_reading import read_windows

        return [decide([reading], spec.may_lack) for reading in read_windows(network, batch, spec.answer)]

    def deciding(self, outputs: Values, spec: QuestionSpec) -> int:
        """The window whose best span is the most probable, also where that is less probable than no answer."""
        return surest_window([output.readings[0] for output in outputs])

    def merge(self, outputs: Values, spec: QuestionSpec) -> Span:
        """The answer of the surest window of a text, or that there is none, see `decide`."""
        return decide([reading for output in outputs for reading in output.readings], spec.may_lack)

    def answer(self, output: Span, spec: QuestionSpec) -> TextAnswer:
        """See `Task.answer`."""
        if not output.answered:
            return TextAnswer(None, None, None, output.probability)
        return TextAnswer(output.text, output.start, output.end, output.probability)

    def metrics(self, spec: QuestionSpec) -> Sequence[Metric]:
        """F1 of tokens, then exact match, as SQuAD has them."""
        from assay.evaluation.answer_metrics import AnswerF1, ExactMatch

        return (AnswerF1(), ExactMatch())

    def losses(self, outputs: Values, truths: Values, spec: QuestionSpec) -> np.ndarray[Any, Any]:
        """The cross-entropy of the confidence, where F1 says how right the answer was; nats."""
        confidence, goodness = self.confidences(outputs, truths, spec)
        sure = np.clip(confidence, 1e-6, 1 - 1e-6)
        return np.asarray(-goodness * np.log(sure) - (1 - goodness) * np.log(1 - sure))

    def mistakes(self, outputs: Values, truths: Values, spec: QuestionSpec) -> np.ndarray[Any, Any]:
        """True where no token of the answer is right."""
        return np.asarray(self.confidences(outputs, truths, spec)[1] == 0)

    def confidences(
        self, outputs: Values, truths: Values, spec: QuestionSpec
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """The probability of each answer, and its F1."""
        from assay.evaluation.answer_metrics import answer_scores
        from assay.evaluation.answers import token_f1

        return np.asarray([output.probability for output in outputs], float), answer_scores(token_f1, outputs, truths)

    def words(self, output: Span, spec: QuestionSpec) -> str:
        """The answer in quotation marks."""
        told = f"“{output.text}”" if output.answered else "no answer"
        return f"{told} ({100 * output.probability:.0f} %)"

    def truth_words(self, truth: Any, spec: QuestionSpec) -> str:
        """The true answers, each once."""
        return " or ".join(dict.fromkeys(f"“{text}”" for text, _ in truth)) or "no answer"

    def baselines(self, spec: QuestionSpec) -> Sequence[Baseline]:
        """Spans ranked by their features; the floor, which answers with the same words of every text."""
        from assay.baselines.question_classical import QuestionClassical, SamePlace

        return (QuestionClassical(), SamePlace())

    def corruptions(self, spec: QuestionSpec) -> Mapping[str, Corruption]:
        """Typing errors, changed case and careless spacing in the question."""
        from assay.samples.question_windows import question_corruptions

        return question_corruptions(spec)

    def regularisation(self, spec: QuestionSpec) -> Mapping[str, tuple[float, float]]:
        """See `Task.regularisation`."""
        return {"augment.text_crop": (1.0, 0.5), **super().regularisation(spec)}

    def masked(self, batch: QuestionBatch, kept: Tensor, spec: QuestionSpec, instead: Any = None) -> QuestionBatch:
        """Tokens that are not kept are left out of what the network attends to, and are no answer; marks stay."""
        from assay.samples.text_places import mask_tokens

        return replace(batch, mask=mask_tokens(batch.tokens, batch.mask, kept, spec.tokenizer))

    def support(self, outputs: Values, answered: Values, spec: QuestionSpec) -> Support:
        """The probability of the span that was answered."""
        return Support(left_of(outputs, answered, spec.may_lack))

    def explain(self, predictor: Answering, batch: QuestionBatch) -> np.ndarray[Any, Any]:
        """What each token of question and text added to the probability of the answer."""
        from assay.evidence.text_attribution import explain_texts

        return explain_texts(self, predictor, batch, beside=("segments", "places", "looks"))

    def draw(self, samples: Samples, unit: int, spec: QuestionSpec) -> Drawing:
        """The question and its text, in which the true answer is marked where it is known."""
        from assay.samples.question_windows import questions_of

        ((question, text),) = questions_of(samples.view_of(np.asarray([unit])))
        (answers,) = self.truths(samples.index.column("target").slice(unit, 1), spec)
        return Drawing(lines=(samples.id(unit), f"question: {question}", f"text: {_marked(text, answers)}"))

    def part_names(self, samples: Samples, window: int, spec: QuestionSpec) -> Sequence[str]:
        """What each token of question and text says."""
        from assay.samples.question_windows import question_names

        return question_names(samples.view_of(samples.unit[[window]]), window, spec)


def _marked(text: str, answers: Sequence[tuple[str, int]]) -> str:
    """A text, or what stands about its first true answer where it is long, with that answer in brackets."""
    answer, start = answers[0] if answers else ("", 0)
    end = start + len(answer)
    low, high = max(0, start - _SHOWN // 2), min(len(text), end + _SHOWN)
    told = f"⟦{text[start:end]}⟧" if answer else ""
    return f"{'…' if low else ''}{text[low:start]}{told}{text[end:high]}{'…' if high < len(text) else ''}"
