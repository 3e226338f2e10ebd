"""The figures of docs/scale.md, out of the result of scale.py."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from _common import ROOT, Json

_PAGE = ROOT / "docs" / "scale.md"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(map(str, row)) + " |" for row in rows)])


def blocks(result: Json) -> dict[str, str]:
    """The parts of docs/scale.md that hold figures, by name."""
    told, networks = result["summary"], result["summary"]["networks"]
    machine = result["machine"]
    where = (f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB; commit {result['commit']}, "
             f"{result['date'][:10]}; PyTorch {result['versions']['torch']}")  # fmt: skip
    here = told["links"]["this machine"]
    found = {"machine": where + (". SMOKE RUN: these figures mean nothing" if result["smoke"] else "") + "."}
    found["steps"] = table(
        ("network", "batch", "parameters", "gradients", "sums a step", "a step", "of it fixed", "95 % of steps within",
         "noise scale"),
        [(name, one["batch_size"], f"{one['parameters']:,}", size(one["gradient_bytes"]), one["messages"],
          seconds(one["fixed_s"] + one["window_s"] * one["batch_size"]), seconds(one["fixed_s"]),
          f"{one['spread'][2]:.2f} × the median", figure(one["noise_scale"])) for name, one in networks.items()],
    )  # fmt: skip
    found["links"] = table(
        ("between", "latency of a message", "bandwidth", ""),
        [(name, seconds(one["latency_s"]), f"{size(one['bytes_per_s'])}/s",
          "measured" if one is here else "assumed") for name, one in told["links"].items()],
    )  # fmt: skip
    found["checked"] = table(
        ("network", "processes", "a real step", "the model's", "apart"),
        [(name, workers, seconds(row["real_s"]), seconds(row["model_s"]), f"{100 * row['apart']:+.0f} %")
         for name, one in networks.items() for workers, row in one["checked"]["steps"].items()],
    )  # fmt: skip
    for kind in ("same_batch", "grown_batch"):
        found[kind] = "\n\n".join(f"**{name}**\n\n{workers_table(one[kind], kind)}" for name, one in networks.items())
    found["data"] = table(
        ("samples", "shards", "decoded", "memory of the main process", "looking through", "reading once",
         "decoding once, one core"),
        [(f"{row['samples']:.0e}".replace("e+0", "e"), size(row["shards_bytes"]), size(row["decoded_bytes"]),
          size(row["memory_bytes"]), seconds(row["inspect_s"]), seconds(row["read_s"]), seconds(row["decode_core_s"]))
         for row in told["data"]],
    )  # fmt: skip
    return found


def workers_table(by_links: Json, kind: str) -> str:
    """Rows of workers for each kind of links."""
    gain = "faster" if kind == "same_batch" else "sooner"
    rows = [
        (name, row["workers"], seconds(row.get("step_s")), seconds(row.get("waiting_s")),
         seconds(row.get("all_reduce_s")), "" if gain not in row else f"{row[gain]:.1f} ×", row["limit"])
        for name, found in by_links.items() for row in found
    ]  # fmt: skip
    head = "times as fast" if kind == "same_batch" else "times as soon at the same loss"
    return table(("links", "workers", "a step", "waiting", "summing", head, "limited by"), rows)


def seconds(value: float | None) -> str:
    """A time that can be read."""
    if value is None:
        return ""
    for unit, name in ((365.25 * 86400, "years"), (86400, "d"), (3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms")):
        if value >= unit:
            return f"{value / unit:.3g} {name}"
    return f"{value * 1e6:.3g} µs"


def size(count: float) -> str:
    """Bytes that can be read."""
    for unit, name in ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= unit:
            return f"{count / unit:.3g} {name}"
    return f"{count:.0f} B"


def figure(value: float | None) -> str:
    """A number, or that there is none."""
    return "none found" if value is None else f"{value:,.0f}"


def filled(text: str, told: dict[str, str]) -> str:
    """A page whose marked places hold what is told; every place has to be known, and the other way round."""
    marks = re.compile(r"(<!-- scale:(\w+) -->\n).*?(\n<!-- scale end -->)", re.DOTALL)
    places = [found[2] for found in marks.finditer(text)]
    if sorted(places) != sorted(told):
        raise SystemExit(f"docs/scale.md has the places {sorted(places)}, not {sorted(told)}")
    return marks.sub(lambda found: found[1] + told[found[2]] + found[3], text)


def write_docs(results: Path) -> None:
    """Put the figures of the result that is there into docs/scale.md."""
    file = results / "scale.json"
    if not file.exists():
        raise SystemExit(f"{file} is not there: run scale.py first")
    told = blocks(json.loads(file.read_text(encoding="utf-8")))
    _PAGE.write_text(filled(_PAGE.read_text(encoding="utf-8"), told), encoding="utf-8")
    print(_PAGE)
