"""Commands in Home Assistant: a device that appears there by itself, through MQTT discovery.

One retained message describes the device (Home Assistant 2024.11 and later,
https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload): an event entity whose event types are the
commands, and a device trigger for each command, for automations. What is heard goes to one topic as JSON, never
retained, as Home Assistant passes over retained events.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import assay
from assay.serving._action_tables import Table
from assay.serving.action_mqtt import checked_topic
from assay.serving.mqtt_broker import Message

_KEYS = ("id", "name", "prefix", "topic", "at_least", "most_per_minute")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class HomeAssistant:
    """How the device appears.

    Attributes:
        id: what tells it from all others, in letters, digits, _ and -.
        name: what people call it.
        prefix: where Home Assistant looks for descriptions.
        topic: under which its own messages go.
        at_least: the confidence that a command takes to be told, from 0 to 1.
        most_per_minute: commands that are told within any 60 s, at most.
    """

    id: str
    name: str
    prefix: str
    topic: str
    at_least: float = 0.0
    most_per_minute: int = 60

    @property
    def will(self) -> Message:
        """What says that nobody listens any more."""
        return Message(f"{self.topic}/status", b"offline", 1, True)

    def birth(self, commands: Sequence[str]) -> tuple[Message, ...]:
        """What describes the device and says that it listens."""
        config = _json(self._description(commands))
        return (
            Message(f"{self.prefix}/device/{self.id}/config", config, 1, True),
            Message(f"{self.topic}/status", b"online", 1, True),
        )

    def event(self, command: str, confidence: float) -> Message:
        """What says that a command was heard."""
        told = {"event_type": command, "confidence": confidence, "key": _key(command)}
        return Message(f"{self.topic}/event", _json(told), 1)

    def _description(self, commands: Sequence[str]) -> dict[str, Any]:
        topic = f"{self.topic}/event"
        parts: dict[str, Any] = {
            "command": {
                "platform": "event",
                "name": "Command",
                "unique_id": f"{self.id}_command",
                "icon": "mdi:microphone-message",
                "event_types": list(commands),
                "state_topic": topic,
                "availability": [{"topic": f"{self.topic}/status"}],
                "qos": 1,
            }
        }
        for command in commands:
            key = _key(command)
            parts[key] = {
                "platform": "device_automation",
                "unique_id": f"{self.id}_{key}",
                "automation_type": "trigger",
                "type": "heard",
                "subtype": command,
                "topic": topic,
                "value_template": "{{ value_json.key }}",
                "payload": key,
                "qos": 1,
            }
        return {
            "device": {"identifiers": [self.id], "name": self.name, "manufacturer": "Assay", "model": "Voice commands"},
            "origin": {"name": "assay", "sw_version": assay.__version__},
            "components": parts,
        }


def read_home_assistant(table: Table) -> HomeAssistant:
    """The table `home_assistant`; raises `DataError`."""
    table.only(_KEYS)
    name = table.text("id", "assay")
    if not _ID.fullmatch(name):
        raise table.error("id", f"is {name!r}", "Use up to 64 letters without accents, digits, _ and -.")
    return HomeAssistant(
        name,
        table.text("name", "Assay"),
        checked_topic(table, "prefix", "homeassistant"),
        checked_topic(table, "topic", f"assay/{name}"),
        table.number("at_least", 0.0, 0.0, 1.0),
        table.whole("most_per_minute", 60, 1, 600),
    )


def _key(command: str) -> str:
    """Stands for a command where Home Assistant would take its name for a template."""
    return f"heard_{hashlib.sha256(command.encode()).hexdigest()[:12]}"


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
