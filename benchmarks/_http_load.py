"""Clients of a server, many at once in one process of its own; what they met is printed as JSON.

Requests are sent as bytes that were made beforehand, and answers are read no further than it takes to compare them, so
that the clients take little of the machine that the server runs on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: By how much a confidence may differ from that of the same input alone: sums go in another order in a batch.
_TOLERANCE = 1e-3
_AGAIN_S = 0.25


@dataclass
class Met:
    """What clients met."""

    statuses: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    wrong: int = 0
    unclear: int = 0
    broken: int = 0

    def to_json(self, wall_s: float) -> dict[str, Any]:
        taken = sorted(self.seconds)
        good = len(taken)
        cuts = statistics.quantiles(taken, n=100) if good > 1 else [0.0] * 99
        return {
            "answered": good,
            "per_s": good / wall_s,
            "wall_s": wall_s,
            "p50_ms": 1000 * cuts[49],
            "p95_ms": 1000 * cuts[94],
            "p99_ms": 1000 * cuts[98],
            "statuses": dict(self.statuses),
            "wrong": self.wrong,
            "refused_unclearly": self.unclear,
            "broken_connections": self.broken,
        }


@dataclass(frozen=True)
class Ask:
    """A request as bytes, with the label and the confidence that its answer has."""

    data: bytes
    label: str | None
    confidence: float


def request_bytes(host: str, path: str, media: str, body: bytes) -> bytes:
    """A request of HTTP/1.1 that keeps its connection."""
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {media}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, Mapping[str, str], bytes]:
    """Status, headers and body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    return int(head[0].split()[1]), headers, await reader.readexactly(int(headers.get("content-length", 0)))


async def client(host: str, port: int, asks: Sequence[Ask], until: float, met: Met, seed: int, most: int) -> None:
    """Ask one request after the other over one connection."""
    dice, sent = random.Random(seed), 0
    writer: asyncio.StreamWriter | None = None
    while time.monotonic() < until and sent < most:
        try:
            if writer is None:
                reader, writer = await asyncio.open_connection(host, port)
            ask = asks[dice.randrange(len(asks))]
            begun = time.perf_counter()
            writer.write(ask.data)
            status, headers, body = await asyncio.wait_for(read_answer(reader), 120)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            met.broken += 1
            if writer is not None:
                writer.close()
            writer = None
            await asyncio.sleep(_AGAIN_S)
            continue
        sent += 1
        met.statuses[str(status)] += 1
        if status == 200:
            met.seconds.append(time.perf_counter() - begun)
            met.wrong += not _is_right(ask, body)
        else:
            met.unclear += status not in (429, 503) or "retry-after" not in headers or b'"hint"' not in body
            await asyncio.sleep(_AGAIN_S * (1 + dice.random()))
        if headers.get("connection") == "close":
            writer.close()
            writer = None
    if writer is not None:
        writer.close()


def _is_right(ask: Ask, body: bytes) -> bool:
    if ask.label is None:
        return True
    (answer,) = json.loads(body)["answers"]
    return answer["label"] == ask.label and abs(answer["confidence"] - ask.confidence) < _TOLERANCE


async def load(host: str, port: int, asks: Sequence[Ask], clients: int, seconds: float, most: int) -> dict[str, Any]:
    """So many clients for so long."""
    met, begun = Met(), time.monotonic()
    until = begun + seconds
    await asyncio.gather(*(client(host, port, asks, until, met, seed, most) for seed in range(clients)))
    return met.to_json(time.monotonic() - begun)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("asks", type=Path, help="JSON: path, media, and a list of file, label, confidence")
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--most", type=int, default=1 << 60, help="requests of each client")
    options = parser.parse_args()
    host, _, port = options.address.removeprefix("http://").partition(":")
    told = json.loads(options.asks.read_text(encoding="utf-8"))
    server = options.address.removeprefix("http://")
    asks = [
        Ask(
            request_bytes(server, told["path"], told["media"], Path(one["file"]).read_bytes()),
            one["label"],
            one["confidence"],
        )
        for one in told["asks"]
    ]
    print(json.dumps(asyncio.run(load(host, int(port), asks, options.clients, options.seconds, options.most))))


if __name__ == "__main__":
    main()
