"""A cluster that is not there, is not one, or has other versions: one error with one hint, soon."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from assay.cluster import connection
from assay.cluster.connection import Machine, check_machines
from assay.errors import MissingExtraError, SettingError
from assay.versions import versions
from programs import Result

Command = Callable[..., Result]


def needs_ray() -> None:
    for name in ("ray", "pandas", "fsspec"):
        pytest.importorskip(name, reason=f"--cluster needs {name}")


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("nowhere", "is not an address"),
        ("host:99999", "is not an address"),
        ("ray://127.0.0.1:10001", "a client's address"),
    ],
)
def test_what_is_no_address(command: Command, wine: Path, tmp_path: Path, address: str, told: str) -> None:
    needs_ray()
    done = command("train", wine, "--target", "cultivar", "--cluster", address, "--out", tmp_path / "run")
    assert done.code == 1 and told in done.err and "HOST:PORT" in done.err
    assert done.err.count("error:") == 1 and done.err.count("hint:") == 1
    assert not (tmp_path / "run").exists()


def test_a_cluster_that_is_not_there_is_told_within_seconds(command: Command, wine: Path, tmp_path: Path) -> None:
    needs_ray()
    begun = time.monotonic()
    words = ("--target", "cultivar", "--cluster", "127.0.0.1:1", "--out", tmp_path / "run")
    for name in ("train", "tune"):
        done = command(name, wine, *words)
        assert done.code == 1 and "there is no Ray cluster at 127.0.0.1:1" in done.err and "ray start" in done.err
    assert time.monotonic() - begun < 30
    assert not (tmp_path / "run").exists()


def test_what_answers_but_is_not_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    needs_ray()
    monkeypatch.setattr(connection, "_ANSWER_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(SettingError, match="what answers there is not Ray"), connection.ray_at(address):
            pass


def test_a_cluster_that_asks_for_a_token(tmp_path: Path) -> None:
    """Ray begins such a cluster by itself where it finds a token, and shows none to an address that was given."""
    needs_ray()
    nodes = (
        "import sys\nfrom assay.cluster.connection import ray_at\nfrom assay.errors import SettingError\n"
        "try:\n    with ray_at(sys.argv[1]) as ray:\n        print(len(ray.nodes()))\n"
        "except SettingError as error:\n    print(error, error.hint)\n"
    )

    def told(token: str) -> str:
        words = [sys.executable, "-c", nodes, address]
        given = {**environment, "RAY_AUTH_TOKEN": token}
        return subprocess.run(words, env=given, capture_output=True, text=True, timeout=120, check=True).stdout

    environment = {**os.environ, "HOME": str(tmp_path)}
    environment.pop("RAY_AUTH_MODE", None)
    from ray.util import get_node_ip_address

    with socket.create_server(("", 0)) as free:
        address = f"{get_node_ip_address()}:{free.getsockname()[1]}"
    with ray_node(address, {**environment, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "ab" * 32}):
        assert told("ab" * 32) == "1\n"
        assert "asks for a token, and takes none that is known here" in told("cd" * 32)
        assert "ray get-auth-token" in told("")


@contextmanager
def ray_node(address: str, environment: dict[str, str]) -> Iterator[None]:
    """`ray start`: the head of a cluster, which listens when this begins."""
    import psutil

    port = address.rpartition(":")[2]
    words = ["start", "--head", f"--port={port}", "--num-cpus=1", "--include-dashboard=false", "--disable-usage-stats"]
    ray = [Path(sys.executable).with_name("ray"), *words, "--min-worker-port=0", "--max-worker-port=0", "--block"]
    head = subprocess.Popen(ray, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while head.poll() is None:
            try:
                socket.create_connection(address.rsplit(":", 1), 1).close()
                break
            except OSError:
                time.sleep(0.2)
        assert head.poll() is None
        yield
    finally:
        for process in [*psutil.Process(head.pid).children(recursive=True), head]:
            process.kill()
        head.wait()


def test_a_cluster_of_before_is_told_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    needs_ray()
    monkeypatch.setattr(connection, "_ANSWER_S", 0.5)
    begun = time.monotonic()
    with socket.create_server(("", 0)) as server:  # Ray replaces the name of this machine by its address
        port = server.getsockname()[1]
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
        with pytest.raises(SettingError, match=rf"no Ray cluster at \S+:{port} \(what answers"):
            connection.ray_at("auto").__enter__()
    with pytest.raises(SettingError, match=rf"no Ray cluster at \S+:{port} \("):
        connection.ray_at("auto").__enter__()
    assert time.monotonic() - begun < 30


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(name: str) -> Any:
        return None

    monkeypatch.setattr(connection.importlib.util, "find_spec", find)
    with pytest.raises(MissingExtraError) as found, connection.ray_at("local"):
        pass
    assert "assay[cluster]" in found.value.hint


def test_a_machine_with_other_versions_is_named() -> None:
    own = {name: value for name, value in versions().items() if name in ("python", "assay", "torch")}
    check_machines([Machine("a", "here", 2, 0, own, ())])
    other = Machine("b", "node-7", 2, 0, {**own, "torch": "1.0"}, ())
    with pytest.raises(SettingError, match=r"node-7 has other versions .*torch 1\.0 instead of") as found:
        check_machines([other])
    assert "same versions" in found.value.hint
