"""Few words, each told by recordings of it that are stretched in time until they fit best.

Training recordings are cut into their words at their longest pauses; what is cut out is a template. See `_word_search`
for how a recording is matched with sequences of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.baselines._cepstra import LIBRARIES
from assay.baselines._fitting import Clock, hold_out, require_fitted, require_training
from assay.baselines._recordings import short_ones, unit_outputs
from assay.baselines._storage import read_arrays, read_integers, read_json, require, write_arrays, write_json
from assay.baselines._word_search import Said, Templates, best_words, distances
from assay.baselines.baseline import Baseline
from assay.errors import DataError
from assay.evaluation.spoken_text import spoken
from assay.evaluation.transcripts import Heard, Stretch, Word

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.samples.samples import View

Array = np.ndarray[Any, Any]
_COEFFICIENTS, _MELS, _HOP_S = 13, 32, 0.02
#: A frame is silent where it is so many nats softer than the loudest ones of its recording, in the mean of its bands.
_SILENT = 2.5
_MOST_TEMPLATES, _EACH, _SILENCES = 400, 24, 8
_SHORTEST, _LONGEST = 4, 100  # frames of a template
#: What a word costs, in mean distances of two frames.
_PENALTIES = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)
_MOST_CHOSEN_ON, _MOST_LEARNED = 40, 400


class DtwWords(Baseline):
    """See the module.

    Args:
        rate: values a second, in hertz.
        language: of the transcripts.
    """

    name = "DTW templates of single words"
    features = "made by hand"
    libraries = LIBRARIES
    reading = "which training recording each word resembles most"

    def __init__(self, rate: int, language: str = "") -> None:
        self.rate, self.language = rate, language
        self._fitted: tuple[Templates, tuple[str, ...]] | None = None
        self._penalty = 0.0

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        """See `Baseline.fit`; where there is no validation side, a tenth of the training side is set aside."""
        clock = Clock(budget_s)
        train = train.sample(_MOST_LEARNED, seed)
        sentences = [spoken(str(text), self.language).split() for text in train.truths()]
        require_training(sum(map(bool, sentences)))
        learned, aside = np.arange(len(train)), np.zeros(0, np.int64)
        if not len(validation):
            learned, aside = hold_out(len(train), seed)
        sounds = self._frames(train)
        vocabulary = tuple(sorted({word for place in learned for word in sentences[place]}))
        templates = _templates(
            [sounds[place] for place in learned], [sentences[place] for place in learned], vocabulary, seed
        )
        self._fitted = (templates, vocabulary)
        held = short_ones(validation, _MOST_CHOSEN_ON, seed)
        given = self._frames(held) if len(held) else [sounds[place] for place in aside[:_MOST_CHOSEN_ON]]
        truths = held.truths() if len(held) else [" ".join(sentences[place]) for place in aside[:_MOST_CHOSEN_ON]]
        self._penalty = self._chosen(given, truths, templates, clock)
        return f"{int((templates.words >= 0).sum()):,} templates of {len(vocabulary)} words"

    def predict(self, view: View) -> Values:
        """See `Baseline.predict`."""
        require_fitted(self._fitted)
        return unit_outputs(view, self.respond)

    def respond(self, batch: Any) -> Values:
        """See `Baseline.respond`: what is heard in each window."""
        return [
            Heard((self._heard(frames, seconds).moved(start),))
            for (frames, seconds), start in zip(_batch_frames(batch, self.rate), batch.start.tolist(), strict=True)
        ]

    def save(self, folder: Path) -> None:
        """See `Baseline.save`."""
        templates, vocabulary = require_fitted(self._fitted)
        write_arrays(folder / "frames.npz", {"frames": templates.frames})
        write_arrays(folder / "words.npz", {"sizes": templates.sizes, "words": templates.words})
        write_json(folder / "dtw.json", {"vocabulary": list(vocabulary), "penalty": self._penalty})

    def load(self, folder: Path) -> None:
        """See `Baseline.load`."""
        data = read_json(folder / "dtw.json", vocabulary=list, penalty=float)
        frames = read_arrays(folder / "frames.npz", frames=2)["frames"]
        path = folder / "words.npz"
        got = read_integers(path, sizes=1, words=1)
        sizes, words = got["sizes"], got["words"]
        fits = len(sizes) == len(words) > 0 and bool((sizes > 0).all()) and int(sizes.sum()) == len(frames)
        require(fits and frames.shape[1] == 2 * _COEFFICIENTS, path, "sizes do not fit")
        vocabulary = tuple(map(str, data["vocabulary"]))
        require(bool(((words >= -1) & (words < len(vocabulary))).all()), path, "words that the vocabulary has not")
        self._fitted, self._penalty = (Templates(frames, sizes, words), vocabulary), data["penalty"]

    def _frames(self, view: View) -> list[Array]:
        """The frames of each unit, all of its windows together."""
        parts = [frames for batch in view.batches(16) for frames, _ in _batch_frames(batch, self.rate)]
        counts = np.bincount(view.samples.unit, minlength=len(view.samples.side))[view.units]
        ends = np.cumsum(counts).tolist()
        return [np.concatenate(parts[end - count : end]) for end, count in zip(ends, counts.tolist(), strict=True)]

    def _chosen(self, sounds: Sequence[Array], truths: Values, templates: Templates, clock: Clock) -> float:
        """The penalty of a word under which fewest words are wrong; in the middle of those that are equally good."""
        from assay.evaluation.transcription_metrics import WordErrorRate

        vocabulary, metric = require_fitted(self._fitted)[1], WordErrorRate(self.language)
        costs = [distances(sound, templates) for sound in sounds]
        scale = float(np.mean([cost.min(axis=1).mean() for cost in costs if len(cost)] or [1.0]))
        rates: list[float] = []
        for share in _PENALTIES if len(sounds) else ():
            told = [_text(best_words(cost, templates, share * scale), vocabulary) for cost in costs]
            rates.append(float(np.nan_to_num(metric.value(told, truths), nan=np.inf)))
            if clock.left_s() < 0:
                break
        if not rates:
            return 2.0 * scale
        equally = [place for place, rate in enumerate(rates) if rate == min(rates)]
        return _PENALTIES[equally[len(equally) // 2]] * scale

    def _heard(self, frames: Array, seconds: float) -> Stretch:
        templates, vocabulary = require_fitted(self._fitted)
        costs = distances(frames, templates)
        said = best_words(costs, templates, self._penalty)
        words = tuple(_word(one, costs, vocabulary) for one in said)
        nats = float(sum(np.log(word.confidence) for word in words))
        return Stretch(_text(said, vocabulary), 0.0, seconds, nats, max(1, len(words)), words)


def _text(said: Sequence[Said], vocabulary: Sequence[str]) -> str:
    return " ".join(vocabulary[one.word] for one in said)


def _word(one: Said, costs: Array, vocabulary: Sequence[str]) -> Word:
    """A word; its confidence is the closer to 1, the closer its frames are to those of the templates."""
    apart = float(costs[one.start : one.end].min(axis=1).mean())
    return Word(
        vocabulary[one.word], one.start * _HOP_S, one.end * _HOP_S, float(np.exp(-apart / costs.shape[1] ** 0.5))
    )


def _batch_frames(batch: Any, rate: int) -> list[tuple[Array, float]]:
    """Of each window its frames (F, 2 D) float32, cepstra with their differences, and its seconds."""
    import torch
    from scipy.fft import dct

    from assay.networks.log_mel import LogMel
    from assay.samples.sound_windows import as_waves, lengths_of

    front, sounds = LogMel(rate, _MELS, hop_s=_HOP_S), as_waves(batch.sound)
    lengths = lengths_of(batch)
    found: list[tuple[Array, float]] = []
    for sound, length in zip(sounds, lengths, strict=True):
        if length < front.window:
            found.append((np.zeros((0, 2 * _COEFFICIENTS), np.float32), length / rate))
            continue
        with torch.inference_mode():
            energies = front(sound[None, :length])[0].numpy()
        level = dct(np.maximum(energies, energies.max() - 4 * _SILENT - 2), axis=0, norm="ortho")[:_COEFFICIENTS].T
        level = level - level.mean(axis=0)
        level[:, 0] -= np.percentile(level[:, 0], 95)
        padded = np.pad(level, ((1, 1), (0, 0)), mode="edge")
        slopes = padded[2:] - padded[:-2]
        found.append((np.concatenate([level, slopes], axis=1).astype(np.float32), length / rate))
    return found


def _templates(
    sounds: Sequence[Array], sentences: Sequence[Sequence[str]], vocabulary: Sequence[str], seed: int
) -> Templates:
    """Templates of words and of silence, out of recordings with their words."""
    number = {word: place for place, word in enumerate(vocabulary)}
    cut: list[list[Array]] = [[] for _ in vocabulary]
    quiet: list[Array] = []
    for frames, sentence in zip(sounds, sentences, strict=True):
        loud = _loud(frames)
        quiet.append(frames[~loud])
        for word, (start, end) in zip(sentence, _parts(loud, len(sentence)), strict=False):
            if end - start >= _SHORTEST:
                cut[number[word]].append(frames[start : min(end, start + _LONGEST)])
    random = np.random.default_rng(seed)
    each = max(1, min(_EACH, _MOST_TEMPLATES // max(1, len(vocabulary))))
    kept: list[tuple[int, Array]] = []
    for place, examples in enumerate(cut):
        chosen = random.permutation(len(examples))[:each]
        kept += [(place, examples[at]) for at in np.sort(chosen)]
    if not kept:
        raise DataError(
            "no word could be cut out of the training recordings", "They are too short for what is said in them."
        )
    still = np.concatenate(quiet)
    if len(still):
        kept += [(-1, part[None]) for part in still[random.permutation(len(still))[:_SILENCES]]]
    frames = np.concatenate([part for _, part in kept])
    return Templates(frames, np.asarray([len(part) for _, part in kept]), np.asarray([place for place, _ in kept]))


def _loud(frames: Array) -> Array:
    """(F,) which frames of a recording hold a voice, by the first coefficient, short breaks smoothed away."""
    if not len(frames):
        return np.zeros(0, bool)
    loud = frames[:, 0] > -_SILENT * _MELS**0.5
    return np.asarray(np.convolve(loud, np.ones(3), "same") >= 2)


def _parts(loud: Array, count: int) -> list[tuple[int, int]]:
    """So many stretches of voice: parted at the longest pauses, and where there are too few, the longest in halves."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], loud, [False]]).astype(int)))
    found = [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]
    while len(found) > max(1, count):
        gaps = [found[place + 1][0] - found[place][1] for place in range(len(found) - 1)]
        place = int(np.argmin(gaps))
        found[place : place + 2] = [(found[place][0], found[place + 1][1])]
    while found and len(found) < count:
        place = int(np.argmax([end - start for start, end in found]))
        start, end = found[place]
        found[place : place + 1] = [(start, (start + end) // 2), ((start + end) // 2, end)]
    return found if count else []
