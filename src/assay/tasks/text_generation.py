"""Text that is learned from text: what follows, told beforehand and written on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import DataError, SettingError
from assay.evaluation.sequences import Hypothesis
from assay.samples.passage_spec import PassageSpec
from assay.task import Batch, Drawing, Encoded, NetworkKind, Support, Task, Traits, number_of

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor, nn

    from assay.baselines.baseline import Baseline
    from assay.evaluation.metrics import Metric, Values
    from assay.samples.draws import Draws
    from assay.samples.lookalikes import Lookalikes
    from assay.samples.samples import Samples
    from assay.samples.text_spans import Recital
    from assay.serving.predictor import Answering, Predictor
    from assay.sources.records import ProblemLog, Records
    from assay.sources.source import DataOptions, Recognition, Source
    from assay.training.plan import Plan

#: Characters of text below which nothing is learned.
_LEAST_CHARACTERS = 2000
#: Tokens that a network reads at once.
_LONGEST = 256
#: Where the tokens are pieces of words: how many there are at most. Below so many characters of training text, or above
#: so many different ones, a token is a character, or a piece.
_VOCABULARY, _FEW_CHARACTERS, _MANY_SIGNS = 4096, 4_000_000, 512
#: Passages that a vocabulary is learned from at most.
_LOOK_AT = 20_000
_SHOWN = 600
#: Characters of the beginning of an unseen text, after which a network writes on to show what it recites.
_PROMPT = 40


@dataclass(frozen=True, kw_only=True)
class PassageBatch(Batch):
    """Tokens (B, T) with `mask`, from what stands before a stretch of text to its end.

    Attributes:
        tokens: (B, T) int32.
        scored: (B,) int32, how many tokens at the end of each are foretold; 0 for a prompt.
        hidden: (B, T) bool, tokens that are not shown to the network; None for none.
        text: (B, N) uint8, the UTF-8 bytes of a passage beside its first window.
        text_mask: (B, N) bool.
    """

    tokens: Tensor
    scored: Tensor
    hidden: Tensor | None = None
    text: Tensor | None = None
    text_mask: Tensor | None = None


@dataclass(frozen=True)
class Foretold:
    """How well a text was foretold: minus the natural logarithm of its probability."""

    nats: float


@dataclass(frozen=True)
class Continuation:
    """What a network wrote after a prompt.

    Attributes:
        text: without the prompt.
        log_probability: of all its tokens, in nats.
        tokens: how many were written.
    """

    text: str
    log_probability: float
    tokens: int


class TextGeneration(Task):
    """See the module. An output is the nats of a text that is foretold, or the `Hypothesis` after a prompt."""

    name = "text-generation"
    traits = Traits(
        title="text: going on with it",
        data="a text file, or a folder or archive of them",
        extra="text",
        takes=("text",),
        exported_by="assay.serving.language_export",
        variable_length=True,
        several_windows=True,
        options={
            "encoding": "of the text files, such as cp1252",
            "tokens": "characters or pieces (of words), where the text is not to decide",
            "context": f"tokens that the network reads at once ({_LONGEST})",
        },
        answering={
            "length": "tokens to write after a prompt (300)",
            "temperature": "below 1 the probable becomes more so, 0 takes the most probable (0.8)",
            "top_p": "draw among the most probable tokens that together have this share (0.95)",
            "draw_seed": "of the draws (0)",
        },
        of_learned={"learned": True},
    )
    batch_type = PassageBatch
    spec_type = PassageSpec

    def recognise(self, source: Source) -> Recognition | None:
        """Files of plain text."""
        from assay.sources.plain_text import recognise_plain_text

        return recognise_plain_text(source)

    def read(self, source: Source, options: DataOptions) -> Records:
        """See `assay.sources.plain_text`."""
        from assay.sources.plain_text import read_plain_text

        return read_plain_text(source, options)

    def read_like(self, source: Source, options: DataOptions, spec: PassageSpec) -> Records:
        """See `Task.read_like`: a text that no file's name puts on a side is judged as a whole."""
        from assay.sources.plain_text import read_plain_text

        return read_plain_text(source, options, cut=False)

    def read_inputs(self, source: Source, spec: PassageSpec) -> Records:
        """Prompts: text files, a column of texts, strings in memory."""
        from assay.sources.plain_text import read_plain_text_inputs

        return read_plain_text_inputs(source)

    def read_explained(self, source: Source, spec: PassageSpec) -> Records:
        """Texts whose stretches are foretold from what stands before them."""
        from assay.sources.plain_text import read_plain_text
        from assay.sources.source import DataOptions

        return read_plain_text(source, DataOptions(), cut=False)

    def check(self, index: pa.Table, split_given: bool) -> None:
        """There is text enough to learn anything from."""
        count = sum(length["characters"] for length in index.column("target").to_pylist())
        if count < _LEAST_CHARACTERS:
            raise DataError(
                f"{count:,} characters of text are too few to learn from",
                f"Give at least {_LEAST_CHARACTERS:,}; a network is worth its while from some hundred thousand on.",
            )

    def fit_spec(self, records: Records, train: np.ndarray[Any, Any], options: DataOptions) -> PassageSpec:
        """The characters of the training text, or pieces of its words."""
        from assay.samples.tokens import characters, train_bpe
        from assay.samples.unit_texts import training_texts

        texts = training_texts(records, train, "text", _LOOK_AT)
        count = sum(map(len, texts))
        few = count < _FEW_CHARACTERS and len(set().union(*texts)) < _MANY_SIGNS
        kind = options.extra.get("tokens", "characters" if few else "pieces")
        if kind not in ("characters", "pieces"):
            raise SettingError(f"--tokens {kind} is not possible", "Give characters or pieces.")
        tokenizer = characters(texts) if kind == "characters" else train_bpe(texts, _VOCABULARY)
        return PassageSpec(tokenizer, _context(options))

    def encode(self, batch: pa.RecordBatch, records: Records, spec: PassageSpec, log: ProblemLog) -> Encoded:
        """Passages in windows, or the ends of prompts."""
        from assay.samples.passage_windows import cut_passages, cut_prompts

        cut = cut_passages if "target" in batch.schema.names else cut_prompts
        found = cut([text or "" for text in batch.column("text").to_pylist()], spec.tokenizer, spec.longest)
        return Encoded({"tokens": found.tokens, "scored": found.scored, "text": found.text}, found.row)

    def truths(self, targets: pa.ChunkedArray, spec: PassageSpec) -> Values:
        """(U, 2) the bytes of each text, and its characters."""
        return np.asarray([(one["bytes"], one["characters"]) for one in targets.to_pylist()], np.int64).reshape(-1, 2)

    def networks(self, spec: PassageSpec) -> Sequence[NetworkKind]:
        """See `assay.networks.writing_networks`."""
        from assay.networks.writing_networks import writing_networks

        return writing_networks(spec)

    def augment(self, batch: PassageBatch, draws: Draws, plan: Plan, spec: PassageSpec) -> PassageBatch:
        """Another stretch of what stands around a window at each pass, some of its tokens hidden."""
        import torch

        from assay.samples.passage_windows import cropped

        mask = torch.ones_like(batch.tokens, dtype=torch.bool) if batch.mask is None else batch.mask
        tokens, mask = cropped(batch.tokens, mask, spec.longest + 1, draws.uniform("stretch"))
        share = plan.augment.get("hidden_tokens", 0.0)
        hidden = draws.uniform("hidden", spec.longest + 1)[:, : tokens.shape[1]] < share if share else None
        return replace(batch, tokens=tokens, mask=mask, hidden=hidden)

    def objective(self, network: nn.Module, batch: PassageBatch, plan: Plan, spec: PassageSpec) -> Tensor:
        """Cross-entropy of every token that follows another, in nats a token."""
        from assay.networks.passage_reading import shifted
        from assay.networks.token_loss import per_text

        inputs, targets, mask = shifted(batch, spec)
        network_: Any = network
        return per_text(network_.losses(inputs, targets, mask, plan.label_smoothing), mask)

    def predict(self, network: nn.Module, batch: PassageBatch, spec: PassageSpec, options: Mapping[str, Any]) -> Values:
        """Nats (B,) of the tokens that each window foretells; of prompts a `Hypothesis` each."""
        from assay.networks.passage_reading import nats_of, written

        if not len(batch.scored) or int(batch.scored.max()):
            return nats_of(network, batch, spec, bool(options.get("learned")))
        return [written(network, batch, row, spec, options) for row in range(len(batch.tokens))]

    def growing(
        self, network: nn.Module, batch: PassageBatch, spec: PassageSpec, options: Mapping[str, Any]
    ) -> Iterator[str]:
        """See `Task.growing`: what is written after the first prompt of a batch."""
        from assay.networks.passage_reading import pieces_of

        return pieces_of(network, batch, 0, spec, options)

    def merge(self, outputs: Values, spec: PassageSpec) -> Any:
        """The nats of all windows together; of a prompt, which is one window, its continuation."""
        return outputs[0] if isinstance(outputs[0], Hypothesis) else float(np.sum(np.asarray(outputs, float)))

    def deciding(self, outputs: Values, spec: PassageSpec) -> int:
        """The window that was foretold worst."""
        return int(np.argmax(np.asarray(outputs, float)))

    def answer(self, output: Any, spec: PassageSpec) -> Foretold | Continuation:
        """A continuation, or how well a text was foretold."""
        if isinstance(output, Hypothesis):
            return Continuation(output.text, output.log_probability, output.tokens)
        return Foretold(float(output))

    def words(self, output: Any, spec: PassageSpec) -> str:
        """A continuation as it stands; of a text how many bits it took."""
        return (output.text or "…") if isinstance(output, Hypothesis) else f"{float(output) / np.log(2):,.0f} bits"

    def truth_words(self, truth: Any, spec: PassageSpec) -> str:
        """How long a text is."""
        return f"{int(truth[0]):,} bytes"

    def metrics(self, spec: PassageSpec) -> Sequence[Metric]:
        """Bits per byte; nats per character."""
        from assay.evaluation.generation_metrics import BitsPerByte, NatsPerCharacter

        return (BitsPerByte(), NatsPerCharacter())

    def losses(self, outputs: Values, truths: Values, spec: PassageSpec) -> np.ndarray[Any, Any]:
        """(U,) nats of each byte."""
        return np.asarray(np.asarray(outputs, float) / np.maximum(1, np.asarray(truths, float)[:, 0]))

    def baselines(self, spec: PassageSpec) -> Sequence[Baseline]:
        """Kneser-Ney n-grams of bytes; frequencies of single bytes."""
        from assay.baselines.byte_frequencies import ByteFrequencies
        from assay.baselines.ngram_language_model import NgramLanguageModel

        return (NgramLanguageModel(), ByteFrequencies())

    def regularisation(self, spec: PassageSpec) -> Mapping[str, tuple[float, float]]:
        """Tokens that the network does not see."""
        return {"augment.hidden_tokens": (0.0, 0.1)}

    def lookalikes(self, samples: Samples, asked: np.ndarray[Any, Any], budget_s: float) -> Lookalikes:
        """See `assay.samples.text_copies`."""
        from assay.samples.text_copies import text_lookalikes

        return text_lookalikes(samples, asked, budget_s)

    def masked(self, batch: PassageBatch, kept: Tensor, spec: PassageSpec, instead: Any = None) -> PassageBatch:
        """Tokens that are not kept are not shown; they are foretold all the same."""
        return replace(batch, hidden=~kept.expand(batch.tokens.shape))

    def recital(self, predictor: Predictor, samples: Samples, budget_s: float) -> Recital | None:
        """What it writes after the beginnings of unseen texts, beside how these go on; see `Task.recital`."""
        from assay.serving.reciting import recital

        return recital(predictor, samples, budget_s, "text", _PROMPT)

    def support(self, outputs: Values, answered: Values, spec: PassageSpec) -> Support | None:
        """How well the same text is foretold still: minus its nats."""
        return Support(-np.asarray(outputs, float), "nats")

    def explain(self, predictor: Answering, batch: PassageBatch) -> np.ndarray[Any, Any]:
        """How many nats each token spared what came after it; see `assay.evidence.text_attribution`."""
        from assay.evidence.text_attribution import explain_texts

        return explain_texts(self, predictor, batch)

    def draw(self, samples: Samples, unit: int, spec: PassageSpec) -> Drawing:
        """The beginning of a text."""
        from assay.samples.unit_texts import unit_texts

        (text,) = unit_texts(samples.view_of(np.asarray([unit])))
        shown = text[:_SHOWN] + ("…" if len(text) > _SHOWN else "")
        return Drawing(lines=(samples.id(unit), f"text: {shown}"))

    def part_names(self, samples: Samples, window: int, spec: PassageSpec) -> Sequence[str]:
        """What each token of a window says; a character in pieces is said by its last."""
        (ids,) = samples.field("tokens", np.asarray([window]))
        marks = {spec.tokenizer.begin, spec.tokenizer.end, spec.tokenizer.pad}
        return [
            "" if token in marks else text for token, text in zip(ids, spec.tokenizer.token_texts(ids), strict=True)
        ]


def _context(options: DataOptions) -> int:
    """The tokens that a network is to read at once."""
    return int(number_of(options.extra, "context", _LONGEST, 8, 4096, whole=True))
