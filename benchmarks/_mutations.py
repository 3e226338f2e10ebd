"""Requests that mean harm, or are merely broken, made up from a seed: pictures, sounds, JSON, zips and forms."""

from __future__ import annotations

import io
import json
import math
import random
import struct
import wave
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_EDGE = b"edge-of-a-part"
FORM = f"multipart/form-data; boundary={_EDGE.decode()}"
JSON = "application/json"
_HOSTILE_NAMES = (
    "../../../../tmp/escaped.png", "/tmp/escaped.png", "..\\..\\escaped.png", "C:\\escaped.png", "a\0b.png", "con.png",
    "." * 300 + ".png", "/etc/passwd", "~/.ssh/authorized_keys", "%2e%2e%2fescaped.png", "a\r\nX-Header: 1.png", ".png",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢.png", "a.png/../../b.png", "$(touch escaped).png", "<script>.png",
)  # fmt: skip


@dataclass(frozen=True)
class Attack:
    """A request.

    Attributes:
        name: what it is.
        media: its header Content-Type.
        body: its body.
        path: where it is sent.
    """

    name: str
    media: str
    body: bytes
    path: str = "/predict"


def attacks(count: int, seed: int, models: Mapping[str, str], row: Mapping[str, Any] | None = None) -> Iterator[Attack]:
    """Requests without end of variety.

    Args:
        count: how many.
        seed: the same seed makes the same requests.
        models: the name of a model by what it takes: "picture", "row", "sound", "text".
        row: what the model of rows answers.
    """
    dice = random.Random(seed)
    makers: list[Callable[[random.Random], Attack]] = []
    if "picture" in models:
        makers += [lambda dice: _file(dice, models["picture"], *_picture(dice)),
                   lambda dice: _file(dice, models["picture"], *_archive(dice, _plain_picture(dice)))]  # fmt: skip
    if "sound" in models:
        makers += [lambda dice: _file(dice, models["sound"], *_sound(dice)),
                   lambda dice: _file(dice, models["sound"], *_archive(dice, _wave(dice), ".wav"))]  # fmt: skip
    if "row" in models and row is not None:
        makers += [
            lambda dice: _json(dice, models["row"], row),
            lambda dice: _file(dice, models["row"], *_table(dice, row)),
        ]
    if "text" in models:
        makers += [lambda dice: _json(dice, models["text"], "some words")]
    for number in range(count):
        made = makers[number % len(makers)](dice)
        if dice.random() < 0.1:
            made = Attack(made.name, made.media, made.body, "/explain")
        if dice.random() < 0.1:
            made = Attack(f"{made.name}, request mutated", made.media, mutated(dice, made.body), made.path)
        yield made


def mutated(dice: random.Random, content: bytes) -> bytes:
    """Bytes with something flipped, cut off, put in, doubled or taken out."""
    changed = bytearray(content)
    for _ in range(dice.choice((1, 1, 2, 5, 20))):
        place = dice.randrange(len(changed) + 1)
        match dice.randrange(6):
            case 0 if changed:
                changed[place % len(changed)] = dice.randrange(256)
            case 1:
                del changed[place:]
            case 2:
                changed[place:place] = dice.randbytes(dice.randrange(1, 64))
            case 3:
                changed[place:place] = changed[place : place + dice.randrange(1, 512)]
            case 4:
                del changed[place : place + dice.randrange(1, 64)]
            case _:
                changed[place : place + 4] = struct.pack(">I", dice.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000)))
    return bytes(changed)


def _file(dice: random.Random, model: str, name: str, content: bytes, about: str) -> Attack:
    """A form with one file, sometimes under a hostile name."""
    if dice.random() < 0.15:
        name, about = dice.choice(_HOSTILE_NAMES), f"{about}, hostile name"
    quoted = name.replace('"', "%22").encode("utf-8", "replace")
    return Attack(about, FORM, form([("model", None, model.encode()), ("files", quoted, content)]))


def form(parts: Sequence[tuple[str, bytes | None, bytes]]) -> bytes:
    """A form's body: name, name of the file or None, content."""
    body = b""
    for name, filename, content in parts:
        head = f'Content-Disposition: form-data; name="{name}"'.encode()
        head += b"" if filename is None else b'; filename="' + filename + b'"'
        body += b"--" + _EDGE + b"\r\n" + head + b"\r\n\r\n" + content + b"\r\n"
    return body + b"--" + _EDGE + b"--\r\n"


