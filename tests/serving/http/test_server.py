"""The command: addresses, tokens, runs that cannot be served, and a process that is killed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from assay.errors import AssayError, RunError, SettingError
from assay.serving.http.hosted import named_runs
from assay.serving.http.server import listening
from assay.serving.http.tokens import Tokens, check_address, is_loopback, read_tokens
from http_servers import picture
from programs import Result

TOKEN = "a-token-that-is-long-enough"


def test_a_port_in_use(command: Callable[..., Result], digits_run: tuple[Path, Result]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = command("serve", digits_run[0], "--port", port)
    assert found.code == 1 and found.err.splitlines() == [
        f"error: port {port} is in use",
        f"hint: Choose another one, such as --port {port + 1}.",
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--host", "0.0.0.0"), "can be reached by others"),
        (("--host", "::"), "can be reached by others"),
        (("--host", "no such host"), "is no address"),
        (("--port", "70000"), "is no port"),
        (("--tokens", "no-such-file"), "cannot be read"),
        (("--max-mib", "0"), "--max-mib 0 is not possible"),
        (("--batch", "0"), "--batch 0 is not possible"),
        (("--time-limit", "nan"), "--time-limit nan is not possible"),
    ],
)
def test_what_is_not_served(
    command: Callable[..., Result], digits_run: tuple[Path, Result], words: tuple[str, ...], told: str
) -> None:
    found = command("serve", digits_run[0], *words)
    assert found.code == 1 and found.err.count("\n") == 2
    assert found.err.startswith("error: ") and told in found.err and "\nhint: " in found.err


def _facts(run: Path, **change: object) -> Path:
    file = run / "model" / "model.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    return run


def test_runs_that_cannot_be_served(
    command: Callable[..., Result], digits_run: tuple[Path, Result], tmp_path: Path
) -> None:
    newer = _facts(shutil.copytree(digits_run[0], tmp_path / "newer"), format=2)
    older = _facts(shutil.copytree(digits_run[0], tmp_path / "odd"), format="x")
    stopped = shutil.copytree(digits_run[0], tmp_path / "stopped")
    (stopped / "model" / "model.json").unlink()
    for run, told in (
        (newer, "newer Assay"),
        (older, "damaged"),
        (stopped, "no trained model"),
        (tmp_path, "not a run"),
    ):
        found = command("serve", run)
        assert found.code == 1 and told in found.err and found.err.count("\n") == 2


def test_names_of_runs(digits_run: tuple[Path, Result]) -> None:
    run = digits_run[0]
    assert [one.name for one in named_runs([run, Path(f"other={run}")])] == ["digits", "other"]
    with pytest.raises(SettingError, match="two runs are called 'digits'"):
        named_runs([run, run])
    with pytest.raises(RunError):
        named_runs([Path("name=nowhere")])


def test_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_loopback("127.0.0.1") and is_loopback("127.9.9.9") and is_loopback("::1") and is_loopback("localhost")
    assert not is_loopback("0.0.0.0") and not is_loopback("192.168.1.1") and not is_loopback("::")
    check_address("0.0.0.0", Tokens((TOKEN,)))
    with pytest.raises(SettingError):
        check_address("10.0.0.1", Tokens())
    with listening("127.0.0.1", 0) as opened:
        assert opened.getsockname()[1] > 0
    with pytest.raises(SettingError):
        listening("192.0.2.1", 0)  # of documentation, no machine's


def test_tokens(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"# of the ward\n\n{TOKEN}\n  another-token-of-some-length  \n")
    tokens = read_tokens(file, {"ASSAY_TOKENS": "third-token-of-some-length"})
    for shown in (TOKEN, "another-token-of-some-length", "third-token-of-some-length"):
        assert tokens.allow(f"Bearer {shown}".encode())
    for header in (
        None,
        b"",
        TOKEN.encode(),
        b"Bearer",
        b"Bearer ",
        b"Bearer # of the ward",
        f"Basic {TOKEN}".encode(),
    ):
        assert not tokens.allow(header)
    assert not read_tokens(None, {}) and read_tokens(None, {}).allow(None)
    for content in ("", "# nothing", "short", "with a space in it, which no header has", "ünï" * 9):
        file.write_text(content, encoding="utf-8")
        with pytest.raises(AssayError):
            read_tokens(file, {})
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(AssayError):
        read_tokens(file, {})


@contextmanager
def _process(run: Path, temporary: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`assay serve` as a process of its own, and its address."""
    program = [sys.executable, "-m", "assay", "serve", str(run), "--port", "0", "--json", *words]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "TMPDIR": str(temporary),
    }
    with subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())["address"]
        finally:
            process.kill()


def _digest(run: Path) -> dict[str, str]:
    return {str(file.relative_to(run)): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in sorted(run.rglob("*")) if file.is_file()}  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="sends signals as POSIX has them")
def test_a_process_that_is_killed_and_one_that_is_ended(digits_run: tuple[Path, Result], tmp_path: Path) -> None:
    run = digits_run[0]
    before = _digest(run)
    sent = {"files": ("a.png", picture(), "image/png")}
    answers = []
    for number, ending in ((1, signal.SIGKILL), (2, signal.SIGTERM)):
        with _process(run, tmp_path) as (process, address):
            assert httpx.get(f"{address}/health", timeout=60).status_code == 200
            until = time.monotonic() + 300
            while httpx.get(f"{address}/ready", timeout=60).status_code != 200:
                assert time.monotonic() < until
                time.sleep(0.2)
            answers.append(httpx.post(f"{address}/predict", files=sent, timeout=60).json())
            assert len(list(tmp_path.glob("assay-serve-*"))) == 1, number  # what was left is gone
            process.send_signal(ending)
            process.wait(60)
    assert answers[0] == answers[1] and _digest(run) == before
    assert not list(tmp_path.glob("assay-serve-*"))


@pytest.mark.slow
def test_a_run_that_turns_out_to_be_damaged_ends_the_server(digits_run: tuple[Path, Result], tmp_path: Path) -> None:
    run = shutil.copytree(digits_run[0], tmp_path / "run")
    (run / "model" / "model.safetensors").write_bytes(b"nothing")
    program = [sys.executable, "-m", "assay", "serve", str(run), "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(program, capture_output=True, text=True, env=environment, timeout=300, check=False)
    told = [line for line in done.stderr.splitlines() if line.startswith(("error:", "hint:"))]
    assert done.returncode == 1 and len(told) == 2 and "is damaged" in told[0] and "Traceback" not in done.stderr
