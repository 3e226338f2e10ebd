"""The search for the best translation out of phrases: a beam over how much is translated, with cube pruning.

Sources: stack decoding with recombination, distortion limit and future costs (Koehn, Och and Marcu 2003); cube pruning
(Chiang 2007); the best paths of the search's graph by A* from its end.

A source sentence has I tokens; a coverage is a bit mask of those that are translated.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.baselines._word_model import WordModel

Array = np.ndarray[Any, Any]
State = tuple[int, int]
_MOST_REMEMBERED = 300_000  # answers of the language model
#: What a translation is scored by, each with a weight.
FEATURES = (
    "language model", "target given source", "source given target", "words given source", "words given target",
    "seen once", "phrases", "words", "distance",
)  # fmt: skip


@dataclass(frozen=True)
class Option:
    """One translation of source tokens `start` to `end` (exclusive).

    Attributes:
        start: the first source token.
        end: behind the last source token.
        words: the target tokens; below zero, -1 - i copies source token i.
        features: of `FEATURES` those from the second to the sixth.
        extra: a score that no weight changes, for what is a last resort.
    """

    start: int
    end: int
    words: tuple[int, ...]
    features: tuple[float, ...]
    extra: float = 0.0


@dataclass(frozen=True)
class Limits:
    """How far the search looks."""

    beam: int = 25
    tries: int = 100
    distance: int = 5


@dataclass(frozen=True)
class Path:
    """A complete translation: its score, and the options in the order of the target."""

    score: float
    options: tuple[Option, ...]


class _Node:
    """A partial translation; `ways` are all that lead to the same state, as (score, node before, option)."""

    __slots__ = ("coverage", "end", "score", "state", "ways")

    def __init__(self, score: float, coverage: int, end: int, state: State) -> None:
        self.score, self.coverage, self.end, self.state = score, coverage, end, state
        self.ways: list[tuple[float, _Node, _Scored]] = []


class _Scored:
    """An option under weights: its score without the language model, and an estimate with it."""

    __slots__ = ("estimate", "option", "score", "words")

    def __init__(self, option: Option, score: float, estimate: float, words: tuple[int, ...]) -> None:
        self.option, self.score, self.estimate, self.words = option, score, estimate, words


class PhraseSearch:
    """Searches under weights.

    Args:
        model: of the target language; its last token but one stands for unknown words, its last for a text's end.
        size: how many tokens the model knows, these two included.
        weights: by the place in `FEATURES`.
        limits: how far it looks.
    """

    def __init__(self, model: WordModel, size: int, weights: Array, limits: Limits) -> None:
        self.model, self.limits = model, limits
        self._unknown, self._close = size - 2, size - 1
        self._weights = [float(weight) for weight in weights]
        self._walks: dict[tuple[State, tuple[int, ...]], tuple[float, State]] = {}

    def paths(self, length: int, options: Sequence[Option], count: int) -> list[Path]:
        """The best translations of a sentence of `length` tokens, at most `count`, the best first.

        Args:
            length: I; each token must be covered by an option of its own.
            options: translations of its parts.
            count: how many are wanted; they may say the same in different phrases.
        """
        if not length:
            return [Path(0.0, ())]
        if len(self._walks) > _MOST_REMEMBERED:
            self._walks.clear()
        spans = self._spans(options)
        costs = _Costs(length, spans)
        begin = _Node(0.0, 0, 0, self.model.begin)
        groups: list[list[tuple[int, int, list[_Node]]]] = [[(0, 0, [begin])]]
        stack: dict[tuple[int, int, State], _Node] = {}
        for done in range(1, length + 1):
            stack = {}
            self._fill(stack, list(self._edges(done, groups, spans, costs)))
            groups.append(self._grouped(stack, costs))
        return list(itertools.islice(self._best(list(stack.values())), count))

    def features(self, path: Path) -> Array:
        """What a path is scored by, in the order of `FEATURES`."""
        values = np.zeros(len(FEATURES))
        state, end = self.model.begin, 0
        for option in path.options:
            value, state = self._walk(state, self._known(option.words))
            values[0] += value
            values[1:6] += option.features
            values[6:] += (1.0, len(option.words), -abs(option.start - end))
            end = option.end
        values[0] += self.model.step(state, self._close)[0]
        return values

    def _known(self, words: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(word if word >= 0 else self._unknown for word in words)

    def _walk(self, state: State, words: tuple[int, ...]) -> tuple[float, State]:
        key = (state, words)
        found = self._walks.get(key)
        if found is None:
            found = self._walks[key] = self.model.walk(state, words)
        return found

    def _spans(self, options: Sequence[Option]) -> dict[int, dict[int, list[_Scored]]]:
        """By length and start the options of each span, the most promising first."""
        weights = self._weights
        spans: dict[int, dict[int, list[_Scored]]] = {}
        for option in options:
            score = option.extra + weights[6] + weights[7] * len(option.words)
            score += sum(weight * value for weight, value in zip(weights[1:6], option.features, strict=True))
            words = self._known(option.words)
            estimate = score + weights[0] * self._walk(self.model.empty, words)[0]
            scored = _Scored(option, score, estimate, words)
            spans.setdefault(option.end - option.start, {}).setdefault(option.start, []).append(scored)
        for starts in spans.values():
            for scored_options in starts.values():
                scored_options.sort(key=lambda one: -one.estimate)
        return spans

    def _edges(
        self,
        done: int,
        groups: Sequence[Sequence[tuple[int, int, list[_Node]]]],
        spans: dict[int, dict[int, list[_Scored]]],
        costs: _Costs,
    ) -> Iterator[_Edge]:
        """The ways to `done` translated tokens: partial translations that differ little, each with a span."""
        limit, weight = self.limits.distance, self._weights[8]
        for length, starts in spans.items():
            if length > done:
                continue
            for coverage, end, nodes in groups[done - length]:
                for start, scored in starts.items():
                    mask = ((1 << length) - 1) << start
                    if coverage & mask or abs(start - end) > limit:
                        continue
                    after = coverage | mask
                    gap = (~after & (after + 1)).bit_length() - 1  # the first token that is not translated
                    if start + length - gap > limit and gap < costs.length:
                        continue
                    yield _Edge(nodes, scored, after, -weight * abs(start - end), costs.of(after))

    def _fill(self, stack: dict[tuple[int, int, State], _Node], edges: list[_Edge]) -> None:
        """Puts the most promising combinations into a stack, exactly scored; those of one state become one."""
        heap = [(-edge.promise(0, 0), number, 0, 0) for number, edge in enumerate(edges)]
        heapq.heapify(heap)
        weight = self._weights[0]
        for _ in range(self.limits.tries):
            if not heap:
                break
            _, number, row, column = heapq.heappop(heap)
            edge = edges[number]
            node, scored = edge.nodes[row], edge.scored[column]
            value, state = self._walk(node.state, scored.words)
            score = node.score + scored.score + edge.jump + weight * value
            key = (edge.after, scored.option.end, state)
            there = stack.get(key)
            if there is None:
                there = stack[key] = _Node(score, edge.after, scored.option.end, state)
            there.ways.append((score, node, scored))
            there.score = max(there.score, score)
            if column + 1 < len(edge.scored):
                heapq.heappush(heap, (-edge.promise(row, column + 1), number, row, column + 1))
            if not column and row + 1 < len(edge.nodes):
                heapq.heappush(heap, (-edge.promise(row + 1, 0), number, row + 1, 0))

    def _grouped(self, stack: dict[tuple[int, int, State], _Node], costs: _Costs) -> list[tuple[int, int, list[_Node]]]:
        """The best of a stack, those of one coverage and end together, the best first."""
        best = heapq.nlargest(self.limits.beam, stack.values(), key=lambda node: node.score + costs.of(node.coverage))
        found: dict[tuple[int, int], list[_Node]] = {}
        for node in best:
            found.setdefault((node.coverage, node.end), []).append(node)
        return [(*key, nodes) for key, nodes in found.items()]

    def _best(self, ends: Sequence[_Node]) -> Iterator[Path]:
        """Complete paths, the best first."""
        order = itertools.count()
        heap: list[tuple[float, int, float, _Node, tuple[Option, ...]]] = []
        for node in ends:
            rest = self._weights[0] * self.model.step(node.state, self._close)[0]
            heap.append((-(node.score + rest), next(order), rest, node, ()))
        heapq.heapify(heap)
        while heap:
            value, _, rest, node, options = heapq.heappop(heap)
            if not node.ways:
                yield Path(-value, options)
                continue
            for score, before, scored in node.ways:
                more = rest + score - before.score
                item = (-(before.score + more), next(order), more, before, (scored.option, *options))
                heapq.heappush(heap, item)


class _Edge:
    """Partial translations with the options of a span that may follow each of them."""

    __slots__ = ("after", "jump", "nodes", "rest", "scored")

    def __init__(self, nodes: list[_Node], scored: list[_Scored], after: int, jump: float, rest: float) -> None:
        self.nodes, self.scored, self.after, self.jump, self.rest = nodes, scored, after, jump, rest

    def promise(self, row: int, column: int) -> float:
        """About how good a whole translation will be that goes this way."""
        return self.nodes[row].score + self.scored[column].estimate + self.jump + self.rest


class _Costs:
    """What translating the rest will about cost, by what is translated already."""

    def __init__(self, length: int, spans: dict[int, dict[int, list[_Scored]]]) -> None:
        self.length = length
        self._of: dict[int, float] = {}
        best = [[-np.inf] * (length + 1) for _ in range(length + 1)]
        for size, starts in spans.items():
            for start, scored in starts.items():
                best[start][start + size] = scored[0].estimate
        for size in range(2, length + 1):
            for start in range(length - size + 1):
                end, row = start + size, best[start]
                row[end] = max(row[end], max(row[middle] + best[middle][end] for middle in range(start + 1, end)))
        self._best = best

    def of(self, coverage: int) -> float:
        """The sum of the best estimates of all gaps."""
        found = self._of.get(coverage)
        if found is None:
            found = self._of[coverage] = self._gaps(coverage)
        return found

    def _gaps(self, coverage: int) -> float:
        total, start = 0.0, -1
        for place in range(self.length + 1):
            if place == self.length or coverage >> place & 1:
                if start >= 0:
                    total += self._best[start][place]
                start = -1
            elif start < 0:
                start = place
        return total
