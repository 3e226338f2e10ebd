"""Sound as it arrives at a microphone."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from assay.errors import DataError, MissingExtraError

Array = np.ndarray[Any, Any]
_WAITING_S = 10.0
_SILENT_S = 5.0


def microphone_blocks(
    rate_hz: int, block_s: float = 0.1, device: str | None = None, tell: Callable[[str], None] | None = None
) -> Iterator[Array]:
    """What a microphone hears, without an end.

    Sound that is not fetched within ten seconds is thrown away, so that memory does not grow, and told.

    Args:
        rate_hz: samples a second that are wanted; a microphone that knows only others is resampled.
        block_s: seconds of a block.
        device: its number, or a part of its name that no other has; None for the system's own choice.
        tell: is given what was lost, in a line.

    Yields:
        (T,) float32, one channel.

    Raises:
        DataError: there is no such microphone, it cannot be opened, or it is gone.
        MissingExtraError: sounddevice or soxr is not installed.
    """
    sounddevice = _portaudio()
    chosen: int | str | None = int(device) if device is not None and device.isdecimal() else device
    try:
        known = sounddevice.query_devices(chosen, "input")
        own_rate, channels = _possible(sounddevice, chosen, rate_hz, known)
        listening = _Listening(sounddevice, chosen, own_rate, channels, block_s)
    except (sounddevice.PortAudioError, ValueError) as error:
        raise DataError(f"no microphone can be used ({_reason(error)})", _hint(sounddevice)) from error
    resampled = _resampler(own_rate, rate_hz)
    with listening:
        for block in listening.blocks():
            if listening.lost and tell is not None:
                tell(f"{listening.lost * block_s:.1f} s of sound were lost: this machine is too slow")
            listening.lost = 0
            yield resampled(block)


class _Listening:
    """An open microphone; the sound card's thread puts blocks into a queue."""

    def __init__(self, sounddevice: Any, device: int | str | None, rate_hz: int, channels: int, block_s: float) -> None:
        self.lost = 0
        self._waiting: queue.Queue[Array] = queue.Queue(max(1, round(_WAITING_S / block_s)))
        self._stream = sounddevice.InputStream(
            samplerate=rate_hz,
            blocksize=round(block_s * rate_hz),
            device=device,
            channels=channels,
            dtype="float32",
            callback=self._take,
        )
        self._stream.start()

    def __enter__(self) -> _Listening:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def blocks(self) -> Iterator[Array]:
        """The blocks in their order; raises `DataError` where no more come."""
        while True:
            try:
                yield self._waiting.get(timeout=_SILENT_S)
            except queue.Empty:
                raise DataError("the microphone gives no more sound", "Plug it in again, or choose another.") from None

    def _take(self, block: Array, frames: int, time: Any, status: Any) -> None:
        if status.input_overflow:
            self.lost += 1
        try:
            self._waiting.put_nowait(block.mean(axis=1))
        except queue.Full:
            self.lost += 1


def _portaudio() -> Any:
    try:
        import sounddevice
    except ImportError as error:
        raise MissingExtraError("listening to a microphone", "listen") from error
    except OSError as error:  # PortAudio comes with it on Windows and macOS alone
        hint = "Install PortAudio, such as with: sudo apt install libportaudio2"
        raise DataError("no microphone can be used: PortAudio is not installed", hint) from error
    return sounddevice


def _possible(sounddevice: Any, device: int | str | None, wanted: int, known: Any) -> tuple[int, int]:
    """Rate and channels: what is wanted and one, where the microphone has it; else its own, which are averaged."""
    own, most = round(float(known["default_samplerate"])), int(known["max_input_channels"])
    for rate, channels in ((wanted, 1), (own, 1), (wanted, most)):
        try:
            sounddevice.check_input_settings(device=device, channels=channels, dtype="float32", samplerate=rate)
        except sounddevice.PortAudioError:
            continue
        return rate, channels
    return own, most


def _resampler(own: int, wanted: int) -> Callable[[Array], Array]:
    if own == wanted:
        return lambda block: block
    try:
        import soxr
    except ImportError as error:
        raise MissingExtraError("a microphone with another sampling rate", "listen") from error
    stream = soxr.ResampleStream(own, wanted, 1, dtype="float32")
    return lambda block: np.asarray(stream.resample_chunk(block))


def _reason(error: Exception) -> str:
    return " ".join(str(part) for part in error.args[:1]) or type(error).__name__


def _hint(sounddevice: Any) -> str:
    """The microphones that there are."""
    names = [f"{number} {one['name']}" for number, one in enumerate(sounddevice.query_devices())
             if one["max_input_channels"] > 0]  # fmt: skip
    if not names:
        return "Plug one in and allow its use, or give a recording with --wav FILE."
    return f"Choose one with --input: {'; '.join(names)}."
