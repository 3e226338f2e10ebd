"""Copies of a run in which something was changed, as if they came from a stranger: what loading them comes to."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from pathlib import Path

from _common import Json
from _mutations import mutated

#: What may never be answered with; a mutation or an odd setting may leave a run as good as it was.
_NEVER = ("pickle", "link", "wrong tensor")
_ODD_SETTINGS = ({"width": 10**12}, {"depth": 10**6}, {"width": -1}, {"width": "x"}, {"pretrained": True}, {"more": 1})


def strange_runs(place: Path, run: Path, count: int, seed: int) -> Json:
    """What `assay.load` and one answer make of copies of a run in which something was changed."""
    dice = random.Random(seed)
    outcomes: Counter[str] = Counter()
    by_kind: dict[str, Counter[str]] = {}
    unexpected: list[str] = []
    for number in range(count):
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(run, place)
        about = _changed(dice, place, number)
        outcome = _loaded(place)
        by_kind.setdefault(about.partition(",")[0], Counter())[outcome.partition(" ")[0]] += 1
        outcomes["refused" if outcome == "refused" else "answers" if outcome == "answers" else "other"] += 1
        if outcome not in ("refused", "answers"):
            unexpected.append(f"{about}: {outcome}")
    shutil.rmtree(place, ignore_errors=True)
    taken = sum(by_kind.get(kind, Counter())["answers"] for kind in _NEVER)
    return {"outcomes": dict(outcomes), "unexpected": len(unexpected), "examples": unexpected[:20], "taken": taken,
            "by_kind": {kind: dict(counts) for kind, counts in sorted(by_kind.items())}}  # fmt: skip


def _changed(dice: random.Random, run: Path, number: int) -> str:
    facts, weights = run / "model" / "model.json", run / "model" / "model.safetensors"
    match number % 7:
        case 0:
            facts.write_bytes(mutated(dice, facts.read_bytes()))
            return "mutated model.json"
        case 1:
            weights.write_bytes(mutated(dice, weights.read_bytes()))
            return "mutated weights"
        case 2:
            held = json.loads(facts.read_text(encoding="utf-8"))
            held["network"]["settings"].update(dice.choice(_ODD_SETTINGS))
            facts.write_text(json.dumps(held), encoding="utf-8")
            return "odd settings"
        case 3:
            held = json.loads(facts.read_text(encoding="utf-8"))
            key = dice.choice(list(held["spec"]))
            held["spec"][key] = dice.choice((None, -1, 10**9, "x", [], {}, 1e308))
            facts.write_text(json.dumps(held), encoding="utf-8")
            return f"odd spec, {key}"
        case 4:
            file = dice.choice((facts, weights))
            file.unlink()
            file.symlink_to("/dev/zero")
            return "link"
        case 5:
            return f"wrong tensor, {_with_wrong_tensor(dice, weights)}"
        case _:
            weights.write_bytes(b"\x80\x04\x95" + dice.randbytes(200))
            return "pickle"


def _with_wrong_tensor(dice: random.Random, weights: Path) -> str:
    """One tensor of another shape, type or name, one that is no number, one too many or too few."""
    import torch
    from safetensors.torch import load_file, save_file

    held = load_file(weights)
    name = dice.choice([name for name, value in held.items() if value.is_floating_point() and value.numel() > 1])
    kind = dice.choice(("shape", "type", "name", "not a number", "more", "missing"))
    match kind:
        case "shape":
            held[name] = torch.zeros(3, *held[name].shape)
        case "type":
            held[name] = held[name].to(torch.int32)
        case "name":
            held[f"{name}.other"] = held.pop(name)
        case "not a number":
            held[name] = torch.full_like(held[name], float("nan"))
        case "more":
            held["more"] = torch.zeros(2)
        case _:
            del held[name]
    save_file(held, weights)
    return f"{kind} of {name}"


def _loaded(run: Path) -> str:
    import numpy as np

    import assay

    try:
        model = assay.load(run)
    except assay.AssayError:
        return "refused"
    except Exception as error:
        return f"load raised {type(error).__name__}: {error}"[:200]
    try:
        model.predict(np.zeros((1, 12, 12, 3), np.uint8))
    except assay.AssayError:
        return "refused"
    except Exception as error:
        return f"predict raised {type(error).__name__}: {error}"[:200]
    return "answers"
