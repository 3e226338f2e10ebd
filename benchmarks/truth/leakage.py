"""Planted copies of seven kinds among photographs: how many are found, and how many pairs are accused wrongly.

Copies are planted into each of three sets of photographs. Natural pairs among the originals, which nobody planted, are
told apart: those in `NATURAL` were looked at and are copies indeed; any other counts against the precision. Beside it:
the time for 10,000 images, and what is known of `brain_mri_tumor`, split as a user would have it split.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import _path  # noqa: F401
import numpy as np
from _common import Bench, Json, Target, data_root, numbers, open_bench, seeds_option
from PIL import Image

SETS = {"cats_dogs": "cats_dogs", "road_signs": "road_signs/images", "bccd": "bccd/JPEGImages"}
MRI = "brain_mri_tumor"
_COPIES, _TIMED = 60, 10_000
_QUALITY, _BITS, _LISTED = 90, 8, 40
#: Pairs of originals, by name, that are copies of one another as they come, each looked at: the same picture twice, or
#: the same scene a moment later or with another light on.
NATURAL = frozenset(
    {
        ("BloodImage_00037.jpg", "BloodImage_00038.jpg"),
        ("BloodImage_00386.jpg", "BloodImage_00391.jpg"),
        ("dog0290.jpg", "dog0671.jpg"),
        ("road145.jpg", "road147.jpg"),
        ("road24.jpg", "road46.jpg"),
        ("road254.jpg", "road255.jpg"),
        ("road33.jpg", "road34.jpg"),
        ("road42.jpg", "road48.jpg"),
        ("road487.jpg", "road488.jpg"),
        ("road489.jpg", "road490.jpg"),
        ("road518.jpg", "road519.jpg"),
        ("road575.jpg", "road576.jpg"),
        ("road721.jpg", "road722.jpg"),
    }
)

Array = np.ndarray[Any, Any]
Random = np.random.Generator


def _coded(picture: Image.Image, quality: int = _QUALITY) -> bytes:
    out = io.BytesIO()
    picture.convert("RGB").save(out, "JPEG", quality=quality)
    return out.getvalue()


def _cut(picture: Image.Image, top: float, left: float, share: float) -> bytes:
    """A part of `share` of each side."""
    width, height = picture.size
    box = (left * width, top * height, (left + share) * width, (top + share) * height)
    return _coded(picture.crop(tuple(round(edge) for edge in box)))


def _resized(picture: Image.Image, random: Random) -> bytes:
    factor = float(random.choice([random.uniform(0.5, 0.8), random.uniform(1.25, 1.5)]))
    size = (round(factor * picture.width), round(factor * picture.height))
    return _coded(picture.resize(size, Image.Resampling.BICUBIC))


def _brighter(picture: Image.Image, random: Random) -> bytes:
    gain = random.uniform(1.15, 1.4)
    return _coded(picture.point([min(255, round(gain * value)) for value in range(256)] * len(picture.getbands())))


#: By kind, what makes a copy of a file's bytes and its picture.
KINDS: dict[str, Callable[[bytes, Image.Image, Random], bytes]] = {
    "exact": lambda payload, picture, random: payload,
    "re-encoded": lambda payload, picture, random: _coded(picture, int(random.integers(50, 86))),
    "resized": lambda payload, picture, random: _resized(picture, random),
    "mirrored": lambda payload, picture, random: _coded(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
    "brighter": lambda payload, picture, random: _brighter(picture, random),
    "cropped to 95 %": lambda payload, picture, random: _cut(picture, *random.uniform(0, 0.05, 2), 0.95),
    "cropped by 5 % at each edge": lambda payload, picture, random: _cut(picture, 0.05, 0.05, 0.9),
}


def photographs(bench: Bench, name: str) -> list[Path]:
    """The files of a set in the order of their names; for a trial, pieces of scikit-image's photographs."""
    if not bench.smoke:
        return sorted((data_root() / SETS[name]).rglob("*.jpg"))
    from skimage import data

    folder = bench.work / "pieces"
    for subject in ("astronaut", "chelsea", "coffee", "rocket"):
        picture = Image.fromarray(getattr(data, subject)())
        for place in range(6):
            file = folder / subject / f"{subject}-{place}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            left, top = 96 * (place % 3), 120 * (place // 3)
            file.write_bytes(_coded(picture.crop((left, top, left + 96, top + 120))))
    return sorted(folder.rglob("*.jpg"))


