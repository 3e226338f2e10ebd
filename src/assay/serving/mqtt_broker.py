"""The MQTT broker that an actions.toml names, and the connection to it.

A message that the broker did not take in time is thrown away, never sent later: a light that goes on an hour after it
was asked for is worse than one that stays dark.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assay.errors import MissingExtraError, SettingError
from assay.serving._action_tables import Table
from assay.serving.action import ActionFailed

if TYPE_CHECKING:
    from paho.mqtt.client import Client

_KEYS = ("host", "port", "tls", "ca_file", "user_from", "password_from", "client_id", "timeout_s")
_POLL_S, _KEEP_ALIVE_S = 0.02, 30
#: Seconds between two attempts to connect anew: at first, and at most.
_AGAIN_S, _AGAIN_MOST_S = 1, 5


@dataclass(frozen=True)
class Message:
    """What is published.

    Attributes:
        topic: where.
        payload: what, as bytes.
        qos: 0 at most once, 1 at least once, 2 exactly once.
        retain: the broker keeps it for those who subscribe later.
    """

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False


@dataclass(frozen=True)
class BrokerSettings:
    """Where the broker is and who one is there; `None` for what is not needed.

    Attributes:
        host: its name or address.
        port: 1883 by default, 8883 with TLS.
        tls: the connection is encrypted, and the broker's certificate checked.
        ca_file: certificates that are trusted instead of the system's.
        user: out of the environment.
        password: likewise.
        client_id: under which name one connects; two connections of the same name throw each other out.
        timeout_s: seconds for connecting.
    """

    host: str
    port: int
    tls: bool = False
    ca_file: str | None = None
    user: str | None = None
    password: str | None = None
    client_id: str = ""
    timeout_s: float = 10.0

    def __repr__(self) -> str:
        """Without the password."""
        return f"mqtt{'s' if self.tls else ''}://{self.host}:{self.port}"


def read_broker(table: Table) -> BrokerSettings:
    """The table `mqtt`; raises `DataError`."""
    table.only(_KEYS)
    tls = table.truth("tls", False)
    ca_file: str | None = None
    if "ca_file" in table.values:
        place = table.file.resolve().parent / table.text("ca_file")
        if not tls:
            raise table.error("ca_file", "stands beside tls = false", "Write tls = true.")
        if not place.is_file():
            raise table.error("ca_file", f"{place} is no file", "Give the certificates as a PEM file.")
        ca_file = str(place)
    user, password = table.secret("user_from"), table.secret("password_from")
    if password is not None and user is None:
        raise table.error("password_from", "stands without user_from", "Name the variable with the user, too.")
    return BrokerSettings(
        table.text("host"),
        table.whole("port", 8883 if tls else 1883, 1, 65_535),
        tls,
        ca_file,
        user,
        password,
        table.text("client_id", "", empty=True),
        table.number("timeout_s", 10.0, 0.1, 120.0),
    )


class Broker:
    """A connection that is kept, and made anew where it is lost: by itself, and at once where there is a message.

    Args:
        settings: where it leads.
        birth: what is published after each connection.
        will: what the broker publishes once the connection is lost, and this at its end.
    """

    def __init__(self, settings: BrokerSettings, birth: Sequence[Message] = (), will: Message | None = None) -> None:
        self.settings = settings
        self._birth, self._will = tuple(birth), will
        self._client: Client | None = None
        self._refused = ""

    def connect(self) -> None:
        """Connect.

        Raises:
            SettingError: the broker is not there, or does not let one in.
            MissingExtraError: paho-mqtt is not installed.
        """
        try:
            client = self._new_client()
            try:
                client.connect(self.settings.host, self.settings.port, _KEEP_ALIVE_S)
            except (OSError, ValueError) as error:
                raise ActionFailed(str(error) or type(error).__name__) from error
            self._take(client)
            self._connected_client(time.monotonic() + self.settings.timeout_s, threading.Event())
        except ActionFailed as error:
            self.drop()
            hint = "Check host, port, tls, user_from and password_from under [mqtt], and that the broker runs."
            raise SettingError(f"the MQTT broker {self.settings!r} cannot be used: {error}", hint) from error

    def publish(self, message: Message, timeout_s: float, stop: threading.Event) -> None:
        """Publish a message and wait until the broker has it (QoS 0: until it is sent).

        Where the connection is lost, it is made anew first, within the same time.

        Raises:
            ActionFailed: that did not happen in time; it will not happen later.
        """
        until = time.monotonic() + timeout_s
        if self._client is None or not self._client.is_connected():
            self._begin()
        client = self._connected_client(until, stop)
        try:
            info = client.publish(message.topic, message.payload, message.qos, message.retain)
            while not info.is_published():
                if stop.is_set() or time.monotonic() > until:
                    raise ActionFailed("stopped" if stop.is_set() else f"the broker took longer than {timeout_s:g} s")
                time.sleep(_POLL_S)
        except (RuntimeError, ValueError) as error:
            self._begin()
            raise ActionFailed(str(error)) from error
        except ActionFailed:
            self._begin()
            raise

    def close(self) -> None:
        """Say goodbye."""
        if self._client is not None and self._client.is_connected() and self._will is not None:
            with suppress(ActionFailed):
                self.publish(self._will, 2.0, threading.Event())
        self.drop()

    def drop(self, *, torn: bool = False) -> None:
        """Give the connection up, with all that waits in it.

        Args:
            torn: without a goodbye, so that the broker publishes the will.
        """
        client, self._client = self._client, None
        if client is None:
            return
        client.on_connect = None
        client.on_socket_open = _shut  # what waits in it is not sent by an attempt that is under way either
        line = client.socket()
        if torn and line is not None:
            _shut(client, None, line)
        client.disconnect()
        # It ends by itself, but maybe only once an attempt to connect has failed; that holds nobody.
        ending = threading.Thread(target=client.loop_stop, daemon=True)
        ending.start()
        ending.join(0.0 if torn else 1.0)

    def _begin(self) -> None:
        """Tear the connection, with all that waits in it, and go on trying to make a new one, until it is there."""
        self.drop(torn=True)
        client = self._new_client()
        client.connect_async(self.settings.host, self.settings.port, _KEEP_ALIVE_S)
        self._take(client)

    def _take(self, client: Client) -> None:
        self._refused = ""
        self._client = client
        client.loop_start()

    def _connected_client(self, until: float, stop: threading.Event) -> Client:
        """Wait for the connection; raises `ActionFailed` where it does not come in time."""
        while self._client is None or not self._client.is_connected():
            if self._refused or stop.is_set() or time.monotonic() > until:
                raise ActionFailed(self._refused or ("stopped" if stop.is_set() else "the broker does not answer"))
            time.sleep(_POLL_S)
        return self._client

    def _new_client(self) -> Client:
        try:
            from paho.mqtt.client import Client
            from paho.mqtt.enums import CallbackAPIVersion
        except ImportError as error:
            raise MissingExtraError("publishing to MQTT", "listen") from error
        settings = self.settings
        client = Client(CallbackAPIVersion.VERSION2, client_id=settings.client_id)
        client.max_queued_messages_set(20)
        client.reconnect_delay_set(_AGAIN_S, _AGAIN_MOST_S)
        client.connect_timeout = settings.timeout_s
        if settings.user is not None:
            client.username_pw_set(settings.user, settings.password)
        if settings.tls:
            try:
                client.tls_set_context(ssl.create_default_context(cafile=settings.ca_file))
            except (OSError, ssl.SSLError) as error:
                raise ActionFailed(f"the certificates in {settings.ca_file} cannot be read ({error})") from error
        if self._will is not None:
            client.will_set(self._will.topic, self._will.payload, self._will.qos, self._will.retain)
        client.on_connect = self._connected
        return client

    def _connected(self, client: Client, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._refused = str(reason)
            return
        for message in self._birth:
            client.publish(message.topic, message.payload, message.qos, message.retain)


def _shut(client: Client, data: Any, line: Any) -> None:
    with suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
