"""Publishing, against a real broker; and what Home Assistant is told."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from pathlib import Path

import pytest
from local_servers import LocalBroker, free_port, needs_mosquitto, wait_for

from assay.errors import SettingError
from assay.serving.action import ActionFailed, Means
from assay.serving.action_runner import ActionRunner
from assay.serving.actions import Actions, read_actions
from assay.serving.listening import Heard
from assay.serving.mqtt_broker import Broker, BrokerSettings, Message

LIGHT = """
[actions.light]
command = "on"
topic = "home/light $(x)"
payload = "ON; \\"☂\\""
qos = 2
retain = true

[actions.scene]
command = "on"
topic = "home/scene"
json = { name = "evening", level = 3 }
"""
HOME = '[home_assistant]\nid = "kitchen"\nname = "Kitchen ear"\n'


def read(folder: Path, text: str, port: int, more: str = "") -> Actions:
    file = folder / "actions.toml"
    file.write_text(f'{text}\n[mqtt]\nhost = "127.0.0.1"\nport = {port}\ntimeout_s = 3\n{more}', encoding="utf-8")
    return read_actions(file)


def settings(port: int) -> BrokerSettings:
    return BrokerSettings("127.0.0.1", port, timeout_s=3)


def test_what_the_file_says_is_published(tmp_path: Path, broker: LocalBroker) -> None:
    broker.read()
    told: list[str] = []
    runner = ActionRunner(read(tmp_path, LIGHT, broker.port), ["on", "off"], told.append)
    runner.start()
    runner.follow(Heard("on", 0.9, 1.0, 1.5, 1.6))
    runner.close()
    wait_for(lambda: len(broker.messages) == 2)
    light, scene = sorted(broker.messages, key=lambda message: message.topic)
    assert (light.topic, light.payload.decode(), light.qos) == ("home/light $(x)", 'ON; "☂"', 2)
    assert json.loads(scene.payload) == {"name": "evening", "level": 3}
    assert [line.split(":")[0] for line in told] == ["light", "scene"]
    assert all("done" in line for line in told)
    later = LocalReader(broker)
    assert later.retained() == [("home/light $(x)", 'ON; "☂"')]


class LocalReader:
    """Somebody who comes later and gets what the broker kept."""

    def __init__(self, broker: LocalBroker) -> None:
        broker.messages.clear()
        broker._reader.unsubscribe("#")
        broker._reader.subscribe("#")
        self._broker = broker

    def retained(self) -> list[tuple[str, str]]:
        wait_for(lambda: self._broker.messages)
        return [(one.topic, one.payload.decode()) for one in self._broker.messages if one.retain]


def test_home_assistant_finds_the_commands_by_itself(tmp_path: Path, broker: LocalBroker) -> None:
    broker.read()
    commands = ["on", "lights {{ off }}"]
    runner = ActionRunner(read(tmp_path, HOME, broker.port), commands, print)
    runner.start()
    followed = runner.follow(Heard("lights {{ off }}", 0.91, 1.0, 1.5, 1.6))
    assert [(one.action, one.status) for one in followed] == [("home_assistant", "queued")]
    runner.close()
    wait_for(lambda: len(broker.messages) == 4)
    (config_topic, config), online, event, offline = broker.told()
    assert config_topic == "homeassistant/device/kitchen/config"
    assert (online, offline) == (("assay/kitchen/status", "online"), ("assay/kitchen/status", "offline"))
    assert event[0] == "assay/kitchen/event"
    told = json.loads(event[1])
    assert (told["event_type"], told["confidence"]) == ("lights {{ off }}", 0.91)

    device = json.loads(config)
    assert set(device) == {"device", "origin", "components"}
    assert device["device"]["identifiers"] == ["kitchen"]
    assert device["origin"]["name"] == "assay"
    parts = list(device["components"].values())
    (entity,) = [part for part in parts if part["platform"] == "event"]
    assert entity["event_types"] == commands
    assert entity["state_topic"] == event[0]
    assert entity["availability"] == [{"topic": online[0]}]
    triggers = {part["subtype"]: part for part in parts if part["platform"] == "device_automation"}
    assert set(triggers) == set(commands)
    for trigger in triggers.values():
        assert trigger["automation_type"] == "trigger"
        assert trigger["topic"] == event[0]
        assert trigger["value_template"] == "{{ value_json.key }}"
        assert "{{" not in trigger["payload"]  # Home Assistant renders it
    assert triggers["lights {{ off }}"]["payload"] == told["key"] != triggers["on"]["payload"]
    assert len({part["unique_id"] for part in parts}) == 3
    kept = dict(LocalReader(broker).retained())
    assert kept == {config_topic: config, "assay/kitchen/status": "offline"}  # no event is kept


def test_who_dies_is_offline(tmp_path: Path, broker: LocalBroker) -> None:
    broker.read()
    actions = read(tmp_path, HOME, broker.port)
    assert actions.home_assistant is not None
    line = Broker(settings(broker.port), actions.home_assistant.birth(["on"]), actions.home_assistant.will)
    line.connect()
    wait_for(lambda: ("assay/kitchen/status", "online") in broker.told())
    client = line._client
    assert client is not None
    client.socket().close()  # type: ignore[union-attr]
    wait_for(lambda: ("assay/kitchen/status", "offline") in broker.told())
    line.drop()


def test_a_broker_that_asks_who_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_mosquitto()
    passwords = tmp_path / "passwords"
    made = subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "ear", "s3cret"], capture_output=True)
    if made.returncode:
        pytest.skip("mosquitto_passwd does not work here")
    broker = LocalBroker(tmp_path, f"allow_anonymous false\npassword_file {passwords}\n")
    try:
        monkeypatch.setenv("MQTT_USER_X", "ear")
        for password, accepted in (("wrong", False), ("s3cret", True)):
            monkeypatch.setenv("MQTT_PASSWORD_X", password)
            more = 'user_from = "MQTT_USER_X"\npassword_from = "MQTT_PASSWORD_X"\n'
            actions = read(tmp_path, LIGHT, broker.port, more)
            assert password not in f"{actions.broker!r}"
            runner = ActionRunner(actions, ["on"], print)
            if accepted:
                runner.start()
                runner.close()
            else:
                with pytest.raises(SettingError, match=r"cannot be used.*[Nn]ot authori") as caught:
                    runner.start()
                assert "user_from" in caught.value.hint
                assert password not in caught.value.message
    finally:
        broker.close()


def test_encrypted_with_a_certificate_that_is_checked(tmp_path: Path) -> None:
    needs_mosquitto()
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"],
        capture_output=True,
    )  # fmt: skip
    if made.returncode:
        pytest.skip("openssl does not work here")
    files = f"certfile {tmp_path / 'cert.pem'}\nkeyfile {tmp_path / 'key.pem'}\n"
    broker = LocalBroker(tmp_path, "allow_anonymous true\n" + files)
    try:
        trusted = read(tmp_path, LIGHT, broker.port, 'tls = true\nca_file = "cert.pem"\n')
        runner = ActionRunner(trusted, ["on"], print)
        runner.start()
        runner.close()
        with pytest.raises(SettingError, match="certificate"):
            ActionRunner(read(tmp_path, LIGHT, broker.port, "tls = true\n"), ["on"], print).start()
    finally:
        broker.close()


def test_a_broker_that_is_not_there(tmp_path: Path) -> None:
    pytest.importorskip("paho.mqtt", reason="paho-mqtt is not installed")
    port = free_port()
    runner = ActionRunner(read(tmp_path, LIGHT, port), ["on"], print)
    with pytest.raises(SettingError, match=f"mqtt://127.0.0.1:{port} cannot be used") as caught:
        runner.start()
    assert "[mqtt]" in caught.value.hint


def test_what_a_lost_broker_did_not_take_is_never_sent_later(broker: LocalBroker) -> None:
    line = Broker(settings(broker.port))
    line.connect()
    broker.stop()
    wait_for(lambda: line._client is not None and not line._client.is_connected())
    for qos in (0, 1, 2):
        with pytest.raises(ActionFailed):
            line.publish(Message("home/light", b"late", qos), 0.5, threading.Event())
    broker.start()
    broker.read()
    line.publish(Message("home/light", b"now", 1), 3, threading.Event())
    wait_for(lambda: broker.messages)
    assert broker.told() == [("home/light", "now")]
    line.close()


def test_the_connection_and_the_birth_come_back_by_themselves(broker: LocalBroker) -> None:
    line = Broker(settings(broker.port), [Message("assay/x/status", b"online", 1, True)])
    line.connect()
    broker.stop()
    wait_for(lambda: line._client is not None and not line._client.is_connected())
    broker.start()
    broker.read()
    wait_for(lambda: ("assay/x/status", "online") in broker.told())
    line.close()


def lose(line: Broker, broker: LocalBroker) -> None:
    broker.stop()
    wait_for(lambda: line._client is not None and not line._client.is_connected())


def test_the_next_command_after_a_lost_broker_arrives(broker: LocalBroker) -> None:
    line = Broker(settings(broker.port))
    line.connect()
    lose(line, broker)
    threading.Timer(0.7, broker.start).start()  # while the message waits
    line.publish(Message("home/light", b"on", 1, True), 20, threading.Event())
    broker.read()
    wait_for(lambda: broker.told() == [("home/light", "on")])
    line.close()


def test_after_a_failure_the_connection_comes_back_without_another_message(broker: LocalBroker) -> None:
    line = Broker(settings(broker.port), [Message("assay/x/status", b"online", 1, True)])
    line.connect()
    lose(line, broker)
    with pytest.raises(ActionFailed, match="does not answer"):
        line.publish(Message("home/light", b"late", 1), 0.3, threading.Event())
    broker.start()
    broker.read()
    wait_for(lambda: ("assay/x/status", "online") in broker.told())
    assert ("home/light", "late") not in broker.told()
    line.close()


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="a process cannot be held here")
def test_a_broker_that_hangs_publishes_the_will_once_it_goes_on(broker: LocalBroker) -> None:
    broker.read()
    will = Message("assay/x/status", b"offline", 1)
    line = Broker(settings(broker.port), [Message("assay/x/status", b"online", 1)], will)
    line.connect()
    wait_for(lambda: broker.told() == [("assay/x/status", "online")])
    broker._process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(ActionFailed, match="longer than"):
            line.publish(Message("home/light", b"late", 1), 0.3, threading.Event())
    finally:
        broker._process.send_signal(signal.SIGCONT)
    wait_for(lambda: broker.told().count(("assay/x/status", "online")) == 2)
    assert ("assay/x/status", "offline") in broker.told()
    line.close()


def test_what_cannot_be_published_is_a_failure_and_no_bug(broker: LocalBroker) -> None:
    line = Broker(settings(broker.port))
    line.connect()
    for topic in ("home/#", "x" * 70_000):
        with pytest.raises(ActionFailed):
            line.publish(Message(topic, b"on"), 3, threading.Event())
    line.close()


def test_a_machine_that_needs_a_broker_skips_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local_servers.MOSQUITTO", None)
    monkeypatch.setenv("ASSAY_NEEDS", "mosquitto")
    with pytest.raises(AssertionError, match="ASSAY_NEEDS"):
        needs_mosquitto()


def test_publishing_without_a_broker_fails(tmp_path: Path) -> None:
    for action in read(tmp_path, LIGHT, 1).actions:
        with pytest.raises(ActionFailed):
            action.execute(Means())