def plant(files: Sequence[Path], folder: Path, copies: int, seed: int) -> list[tuple[str, int]]:
    """Write the originals (names by number) and `copies` of each kind, no original twice; tells kind and original."""
    random = np.random.default_rng(seed)
    chosen = random.permutation(len(files))[: copies * len(KINDS)]
    planted = [(kind, int(number)) for kind, part in zip(KINDS, np.array_split(chosen, len(KINDS)), strict=True)
               for number in part]  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    for number, file in enumerate(files):
        (folder / f"original-{number:05d}.jpg").write_bytes(file.read_bytes())
    for place, (kind, number) in enumerate(planted):
        payload = files[number].read_bytes()
        with Image.open(io.BytesIO(payload)) as picture:
            (folder / f"planted-{place:05d}.jpg").write_bytes(KINDS[kind](payload, picture, random))
    return planted


def found_among(folder: Path) -> tuple[list[str], Array, float]:
    """Names of a folder's images, the pairs (P, 2) that the finding's search calls copies, and the seconds it took."""
    from assay.progress import Progress
    from assay.samples.lookalikes import find_copies
    from assay.samples.thumbnails import thumbnails_of_records
    from assay.sources.images import read_unlabelled_images
    from assay.sources.source import open_source

    records = read_unlabelled_images(open_source(folder))
    begun = time.perf_counter()
    pairs = find_copies(thumbnails_of_records(records, Progress())).pairs
    return records.index().column("id").to_pylist(), pairs, time.perf_counter() - begun


def hashed(folder: Path) -> tuple[list[str], Array, float]:
    """The same by an image-hash library: 64-bit perceptual hashes at most 8 bits apart, as is usual with it."""
    import imagehash

    files = sorted(folder.iterdir())
    begun = time.perf_counter()
    bits = np.stack([imagehash.phash(Image.open(file)).hash.ravel() for file in files]).astype(np.float32)
    apart = bits.sum(axis=1)[:, None] + bits.sum(axis=1) - 2 * bits @ bits.T
    pairs = np.argwhere(np.triu(apart <= _BITS, 1))
    return [file.name for file in files], pairs, time.perf_counter() - begun


