"""What a server says instead of an answer: a status, an error in one sentence, and a hint."""

from __future__ import annotations

import math

#: Statuses with what they mean here, as the OpenAPI page tells.
MEANINGS = {
    400: "The request is malformed.",
    401: "The token is missing or wrong.",
    403: "Another site's page asks.",
    404: "There is no such path or model.",
    408: "The request did not arrive in time.",
    405: "This path is asked in another way.",
    413: "The request is too large.",
    415: "Data of this type is not taken.",
    422: "The input cannot be answered.",
    429: "Too many requests are being answered; come back later.",
    503: "No answer in time, or the model is still being loaded; come back later.",
    504: "The answer takes too long.",
}


class Refused(Exception):
    """A request is not answered.

    Args:
        status: of HTTP.
        error: what is wrong, in one sentence.
        hint: how to mend it.
        retry_s: seconds after which it may work, for `Retry-After`.
        reason: a word for metrics.
    """

    def __init__(self, status: int, error: str, hint: str = "", retry_s: float | None = None, reason: str = "") -> None:
        super().__init__(error)
        self.status, self.error, self.hint, self.reason = status, error, hint, reason or str(status)
        self.retry_s = None if retry_s is None else max(1, math.ceil(retry_s))

    def body(self) -> dict[str, object]:
        """As JSON."""
        return {"format": 1, "error": self.error, "hint": self.hint}

    def headers(self) -> dict[str, str]:
        """Beyond the usual ones."""
        return {} if self.retry_s is None else {"retry-after": str(self.retry_s)}
