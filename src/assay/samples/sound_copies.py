"""Copies among sounds: coded again, at another rate, louder or softer, with noise, silence about them or none.

1. How the bands of a sound swell over time is a vector that says nothing about where it begins (`sound_prints`). The
   nearest vectors are candidates.
2. Two candidates are copies where their waveforms agree at some shift, as they are, or with their high frequencies
   raised, as a telephone takes away the lowest. The same word said twice by one voice is alike in its bands, but not so
   much in its waves. Of a long sound its loudest two seconds are looked at: where several parts are about as loud, a
   noisy copy may be known by another of them and is not found then. A copy that is played faster or slower, that comes
   out of another room or through a strong filter, or of which a part is cut away, is not found.

Shapes: N sounds, A asked about, P pairs.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.progress import Progress
from assay.samples._kept_copies import kept_pairs
from assay.samples.draws import order
from assay.samples.lookalikes import Lookalikes
from assay.samples.sound_prints import SoundPrints, prints_of_records, prints_of_samples

if TYPE_CHECKING:
    from assay.samples.samples import Samples
    from assay.sources.records import Records

Array = np.ndarray[Any, Any]
#: More sounds than this are split by exact content alone: the work grows with the square of their number.
MOST_SOUNDS = 20_000
#: The correlations of waveforms, as they are and with their high frequencies raised, from which on they are one; the
#: second pair is for the split, where to keep two together costs little. What else one voice says comes up to .90 and
#: .85 (3,000 spoken digits of six voices); coding leaves .98, noise 20 dB softer .97: docs/log.md.
_ALIKE, _ALIKE_FOR_SPLIT = (0.93, 0.88), (0.88, 0.82)
_RAISED = 0.95
#: Candidates of each sound, and the least product of their vectors.
_NEIGHBOURS, _LEAST_PRODUCT = 6, 0.5
_BLOCK, _PAIRS_AT_ONCE = 256, 128
_VERSION = "sounds 1"


def copied_sound_rows(records: Records, progress: Progress) -> Array | None:
    """(P, 2) int64: rows of recordings that are copies of one another, changed a little; None where there are too many.

    What was found is kept in the cache folder, under the data's fingerprint.

    Args:
        records: rows whose `location` tells `load` where a recording lies.
        progress: is told how many were looked at.
    """
    rows = records.index().num_rows
    if rows > MOST_SOUNDS:
        return None

    def find() -> Array:
        progress.stage("Looking for near-duplicates", rows)
        return find_copied_sounds(prints_of_records(records, progress), alike=_ALIKE_FOR_SPLIT).pairs

    return kept_pairs(records, _VERSION, find)


def sound_lookalikes(
    samples: Samples, asked: Array, budget_s: float, rate: int, field: str = "sound"
) -> Lookalikes | None:
    """Copies of units whose sounds are a field of the samples, (W, T) or ragged: see `Task.lookalikes`.

    None where there are too many sounds to describe them all in little time.
    """
    if len(samples.side) > MOST_SOUNDS:
        return None
    begun = time.perf_counter()
    prints = prints_of_samples(samples, rate, field)
    return find_copied_sounds(prints, asked, budget_s - (time.perf_counter() - begun))


def find_copied_sounds(
    prints: SoundPrints, asked: Array | None = None, budget_s: float | None = None, alike: tuple[float, float] = _ALIKE
) -> Lookalikes:
    """Which sounds are copies of one another; silence is a copy of nothing.

    Args:
        prints: of N sounds.
        asked: (A,) the sounds whose copies are looked for; None for all.
        budget_s: seconds after which no further sounds are looked at; those that were are drawn evenly.
        alike: the correlations of waveforms from which on two sounds are one; either is enough.
    """
    begun = time.perf_counter()
    asked = np.arange(len(prints.waves)) if asked is None else np.unique(np.asarray(asked, np.int64))
    vectors, rest = _directions(prints.swelling), asked if budget_s is None else order(asked, "lookalikes", 0)
    found, done = [np.zeros((0, 2), np.int64)], 0
    while done < len(rest) and (not done or budget_s is None or time.perf_counter() - begun < budget_s):
        block = rest[done : done + (_BLOCK if budget_s is None else _BLOCK // 4)]
        near = _candidates(vectors, block)
        whole, high = correlations(prints.waves, near), correlations(prints.waves, near, _RAISED)
        found.append(near[(whole >= alike[0]) | (high >= alike[1])])
        done += len(block)
    pairs = np.unique(np.concatenate(found), axis=0)
    return Lookalikes(pairs, np.sort(rest[:done]))


def correlations(waves: Array, pairs: Array, raised: float = 0.0) -> Array:
    """(P,) the largest correlation of two waveforms over all shifts, of either sign.

    Args:
        waves: (N, W) of which both are taken.
        pairs: (P, 2) their numbers.
        raised: how much of each value is taken from the next, which raises high frequencies.
    """
    from scipy.fft import irfft, next_fast_len, rfft

    size = next_fast_len(2 * waves.shape[1], real=True)
    found = np.zeros(len(pairs), np.float32)
    for start in range(0, len(pairs), _PAIRS_AT_ONCE):
        some = pairs[start : start + _PAIRS_AT_ONCE]
        numbers, places = np.unique(some, return_inverse=True)
        sounds = waves[numbers].astype(np.float32)
        sounds[:, 1:] -= np.float32(raised) * sounds[:, :-1]
        sounds /= np.maximum(np.sqrt(np.square(sounds).sum(axis=1, keepdims=True)), 1e-9)
        spectra = rfft(sounds, size, axis=1)
        first, second = places.reshape(some.shape).T
        together = irfft(spectra[first] * np.conj(spectra[second]), size, axis=1)
        found[start : start + len(some)] = np.abs(together).max(axis=1)
    return found


def _directions(swelling: Array) -> Array:
    """(N, D) vectors of unit length, without what all sounds have in common; 0 for silence."""
    there = np.asarray(swelling.any(axis=1, keepdims=True))
    if not there.any():
        return swelling
    level = np.where(there, swelling / np.maximum(np.linalg.norm(swelling, axis=1, keepdims=True), 1e-9), 0)
    common = level[there[:, 0]].mean(axis=0) if there.sum() > _NEIGHBOURS else 0.0
    apart = np.where(there, level - common, 0)
    return np.asarray(apart / np.maximum(np.linalg.norm(apart, axis=1, keepdims=True), 1e-9), np.float32)


def _candidates(vectors: Array, block: Array) -> Array:
    """(P, 2) those of a block (A,) with their nearest, each pair once, the lower number first."""
    most = min(_NEIGHBOURS, len(vectors) - 1)
    if most < 1:
        return np.zeros((0, 2), np.int64)
    products = vectors[block] @ vectors.T
    products[np.arange(len(block)), block] = -2.0
    nearest = np.argpartition(-products, most - 1, axis=1)[:, :most]
    close = np.take_along_axis(products, nearest, axis=1) >= _LEAST_PRODUCT
    pairs = np.stack([np.repeat(block, most), nearest.reshape(-1)], axis=1)[close.reshape(-1)]
    return np.unique(np.sort(pairs, axis=1), axis=0).astype(np.int64)