def measure(bench: Bench, name: str, seed: int) -> Json:
    """Plant copies, and let both searches find them."""
    files = photographs(bench, name)
    copies = 3 if bench.smoke else min(_COPIES, len(files) // len(KINDS))
    folder = bench.work / f"{name}-{seed}"
    planted = plant(files, folder, copies, seed)
    return {"images": len(files) + len(planted), "planted": len(planted),
            "ours": score(files, planted, *found_among(folder)),
            "hash": score(files, planted, *hashed(folder))}  # fmt: skip


def score(files: Sequence[Path], planted: Sequence[tuple[str, int]], ids: Sequence[str], pairs: Array,
          seconds: float) -> Json:  # fmt: skip
    """Planted copies found by kind, and every pair of originals that was called copies though nobody planted it."""
    root = {f"original-{number:05d}.jpg": number for number in range(len(files))}
    root |= {f"planted-{place:05d}.jpg": number for place, (_, number) in enumerate(planted)}
    hit: set[int] = set()
    others: set[tuple[int, int]] = set()
    for first, second in pairs:
        one, two = root[ids[first]], root[ids[second]]
        if one != two:
            others.add((min(one, two), max(one, two)))
        else:
            hit |= {int(ids[place][8:13]) for place in (first, second) if ids[place].startswith("planted")}
    by_kind = {kind: [0, 0] for kind in KINDS}
    for place, (kind, _) in enumerate(planted):
        by_kind[kind][0] += place in hit
        by_kind[kind][1] += 1
    unplanted = [(files[one].name, files[two].name) for one, two in sorted(others)]
    wrong = [pair for pair in unplanted if pair not in NATURAL]
    missed = [[kind, files[number].name] for place, (kind, number) in enumerate(planted) if place not in hit]
    return {"recall": len(hit) / len(planted), "precision": len(hit) / max(1, len(hit) + len(wrong)),
            "by_kind": by_kind, "missed": missed, "natural": len(unplanted) - len(wrong), "wrong": wrong[:_LISTED],
            "wrong_pairs": len(wrong), "seconds": round(seconds, 2)}  # fmt: skip


def ten_thousand(bench: Bench) -> Json:
    """Seconds for 10,000 photographs, decoding included: all that there are, and parts of them at random places."""
    random = np.random.default_rng(0)
    files = [file for name in SETS for file in photographs(bench, name)]
    folder, count = bench.work / "many", 100 if bench.smoke else _TIMED
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        file = files[number % len(files)]
        payload = file.read_bytes()
        if number >= len(files):
            with Image.open(io.BytesIO(payload)) as picture:
                payload = _cut(picture, *random.uniform(0, 0.4, 2), 0.6)
        (folder / f"{number:05d}.jpg").write_bytes(payload)
    ids, pairs, seconds = found_among(folder)
    return {"images": len(ids), "seconds": round(seconds, 2), "pairs": len(pairs)}


def brain_mri(bench: Bench) -> Json:
    """Images of `brain_mri_tumor` whose 16 x 16 thumbnails are equal: found or not, and where the split puts them."""
    from assay.flow import prepare
    from assay.sources.source import DataOptions

    folder = bench.work / "pieces" if bench.smoke else data_root() / MRI
    prepared = prepare(folder, DataOptions(task="image-classification"))
    ids = prepared.records.index().column("id").to_pylist()
    side = dict(zip(ids, prepared.split.side.tolist(), strict=True))
    small = [np.asarray(Image.open(folder / name).convert("L").resize((16, 16), Image.Resampling.BOX), float)
             for name in ids]  # fmt: skip
    flat = np.stack(small).reshape(len(small), -1)
    apart = np.abs(flat[:, None] - flat).max(axis=2)
    known = [(ids[a], ids[b]) for a, b in np.argwhere(np.triu(apart <= 2.0, 1))]
    found = {(ids[a], ids[b]) for a, b in prepared.task.copied_rows(prepared.records, _silent())}
    groups = _grouped(found)
    return {"images": len(ids), "pairs": len(found), "copies": sum(len(group) - 1 for group in groups),
            "known_pairs": len(known), "known_found": sum(_linked(pair, groups) for pair in known),
            "split_groups": sum(len({side[name] for name in group}) > 1 for group in groups),
            "known_split": sum(side[a] != side[b] for a, b in known),
            "sides": prepared.split.counts(), "groups": [sorted(group) for group in groups]}  # fmt: skip


def _silent() -> Any:
    from assay.progress import Progress

    return Progress()


def _grouped(pairs: Iterable[tuple[str, str]]) -> list[set[str]]:
    groups: list[set[str]] = []
    for pair in sorted(pairs):
        joined = [group for group in groups if group & set(pair)]
        groups = [group for group in groups if group not in joined] + [set(pair).union(*joined)]
    return groups


def _linked(pair: tuple[str, str], groups: Sequence[set[str]]) -> bool:
    return any(set(pair) <= group for group in groups)


def summarise(runs: Sequence[Json], who: str) -> Json:
    """Recall by kind and precision over all draws of a set."""
    kinds = {kind: np.sum([run[who]["by_kind"][kind] for run in runs], axis=0) for kind in KINDS}
    hits, planted = (int(total) for total in np.sum(list(kinds.values()), axis=0))
    wrong = sum(run[who]["wrong_pairs"] for run in runs)
    return {"recall": hits / planted, "precision": hits / max(1, hits + wrong), "planted": planted,
            "recall_by_kind": {kind: float(found / total) for kind, (found, total) in kinds.items()},
            "natural_pairs": runs[0][who]["natural"], "wrong_pairs": wrong}  # fmt: skip


def main() -> None:
    bench = open_bench("truth/leakage", __doc__, seeds_option("0,1,2"))
    seeds = [0] if bench.smoke else numbers(bench.options.seeds)
    names = ("cats_dogs",) if bench.smoke else tuple(SETS)
    runs = {name: [bench.piece(f"{name}-{seed}", partial(measure, bench, name, seed)) for seed in seeds]
            for name in names}  # fmt: skip
    timed = bench.piece("ten-thousand", partial(ten_thousand, bench))
    mri = bench.piece(MRI, partial(brain_mri, bench))
    summary: Json = {name: summarise(runs[name], "ours") for name in names}
    summary["image-hash library"] = {name: summarise(runs[name], "hash") for name in names}
    summary["seconds for 10,000 images"] = timed["seconds"]
    summary[MRI] = {key: value for key, value in mri.items() if key != "groups"}
    targets = [Target(f"{name}: {what}", summary[name][what], ">=", 0.98)
               for name in names for what in ("recall", "precision")]  # fmt: skip
    targets += [
        Target("seconds for 10,000 images", timed["seconds"], "<=", 60.0),
        Target(f"{MRI}: copies found", float(mri["copies"]), ">=", 26),
        Target(f"{MRI}: groups of copies on two sides", float(mri["split_groups"] + mri["known_split"]), "==", 0.0),
    ]
    bench.settings = {"copies of each kind and draw": _COPIES, "kinds": list(KINDS), "hash": f"pHash, {_BITS} bits",
                      "natural pairs": "looked at by eye, see NATURAL"}  # fmt: skip
    bench.finish(summary, targets, seeds=seeds, packages=["pillow", "imagehash"])


if __name__ == "__main__":
    main()
