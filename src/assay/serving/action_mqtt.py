"""A command publishes a message that stands in the file."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from assay.serving._action_tables import Table
from assay.serving.action import COMMON, Action, ActionFailed, Means, common_keys
from assay.serving.mqtt_broker import Message

#: Bytes of a topic: 65,535 at most, less what Home Assistant's names add.
_LONGEST = 65_000


@dataclass(frozen=True, kw_only=True)
class Publication(Action):
    """Publishes a message to the broker of the file.

    Attributes:
        message: topic, payload, quality of service, whether it is retained.
    """

    message: Message

    def describe(self) -> str:
        """See `Action.describe`."""
        text = self.message.payload.decode()
        short = text if len(text) <= 60 else text[:57] + "…"
        return f"publish {short!r} to {self.message.topic}"

    def execute(self, means: Means) -> None:
        """See `Action.execute`."""
        if means.broker is None:
            raise ActionFailed("there is no broker")
        means.broker.publish(self.message, self.timeout_s, means.stop)


def read_publication(name: str, table: Table) -> Publication:
    """An action that has the key `topic`; raises `DataError`."""
    table.only((*COMMON, "topic", "payload", "json", "qos", "retain"))
    topic = checked_topic(table, "topic")
    message = Message(
        topic, table.content("payload", "json"), table.whole("qos", 0, 0, 2), table.truth("retain", False)
    )
    return Publication(name=name, message=message, **vars(common_keys(table)))


def checked_topic(table: Table, key: str, default: str | None = None) -> str:
    """A topic that one can publish to; raises `DataError`."""
    topic = table.text(key, default)
    steering = any(unicodedata.category(sign) == "Cc" for sign in topic)  # a broker may end the connection over one
    if steering or any(sign in topic for sign in "+#") or topic.startswith("$") or len(topic.encode()) > _LONGEST:
        hint = ("A topic is text such as home/light, on one line; + and # are for those who subscribe, $ is the "
                "broker's own.")  # fmt: skip
        raise table.error(key, f"is {topic!r}, to which nobody can publish", hint)
    return topic
