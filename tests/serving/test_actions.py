"""An actions.toml: what it can say, what each kind of action does, and how it is refused."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from local_servers import LocalWeb

from assay.errors import DataError
from assay.serving.action import ActionFailed, Means
from assay.serving.action_program import Program
from assay.serving.actions import Actions, read_actions

#: What breaks a shell, a quoting, or an encoding.
ODD = [
    "a b",
    "",
    "; touch owned",
    "$(touch owned)",
    "`touch owned`",
    "'\"",
    "*",
    "-rf",
    "&& true",
    "%PATH%",
    "Zürich ☂",
]


def written(folder: Path, text: str) -> Path:
    file = folder / "actions.toml"
    file.write_text(text, encoding="utf-8")
    return file


def one(folder: Path, keys: str, rest: str = "") -> Actions:
    return read_actions(written(folder, f'[actions.it]\ncommand = "on"\n{keys}\n{rest}'))


def toml(value: object) -> str:
    """JSON text and lists are TOML, too."""
    return json.dumps(value, ensure_ascii=False)


# What is refused ------------------------------------------------------------------------------------------------------

PROGRAM = f"run = [{json.dumps(sys.executable)}]"
BROKER = '[mqtt]\nhost = "localhost"\n'


@pytest.mark.parametrize(("text", "words"), [
    ("", ["actions", "nothing"]),
    ("[actions]", ["actions", "nothing"]),
    ("actions = 3", ["actions", "not a table"]),
    ("[actions.a\n", ["row 1", "TOML"]),
    ('[actions.a]\nrun = ["true"]\nrun = ["true"]\n', ["row 3", "TOML"]),
    ("[action.a]", ["action", "Did you mean 'actions'?"]),
    ("[actions]\na = 1", ["actions.a", "not a table"]),
    ("[actions.a]\n" + PROGRAM, ["actions.a.command", "missing"]),
    ('[actions.a]\ncommand = "on"', ["actions.a", "none of run, url, topic"]),
    ('[actions.a]\ncommand = "on"\nrunn = ["true"]', ["actions.a", "Did you mean 'run'?"]),
    ('[actions.a]\ncommand = "on"\nurl = "http://h"\n' + PROGRAM, ["actions.a.url", "beside run"]),
    ('[actions.a]\ncommand = 3\n' + PROGRAM, ["actions.a.command", "not text"]),
    ('[actions.a]\ncommand = ""\n' + PROGRAM, ["actions.a.command", "empty"]),
    ('[actions.a]\ncommand = "on"\nshell = true\n' + PROGRAM, ["actions.a.shell", "no key"]),
    ('[actions.a]\ncommand = "on"\nat_least = 90\n' + PROGRAM, ["actions.a.at_least", "from 0 to 1"]),
    ('[actions.a]\ncommand = "on"\nat_least = nan\n' + PROGRAM, ["actions.a.at_least", "from 0 to 1"]),
    ('[actions.a]\ncommand = "on"\nmost_per_minute = 0\n' + PROGRAM, ["actions.a.most_per_minute", "from 1 to 600"]),
    ('[actions.a]\ncommand = "on"\nmost_per_minute = 2.5\n' + PROGRAM, ["actions.a.most_per_minute", "whole"]),
    ('[actions.a]\ncommand = "on"\ntimeout_s = true\n' + PROGRAM, ["actions.a.timeout_s", "true"]),
    ('[actions.a]\ncommand = "on"\nrun = "reboot now"', ["actions.a.run", "not a list", "each argument by itself"]),
    ('[actions.a]\ncommand = "on"\nrun = []', ["actions.a.run", "no program"]),
    ('[actions.a]\ncommand = "on"\nrun = ["true", 3]', ["actions.a.run", "not a list of text"]),
    ('[actions.a]\ncommand = "on"\nrun = ["true", "\\u0000"]', ["actions.a.run"]),
    ('[actions.a]\ncommand = "on"\nrun = ["no-such-program"]', ["actions.a.run", "no-such-program"]),
    ('[actions.a]\ncommand = "on"\nrun = ["python --version"]', ["actions.a.run", "no shell"]),
    ('[actions.a]\ncommand = "on"\nrun = ["./not-there"]', ["actions.a.run", "not-there"]),
    ('[actions.a]\ncommand = "on"\nfolder = "nowhere"\n' + PROGRAM, ["actions.a.folder", "nowhere"]),
    ('[actions.a]\ncommand = "on"\nurl = "file:///etc/passwd"', ["actions.a.url", "http"]),
    ('[actions.a]\ncommand = "on"\nurl = "http://"', ["actions.a.url"]),
    ('[actions.a]\ncommand = "on"\nurl = "http://h:port/"', ["actions.a.url"]),
    ('[actions.a]\ncommand = "on"\nurl = "http://h/a b"', ["actions.a.url", "%20"]),
    ('[actions.a]\ncommand = "on"\nurl = "http://me:secret@h/"', ["actions.a.url", "headers_from"]),
    ('[actions.a]\ncommand = "on"\nurl = "http://h"\nmethod = "BREW"', ["actions.a.method", "BREW"]),
    ('[actions.a]\ncommand = "on"\nurl = "http://h"\nheaders = { A = "b\\r\\nC: d" }', ["actions.a.headers.A"]),
    ('[actions.a]\ncommand = "on"\nurl = "http://h"\nheaders = { "A B" = "b" }', ["actions.a.headers.A B"]),
    ('[actions.a]\ncommand = "on"\nurl = "http://h"\nheaders_from = { A = "NOT_SET_X" }',
     ["actions.a.headers_from.A", "NOT_SET_X"]),
    ('[actions.a]\ncommand = "on"\nurl = "http://h"\nheaders_from = { A = "Bearer abc" }', ["headers_from.A"]),
    ('[actions.a]\ncommand = "on"\nurl = "http://h"\nbody = "x"\njson = 1', ["actions.a.json", "beside body"]),
    ('[actions.a]\ncommand = "on"\nurl = "http://h"\njson = 2020-01-01', ["actions.a.json", "dates"]),
    ('[actions.a]\ncommand = "on"\ntopic = "home/light"', ["mqtt", "missing", "actions.a"]),
    ('[actions.a]\ncommand = "on"\ntopic = "home/+"\n' + BROKER, ["actions.a.topic", "home/+"]),
    ('[actions.a]\ncommand = "on"\ntopic = "home\\nlight"\n' + BROKER, ["actions.a.topic", "one line"]),
    ('[home_assistant]\ntopic = "home\\u007f"\n' + BROKER, ["home_assistant.topic", "one line"]),
    ('[actions.a]\ncommand = "on"\ntopic = "$SYS/x"\n' + BROKER, ["actions.a.topic"]),
    ('[actions.a]\ncommand = "on"\ntopic = "t"\nqos = 3\n' + BROKER, ["actions.a.qos", "from 0 to 2"]),
    ('[actions.a]\ncommand = "on"\ntopic = "t"\nqos = true\n' + BROKER, ["actions.a.qos"]),
    ('[actions.a]\ncommand = "on"\ntopic = "t"\nretain = "yes"\n' + BROKER, ["actions.a.retain", "true or false"]),
    ('[actions.a]\ncommand = "on"\ntopic = "t"\n[mqtt]\nport = 1883', ["mqtt.host", "missing"]),
    ('[actions.a]\ncommand = "on"\ntopic = "t"\n[mqtt]\nhost = "h"\nport = 70000', ["mqtt.port"]),
    ('[actions.a]\ncommand = "on"\ntopic = "t"\n[mqtt]\nhost = "h"\npassword = "x"',
     ["mqtt.password", "password_from"]),
    ('[actions.a]\ncommand = "on"\ntopic = "t"\n[mqtt]\nhost = "h"\npassword_from = "NOT_SET_X"',
     ["mqtt.password_from", "NOT_SET_X"]),
    ('[actions.a]\ncommand = "on"\ntopic = "t"\n[mqtt]\nhost = "h"\nca_file = "x"', ["mqtt.ca_file", "tls"]),
    ('[actions.a]\ncommand = "on"\ntopic = "t"\n[mqtt]\nhost = "h"\ntls = true\nca_file = "x"',
     ["mqtt.ca_file", "no file"]),
    ('[actions.a]\ncommand = "on"\nrun = ["~nobody-of-that-name/x"]', ["actions.a.run", "home"]),
    ('[actions.a]\ncommand = "on"\nmost_per_minute = ' + "9" * 5000 + "\n" + PROGRAM, ["TOML"]),
    ('[actions.a]\ncommand = "on"\nmost_per_minute = 0x' + "f" * 5000 + "\n" + PROGRAM,
     ["actions.a.most_per_minute", "digits"]),
    ("[home_assistant]", ["mqtt", "missing", "home_assistant"]),
    ('[home_assistant]\nid = "a b"\n' + BROKER, ["home_assistant.id", "a b"]),
    ('[home_assistant]\nprefix = "#"\n' + BROKER, ["home_assistant.prefix"]),
])  # fmt: skip
def test_what_is_wrong_is_told_with_file_and_key(tmp_path: Path, text: str, words: list[str]) -> None:
    file = written(tmp_path, text)
    with pytest.raises(DataError) as caught:
        read_actions(file)
    told = f"{caught.value.message} {caught.value.hint}"
    assert caught.value.message.startswith(str(file))
    assert caught.value.hint
    for word in words:
        assert word in told


def test_files_that_are_none(tmp_path: Path) -> None:
    for name, data in (("bytes", b"\xff\xfe\x00"), ("large", b"#" * 1_000_001), ("deep", b"a = " + b"[" * 50_000)):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match=name):
            read_actions(tmp_path / name)
    for missing in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(DataError, match="cannot be read"):
            read_actions(missing)


@pytest.mark.skipif(sys.platform == "win32", reason="its environment is Unicode")
def test_a_secret_that_is_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER_X", "me")
    monkeypatch.setenv("PASSWORD_X", b"\xff\xfe".decode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match="PASSWORD_X is not UTF-8"):
        one(tmp_path, 'topic = "t"', BROKER + 'user_from = "USER_X"\npassword_from = "PASSWORD_X"\n')


def test_a_command_that_is_never_heard(tmp_path: Path) -> None:
    actions = one(tmp_path, PROGRAM)
    actions.check_commands(["on", "off"])
    with pytest.raises(DataError, match=r"actions\.it\.command: 'on'") as caught:
        actions.check_commands(["one", "two"])
    assert caught.value.hint == "Did you mean 'one'?"


# Programs -------------------------------------------------------------------------------------------------------------


def test_arguments_arrive_as_they_are_and_no_shell_sees_them(
    tmp_path: Path, recorder: tuple[list[str], Callable[[], list[list[str]]]]
) -> None:
    program, told = recorder
    (action,) = one(tmp_path, f"run = {toml([*program, *ODD])}").actions
    action.execute(Means())
    assert told() == [ODD]
    assert not (tmp_path / "owned").exists()
    assert "touch" in action.describe()


def test_a_program_runs_in_its_folder_and_its_failure_is_told(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    code = "import pathlib, sys; pathlib.Path('here').touch(); sys.exit(3)"
    (action,) = one(tmp_path, f'folder = "there"\nrun = {toml([sys.executable, "-c", code])}').actions
    with pytest.raises(ActionFailed, match="exit status 3"):
        action.execute(Means())
    assert (tmp_path / "there" / "here").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="what a program started goes on there, as docs/listen.md says")
def test_a_program_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    child = "import time, pathlib; time.sleep(3); pathlib.Path('late').touch()"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    (action,) = one(tmp_path, f"timeout_s = 0.5\nrun = {toml([sys.executable, '-c', code])}").actions
    with pytest.raises(ActionFailed, match=r"0\.5 s"):
        action.execute(Means())
    time.sleep(4)
    assert not (tmp_path / "late").exists()


def test_a_program_is_stopped(tmp_path: Path) -> None:
    (action,) = one(tmp_path, f"run = {toml([sys.executable, '-c', 'import time; time.sleep(60)'])}").actions
    means, begun = Means(), time.monotonic()
    threading.Timer(0.3, means.stop.set).start()
    with pytest.raises(ActionFailed, match="stopped"):
        action.execute(means)
    assert time.monotonic() - begun < 10


def test_a_program_that_is_gone(tmp_path: Path) -> None:
    action = Program(name="it", command="on", arguments=(str(tmp_path / "gone"),), folder=tmp_path)
    with pytest.raises(ActionFailed, match="cannot be started"):
        action.execute(Means())


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are others there")
def test_a_batch_file_needs_a_shell(tmp_path: Path) -> None:
    batch = tmp_path / "run.bat"
    batch.write_text("echo")
    batch.chmod(0o755)
    with pytest.raises(DataError, match="shell"):
        one(tmp_path, 'run = ["./run.bat"]')


def test_a_program_beside_the_file_is_found_wherever_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lamp").write_text("#!/bin/sh\n")
    (tmp_path / "lamp").chmod(0o755)
    monkeypatch.chdir("/")
    (action,) = one(tmp_path, 'run = ["./lamp", "on"]').actions
    assert isinstance(action, Program)
    assert Path(action.arguments[0]).samefile(tmp_path / "lamp")
    with pytest.raises(DataError, match="no program 'lamp'"):  # without a folder it is looked for on the PATH
        one(tmp_path, 'run = ["lamp"]')


@pytest.mark.skipif(sys.platform == "win32", reason="programs have other names there")
def test_a_program_on_a_relative_path_is_run_in_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "there").mkdir()
    (tmp_path / "bin" / "real").write_text("#!/bin/sh\n/usr/bin/env touch here 2>/dev/null || /bin/touch here\n")
    (tmp_path / "bin" / "real").chmod(0o755)
    (tmp_path / "bin" / "lamp").symlink_to("real")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "bin")
    (action,) = one(tmp_path, 'folder = "there"\nrun = ["lamp"]').actions
    assert isinstance(action, Program)
    assert action.arguments == (str(tmp_path / "bin" / "lamp"),)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    action.execute(Means())
    assert (tmp_path / "there" / "here").exists()


# URLs -----------------------------------------------------------------------------------------------------------------


def test_a_url_is_called_as_the_file_says(tmp_path: Path, web: LocalWeb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_X", "Bearer secret")
    keys = (f'url = "{web.url}/light?room=1"\nmethod = "put"\njson = {{ state = "ON", level = 3 }}\n'
            'headers = { X-Odd = "$(x) ;" }\nheaders_from = { Authorization = "TOKEN_X" }')  # fmt: skip
    (action,) = one(tmp_path, keys).actions
    action.execute(Means())
    ((method, path, given, body),) = web.asked
    headers = {name.lower(): value for name, value in given.items()}
    assert (method, path, json.loads(body)) == ("PUT", "/light?room=1", {"state": "ON", "level": 3})
    assert headers["x-odd"] == "$(x) ;"
    assert headers["authorization"] == "Bearer secret"
    assert headers["content-type"] == "application/json"
    assert "secret" not in action.describe() + repr(action.describe())


def test_get_sends_no_body(tmp_path: Path, web: LocalWeb) -> None:
    one(tmp_path, f'url = "{web.url}/"\nmethod = "GET"').actions[0].execute(Means())
    one(tmp_path, f'url = "{web.url}/"').actions[0].execute(Means())
    assert [(method, body) for method, _, _, body in web.asked] == [("GET", b""), ("POST", b"")]


def test_text_is_sent_as_text_and_nothing_as_nothing(tmp_path: Path, web: LocalWeb) -> None:
    one(tmp_path, f'url = "{web.url}/"\nbody = "wärmer"').actions[0].execute(Means())
    one(tmp_path, f'url = "{web.url}/"\nbody = "<a/>"\nheaders = {{ content-type = "text/xml" }}'
        ).actions[0].execute(Means())  # fmt: skip
    one(tmp_path, f'url = "{web.url}/"').actions[0].execute(Means())
    kinds = [{name.lower(): value for name, value in given.items()}.get("content-type") for _, _, given, _ in web.asked]
    assert kinds == ["text/plain; charset=utf-8", "text/xml", None]
    assert web.asked[0][3].decode() == "wärmer"


def test_redirects_stay_on_the_host(tmp_path: Path, web: LocalWeb) -> None:
    other = LocalWeb()
    try:
        one(tmp_path, f'method = "GET"\nurl = "{web.url}/to//there"').actions[0].execute(Means())
        assert [path for _, path, _, _ in web.asked] == ["/to//there", "/there"]
        for target in (f"{other.url}/x", "//127.0.0.2/x", "file:///etc/passwd"):
            with pytest.raises(ActionFailed):
                one(tmp_path, f'method = "GET"\nurl = "{web.url}/to/{target}"').actions[0].execute(Means())
        with pytest.raises(ActionFailed, match="another host"):
            one(tmp_path, f'method = "GET"\nurl = "{web.url}/to/{other.url}/x"').actions[0].execute(Means())
        assert not other.asked
    finally:
        other.close()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_what_was_sent_to_be_done_is_not_redirected(tmp_path: Path, web: LocalWeb, method: str) -> None:
    action = one(tmp_path, f'url = "{web.url}/to//there"\nmethod = "{method}"\nbody = "on"').actions[0]
    with pytest.raises(ActionFailed, match="redirects"):
        action.execute(Means())
    assert [(asked, path) for asked, path, _, _ in web.asked] == [(method, "/to//there")]


@pytest.mark.parametrize(("path", "told"), [("/fail", "status 500"), ("/slow", "timed out")])
def test_a_url_that_fails(tmp_path: Path, web: LocalWeb, path: str, told: str) -> None:
    with pytest.raises(ActionFailed, match=told):
        one(tmp_path, f'timeout_s = 0.4\nurl = "{web.url}{path}"').actions[0].execute(Means())


@pytest.mark.parametrize("stopped", [True, False])
def test_an_answer_that_drips_is_given_up(tmp_path: Path, web: LocalWeb, stopped: bool) -> None:
    (action,) = one(tmp_path, f'timeout_s = {30 if stopped else 1}\nurl = "{web.url}/drip"').actions
    means, begun = Means(), time.monotonic()
    if stopped:
        threading.Timer(1, means.stop.set).start()
    with pytest.raises(ActionFailed, match="stopped" if stopped else "timed out"):
        action.execute(means)
    assert time.monotonic() - begun < 20
    until = time.monotonic() + 20
    while any(one.name == "action it" for one in threading.enumerate()):  # its thread ends, too
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_host_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ActionFailed):
        one(tmp_path, 'url = "http://127.0.0.1:1/"').actions[0].execute(Means())


def test_the_file_in_the_docs_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "listen.md").read_text(encoding="utf-8")
    text = page.split("```toml\n")[1].split("```")[0]
    (tmp_path / "amixer").write_text("#!/bin/sh\n")
    (tmp_path / "amixer").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("BLINDS_TOKEN", "MQTT_USER", "MQTT_PASSWORD"):
        monkeypatch.setenv(name, "secret")
    found = read_actions(written(tmp_path, text))
    assert [action.name for action in found.actions] == ["quieter", "blinds", "light"]
    assert found.home_assistant is not None
    assert found.broker is not None
