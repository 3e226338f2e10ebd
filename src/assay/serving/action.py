"""What follows from a command: the base of its kinds, `action_program`, `action_url` and `action_mqtt`."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from assay.serving._action_tables import Table

if TYPE_CHECKING:
    from assay.serving.mqtt_broker import Broker

#: The keys that every action has.
COMMON = ("command", "at_least", "most_per_minute", "timeout_s")


class ActionFailed(Exception):
    """An action did not do what it should; its text says why."""


@dataclass
class Means:
    """What an action works with.

    Attributes:
        broker: where messages are published; None where the file names none.
        stop: set when nothing is to go on.
        secrets: environment variables that no program is given.
    """

    broker: Broker | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    secrets: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Action(ABC):
    """Something that is done when a command is heard; all of it stands in the file, nothing comes from what was heard.

    Attributes:
        name: what the file calls it.
        command: the command that it follows.
        at_least: the confidence that it takes, from 0 to 1.
        most_per_minute: how often it may happen within any 60 s.
        timeout_s: seconds after which it is given up.
    """

    name: str
    command: str
    at_least: float = 0.0
    most_per_minute: int = 20
    timeout_s: float = 10.0

    @abstractmethod
    def describe(self) -> str:
        """What it does, in a few words that hold no secret."""

    @abstractmethod
    def execute(self, means: Means) -> None:
        """Do it, within `timeout_s`.

        Raises:
            ActionFailed: it did not work.
        """


@dataclass(frozen=True)
class CommonKeys:
    """The values of the keys that every action has."""

    command: str
    at_least: float
    most_per_minute: int
    timeout_s: float


def common_keys(table: Table) -> CommonKeys:
    """Read them; raises `DataError`."""
    return CommonKeys(
        table.text("command"),
        table.number("at_least", 0.0, 0.0, 1.0),
        table.whole("most_per_minute", 20, 1, 600),
        table.number("timeout_s", 10.0, 0.1, 600.0),
    )
