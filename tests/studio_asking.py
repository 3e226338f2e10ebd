"""A studio in this process, asked without a network; trainings run in processes of their own as ever."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

OWN = {"x-assay": "1", "origin": "http://127.0.0.1:8001", "host": "127.0.0.1:8001"}


@dataclass
class Asked:
    """The studio, and a browser's requests to it."""

    studio: Any
    client: Any

    def get(self, path: str, status: int = 200, **more: Any) -> Any:
        return self._told(self.client.get(f"/api/{path}", headers={"host": OWN["host"]}, **more), status)

    def post(self, path: str, body: Any = None, status: int = 200, **more: Any) -> Any:
        sent = {"json": {} if body is None else body} if "content" not in more and "files" not in more else more
        return self._told(self.client.post(f"/api/{path}", headers=OWN, **sent), status)

    def upload(self, path: str, files: Sequence[tuple[str, bytes]], status: int = 201) -> Any:
        return self.post(path, files=[("files", (name, content)) for name, content in files], status=status)

    def _told(self, response: Any, status: int) -> Any:
        assert response.status_code == status, response.text
        assert "Traceback" not in response.text
        return response.json()


def png(seed: int, side: int = 16, bright: bool = False) -> bytes:
    """A picture of noise, dark or bright."""
    from PIL import Image

    noise = np.random.default_rng(seed).integers(0, 100, (side, side, 3)) + (150 if bright else 0)
    out = io.BytesIO()
    Image.fromarray(noise.astype(np.uint8)).save(out, "PNG")
    return out.getvalue()
