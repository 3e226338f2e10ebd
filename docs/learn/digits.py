"""Write the scanned digits that come with scikit-learn as a folder of pictures for each class.

    python docs/learn/digits.py digits                      all 1,797 of them
    python docs/learn/digits.py few-digits --per-class 15   few of each

The other pages of `docs/learn/` train on these folders.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from PIL import Image
from sklearn.datasets import load_digits


def main() -> None:
    """Write the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--per-class", type=int, default=None, help="how many of each digit (default: all)")
    arguments = parser.parse_args()

    digits = load_digits()
    written: Counter[int] = Counter()
    for pixels, digit in zip(digits.images, digits.target.tolist(), strict=True):
        if arguments.per_class is not None and written[digit] >= arguments.per_class:
            continue
        class_folder = arguments.folder / str(digit)
        class_folder.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray((pixels * 255 / 16).round().astype("uint8"))  # 17 shades of grey, spread over 256
        picture.save(class_folder / f"{written[digit]:03d}.png")
        written[digit] += 1
    print(f"{written.total()} pictures in {arguments.folder}")


if __name__ == "__main__":
    main()
