"""Ways in which texts get worse, each at five strengths: typing errors, changed case, careless spacing.

The errors are those of Belinkov and Bisk ("Synthetic and natural noise both break neural machine translation", ICLR
2018): two neighbouring letters change places, or a letter is that of a neighbouring key; and of Karpukhin, Levy,
Eisenstein and Ghazvininejad ("Training on synthetic noise improves robustness to natural noise in machine translation",
W-NUT 2019): a letter is dropped, or there is one too many. As with the latter a word has one error at most, and the
strongest touches four words in ten. Keys are those of a QWERTY keyboard; in scripts other than Latin letters change
places or are dropped.

Shapes: B windows, T tokens of one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.answers import WITHOUT_SPACES
from assay.samples.draws import U64, Draws, uniform
from assay.samples.samples import pad

if TYPE_CHECKING:
    from assay.task import Corruption

Array = np.ndarray[Any, Any]
#: By kind, the share of the words (and of what stands between them) that is touched at each strength.
STRENGTHS: Mapping[str, tuple[float, ...]] = {
    "typing errors": (0.05, 0.1, 0.2, 0.3, 0.4),
    "changed case": (0.1, 0.25, 0.5, 0.75, 1.0),
    "careless spacing": (0.05, 0.1, 0.2, 0.3, 0.4),
}
#: Rows of a QWERTY keyboard, and by how much of a key each is moved to the right.
_KEYS = (("qwertyuiop", 0.0), ("asdfghjkl", 0.25), ("zxcvbnm", 0.75))
#: Keys whose middles are nearer than this are neighbours: those beside a key, and those that touch it above and below.
_NEAR = 1.3
#: Of scripts that are written without spaces so many letters pass for a word.
_PIECE = re.compile(f"[{WITHOUT_SPACES}]{{1,3}}|[^\\s{WITHOUT_SPACES}]+|\\s+")
_LATIN = re.compile("[a-z]")


def corrupted(text: str, kind: str, strength: int, key: int) -> str:
    """A text made worse.

    Args:
        text: any text; where nothing of it can be changed, it stays as it is.
        kind: one of `STRENGTHS`.
        strength: from 1 to 5.
        key: the same key gives the same text; another gives another one.

    Raises:
        KeyError: there is no such kind.
    """
    share, change = STRENGTHS[kind][strength - 1], _CHANGES[kind]
    pieces = _PIECE.findall(text)
    # Of each piece whether it is touched, what happens to it, and where.
    chance = uniform(U64(key), np.arange(3 * len(pieces))).reshape(-1, 3)
    changed = "".join(
        change(piece, what, where) if touched < share else piece
        for piece, (touched, what, where) in zip(pieces, chance.tolist(), strict=True)
    )
    return changed if changed.strip() or not text.strip() else text


def text_corruptions(
    decode: Callable[[Array], str], encode: Callable[[str], Array], field: str = "tokens", raw: str = "text"
) -> dict[str, Corruption]:
    """All kinds, for batches that hold tokens.

    Args:
        decode: the text of a window's tokens (T,), without special tokens.
        encode: the tokens of a text as a window holds them, special ones and all, no longer than the network takes.
        field: the batch's field (B, T) of tokens; its mask is `FIELD_mask`, or else `mask` (see `Batch`).
        raw: a field (B, N) uint8 of the same texts in UTF-8, changed alike where batches have it, for classical models.
    """
    from assay.task import Corruption

    texts = (_Text(field, decode, encode), _Text(raw, _read, _written))
    return {kind: Corruption(partial(_change, kind, texts)) for kind in STRENGTHS}


@dataclass(frozen=True)
class _Text:
    """A field of texts, how it is read and how it is written."""

    field: str
    decode: Callable[[Array], str]
    encode: Callable[[str], Array]

    def worse(self, row: Array, key: int, kind: str, strength: int) -> Array:
        """One window (T,) made worse; as it is where it has no text, or none would be left."""
        text = self.decode(row)
        changed = corrupted(text, kind, strength, key)
        written = row if changed == text else np.asarray(self.encode(changed))
        return written.astype(row.dtype) if len(written) else row


def _change(kind: str, texts: Sequence[_Text], batch: Any, strength: int, draws: Draws) -> Any:
    """A batch whose texts are made worse, all fields of a window alike."""
    keys = window_keys(draws, kind)
    for text in texts:
        if getattr(batch, text.field, None) is not None:
            worse = partial(text.worse, kind=kind, strength=strength)
            batch = _rewritten(batch, text.field, worse, keys)
    return batch


def window_keys(draws: Draws, kind: str) -> list[int]:
    """A key for each window of a batch, as `corrupted` takes it."""
    high, low = (draws.integers(f"{kind} {half}", 0, 2**20) for half in ("high", "low"))
    return [(int(one) << 21) | int(other) for one, other in zip(high, low, strict=True)]


def _rewritten(batch: Any, name: str, write: Callable[[Array, int], Array], keys: Sequence[int]) -> Any:
    """A batch with a ragged field and its mask written anew, each row under its key."""
    import torch

    values = getattr(batch, name)
    own = f"{name}_mask"
    mask_name = own if own in {item.name for item in fields(batch)} else "mask"
    mask = getattr(batch, mask_name)
    real = np.ones(values.shape[:2], bool) if mask is None else mask.numpy()
    rows = zip(values.numpy(), real, keys, strict=True)
    padded, filled = pad([write(row[there], key) for row, there, key in rows])
    return replace(batch, **{name: torch.from_numpy(padded), mask_name: torch.from_numpy(filled)})


def _read(row: Array) -> str:
    return row.astype(np.uint8).tobytes().decode("utf-8", errors="replace")


def _written(text: str) -> Array:
    return np.frombuffer(text.encode("utf-8"), np.uint8)


def _mistyped(piece: str, what: float, where: float) -> str:
    """A word with one error; what is no word of at least two letters stays."""
    start, end = _word(piece)
    letters = _letters(piece[start:end])
    if len(letters) < 2:
        return piece
    latin = bool(_LATIN.match(_plain(letters[0])))
    errors = (_swapped, _dropped, _doubled, _beside) if latin else (_swapped, _dropped)
    which, rest = divmod(what * len(errors), 1)
    changed = errors[int(which)](letters, where, rest)
    return f"{piece[:start]}{''.join(changed)}{piece[end:]}"


def _swapped(letters: list[str], where: float, rest: float) -> list[str]:
    """Two different neighbours change places, not the first letter where there are others."""
    first = 1 if len(letters) > 3 else 0
    places = [place for place in range(first, len(letters) - 1) if letters[place] != letters[place + 1]]
    if not places:
        return _dropped(letters, where, rest)
    place = places[int(where * len(places))]
    return [*letters[:place], letters[place + 1], letters[place], *letters[place + 2 :]]


def _dropped(letters: list[str], where: float, rest: float) -> list[str]:
    place = _place(letters, where)
    return letters[:place] + letters[place + 1 :]


def _doubled(letters: list[str], where: float, rest: float) -> list[str]:
    place = _place(letters, where)
    return letters[: place + 1] + letters[place:]


def _beside(letters: list[str], where: float, rest: float) -> list[str]:
    """A letter replaced by that of a neighbouring key, in its case."""
    place = _place(letters, where)
    near = _NEIGHBOURS.get(_plain(letters[place]))
    if not near:
        return _dropped(letters, where, rest)
    hit = near[int(rest * len(near))]
    return [*letters[:place], hit.upper() if letters[place].isupper() else hit, *letters[place + 1 :]]


def _place(letters: list[str], where: float) -> int:
    """Any letter but the first of three or more."""
    first = 1 if len(letters) > 2 else 0
    return first + int(where * (len(letters) - first))


def _word(piece: str) -> tuple[int, int]:
    """Where the letters of a piece begin and end, without punctuation around them."""
    inside = [place for place, sign in enumerate(piece) if sign.isalnum()]
    if not inside:
        return 0, 0
    end = inside[-1] + 1
    while end < len(piece) and unicodedata.category(piece[end]).startswith("M"):
        end += 1
    return inside[0], end


def _letters(word: str) -> list[str]:
    """The letters of a word, each with the marks that belong to it."""
    found: list[str] = []
    for sign in word:
        if found and unicodedata.category(sign).startswith("M"):
            found[-1] += sign
        else:
            found.append(sign)
    return found


def _plain(letter: str) -> str:
    """A letter in lower case without accents."""
    return unicodedata.normalize("NFD", letter)[:1].lower()


def _recased(piece: str, what: float, where: float) -> str:
    """A word in capitals, in small letters, or in both by chance: one of those that it is not yet."""
    if piece.isspace():
        return piece
    bits = int(where * 2.0**48)
    mixed = "".join(sign.upper() if bits >> place % 48 & 1 else sign.lower() for place, sign in enumerate(piece))
    ways = [way for way in (piece.lower(), piece.upper(), mixed) if way != piece]
    return ways[int(what * len(ways))] if ways else piece


def _respaced(piece: str, what: float, where: float) -> str:
    """White space that is lost or doubled; a word without its last or first punctuation."""
    if piece.isspace():
        return "" if what < 0.5 else piece * 2
    start, end = _word(piece)
    places = [place for place in range(len(piece)) if not start <= place < end
              and unicodedata.category(piece[place]).startswith("P")]  # fmt: skip
    if not places:
        return piece
    place = places[int(where * len(places))]
    return piece[:place] + piece[place + 1 :]


def _neighbours() -> dict[str, str]:
    """By key, the keys beside it."""
    at = {key: (right + place, row) for row, (keys, right) in enumerate(_KEYS) for place, key in enumerate(keys)}
    return {key: "".join(other for other, (a, b) in at.items()
                         if other != key and (a - x) ** 2 + (b - y) ** 2 < _NEAR**2)
            for key, (x, y) in at.items()}  # fmt: skip


_NEIGHBOURS = _neighbours()
_CHANGES: Mapping[str, Callable[[str, float, float], str]] = {
    "typing errors": _mistyped,
    "changed case": _recased,
    "careless spacing": _respaced,
}
