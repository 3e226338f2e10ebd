"""The tokens that clients have to show, and how they are compared."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import socket
from collections.abc import Mapping
from pathlib import Path

from assay.errors import SettingError

#: Where tokens may stand beside a file: several with white space between.
VARIABLE = "ASSAY_TOKENS"
_SHORTEST = 16


class Tokens:
    """Who may ask: whoever shows one of some tokens, or everybody where there are none.

    Only digests are kept, so that all compared values are of one length.
    """

    def __init__(self, tokens: tuple[str, ...] = ()) -> None:
        self._digests = tuple(_digest(token.encode()) for token in tokens)

    def __bool__(self) -> bool:
        return bool(self._digests)

    def allow(self, authorization: bytes | None) -> bool:
        """Whether the header `Authorization: Bearer TOKEN` shows one; takes as long whichever, and if it does not."""
        if not self._digests:
            return True
        scheme, _, token = (authorization or b"").partition(b" ")
        shown = _digest(token.strip())
        found = [hmac.compare_digest(shown, digest) for digest in self._digests]
        return any(found) and scheme.lower() == b"bearer"


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


def read_tokens(file: Path | None, environment: Mapping[str, str] = os.environ) -> Tokens:
    """The tokens of a file, one a line, and of the environment.

    Raises:
        SettingError: the file cannot be read or holds none, or a token is too short.
    """
    tokens: list[str] = environment.get(VARIABLE, "").split()
    where = f"${VARIABLE}"
    if file is not None:
        where = str(file)
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            raise SettingError(
                f"the tokens in {file} cannot be read ({reason})", "Give a file with one a line."
            ) from error
        found = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
        if not found:
            raise SettingError(f"{file} holds no token", "Write one a line, such as openssl rand -hex 32 gives.")
        tokens += found
    for token in tokens:
        if len(token) < _SHORTEST or not token.isascii() or not token.isprintable() or " " in token:
            raise SettingError(
                f"a token in {where} is shorter than {_SHORTEST} letters, or holds what a header cannot",
                "Make one with: openssl rand -hex 32",
            )
    return Tokens(tuple(tokens))


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address or a name; raises `SettingError` where it is none."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SettingError(f"--host {host} is no address of this machine", "Use 127.0.0.1, or leave it out.") from error
    return bool(found) and all(ipaddress.ip_address(str(one[4][0]).partition("%")[0]).is_loopback for one in found)


def check_address(host: str, tokens: Tokens) -> None:
    """Raise `SettingError` where others could reach a server that asks for no token."""
    if not tokens and not is_loopback(host):
        raise SettingError(
            f"--host {host} can be reached by others, and there are no tokens",
            f"Give --tokens FILE, or set {VARIABLE}; or leave --host out.",
        )
