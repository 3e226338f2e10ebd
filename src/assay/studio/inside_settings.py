"""The settings of a run that sliders change, each with its ends and with what it means."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assay.run import RunFolder, reading
from assay.training.plan import Plan
from assay.training.space import Dimension, dimensions, proposed_value

if TYPE_CHECKING:
    from assay.model import Model

#: Settings of the plan that a side training does not take over: its length is its own.
_OWN = frozenset({"steps", "seed", "augment", "compile", "shards"})


@dataclass(frozen=True)
class Chosen:
    """How a run was trained.

    Attributes:
        network: its name, as `--network` takes it.
        settings: of the network.
        plan: of the training.
        trained: how many training samples there were.
        seconds: that fitting took.
    """

    network: str
    settings: Any
    plan: Plan
    trained: int
    seconds: float

    def passes(self, seconds: float) -> float:
        """How many passes over the training samples take about so long, as this run went; no more than it took."""
        steps = max(1, self.plan.steps)
        whole = steps * self.plan.batch_size / max(1, self.trained)
        return float(f"{max(1e-3, min(whole, whole * seconds / max(self.seconds, 1e-3))):.3g}")

    def as_set(self) -> dict[str, str]:
        """What `--set` takes to train as this run was trained, by name."""
        plan = {item.name: getattr(self.plan, item.name) for item in dataclasses.fields(self.plan)
                if item.name not in _OWN}  # fmt: skip
        own = {item.name: getattr(self.settings, item.name) for item in dataclasses.fields(self.settings)}
        augment = {f"augment.{name}": value for name, value in self.plan.augment.items()}
        return {name: text for name, value in {**plan, **own, **augment}.items() if (text := _text(value)) is not None}


def chosen(run: RunFolder, model: Model) -> Chosen:
    """How a run was trained, out of what it wrote down."""
    from assay.fitting_baselines import fit_seconds
    from assay.planning import pick_network, written_plan

    written = run.read(run.plan, "network", "data", "options", "plan", "timing")
    plan = written_plan(run, written)[2]
    counts = run.read(run.summary, "samples")["samples"]
    ended = [line["step"] for line in run.history() if "fit_seconds" in line]
    with reading(run.plan):
        name = written["network"]["name"]
        settings = pick_network(model.task, model.spec, name)[0].settings(**written["network"]["settings"])
        plan = dataclasses.replace(plan, steps=int(ended[-1]) if ended else plan.steps)
        return Chosen(name, settings, plan, int(counts["train"]), fit_seconds(run))


def sliders(found: Chosen, model: Model) -> list[dict[str, Any]]:
    """What can be changed and between which ends: what a search would vary (`training/space.py`)."""
    known = dimensions(
        found.settings, found.plan, model.task.regularisation(model.spec), max(1, found.plan.steps), frozenset()
    )
    meanings = {**attribute_texts(Plan), **attribute_texts(type(found.settings))}
    return [_slider(one, found, meanings) for one in known]


def _slider(one: Dimension, found: Chosen, meanings: Mapping[str, str]) -> dict[str, Any]:
    return {
        "name": one.name,
        "group": "size" if one.changes_cost else "learning" if one.log and not one.floor else "regularisation",
        "value": proposed_value(found.settings, found.plan, one.name),
        "low": one.low,
        "high": one.high,
        "log": one.log,
        "step": one.step,
        "choices": list(one.choices),
        "off": one.floor,
        "meaning": meanings.get(one.name, ""),
    }


def attribute_texts(kind: type[Any]) -> dict[str, str]:
    """What the docstring of a dataclass says of each of its attributes."""
    text = inspect.cleandoc(kind.__doc__ or "").partition("Attributes:\n")[2]
    found = re.findall(r"^ {4}(\w+): ((?:.|\n(?! {4}\w+:))*)", text, re.MULTILINE)
    return {name: " ".join(meaning.replace("`", "").split()) for name, meaning in found}


def _text(value: Any) -> str | None:
    """A value as `--set` takes it; None where it is none that can be given so."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else None
