"""Sounds on the page: a picture of the waveform above its spectrum, and the sound itself as a data URI.

Shapes: T values, M bands, F frames.
"""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

from assay.errors import MissingExtraError
from assay.report.images import thumbnail, viridis

if TYPE_CHECKING:
    import numpy as np

    from assay.task import Drawing

#: Of a picture, in pixels: its width, and the heights of the waveform and of the spectrum.
WIDTH, _WAVE, _SPECTRUM = 224, 40, 80
_BANDS = 40
#: Natural logarithms of energy that are told apart, below the loudest place.
_RANGE = 11.5
#: Seconds of a recording that a page shows and plays at most.
LONGEST_S = 30.0


def sound_drawing(
    sound: np.ndarray[Any, Any], rate: int, lines: tuple[str, ...], weights: np.ndarray[Any, Any] | None = None
) -> Drawing:
    """A sound as the page shows and plays it, of a long one the beginning; without values it is its lines alone.

    Args:
        sound: (T,) float from -1 to 1.
        rate: values a second, in hertz.
        lines: the unit's name first.
        weights: what weighed, as `explained_picture` takes it, of a sound of no more than `LONGEST_S`; None for a
            picture in colours.
    """
    from assay.task import Drawing

    shown = sound[: round(LONGEST_S * rate)]
    if not len(shown):
        return Drawing(lines=lines)
    image = picture(shown, rate) if weights is None else explained_picture(shown, rate, weights)
    return Drawing(image, lines, audio=audio_uri(shown, rate))


def spectrum_of(sound: np.ndarray[Any, Any], rate: int) -> np.ndarray[Any, Any]:
    """(80, 224) uint8: how loud each band, the highest on top, is over time; 255 is the loudest place."""
    import numpy as np
    import torch

    from assay.networks.log_mel import LogMel

    front = LogMel(rate, _BANDS)
    padded = np.pad(np.asarray(sound, np.float32), front.window // 2)
    with torch.inference_mode():
        energies = front(torch.from_numpy(padded)[None])[0].numpy()[::-1]
    shares = np.clip(1 + (energies - energies.max()) / _RANGE, 0, 1)
    columns = np.arange(WIDTH) * shares.shape[1] // WIDTH
    return np.asarray(np.repeat(shares, _SPECTRUM // _BANDS, axis=0)[:, columns] * 255, np.uint8)


def picture(sound: np.ndarray[Any, Any], rate: int) -> str:
    """A sound (T,) float from -1 to 1 as a picture: its waveform above its spectrum in the viridis colours.

    Returns:
        A data URI.

    Raises:
        MissingExtraError: Pillow is not installed.
    """
    import numpy as np

    spectrum = viridis(spectrum_of(sound, rate) / 255)
    return thumbnail(np.concatenate([_waveform(sound)[:, :, None].repeat(3, axis=2), spectrum]), WIDTH)


def explained_picture(sound: np.ndarray[Any, Any], rate: int, weights: np.ndarray[Any, Any]) -> str:
    """As `picture`, in grey with the cells that weighed in colour.

    Args:
        sound: (T,) float from -1 to 1.
        rate: values a second, in hertz.
        weights: (R, S) of bands of equal width on the mel scale, the lowest first, and of stretches of time.
    """
    import numpy as np

    from assay.report.explained import overlay

    rows = (np.arange(_SPECTRUM) * len(weights) // _SPECTRUM)[::-1]
    columns = np.arange(WIDTH) * weights.shape[1] // WIDTH
    over = np.concatenate([np.zeros((_WAVE, WIDTH)), np.asarray(weights, float)[rows][:, columns]])
    return overlay(np.concatenate([_waveform(sound), spectrum_of(sound, rate)]), over, WIDTH)


def _waveform(sound: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """(40, 224) uint8: the least and the greatest value under each column, joined."""
    import numpy as np

    largest = float(np.abs(sound).max(initial=0.0)) or 1.0
    cuts = np.linspace(0, len(sound), WIDTH + 1).astype(int)[:-1]
    half = (_WAVE - 1) / 2
    top, bottom = (half - half * ends.reduceat(sound, cuts) / largest for ends in (np.maximum, np.minimum))
    at = np.arange(_WAVE)[:, None]
    inside = (at >= np.floor(top)) & (at <= np.ceil(bottom))
    return np.where(inside, np.uint8(40), np.uint8(245))


def audio_uri(sound: np.ndarray[Any, Any], rate: int) -> str:
    """A sound (T,) float from -1 to 1, made as loud as it goes, as a data URI that a page can play (MP3, else WAV).

    Raises:
        MissingExtraError: soundfile is not installed.
    """
    import numpy as np

    try:
        import soundfile
    except ImportError:
        raise MissingExtraError("sounds on the page", "audio") from None
    loud = np.asarray(sound, np.float32) * (0.9 / max(float(np.abs(sound).max(initial=0.0)), 1e-3))
    kind, subtype = ("MP3", None) if "MP3" in soundfile.available_formats() else ("WAV", "PCM_16")
    buffer = io.BytesIO()
    soundfile.write(buffer, loud, rate, format=kind, subtype=subtype)
    written = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f"data:audio/{'mpeg' if kind == 'MP3' else 'wav'};base64,{written}"
