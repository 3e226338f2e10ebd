"""How long `assay --help` takes: what every command pays before it does anything."""

from __future__ import annotations

from functools import partial

from _command import run_assay
from _common import Json, Target, open_bench, spread

_RUNS = 10
COMMANDS = (("--help",), ("train", "--help"))


def measure(arguments: tuple[str, ...], runs: int) -> Json:
    """Wall time of a few processes, after one that fills the system's caches."""
    run_assay(*arguments)
    return {"wall_s": [run_assay(*arguments).wall_s for _ in range(runs)]}


def main() -> None:
    bench = open_bench("startup", __doc__)
    runs = 2 if bench.smoke else _RUNS
    found = {}
    for arguments in COMMANDS:
        name = " ".join(("assay", *arguments))
        figures = bench.piece("-".join(word.strip("-") for word in arguments), partial(measure, arguments, runs))
        found[name] = spread(figures["wall_s"])
    targets = [Target("median seconds of assay --help", found["assay --help"]["median"], "<", 0.3)]
    bench.settings = {"runs": runs, "process": "python -m assay"}
    bench.finish(found, targets, packages=["typer"])


if __name__ == "__main__":
    main()
