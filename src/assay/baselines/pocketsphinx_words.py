"""PocketSphinx: Gaussian mixtures and hidden Markov models of English, over the words of the training transcripts.

Its acoustic model and its dictionary come with it; the language model is learned from the training transcripts.

Source: D. Huggins-Daines et al., "PocketSphinx: a free, real-time continuous speech recognition system for hand-held
devices", ICASSP 2006.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.baselines._arpa import arpa_of
from assay.baselines._fitting import Clock, require_fitted, require_training
from assay.baselines._recordings import short_ones, unit_outputs
from assay.baselines._storage import read_json, require, write_json
from assay.baselines.baseline import Baseline
from assay.errors import DataError, MissingExtraError
from assay.evaluation.spoken_text import spoken
from assay.evaluation.transcripts import Heard, Stretch, Word
from assay.samples.transcript_spec import RATE

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.samples.samples import View

Array = np.ndarray[Any, Any]
#: What the language model counts, as the decoder's own scale has it; the first where nothing can choose.
_WEIGHTS = (6.5, 4.0, 10.0)
_FRAME_S = 0.01
_MOST_CHOSEN_ON = 60
_LEAST = RATE // 20


class PocketSphinxWords(Baseline):
    """See the module. Words without a pronunciation in its dictionary cannot be answered.

    Args:
        language: of the transcripts, English.
    """

    name = "PocketSphinx with the words of the transcripts"
    features = "made by hand; its acoustic model was learned before, from other speech"
    reading = "the words, how they are pronounced, and which follow one another"
    hardware = "a processor, one core; it has no use for a GPU"

    def __init__(self, language: str = "en") -> None:
        self.language = language
        self._texts: tuple[str, str] | None = None  # the language model, the dictionary
        self._weight = _WEIGHTS[0]
        self._decoder: Any = None

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        """See `Baseline.fit`."""
        clock = Clock(budget_s)
        sentences = [spoken(str(text), self.language).split() for text in train.truths()]
        require_training(sum(map(bool, sentences)))
        known = _pronunciations({word for sentence in sentences for word in sentence})
        words = sorted(known)
        if not words:
            raise DataError(
                "none of the words in the training transcripts is in PocketSphinx' dictionary",
                "It knows English: name another language with --language.",
            )
        missing = {word for sentence in sentences for word in sentence} - set(words)
        kept = [[word for word in sentence if word in known] for sentence in sentences]
        self._texts = (
            arpa_of([one for one in kept if one], words),
            "\n".join(line for word in words for line in known[word]),
        )
        self._weight, how = self._chosen(validation, clock, seed)
        lost = f", {len(missing):,} others have no known pronunciation" if missing else ""
        return f"{len(words):,} words{lost}; {how}"

    def predict(self, view: View) -> Values:
        """See `Baseline.predict`."""
        require_fitted(self._texts)
        return unit_outputs(view, self.respond)

    def respond(self, batch: Any) -> Values:
        """See `Baseline.respond`: what is heard in each window."""
        from assay.samples.sound_windows import as_waves, lengths_of

        each = zip(as_waves(batch.sound).numpy(), lengths_of(batch), batch.start.tolist(), strict=True)
        return [Heard((self._heard(sound[:length]).moved(start),)) for sound, length, start in each]

    def save(self, folder: Path) -> None:
        """See `Baseline.save`."""
        model, words = require_fitted(self._texts)
        write_json(folder / "pocketsphinx.json", {"model": model, "words": words, "weight": self._weight})

    def load(self, folder: Path) -> None:
        """See `Baseline.load`."""
        path = folder / "pocketsphinx.json"
        data = read_json(path, model=str, words=str, weight=float)
        require(data["model"].startswith("\\data\\") and 0 < data["weight"] < 100, path, "no language model")
        self._texts, self._weight, self._decoder = (data["model"], data["words"]), data["weight"], None

    def _chosen(self, validation: View, clock: Clock, seed: int) -> tuple[float, str]:
        """The weight of the language model that is best on the validation side, as far as there is time."""
        from assay.evaluation.transcription_metrics import WordErrorRate

        some, metric = short_ones(validation, _MOST_CHOSEN_ON, seed), WordErrorRate(self.language)
        rates: dict[float, float] = {}
        for weight in _WEIGHTS if len(some) else ():
            begun = clock.spent_s
            self._weight, self._decoder = weight, None
            told: list[Heard] = []
            for batch in some.batches(1):
                told += self.respond(batch)
                if not rates and clock.left_s() < clock.spent_s - begun:  # no time for a second weight on more of them
                    some = some.samples.view_of(some.units[: len(told)])
                    break
            rates[weight] = metric.value(told, some.truths())
            if clock.left_s() < clock.spent_s - begun:
                break
        self._decoder = None
        if len(rates) < 2:
            return _WEIGHTS[0], f"language weight {_WEIGHTS[0]:g}, as it comes"
        best = min(rates, key=lambda weight: (np.nan_to_num(rates[weight], nan=np.inf), _WEIGHTS.index(weight)))
        return best, f"language weight {best:g} by the word error rate on {len(some)} validation recordings"

    def _heard(self, sound: Array) -> Stretch:
        seconds = len(sound) / RATE
        if len(sound) < _LEAST:
            return Stretch("", 0.0, seconds, 0.0, 1)
        decoder = self._ready()
        decoder.start_utt()
        decoder.process_raw(np.asarray(np.clip(sound, -1, 1) * 32767, "<i2").tobytes(), full_utt=True)
        decoder.end_utt()
        words = []
        for part in decoder.seg() or ():
            text = part.word.partition("(")[0]
            if text and text[0] not in "<[+":
                start, end = part.start_frame * _FRAME_S, min(seconds, (part.end_frame + 1) * _FRAME_S)
                words.append(Word(text, start, end, float(np.clip(part.prob, 0.0, 1.0))))
        text = " ".join(word.text for word in words)
        nats = float(sum(np.log(max(word.confidence, 1e-9)) for word in words))
        return Stretch(text, 0.0, seconds, nats, max(1, len(words)), tuple(words))

    def _ready(self) -> Any:
        if self._decoder is None:
            library, (model, words) = _library(), require_fitted(self._texts)
            with tempfile.TemporaryDirectory(prefix="assay-") as folder:
                paths = {"lm": Path(folder) / "model.arpa", "dict": Path(folder) / "words.dict"}
                paths["lm"].write_text(model, encoding="utf-8")
                paths["dict"].write_text(words + "\n", encoding="utf-8")
                acoustic = Path(library.get_model_path()) / "en-us" / "en-us"
                named = {name: str(path) for name, path in paths.items()}
                self._decoder = library.Decoder(
                    hmm=str(acoustic), **named, samprate=float(RATE), lw=self._weight, cmn="batch", loglevel="FATAL"
                )
        return self._decoder


def _pronunciations(words: set[str]) -> Mapping[str, Sequence[str]]:
    """The dictionary's lines of some words, by word."""
    found: dict[str, list[str]] = {}
    path = Path(_library().get_model_path()) / "en-us" / "cmudict-en-us.dict"
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            name = line.split(" ", 1)[0]
            word = name.partition("(")[0]
            if word in words and (name == word or word in found):
                found.setdefault(word, []).append(line.strip())
    return found


def _library() -> Any:
    try:
        import pocketsphinx
    except (ImportError, OSError) as error:
        raise MissingExtraError("the classical recogniser PocketSphinx", "audio") from error
    return pocketsphinx
