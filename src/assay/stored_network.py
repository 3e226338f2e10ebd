"""A trained network in the `model/` folder of a run."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay._strange_run import MOST_JSON_BYTES, check_network, check_plain
from assay.errors import MissingExtraError, RunError
from assay.registry import load_task
from assay.run import DAMAGE, to_json, unfit, write_text
from assay.serving.likeness import read_likeness
from assay.task import Task

if TYPE_CHECKING:
    from torch import nn

    from assay.task import Spec

FORMAT = 1


def write_network(
    folder: Path,
    task: Task,
    spec: Spec,
    name: str,
    settings: Any,
    network: nn.Module,
    temperature: float = 1.0,
    settled: Mapping[str, Any] | None = None,
) -> None:
    """Write `model.safetensors` and then `model.json`, which marks the model as complete.

    Args:
        folder: is made where it is not there.
        task: the application.
        spec: what a sample is.
        name: the network's.
        settings: its hyper-parameters.
        network: the trained module.
        temperature: of its probabilities (see `Predictor`).
        settled: what else was learned after the training (`Task.settled`).
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    weights = {key: value.cpu() for key, value in unique_weights(network).items()}
    work = folder / "model.partial"
    save_file(weights, work)
    os.replace(work, folder / "model.safetensors")
    facts = {
        "format": FORMAT,
        "task": task.name,
        "network": {"name": name, "settings": to_json(settings)},
        "spec": spec.to_json(),
        "temperature": temperature,
        "settled": settled or {},
    }
    write_text(folder / "model.json", json.dumps(to_json(facts), indent=1, ensure_ascii=False) + "\n")


def read_description(folder: Path, task: Task | None = None) -> tuple[Task, Spec, dict[str, Any]]:
    """As `read_network` without the network, and without torch; with what tells unlike inputs as `likeness`."""
    file = folder / "model.json"
    if not file.exists():
        raise RunError(f"{folder} holds no trained model", "assay resume finishes a run that was stopped.")
    check_plain(folder, below=True)
    try:
        if file.stat().st_size > MOST_JSON_BYTES:
            raise ValueError("it is too large")
        facts = json.loads(file.read_text(encoding="utf-8"))
        if facts["format"] > FORMAT:
            raise RunError(f"{file} was written by a newer Assay", "Upgrade: pip install --upgrade assay.")
        task = task or load_task(facts["task"])
        spec = task.spec_type.from_json(facts["spec"])
        facts["temperature"], facts["settled"] = temperature_of(facts), settled_of(facts)
    except DAMAGE as error:
        raise _damaged(folder, error) from error
    facts["likeness"] = read_likeness(folder)
    return task, spec, facts


def read_network(folder: Path, task: Task | None = None) -> tuple[Task, Spec, nn.Module, dict[str, Any]]:
    """A task, its spec and the trained network, out of a `model/` folder.

    Args:
        folder: what `write_network` wrote.
        task: the application, where it is at hand; None to find it in the registry by its name.

    Raises:
        RunError: there is no complete model, or it is damaged.
    """
    _, _, facts = read_description(folder, task)
    if (folder / "export.json").exists() and not (folder / "model.safetensors").exists():
        told = f"{folder} holds an export alone, without the weights of the network"
        raise RunError(told, "Ask the run that it was exported from.")
    try:
        from safetensors import SafetensorError
    except ImportError as error:
        raise MissingExtraError("a network that is not exported (safetensors)", "train") from error
    try:
        task, spec, network = rebuild_network(facts, (folder / "model.safetensors").read_bytes(), task)
    except (*DAMAGE, SafetensorError) as error:
        raise _damaged(folder, error) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # of extensions in Rust, which is no `Exception`
            raise
        raise _damaged(folder, error) from error
    return task, spec, network, facts


def _damaged(folder: Path, error: BaseException) -> RunError:
    return unfit(folder / "model.json", f"the model in {folder}", error)


def rebuild_network(facts: Mapping[str, Any], weights: bytes, task: Task | None = None) -> tuple[Task, Spec, nn.Module]:
    """A task, its spec and the network in evaluation mode, from what `model.json` and `model.safetensors` hold."""
    from safetensors.torch import load

    from assay.planning import pick_network

    task = task or load_task(facts["task"])
    spec = task.spec_type.from_json(facts["spec"])
    kind, _ = pick_network(task, spec, facts["network"]["name"])
    settings, stored = kind.settings(**facts["network"]["settings"]), load(weights)
    check_network(kind, spec, settings, stored)
    network = kind.build(spec, settings)
    load_unique(network, stored)
    return task, spec, network.eval()


def load_unique(network: nn.Module, stored: Mapping[str, Any]) -> None:
    """Put weights as `unique_weights` gives them into a network."""
    twins = _twins(network)
    network.load_state_dict({**{name: stored[first] for name, first in twins.items() if first in stored}, **stored})


def _twins(network: nn.Module) -> dict[str, str]:
    """By name, each weight that is another one under a second name, such as vectors that two parts share."""
    first: dict[int, str] = {}
    twins: dict[str, str] = {}
    for name, value in network.state_dict(keep_vars=True).items():
        known = first.setdefault(id(value), name)
        if known != name:
            twins[name] = known
    return twins


def unique_weights(network: nn.Module) -> dict[str, Any]:
    """The weights as safetensors writes them: detached and contiguous, each under its first name alone."""
    twins = _twins(network)
    return {name: value.contiguous() for name, value in network.state_dict().items() if name not in twins}


def public_name(facts: Mapping[str, Any]) -> str:
    """What others are told that the network is: a pretrained one without the folder of this machine it came from.

    Args:
        facts: what `model.json` holds.
    """
    whole = str(facts["network"]["name"])
    kind, slash, name = whole.partition("/")
    return f"{kind}{slash}{Path(name).name}" if Path(name).is_absolute() else whole


def temperature_of(facts: Mapping[str, Any]) -> float:
    """The temperature that `model.json` holds (see `Predictor`); 1 in a model of the time before there was one."""
    temperature = float(facts.get("temperature", 1.0))
    if not 0 < temperature < float("inf"):
        raise ValueError(f"a temperature of {temperature}")
    return temperature


def settled_of(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What `model.json` holds of `Task.settled`; nothing in a model of the time before there was such."""
    settled = facts.get("settled", {})
    if not isinstance(settled, dict):
        raise ValueError(f"what was settled is a {type(settled).__name__}")
    return settled
