"""Finding a Ray cluster or starting one here, and asking its machines who they are."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import platform
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.devices import cores
from assay.errors import MissingExtraError, RunError, SettingError
from assay.versions import installed, versions
from assay.worker import check_versions

#: A Ray of one's own, on this machine.
LOCAL = "local"
#: Seconds for a cluster to open its door, and to say who it is.
_KNOCK_S, _ANSWER_S = 3.0, 20.0
#: Seconds for every machine to start a process and answer.
_MACHINES_S = 120.0
#: A machine that is very busy may need more than the half minute that Ray waits for its own start.
_STARTS = 2
_ASKED_FOR = ("assay", "torch")
#: Whether Ray shows a token, and what answers at an address.
_AUTH = "RAY_AUTH_MODE"
_RAY, _TOKEN = "ray", "token"
_FORM = "Give HOST:PORT as `ray start --head` prints it, auto for the one that runs here, or local to start one."
#: No statistics for others; no folder of its own for a worker; an end that is noticed at once; a training is as urgent
#: as without Ray; and no reports of what Ray itself does, which nobody reads and steps on few cores pay for.
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_worker_niceness": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_task_events_report_interval_ms": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.25",
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "180",
    "RAY_agent_register_timeout_ms": "180000",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


@dataclass(frozen=True)
class Machine:
    """A machine of a cluster that answers.

    Attributes:
        id: Ray's name of it.
        host: its own name.
        cores: processor cores that Ray may use of it.
        gpus: its GPUs.
        versions: of Python and packages there.
        sees: which of the paths that it was asked about are there.
    """

    id: str
    host: str
    cores: int
    gpus: int
    versions: dict[str, str]
    sees: tuple[str, ...]


def need_ray() -> None:
    """Raise `MissingExtraError` where Ray, or what Ray Train needs, is not installed."""
    if any(importlib.util.find_spec(name) is None for name in ("ray", "pandas", "fsspec")):
        raise MissingExtraError("--cluster", "cluster")


@contextmanager
def ray_at(address: str) -> Iterator[Any]:
    """The module `ray`, connected; one that is connected already is used as it is and left so.

    Raises:
        MissingExtraError: it is not installed.
        SettingError: there is no such cluster, or it runs other versions.
        RunError: none could be started here.
    """
    need_ray()
    if address != LOCAL:
        _knock(address)
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import ray

    if ray.is_initialized():
        yield ray
        return
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        with _own_signals():
            _start(ray, quiet) if address == LOCAL else _join(ray, address, quiet)
        yield ray
    finally:
        ray.shutdown()


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep what SIGTERM does here: Ray would end the process at once, and a training ends behind a whole step."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _knock(address: str) -> None:
    """Raise `SettingError` at once where nobody opens at an address, or it is none."""
    if address == "auto":
        return
    if "://" in address:
        raise SettingError(f"--cluster {address} is a client's address, through which Ray Train does not run", _FORM)
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise SettingError(f"--cluster {address} is not an address", _FORM)
    try:
        socket.create_connection((host.strip("[]"), int(port)), _KNOCK_S).close()
    except OSError as error:
        raise _absent(address, error.strerror or str(error)) from error


def _absent(address: str, reason: str) -> SettingError:
    hint = "Start one by `ray start --head --port 6379`, or use --cluster local."
    return SettingError(f"there is no Ray cluster at {address} ({reason})", hint)


def _start(ray: Any, quiet: dict[str, Any]) -> None:
    """Start a Ray of our own with all cores."""
    for attempt in range(_STARTS):
        try:
            ray.init("local", num_cpus=cores(), include_dashboard=False, **quiet)  # whatever RAY_ADDRESS says
            return
        except Exception as error:  # Ray's own words, in a plain Exception
            ray.shutdown()
            if attempt + 1 == _STARTS:
                raise RunError(
                    f"a Ray of its own could not be started here ({_first_line(error)})",
                    "Try again when the machine is less busy, or leave out --cluster.",
                ) from error


def _join(ray: Any, address: str, quiet: dict[str, Any]) -> None:
    """Connect; raises `SettingError` with what is wrong."""
    if address == "auto":
        address = _noted()
    _let_in(address)
    try:
        ray.init(address=address, **quiet)
    except ConnectionError as error:
        raise _absent(address, _first_line(error)) from error
    except Exception as error:
        if "ersion mismatch" not in str(error):
            raise _absent(address, _first_line(error)) from error
        own = f"Python {platform.python_version()} and Ray {installed(('ray',)).get('ray')}"
        raise SettingError(
            f"the cluster at {address} runs other versions than this process, which has {own}",
            "Install the same versions everywhere.",
        ) from error


def _noted() -> str:
    """The address for which `auto` stands: Ray notes that of its last start, and keeps it when that cluster is gone."""
    from ray._private import services

    try:
        found = str(services.canonicalize_bootstrap_address_or_die("auto"))
    except (ConnectionError, ValueError) as error:
        raise _absent("auto", _first_line(error)) from error
    _knock(found)
    return found


def _let_in(address: str) -> None:
    """Make sure that a Ray answers; where it asks for a token, show the one that there is here.

    To an address that was given, Ray shows a token only where `RAY_AUTH_MODE` says so; but it begins clusters that ask
    for one by itself where it finds one, and leaves one behind when it begins a cluster for one process.

    Raises:
        SettingError: there is no Ray, or none that lets this process in.
    """
    answer = _answer(address)
    if answer == _TOKEN and not os.environ.get(_AUTH) and _answer(address, {_AUTH: _TOKEN}) == _RAY:
        _show_token()
        answer = _RAY
    if answer == _TOKEN:
        raise SettingError(
            f"the cluster at {address} asks for a token, and takes none that is known here",
            "Write what `ray get-auth-token` prints on its head into ~/.ray/auth_token here.",
        )
    if answer != _RAY:
        raise _absent(address, "what answers there is not Ray")


def _show_token() -> None:
    """From now on this process and those that it begins show Ray their token, as where Ray itself decides so."""
    os.environ[_AUTH] = _TOKEN
    importlib.import_module("ray._raylet").Config.initialize("")  # it has read the environment already


def _answer(address: str, more: Mapping[str, str] | None = None) -> str:
    """What is at an address, within some seconds: Ray, a Ray that asks for another token, or neither ("").

    Asked by another process, since Ray's own asking cannot be ended.

    Args:
        address: HOST:PORT.
        more: variables of that process's environment.
    """
    code = "import sys; from ray._raylet import GcsClient; GcsClient(address=sys.argv[1]).internal_kv_get(b'x', None)"
    asked = subprocess.Popen(
        [sys.executable, "-c", code, address],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={**os.environ, **(more or {})},
    )
    assert asked.stderr is not None
    end = threading.Timer(_ANSWER_S, asked.kill)
    end.start()
    try:
        with asked.stderr:
            if any("Unauthenticated" in line for line in asked.stderr):
                return _TOKEN
        return _RAY if asked.wait() == 0 else ""
    finally:
        end.cancel()
        asked.kill()
        asked.wait()


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".")[:200] if lines else type(error).__name__


def machines(ray: Any, paths: Sequence[str] = ()) -> list[Machine]:
    """The machines that answer, with which of some paths each of them sees; none of those that died."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    asking = ray.remote(num_cpus=0, max_retries=0)(_who)
    asked = {}
    for node in ray.nodes():
        if node["Alive"]:
            there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            asked[asking.options(scheduling_strategy=there).remote(list(paths))] = node
    done, _ = ray.wait(list(asked), num_returns=len(asked), timeout=_MACHINES_S) if asked else ([], [])
    found = []
    for answer in done:
        node = asked[answer]
        try:
            host, told, sees = ray.get(answer)
        except ray.exceptions.RayTaskError as error:
            raise SettingError(
                f"{node['NodeManagerHostname']} cannot run Assay ({_last_line(error)})",
                "Install the same version of Assay on every machine of the cluster.",
            ) from error
        except ray.exceptions.RayError:
            continue  # it died meanwhile
        has = node["Resources"]
        found.append(Machine(node["NodeID"], host, int(has.get("CPU", 0)), int(has.get("GPU", 0)), told, tuple(sees)))
    return found


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].rstrip(".")[:200] if lines else type(error).__name__


def _who(paths: list[str]) -> tuple[str, dict[str, str], list[str]]:
    """Who a machine is; run there."""
    told = {"python": platform.python_version(), **installed(_ASKED_FOR)}
    return socket.gethostname(), told, [path for path in paths if Path(path).exists()]


def check_machines(found: Sequence[Machine]) -> None:
    """Raise `SettingError` where a machine has other versions of Assay, PyTorch or Python than this process."""
    wanted = versions()
    for one in found:
        check_versions(wanted, one.versions, one.host)