# Pictures -------------------------------------------------------------------------------------------------------------

_KINDS = {"PNG": ".png", "JPEG": ".jpg", "GIF": ".gif", "BMP": ".bmp", "TIFF": ".tif", "WEBP": ".webp", "PPM": ".ppm"}


def _plain_picture(dice: random.Random, kind: str = "PNG") -> bytes:
    from PIL import Image

    content = io.BytesIO()
    size = (dice.randrange(1, 40), dice.randrange(1, 40))
    mode = dice.choice(("L", "RGB", "1", "P", "RGBA", "I;16")) if kind in ("PNG", "TIFF") else "RGB"
    Image.frombytes("L", size, dice.randbytes(size[0] * size[1])).convert(
        "RGB" if mode in ("P", "RGBA") else "L"
    ).convert(mode).save(content, kind)
    return content.getvalue()


def _png(width: int, height: int, data: bytes, more: bytes = b"") -> bytes:
    """A PNG whose header says what it likes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + more + chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND", b"")


def _picture(dice: random.Random) -> tuple[str, bytes, str]:
    kind = dice.choice(list(_KINDS))
    plain = _plain_picture(dice, kind)
    match dice.randrange(8):
        case 0:
            side = dice.choice((0, 1, 65535, 10**6, 2**31 - 1, 2**32 - 1))
            return "huge.png", _png(side, dice.choice((1, 65535, 2**31 - 1)), bytes(1000)), "huge dimensions"
        case 1:
            return "bomb.png", _png(9000, 9000, bytes(9000 * 901)), "decompression bomb"
        case 2:
            other = dice.choice(
                (b"PK\x03\x04" + bytes(40), b"<html><script>", b"%PDF-1.4", b"GIF89a", b"MZ", _wave(dice))
            )
            mixed = plain + other if dice.random() < 0.5 else other + plain
            return f"both{_KINDS[kind]}", mixed, "polyglot"
        case 3:
            text = zlib.compress(bytes(3_000_000), 9)
            more = struct.pack(">I", len(text) + 6) + b"zTXtkey\0\0" + b"\0" + text
            return "text.png", _png(8, 8, bytes(72), more), "text bomb in a picture"
        case 4:
            return f"wrong{dice.choice(list(_KINDS.values()))}", plain, "another type than the name says"
        case _:
            return f"a{_KINDS[kind]}", mutated(dice, plain), f"mutated {kind}"


# Sounds ---------------------------------------------------------------------------------------------------------------


def _wave(dice: random.Random) -> bytes:
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(dice.choice((1, 2)))
        file.setsampwidth(2)
        file.setframerate(dice.choice((8000, 16000, 44100)))
        file.writeframes(b"".join(struct.pack("<h", int(9000 * math.sin(step / 7))) for step in range(4000)))
    return content.getvalue()


def _sound(dice: random.Random) -> tuple[str, bytes, str]:
    import numpy as np
    import soundfile

    kind, ending = dice.choice(
        (("WAV", ".wav"), ("FLAC", ".flac"), ("OGG", ".ogg"), ("AIFF", ".aiff"), ("MP3", ".mp3"))
    )
    content = io.BytesIO()
    soundfile.write(content, np.sin(np.arange(4000) / 7).astype(np.float32) * 0.3, 16000, format=kind)
    plain = content.getvalue()
    match dice.randrange(5):
        case 0:
            at = dice.choice((4, 22, 24, 28, 32, 34, 40))
            head = bytearray(_wave(dice))
            head[at : at + 4] = struct.pack("<I", dice.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF)))
            return "head.wav", bytes(head), "header of a sound that lies"
        case 1:
            return f"wrong{ending}", _plain_picture(dice), "a picture called a sound"
        case _:
            return f"a{ending}", mutated(dice, plain), f"mutated {kind}"


# Archives -------------------------------------------------------------------------------------------------------------


def _archive(dice: random.Random, member: bytes, ending: str = ".png") -> tuple[str, bytes, str]:
    content = io.BytesIO()
    about = "zip"
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        match dice.randrange(8):
            case 0:
                for name in dice.sample(_HOSTILE_NAMES, 5):
                    archive.writestr(name.replace("\0", ""), member)
                about = "path traversal in a zip"
            case 1:
                archive.writestr(f"zeros{ending}", bytes(dice.choice((10, 60)) << 20))
                about = "zip bomb"
            case 2:
                link = zipfile.ZipInfo(f"link{ending}")
                link.external_attr = 0o120777 << 16
                archive.writestr(link, "/etc/passwd")
                about = "link in a zip"
            case 3:
                inner = io.BytesIO()
                with zipfile.ZipFile(inner, "w") as nested:
                    nested.writestr(f"a{ending}", member)
                archive.writestr("inner.zip", inner.getvalue())
                archive.writestr(f"a{ending}", inner.getvalue())
                about = "zip in a zip"
            case 4:
                for number in range(dice.choice((0, 1, 2100))):
                    archive.writestr(f"{number}{ending}", b"")
                about = "none or many in a zip"
            case 5:
                for _ in range(3):
                    archive.writestr(zipfile.ZipInfo(f"same{ending}"), member)
                about = "equal names in a zip"
            case _:
                archive.writestr(f"a{ending}", member)
                archive.writestr(f"sub/b{ending}", mutated(dice, member))
                about = "broken members in a zip"
    data = content.getvalue()
    if dice.random() < 0.4:
        data, about = mutated(dice, data), f"{about}, mutated"
    return "many.zip", data, about


# Rows and texts -------------------------------------------------------------------------------------------------------

_ODD = (None, True, "", "x" * 100_000, "\0", "\ud800", 10**300, -1e308, 1e-320, [], {}, [[[]]], {"a": {"b": 1}},
        "😀" * 99, "../../etc/passwd", "file:///etc/passwd", "simulator:CarRacing-v3", "=cmd|' /C calc'!A0", "{{7*7}}",
        "NaN", "'; DROP TABLE x;--")  # fmt: skip


def _json(dice: random.Random, model: str, plain: Any) -> Attack:
    inputs: Any = [dict(plain) if isinstance(plain, Mapping) else plain]
    request: dict[str, Any] = {"model": model, "inputs": inputs}
    match dice.randrange(8):
        case 0:
            request[dice.choice(("model", "inputs", "options", "more"))] = dice.choice(_ODD)
        case 1 if isinstance(plain, Mapping):
            inputs[0][dice.choice(list(plain))] = dice.choice(_ODD)
        case 2:
            inputs[0] = dice.choice(_ODD)
        case 3:
            request["options"] = {str(dice.choice(_ODD)): dice.choice(_ODD)}
        case 4:
            deep = dice.choice((b"[", b'{"a":')) * dice.choice((50, 100_000))
            return Attack("deep JSON", JSON, b'{"model": "x", "inputs": ' + deep)
        case 5:
            return Attack("mutated JSON", JSON, mutated(dice, json.dumps(request).encode()))
        case 6:
            request["inputs"] = inputs * dice.choice((0, 2, 1500))
        case _:
            text = json.dumps(request).replace("1", dice.choice(("1e999", "NaN", "-Infinity", "1" * 5000, "01")), 1)
            return Attack("odd numbers in JSON", JSON, text.encode())
    return Attack("odd JSON", JSON, json.dumps(request).encode("utf-8", "surrogatepass"))


def _table(dice: random.Random, row: Mapping[str, Any]) -> tuple[str, bytes, str]:
    lines = [",".join(row), *(",".join(map(str, row.values())) for _ in range(3))]
    text = "\r\n".join(lines).encode()
    match dice.randrange(5):
        case 0:
            return "rows.csv", text + b"\r\n" + b"x," * 50_000, "wide row"
        case 1:
            return "rows.csv", b"PAR1" + dice.randbytes(200) + b"PAR1", "Parquet called CSV"
        case 2:
            return "rows.csv", dice.choice((b"\xff\xfe", b"\xef\xbb\xbf", b"\0")) + text, "odd encoding"
        case 3:
            return "rows.csv", b'"' + text * 30, "quote that does not end"
        case _:
            return dice.choice(("rows.csv", "rows.tsv", "rows.jsonl")), mutated(dice, text), "mutated table"
