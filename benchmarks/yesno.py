"""Eight Hebrew words a recording, yes and no: a network from nothing in five folds, templates beside it."""

from __future__ import annotations

import argparse
from functools import partial

from _common import Bench, Json, Target, open_bench
from _speech import FOLDS, invented, yesno_folder
from _transcribed import of_folds, trained

_WANTED = 0.02


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", default="0", help="of the trainings")
    parser.add_argument("--budget", default="5m", help="the time of fitting of each fold")


def measure(bench: Bench, fold: int) -> Json:
    """One training, quick evidence and everything else included."""
    if bench.smoke:
        return trained(invented(bench.work), "2s", bench.options.seed)
    return trained(yesno_folder(bench.work, fold), bench.options.budget, bench.options.seed)


def main() -> None:
    bench = open_bench("yesno", __doc__, add_options)
    folds = [bench.piece(f"fold-{fold}", partial(measure, bench, fold)) for fold in range(1 if bench.smoke else FOLDS)]
    summary = of_folds(folds)
    bench.settings = {"split": "every fifth recording tested", "budget": bench.options.budget}
    targets = [Target("mean word error rate over five folds", summary["wer"]["mean"], "<=", _WANTED)]
    bench.finish(summary, targets, seeds=[int(bench.options.seed)], packages=["jiwer", "soundfile"])


if __name__ == "__main__":
    main()
