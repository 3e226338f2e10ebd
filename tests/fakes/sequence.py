"""A searched sequence: words spelt backwards by an encoder and a decoder, with beam search and an edit rate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from assay.errors import SettingError
from assay.task import Batch, Corruption, Drawing, Encoded, NetworkKind, Support, Traits
from fakes.common import ColumnTask, Constant, PlainSpec, Quotient, Rule, small_network

BEGIN, END = 1, 2


def examples(count: int = 120, seed: int = 0) -> pa.Table:
    random = np.random.default_rng(seed)
    words = sorted({"".join(random.choice(list("abcd"), random.integers(2, 6))) for _ in range(count * 3)})
    words = [words[place] for place in random.permutation(len(words))[:count]]
    rows = {"id": [f"word-{word}" for word in words], "word": words, "target": [word[::-1] for word in words]}
    return pa.table({**rows, "digest": words})


@dataclass(frozen=True)
class WordSpec(PlainSpec):
    letters: str
    longest: int


@dataclass(frozen=True, kw_only=True)
class WordBatch(Batch):
    source: Tensor  # (B, T) letters, 0 where padded; `mask` is its mask
    target: Tensor | None = None  # (B, S) BEGIN … END
    target_mask: Tensor | None = None


@dataclass(frozen=True)
class Spelling:
    word: str


@dataclass(frozen=True)
class Spelt:
    """What the search found, and the mean probability (geometric) of its letters."""

    word: str
    probability: float


@dataclass(frozen=True)
class SpellerSettings:
    width: int = 48


class Speller(nn.Module):
    def __init__(self, letters: int, width: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(letters + 3, width)
        self.reader = nn.GRU(width, width, batch_first=True)
        self.writer = nn.GRUCell(width, width)
        self.head = nn.Linear(width, letters + 3)

    def read(self, source: Tensor, mask: Tensor) -> Tensor:
        """(B, T) to the state (B, width) after each word's last letter."""
        states = self.reader(self.embed(source))[0]
        return states[torch.arange(len(source)), mask.sum(1) - 1]

    def write(self, state: Tensor, letter: Tensor) -> tuple[Tensor, Tensor]:
        state = self.writer(self.embed(letter), state)
        return state, self.head(state).log_softmax(1)


class EditRate(Quotient):
    """Edits needed over letters wanted, in the whole corpus: no mean over words."""

    name, higher_is_better = "edit_rate", False

    def statistics(self, outputs: Any, truths: Any) -> np.ndarray:
        return np.asarray(
            [[edits(output.word, truth), len(truth)] for output, truth in zip(outputs, truths, strict=True)], float
        )


