"""How the page writes names, numbers, intervals and durations, and how text from outside becomes harmless."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from assay.evidence.words import duration as plain_duration
from assay.evidence.words import size_unit, time_unit

# Control characters and lone surrogates are no legal XML and cannot be written as UTF-8; bidirectional overrides
# would let a label reorder the words around it.
_UNSAFE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u202a-\u202e\u2066-\u2069]")
_IMAGE = re.compile(r"data:image/(?:png|webp|jpeg|gif);base64,[A-Za-z0-9+/=]+")
_AUDIO = re.compile(r"data:audio/(?:mpeg|wav|ogg);base64,[A-Za-z0-9+/=]+")
_CODE = re.compile(r"`([^`]+)`|(?<![\w-])(--[a-z][\w-]*(?: [a-z][\w.]*=[^\s,;)]*[^\s,;).])?)")
_BEFORE_UNIT = re.compile("(?<=[0-9]) ")
_TERMS = {
    **{term.lower(): term for term in ("AUC", "BLEU", "chrF", "CPU", "ECE", "F1", "GPU", "HOG", "IoU", "LightGBM")},
    **{term.lower(): term for term in ("MAE", "mAP", "mAP50", "ONNX", "RMSE", "SVM", "TF-IDF", "WER", "CER")},
    **{term.lower(): term for term in ("ATE", "Dice", "GNSS", "RPE")},
    "r2": "R²",
}
#: What whole identifiers are called.
_NAMES = {
    "horizontal_50": "half of the places within",
    "horizontal_95": "95 % of the places within",
    "rpe_10s": "RPE over 10 s",
}
_PER_CENT = ("%", "share")
_POINTS = "points"
_SHARES = frozenset({"accuracy", "coverage", "precision", "recall", "sensitivity", "share", "specificity"})
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December")  # fmt: skip
_THIN = "\u202f"  # narrow no-break space
_NO_BREAK = "\u00a0"
_TIMES, _MINUS = "\u00d7", "\u2212"


def clean(value: object) -> str:
    """`value` as text without characters that are illegal in XML or that reorder other text."""
    return _UNSAFE.sub("\ufffd", str(value))


def escape(value: object) -> str:
    """`value` as text that is inert in HTML, in SVG and in a quoted attribute."""
    return html.escape(clean(value), quote=True)


def prose(value: object) -> str:
    """A sentence as inert HTML, with options and what stands between backquotes set as code; no line ends before %."""
    return _CODE.sub(r"<code>\1\2</code>", escape(value)).replace(" %", f"{_NO_BREAK}%")


def image_source(value: object) -> str | None:
    """`value` when it is a data URI of a bitmap, else None: the page loads nothing from elsewhere."""
    return value if isinstance(value, str) and _IMAGE.fullmatch(value) else None


def audio_source(value: object) -> str | None:
    """`value` when it is a data URI of a sound, else None."""
    return value if isinstance(value, str) and _AUDIO.fullmatch(value) else None


def in_per_cent(unit: str) -> bool:
    """Whether values of this unit are shares from 0 to 1 that are written in per cent."""
    return unit in _PER_CENT


def finite(value: Any) -> float | None:
    """`value` as a float, or None when it is missing, no number, not finite, or too large to be drawn."""
    if isinstance(value, (str, bytes)) or value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and abs(number) < 1e150 else None


def words(name: str, *, capital: bool = False) -> str:
    """An identifier in words, with the field's terms as the field writes them: `macro_f1` is "macro F1"."""
    name = _NAMES.get(name, name)
    parts = [_TERMS.get(part.lower(), part) for part in re.split(r"[_\s]+", clean(name)) if part]
    text = " ".join(parts)
    keep = not parts or parts[0].lower() in _TERMS or parts[0] != parts[0].lower()
    return text if keep or not capital else text[:1].upper() + text[1:]


def is_share(name: str) -> bool:
    """Whether a number of this name is a share from 0 to 1, which reads better in per cent."""
    parts = re.split(r"[^a-z0-9]+", name.lower())
    return not _SHARES.isdisjoint(parts) or name.lower().endswith(("error_rate", "exact_match"))


def decimals_for(values: Iterable[float | None]) -> int:
    """Decimals that show about three digits of the largest of `values`, fewer where the last ones are all zero."""
    known = [abs(value) for value in values if value is not None]
    largest = max(known, default=0.0)
    if largest >= 100 or not largest:
        return 0
    return _trimmed(known, min(5, 2 - math.floor(math.log10(largest))))


def _trimmed(values: list[float], digits: int) -> int:
    """`digits`, less those that are zero in all of `values`."""
    while digits and all(round(value, digits) == round(value, digits - 1) for value in values):
        digits -= 1
    return digits


