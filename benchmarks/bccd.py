"""Blood cells in smears: a detector on weights from ImageNet, HOG windows beside it, on the sides that were given."""

from __future__ import annotations

import argparse
from functools import partial

from _boxes import invented, of_runs, pace, pictures_of, trained
from _common import Target, data_root, numbers, open_bench


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", default="0", help="seeds of the trainings, separated by commas")
    parser.add_argument("--budget", default="60m", help="the time of fitting; everything must fit 75 minutes")
    parser.add_argument("--image-size", default="480x352", help="the field of the network")


def main() -> None:
    bench = open_bench("bccd", __doc__, add_options)
    options = bench.options
    source = invented(bench.work) if bench.smoke else data_root() / "bccd"
    if not (source / "Annotations").is_dir():
        raise SystemExit(f"{source} is not there: set ASSAY_DATA to the folder that holds bccd")
    budget, size = ("1s", "64") if bench.smoke else (options.budget, options.image_size)
    answered = pictures_of(source, bench.work)
    quick = bench.piece("pace", partial(pace, bench, source, answered, 64 if bench.smoke else 320))
    runs = [bench.piece(f"seed-{seed}", partial(trained, bench, source, f"{seed}", budget, seed, "--image-size", size))
            for seed in numbers(options.seeds)]  # fmt: skip
    summary = {**of_runs(runs), "pictures_a_second_at_320": quick["a_second"]}
    walls = [run["wall_s"] for run in runs if run["wall_s"] is not None]
    targets = [
        Target("mean mAP50 on test", summary["map50"]["mean"], ">=", 0.87),
        Target("minutes, everything included", max(walls) / 60 if walls else None, "<=", 75.0),
        Target("pictures a second at 320 px", quick["a_second"], ">=", 12.0),
    ]
    bench.settings = {"budget": budget, "field": size, "split": "as given: 205, 87, 72",
                      "network": "EfficientNet-Lite0, ImageNet-1k"}  # fmt: skip
    packages = ["timm", "torchvision", "pillow"]
    bench.finish(summary, targets, seeds=numbers(options.seeds), packages=packages)


if __name__ == "__main__":
    main()
