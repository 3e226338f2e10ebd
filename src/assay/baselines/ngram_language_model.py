"""The classical model that writes text: how often each byte followed the bytes before it, smoothed by Kneser and Ney.

Shapes: U units.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.baselines._fitting import Clock, hold_out, require_fitted, require_training
from assay.baselines._storage import read_arrays, read_integers, read_json, require, write_arrays, write_json
from assay.baselines.baseline import Baseline
from assay.errors import SettingError
from assay.evaluation.sequences import Hypothesis
from assay.ngrams.counts import Grams, Tokens, count_ngrams, join
from assay.ngrams.kneser_ney import KneserNey, build, estimated, tune
from assay.samples.unit_texts import unit_bytes

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.samples.samples import View

Array = np.ndarray[Any, Any]
_ALPHABET = 256
_LONGEST = 12  # bytes of an n-gram
_MOST_GRAMS = 25e6  # of all orders together, at about 24 bytes each
_MOST_BYTES = 16e6  # of training text
_ASIDE_BYTES = 100_000  # of validation text that chooses
_AT_ONCE = 1_000_000  # bytes whose probabilities are looked up at once
_PROBE_BYTES = 50_000
_LEAST_BYTES, _FEWEST_ORDERS = 2000, 6  # that are counted, however short the time is
_COUNTING = 0.35  # the share of the time for counting; choosing and tuning take the rest
_HIGHER = 3  # orders above the best one that are tried with tuned discounts
#: How a prompt is written on: bytes, temperature, `top_p`.
_WRITTEN, _TEMPERATURE, _TOP_P = 300, 0.8, 0.95
_WITHOUT_CHOICE = 5  # the order where nothing can choose it


class NgramLanguageModel(Baseline):
    """Interpolated modified Kneser-Ney over the bytes of UTF-8, so that every sequence of bytes has a probability.

    The order and the discounts are chosen on the validation side. A unit is foretold from its own beginning, as by a
    network: nothing before it is known, but that it begins.

    Args:
        field: the ragged field of bytes that holds the text.
    """

    name = "Kneser-Ney n-grams of bytes"
    features = "made by hand"
    reading = "how often each byte followed the bytes before it"
    libraries = ("scipy.optimize",)

    def __init__(self, field: str = "text") -> None:
        self.field = field
        self._fitted: KneserNey | None = None
        self._text: list[bytes] = []
        self._discounts: list[Array] = []

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        """See `Baseline.fit`."""
        clock = Clock(budget_s)
        texts, aside = _sides(unit_bytes(train, self.field), unit_bytes(validation, self.field), seed)
        require_training(sum(map(len, texts)))
        counted = budget_s * _COUNTING / _seconds_per_gram(texts, seed)  # bytes times orders
        self._text = _within(texts, np.clip(counted / _FEWEST_ORDERS, _LEAST_BYTES, _MOST_BYTES), seed)
        size = sum(map(len, self._text))
        longest = int(np.clip(counted / size, _FEWEST_ORDERS, _LONGEST))
        grams = count_ngrams(_tokens(self._text), longest, _MOST_GRAMS)
        order, self._discounts, note = self._choose(grams, _tokens(_within(aside, _ASIDE_BYTES, seed)), clock)
        self._fitted = build(grams, _ALPHABET, order, self._discounts)
        return f"{size:,} bytes of training text, n-grams of up to {order} bytes, {note}"

    def predict(self, view: View) -> Values:
        """Nats of each unit (U,): minus the natural logarithm of the probability of all its bytes.

        Units without a target are prompts: of these a `Hypothesis` each, of bytes.
        """
        texts = unit_bytes(view, self.field)
        if "target" in view.samples.index.column_names:
            return self._nats(texts)
        prompts = [text.decode("utf-8", errors="replace") for text in texts]
        written = [self.continue_text(prompt, _WRITTEN, _TEMPERATURE, _TOP_P) for prompt in prompts]
        whole = self._nats([(prompt + text).encode() for prompt, text in zip(prompts, written, strict=True)])
        logs = self._nats([prompt.encode() for prompt in prompts]) - whole
        return [Hypothesis(text, float(log), len(text.encode())) for text, log in zip(written, logs, strict=True)]

    def _nats(self, texts: Sequence[bytes]) -> Array:
        """(U,) minus the natural logarithm of the probability of each text."""
        model = require_fitted(self._fitted)
        nats = np.zeros(len(texts))
        for places in _groups(texts):
            tokens = _tokens([texts[place] for place in places])
            owners = np.repeat(places, [len(texts[place]) + 1 for place in places])
            nats -= np.bincount(owners, model.log_probabilities(tokens), len(texts))
        return nats

    def continue_text(
        self, prompt: str, length: int, temperature: float = 1.0, top_p: float = 1.0, seed: int = 0
    ) -> str:
        """Text that goes on after a prompt, drawn byte by byte; bytes that make no character are left out.

        Args:
            prompt: the text before; empty for a text's beginning.
            length: how many bytes to draw.
            temperature: above 0; the lower, the more of the drawn bytes are the most probable ones.
            top_p: in (0, 1], draws only among the most probable bytes that together reach this probability.
            seed: of the draws.
        """
        model = require_fitted(self._fitted)
        if not temperature > 0 or not 0 < top_p <= 1 or length < 0:
            received = f"length {length}, temperature {temperature}, top_p {top_p}"
            raise SettingError(
                f"{received}: a length is 0 or more, a temperature above 0, top_p in (0, 1]",
                "Leave the option out, or give such a value.",
            )
        random = np.random.default_rng(seed)
        context = [_ALPHABET, *prompt.encode()]
        begun = len(context)
        for _ in range(length):
            probabilities = _focused(model.distribution(context[-model.order :]), temperature, top_p)
            context.append(int(random.choice(_ALPHABET, p=probabilities)))
        return bytes(context[begun:]).decode("utf-8", errors="ignore")

    def save(self, folder: Path) -> None:
        """See `Baseline.save`: the training text and the discounts, of which `load` counts and mixes anew."""
        model = require_fitted(self._fitted)
        write_json(folder / "ngrams.json", {"order": model.order})
        text = np.frombuffer(b"".join(self._text), np.uint8)
        write_arrays(folder / "text.npz", {"text": text, "lengths": np.asarray([len(one) for one in self._text])})
        write_arrays(folder / "discounts.npz", {"discounts": np.stack(self._discounts)})

    def load(self, folder: Path) -> None:
        """See `Baseline.load`."""
        path = folder / "ngrams.json"
        order = read_json(path, order=int)["order"]
        require(1 <= order <= _LONGEST, path, "an impossible order")
        stored = read_integers(folder / "text.npz", text=1, lengths=1)
        text, lengths = stored["text"], stored["lengths"]
        fits = stored["text"].dtype == np.uint8 and (lengths >= 0).all() and lengths.sum() == len(text)
        require(bool(fits) and len(text) <= _MOST_BYTES, folder / "text.npz", "texts of other lengths than it says")
        discounts = read_arrays(folder / "discounts.npz", discounts=2)["discounts"]
        fits = discounts.shape == (order, 3) and (discounts >= 0).all() and (discounts <= [1.0, 2.0, 3.0]).all()
        require(bool(fits), folder / "discounts.npz", "impossible discounts")
        ends = np.cumsum(lengths)
        self._text = [text[end - size : end].tobytes() for end, size in zip(ends, lengths, strict=True)]
        grams = count_ngrams(_tokens(self._text), order)
        require(len(grams) == order, path, "an impossible order")
        self._discounts = list(discounts)
        self._fitted = build(grams, _ALPHABET, order, self._discounts)

    def _choose(self, grams: list[Grams], aside: Tokens, clock: Clock) -> tuple[int, list[Array], str]:
        """The order and the discounts that foretell the validation text best, and in a phrase how they were found.

        Tuned discounts make longer n-grams worth their while, so those a few orders above the best one are tried, too.
        """
        if not aside.real.any():
            order = min(_WITHOUT_CHOICE, len(grams))
            return order, estimated(grams, order), "discounts as estimated"
        orders = range(1, len(grams) + 1)
        plain = [_nats(build(grams, _ALPHABET, order, estimated(grams, order)), aside) for order in orders]
        best, kept = min(plain), int(np.argmin(plain)) + 1
        discounts, note = estimated(grams, kept), "discounts as estimated"
        for order in range(kept, min(kept + _HIGHER, len(grams)) + 1):
            begun_s = clock.spent_s
            tuned = tune(grams, order, aside)
            nats = _nats(build(grams, _ALPHABET, order, tuned), aside)
            if nats < best:
                best, kept, discounts, note = nats, order, tuned, "discounts tuned on validation"
            if clock.left_s() < 2 * (clock.spent_s - begun_s):
                break
        return kept, discounts, note


def _nats(model: KneserNey, aside: Tokens) -> float:
    return -float(model.log_probabilities(aside).sum())


def _tokens(texts: Sequence[bytes]) -> Tokens:
    return join([np.frombuffer(text, np.uint8) for text in texts], _ALPHABET)


def _sides(texts: Sequence[bytes], aside: Sequence[bytes], seed: int) -> tuple[list[bytes], list[bytes]]:
    """What is learned from and chosen on; a held-out tenth of the units where none validate."""
    if any(aside):
        return list(texts), list(aside)
    kept, out = hold_out(len(texts), seed)
    return [texts[place] for place in kept], [texts[place] for place in out]


def _within(texts: Sequence[bytes], most: float, seed: int) -> list[bytes]:
    """Shuffled texts of at most so many bytes together, the last one cut; all of them, as they were, where they fit."""
    if sum(map(len, texts)) <= most:
        return list(texts)
    taken: list[bytes] = []
    room = int(most)
    for place in np.random.default_rng(seed).permutation(len(texts)):
        taken.append(texts[place][:room])
        room -= len(taken[-1])
        if not room:
            break
    return taken


def _seconds_per_gram(texts: Sequence[bytes], seed: int) -> float:
    """What counting takes for each byte and order, measured on some of the text."""
    some = _tokens(_within(texts, _PROBE_BYTES, seed))
    clock = Clock(0.0)
    counted = len(count_ngrams(some, 6))
    return 1.5 * clock.spent_s / counted / max(1000, len(some.values))  # larger arrays take longer to sort


def _groups(texts: Sequence[bytes]) -> Iterator[Array]:
    """Places of texts that are looked up together."""
    ends = np.cumsum([len(text) + 1 for text in texts]) // _AT_ONCE
    for group in np.unique(ends):
        yield np.flatnonzero(ends == group)


def _focused(probabilities: Array, temperature: float, top_p: float) -> Array:
    """Probabilities (V,) at a temperature, of the most probable ones that together reach `top_p`, normed."""
    logits = np.log(probabilities) / temperature
    values = np.exp(logits - logits.max())
    values /= values.sum()
    order = np.argsort(-values, kind="stable")
    enough = int(np.searchsorted(np.cumsum(values[order]), top_p)) + 1
    kept = np.zeros_like(values)
    kept[order[:enough]] = values[order[:enough]]
    return np.asarray(kept / kept.sum())