def edits(first: str, second: str) -> int:
    row = list(range(len(second) + 1))
    for i, one in enumerate(first, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(second, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (one != other))
    return row[-1]


class Backwards(ColumnTask):
    name, column = "backwards", "word"
    traits = Traits("words spelt backwards", "a table with a column word", "train", variable_length=True)
    batch_type, spec_type = WordBatch, WordSpec

    def fit_spec(self, records: Any, train: np.ndarray, options: Any) -> WordSpec:
        words = [word for batch in records.batches() for word in batch.column("word").to_pylist()]
        seen = [word for word, use in zip(words, train, strict=True) if use]
        return WordSpec("".join(sorted(set("".join(seen)))), max(len(word) for word in seen))

    def encode(self, batch: pa.RecordBatch, records: Any, spec: WordSpec, log: Any) -> Encoded:
        fields = {"source": [self._codes(word, spec) for word in batch.column("word").to_pylist()]}
        if "target" in batch.schema.names:
            words = batch.column("target").to_pylist()
            fields["target"] = [np.r_[BEGIN, self._codes(word, spec), END] for word in words]
        return Encoded(fields, np.arange(batch.num_rows))

    @staticmethod
    def _codes(word: str, spec: WordSpec) -> np.ndarray:
        return np.asarray([spec.letters.find(letter) + 3 for letter in word], np.int64)

    def networks(self, spec: WordSpec) -> Sequence[NetworkKind]:
        def build(spec: WordSpec, settings: SpellerSettings) -> nn.Module:
            return Speller(len(spec.letters), settings.width)

        return small_network("speller", SpellerSettings, build, "two recurrent layers")

    def objective(self, network: Any, batch: WordBatch, plan: Any, spec: WordSpec) -> Tensor:
        state, losses = network.read(batch.source, batch.mask), []
        for step in range(batch.target.shape[1] - 1):
            state, scores = network.write(state, batch.target[:, step])
            wanted = batch.target[:, step + 1]
            losses.append(cross_entropy(scores, wanted, reduction="none") * batch.target_mask[:, step + 1])
        return torch.stack(losses, 1).sum(1) / (batch.target_mask.sum(1) - 1)

    def predict(self, network: Any, batch: WordBatch, spec: WordSpec, options: Mapping[str, Any]) -> Sequence[Spelt]:
        states = network.read(batch.source, batch.mask)
        return [self._search(network, state[None], spec, int(options.get("beam", 2))) for state in states]

    @staticmethod
    def _search(network: Any, state: Tensor, spec: WordSpec, beam: int) -> Spelt:
        """The best of `beam` spellings that are followed at once."""
        alive, done = [(0.0, "", state, BEGIN)], [(-1e9, "")]
        for _ in range(spec.longest + 2):
            grown = []
            for score, text, kept, letter in alive:
                after, scores = network.write(kept, torch.tensor([letter]))
                for value, code in zip(*scores[0].topk(min(beam, scores.shape[1])), strict=True):
                    if int(code) == END:
                        done.append((score + float(value), text))
                    elif int(code) >= 3:
                        grown.append((score + float(value), text + spec.letters[int(code) - 3], after, int(code)))
            alive = sorted(grown, key=lambda path: -path[0])[:beam]
        score, text = max([*done, *[(score, text) for score, text, _, _ in alive]])
        return Spelt(text, round(float(np.exp(score / (len(text) + 1))), 5))

    def answer(self, output: Spelt, spec: WordSpec) -> Spelling:
        return Spelling(output.word)

    def confidences(self, outputs: Any, truths: Any, spec: WordSpec) -> tuple[np.ndarray, np.ndarray]:
        """The letters' probability against the share of the word that is right."""
        good = [1 - edits(one.word, truth) / max(len(one.word), len(truth)) for one, truth in
                zip(outputs, truths, strict=True)]  # fmt: skip
        return np.asarray([one.probability for one in outputs]), np.asarray(good)

    def support(self, outputs: Any, answered: Any, spec: WordSpec) -> Support:
        left = [1 - edits(one.word, first.word) / max(len(one.word), len(first.word), 1) for one, first in
                zip(outputs, answered, strict=True)]  # fmt: skip
        return Support(np.asarray(left))

    def masked(self, batch: WordBatch, kept: Tensor, spec: WordSpec, instead: Any = None) -> WordBatch:
        """What is not kept is a letter that no word has."""
        return replace(batch, source=torch.where(kept, batch.source, torch.zeros_like(batch.source)))

    def part_names(self, samples: Any, window: int, spec: WordSpec) -> list[str]:
        codes = samples.field("source", np.asarray([window]))[0]
        return [spec.letters[code - 3] if code >= 3 else "?" for code in codes.tolist()]

    def draw(self, samples: Any, unit: int, spec: WordSpec) -> Drawing:
        return Drawing(lines=(samples.id(unit), f"word: {''.join(self.part_names(samples, unit, spec))}"))

    def corruptions(self, spec: WordSpec) -> Mapping[str, Corruption]:
        def swapped(batch: WordBatch, strength: int, draws: Any) -> WordBatch:
            source = batch.source.clone()
            chosen = (draws.uniform("swapped") < 0.2 * strength) & (batch.mask.sum(1) > 1)
            source[chosen, 0], source[chosen, 1] = batch.source[chosen, 1], batch.source[chosen, 0]
            return replace(batch, source=source)

        return {"swapped letters": Corruption(swapped)}

    def metrics(self, spec: WordSpec) -> Sequence[Any]:
        return (EditRate(),)

    def baselines(self, spec: WordSpec) -> Sequence[Any]:
        def reverse(batch: WordBatch) -> list[Spelt]:
            rows = [row[keep].tolist() for row, keep in zip(batch.source, batch.mask, strict=True)]
            return [Spelt("".join(spec.letters[code - 3] for code in reversed(row)), 1.0) for row in rows]

        return (
            Rule("letters read from the end", reverse),
            Constant(lambda truths: Counter(truths).most_common(1)[0][0], lambda word: Spelt(word, 1.0)),
        )

    def explain(self, predictor: Any, batch: WordBatch) -> np.ndarray:
        """(B, T): how much each letter moves the state that the decoder starts from; NaN where a word has ended."""
        network = getattr(predictor, "network", None)
        if network is None:
            raise SettingError("a rule has no state that a letter could move")
        with torch.no_grad():
            whole, moved = network.read(batch.source, batch.mask), []
            for place in range(batch.source.shape[1]):
                hidden = batch.source.clone()
                hidden[:, place] = 0
                moved.append((network.read(hidden, batch.mask) - whole).norm(dim=1))
        return torch.stack(moved, 1).masked_fill(~batch.mask, float("nan")).numpy()
