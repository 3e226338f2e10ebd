"""What is said where only Arrow itself will do."""

from __future__ import annotations

from assay.errors import MissingExtraError


class NotInStandIn(MissingExtraError, AttributeError):
    """The stand-in lacks something of Arrow's: `hasattr` finds nothing, and a user is told what to install."""


def missing(what: str) -> NotInStandIn:
    """The error for something that needs Arrow."""
    return NotInStandIn(what, "arrow")