def plain(value: float, decimals: int | None = None) -> str:
    """A number with thousands set apart, a true minus sign, and powers of ten where digits would mislead."""
    if value and (abs(value) >= 1e9 or (decimals is None and abs(value) < 1e-3)):
        mantissa, exponent = f"{value:.1e}".split("e")
        mantissa = mantissa.removesuffix(".0")
        return f"{mantissa}{_THIN}{_TIMES}{_THIN}10{str(int(exponent)).translate(_SUPERSCRIPTS)}".replace("-", _MINUS)
    digits = decimals_for([value]) if decimals is None else decimals
    text = f"{value:,.{digits}f}"
    return text.replace("-", _MINUS) if float(f"{value:.{digits}f}") else text.removeprefix("-")


def _scaled(values: list[float | None], unit: str) -> tuple[list[float | None], str]:
    """Bytes and seconds in the size that reads best; everything else as it is."""
    largest = max((abs(value) for value in values if value is not None), default=0.0)
    factor = 1.0
    if unit in ("bytes", "byte", "B"):
        unit, factor = size_unit(largest)
    elif unit in ("s", "seconds") and 0 < largest < 1:
        unit, factor = time_unit(largest)
    return [None if value is None else value / factor for value in values], unit


def _decimals(numbers: list[float | None], unit: str) -> int | None:
    """Decimals of a value and its bounds: two digits of the interval's width, since more would be noise."""
    _, low, high = numbers
    known = [number for number in numbers if number is not None]
    if unit in ("%", _POINTS):
        return 1
    if any(known) and max(map(abs, known)) < 1e-3:
        return None
    if low is not None and high is not None and high > low:
        return _trimmed(known, min(6, max(0, 1 - math.floor(math.log10(high - low)))))
    return decimals_for(known)


def shared_decimals(values: Sequence[tuple[float | None, float | None, float | None]], unit: str) -> int | None:
    """Decimals for values (with bounds) that stand below one another; None where each is better off with its own.

    Args:
        values: value, low and high of each.
        unit: theirs, as `measure` takes it.
    """
    if in_per_cent(unit) or unit in (_POINTS, "bytes", "byte", "B", "s", "seconds"):
        return None
    found = [_decimals(list(one), unit) for one in values if any(one)]  # 0 needs none, and has no say
    known = sorted(one for one in found if one is not None)
    if not known or len(known) < len(found):
        return None if found else 0
    shared = known[len(known) // 2]
    return max([shared, *(_kept(one[0], shared) for one in values if one[0] is not None)])


def _kept(value: float, digits: int) -> int:
    """`digits`, or one or two more where a small value would be another with so few: .5 is not 0 beside 1 and 1."""
    if abs(value) >= 10.0**-digits:
        return digits
    return next(
        (more for more in (digits, digits + 1) if abs(round(value, more) - value) <= abs(value) / 4), digits + 2
    )


def measure(
    value: Any,
    low: Any = None,
    high: Any = None,
    unit: str = "",
    *,
    share: bool = False,
    decimals: int | None = None,
) -> tuple[str, str]:
    """A value with its unit, and its interval in brackets ("" without one): ("98.1 %", "[97.0, 98.9]").

    Args:
        value: in `unit`; a share from 0 to 1 where that is "%", a difference of shares where it is "points"; None or
            NaN where unknown.
        low: the interval's lower end, likewise.
        high: its upper end, likewise.
        unit: what stands behind the value, "" for none.
        share: take a value without a unit as a share.
        decimals: as `shared_decimals` gives them; None for those that suit this value.
    """
    numbers = [finite(value), finite(low), finite(high)]
    if in_per_cent(unit) or (share and not unit):
        unit, numbers = "%", [None if number is None else 100 * number for number in numbers]
    elif unit == _POINTS:
        numbers = [None if number is None else 100 * number for number in numbers]
    numbers, unit = _scaled(numbers, unit)
    centre, below, above = numbers
    if centre is None:
        return "not known", ""
    decimals = _decimals(numbers, unit) if decimals is None else decimals
    suffix = clean(unit) if unit.startswith("-") else f"{_NO_BREAK}{clean(unit)}" if unit else ""
    bounds = "" if below is None or above is None else f"[{plain(below, decimals)}, {plain(above, decimals)}]"
    return plain(centre, decimals) + suffix, bounds


def duration(seconds: Any) -> str:
    """Seconds as a person says them (`evidence.words.duration`), each number kept together with its unit."""
    return _BEFORE_UNIT.sub(_NO_BREAK, plain_duration(finite(seconds)))


def moment(value: Any) -> str:
    """A time in ISO 8601 as a person writes it, "27 November 2026, 05:30 UTC"; what is none stays as it is."""
    try:
        known = datetime.fromisoformat(str(value))
    except ValueError:
        return "" if value is None else str(value)
    zone = " UTC" if known.utcoffset() == timedelta(0) else ""
    return f"{known.day}{_NO_BREAK}{_MONTHS[known.month - 1]} {known.year}, {known:%H:%M}{zone}"
