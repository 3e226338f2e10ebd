"""What follows from commands, as a file says it (actions.toml): nothing runs that stands not there.

The file is read and checked as a whole before anything is listened to; docs/listen.md shows one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from assay.errors import DataError, did_you_mean
from assay.serving._action_tables import Table, read_toml
from assay.serving.action import Action
from assay.serving.action_mqtt import Publication, read_publication
from assay.serving.action_program import read_program
from assay.serving.action_url import read_url
from assay.serving.home_assistant import HomeAssistant, read_home_assistant
from assay.serving.mqtt_broker import BrokerSettings, read_broker

#: By the key that makes an action one of a kind, what reads it.
KINDS: Mapping[str, Callable[[str, Table], Action]] = {
    "run": read_program,
    "url": read_url,
    "topic": read_publication,
}


@dataclass(frozen=True)
class Actions:
    """What a file says.

    Attributes:
        file: the file.
        actions: in their order.
        broker: where messages go; None where none is published.
        home_assistant: how commands appear there; None where they do not.
        secrets: the names of environment variables that hold secrets of the file.
    """

    file: Path
    actions: tuple[Action, ...]
    broker: BrokerSettings | None = None
    home_assistant: HomeAssistant | None = None
    secrets: frozenset[str] = frozenset()

    def check_commands(self, commands: Collection[str]) -> None:
        """Raise `DataError` where an action follows a command that is never heard.

        Args:
            commands: those that can be heard.
        """
        if not commands:
            hint = "Leave --actions out, or train voice commands."
            raise DataError("this run hears no commands that anything could follow", hint, file=str(self.file))
        for action in self.actions:
            if action.command not in commands:
                hint = did_you_mean(action.command, commands) or f"Known: {', '.join(sorted(commands)[:9])}."
                place = f"actions.{action.name}.command"
                raise DataError(f"{place}: {action.command!r} is no command of this run", hint, file=str(self.file))


def read_actions(file: Path) -> Actions:
    """Read and check an actions.toml.

    Raises:
        DataError: something in it is not possible; the message names the file and the key.
    """
    whole = Table(file, "", read_toml(file))
    whole.only(("actions", "mqtt", "home_assistant"))
    listed, mqtt, home = whole.table("actions"), whole.table("mqtt"), whole.table("home_assistant")
    actions = [] if listed is None else [_read_action(listed, name) for name in listed.values]
    if not actions and home is None:
        raise whole.error("actions", "names nothing that is to be done", "Write an action as [actions.NAME].")
    publishing = [action for action in actions if isinstance(action, Publication)]
    if mqtt is None and (publishing or home is not None):
        user = "home_assistant" if home is not None else f"actions.{publishing[0].name}"
        raise whole.error("mqtt", f"is missing, and {user} publishes", 'Add [mqtt] with host = "…".')
    broker = None if mqtt is None else read_broker(mqtt)
    appearing = None if home is None else read_home_assistant(home)
    return Actions(file, tuple(actions), broker, appearing, frozenset(whole.secrets))


def _read_action(listed: Table, name: str) -> Action:
    table = listed.table(name)
    if table is None or not name:
        raise listed.error(name, "has no name", "Write it as [actions.NAME].")
    kinds = [key for key in KINDS if key in table.values]
    if len(kinds) != 1:
        known = ", ".join(KINDS)
        if not kinds:
            unknown = next((key for key in table.values if key != "command"), None)
            raise table.error("", f"says not what is to be done: it has none of {known}",
                              did_you_mean(unknown, KINDS) if unknown else f"Give one of {known}.")  # fmt: skip
        raise table.error(kinds[1], f"stands beside {kinds[0]}", f"Give one of {known}; make two actions of it.")
    return KINDS[kinds[0]](name, table)
