"""An input such as a model takes, made up: for the page of the API, and answered once before any request comes."""

from __future__ import annotations

import base64
import io
import math
import struct
import wave
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from assay.serving.http.kinds import in_json
from assay.sources.source import Source

if TYPE_CHECKING:
    from assay.model import Model
    from assay.serving.http.hosted import Hosted
    from assay.serving.http.uploads import UploadRoot

_SIDE = 64
_RATE_HZ = 16_000
_TEXT = "The quick brown fox jumps over the lazy dog."


def example_of(hosted: Hosted, root: UploadRoot) -> dict[str, Any] | None:
    """An input of a model as a request in JSON has it, and the answer to it; None where none can be made up.

    Raises:
        AssayError: the model does not answer it.
    """
    model = hosted.loaded
    asked = example_input(model)
    if asked is None:
        return None
    kind = in_json(model.task.traits.takes)
    if kind == "question":
        answers = model.predict(Source(value=[(asked["question"], asked["context"])]))
    elif kind is not None:
        answers = model.predict(Source(value=[asked]))
    else:
        upload = root.upload()
        try:
            upload.add(asked["name"], base64.b64decode(asked["base64"]))
            answers = model.predict(upload.source)
        finally:
            upload.close()
    return {"input": asked, "answer": answers[0]}


def example_input(model: Model) -> Any:
    """An input as JSON has it; None where none can be made up."""
    takes = model.task.traits.takes
    kind = takes[0] if takes else ""
    if kind == "text":
        columns = getattr(model.spec, "columns", ())
        return _TEXT if len(columns) < 2 else dict.fromkeys(columns, _TEXT)
    if kind == "question":
        return {"question": "What does the fox jump over?", "context": _TEXT}
    if kind == "row":
        return _row(model.spec)
    if kind in ("picture", "scan") and "picture" in takes:
        return _file("picture.png", _picture())
    return _file("sound.wav", _sound()) if kind == "sound" else None


def _row(spec: Any) -> Mapping[str, Any]:
    """A row in the middle of the training data: the median of numbers, the first of categories."""
    row: dict[str, Any] = {}
    for column in spec.numbers:
        row[column.name] = round(float(column.quantiles[len(column.quantiles) // 2]), 6) if column.quantiles else 0.0
    for column in spec.categories:
        row[column.name] = column.values[0] if column.values else None
    return row


def _file(name: str, content: bytes) -> dict[str, str]:
    return {"name": name, "base64": base64.b64encode(content).decode()}


def _picture() -> bytes:
    from PIL import Image

    content = io.BytesIO()
    Image.linear_gradient("L").resize((_SIDE, _SIDE)).convert("RGB").save(content, "PNG")
    return content.getvalue()


def _sound() -> bytes:
    """A second of a tone."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE_HZ)
        tone = (int(3000 * math.sin(2 * math.pi * 440 * step / _RATE_HZ)) for step in range(_RATE_HZ))
        file.writeframes(b"".join(struct.pack("<h", value) for value in tone))
    return content.getvalue()
