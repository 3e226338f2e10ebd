"""Write the scanned digits that come with scikit-learn as a folder of pictures for each class.

    python docs/learn/digits.py digits                                    all 1,797 of them
    python docs/learn/digits.py wrong-digits --per-class 60 --wrong 0.3   few of each, the label of 3 in 10 drawn by lot

The other pages of `docs/learn/` train on these folders.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from pathlib import Path

from PIL import Image
from sklearn.datasets import load_digits


def main() -> None:
    """Write the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--per-class", type=int, default=None, help="how many of each digit (default: all)")
    parser.add_argument("--wrong", type=float, default=0.0, help="the share of labels drawn by lot (default: none)")
    arguments = parser.parse_args()

    digits, lot = load_digits(), random.Random(0)
    taken: Counter[int] = Counter()
    for number, (pixels, digit) in enumerate(zip(digits.images, digits.target.tolist(), strict=True)):
        if taken[digit] == arguments.per_class:
            continue
        taken[digit] += 1
        label = lot.randrange(10) if lot.random() < arguments.wrong else digit
        file = arguments.folder / str(label) / f"{number:04d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray((pixels * 255 / 16).round().astype("uint8"))  # 17 shades of grey, spread over 256
        picture.save(file)
    print(f"{taken.total()} pictures in {arguments.folder}")


if __name__ == "__main__":
    main()
