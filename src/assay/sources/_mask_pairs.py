"""Which mask belongs to which picture, by the names of files and folders alone.

Known: `images/` beside `masks/` (also `labels/`, `annotations/`, `SegmentationClass/`, … and names that hold such a
word, as `train_masks/`), with sides above or below; `a.jpg` beside `a_mask.png`; several masks of a picture, each named
after its class (`masks/CLASS/a.png`, `masks/a/CLASS.png`, `a_CLASS.png` there) or each an object's (`a/masks/*.png`).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from assay.sources._image_header import is_image_name

#: Words that a folder of masks, or of pictures, has in its name.
_MASK_WORDS = frozenset(
    {"mask", "masks", "label", "labels", "labelids", "annotation", "annotations", "annots", "gt", "groundtruth",
     "segmentation", "segmentations", "segmentationclass", "segmentationclassaug", "seg", "segs", "trimap", "trimaps"}
)  # fmt: skip
_PICTURE_WORDS = frozenset(
    {"image", "images", "img", "imgs", "jpegimages", "picture", "pictures", "photo", "photos", "input", "inputs"}
)
#: What other folders of the same data sets hold: pictures of the masks, or numbers of objects.
_OTHER_FOLDERS = frozenset({"segmentationobject", "visualization", "visualizations", "overlays", "overlay", "preview"})
_SUFFIX = re.compile(
    r"^(?P<stem>.+?)[ _.-](mask|masks|label|labels|labelids|seg|segmentation|annotation|gt|groundtruth|l|matte)"
    r"(?P<number>[ _.-]\d+)?$",
    re.IGNORECASE,
)
#: More classes than this are objects.
_MOST_CLASSES = 64


@dataclass
class Pairs:
    """What was found.

    Attributes:
        masks: by picture, its mask files by class; one of the class "" holds all classes.
        classes: of several mask files for a picture; empty where one file holds all.
        objects: the several files of a picture are its objects, each a mask of its own.
        pictures_alone: pictures without a mask.
        masks_alone: masks without a picture.
        stray: other files.
    """

    masks: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    objects: bool = False
    pictures_alone: list[str] = field(default_factory=list)
    masks_alone: list[str] = field(default_factory=list)
    stray: list[str] = field(default_factory=list)


def find_pairs(names: Sequence[str]) -> Pairs:
    """The pictures among some files, each with its masks; `masks` is empty where no layout is known."""
    files = [name for name in names if is_image_name(name) and not _is_other(name)]
    kinds = {name: _kind(name) for name in files}
    masks = [name for name in files if kinds[name] == "mask"]
    pictures = [name for name in files if kinds[name] == "picture"]
    if masks and not pictures:  # masks/ beside pictures that lie anywhere else
        pictures = [name for name in files if kinds[name] == ""]
    pairs = _by_folder(pictures, masks) if masks else _by_suffix(files)
    known = {name for found in pairs.masks.values() for group in found.values() for name in group}
    known |= {*pairs.masks, *pairs.pictures_alone, *pairs.masks_alone}
    pairs.stray = [name for name in names if name not in known]
    return pairs


def _kind(name: str) -> str:
    """What the folder nearest to the file tells: "mask", "picture" or nothing, ""."""
    for part in reversed(name.split("/")[:-1]):
        words = set(re.split(r"[\W_\d]+", part.lower()))
        if words & _MASK_WORDS:
            return "mask"
        if words & _PICTURE_WORDS:
            return "picture"
    return ""


def _is_other(name: str) -> bool:
    return any(part.lower() in _OTHER_FOLDERS for part in name.split("/")[:-1])


def _by_suffix(files: Sequence[str]) -> Pairs:
    """`a.jpg` and `a_mask.png` in one folder, also with further masks as `a_mask_1.png`."""
    stems: dict[str, list[str]] = defaultdict(list)
    ends: dict[str, str] = {}
    for name in files:
        stem = name.rpartition(".")[0]
        folder, slash, base = stem.rpartition("/")
        match = _SUFFIX.match(base)
        if match:
            ends[name] = f"{folder}{slash}{match['stem']}"
        else:
            stems[stem].append(name)
    pairs = Pairs()
    for name, stem in ends.items():
        pictures = stems.get(stem, [])
        if len(pictures) == 1:
            pairs.masks.setdefault(pictures[0], {}).setdefault("", []).append(name)
    if not pairs.masks:
        return pairs
    used = {mask for found in pairs.masks.values() for mask in found[""]}
    pairs.masks_alone = [name for name in ends if name not in used]
    pairs.pictures_alone = [name for group in stems.values() for name in group if name not in pairs.masks]
    return pairs


def _by_folder(pictures: Sequence[str], masks: Sequence[str]) -> Pairs:
    """Folders of pictures and of masks: by the same path below them, else by the file's own name."""
    keys = _unique((_key(name), name) for name in pictures)
    stems = _unique((key[-1:], name) for key, name in keys.items())
    found: dict[str, dict[str, list[str]]] = {}
    alone: list[str] = []
    for name in masks:
        picture, rest = _picture_of(_key(name), keys, stems)
        if picture is None:
            alone.append(name)
        else:
            found.setdefault(picture, {}).setdefault(rest, []).append(name)
    pairs = Pairs(masks=found, masks_alone=alone)
    pairs.pictures_alone = [name for name in pictures if name not in found]
    _name_classes(pairs)
    return pairs


def _picture_of(
    key: tuple[str, ...], keys: Mapping[tuple[str, ...], str], stems: Mapping[tuple[str, ...], str]
) -> tuple[str | None, str]:
    """The picture that a mask's key means, and what else the key says: a class, an object's name, or nothing."""
    stem = key[-1]
    match = _SUFFIX.match(stem)
    bare = match["stem"] if match else stem
    for last in (stem, bare):
        if (picture := keys.get((*key[:-1], last))) is not None:
            return picture, ""
    if len(key) > 1:
        for last in (stem, bare):
            if (picture := keys.get((*key[:-2], last))) is not None:  # masks/CLASS/a.png
                return picture, key[-2]
        for inner in (key[:-1], (*key[:-1], key[-2])):  # masks/a/CLASS.png, a/masks/OBJECT.png beside a/images/a.png
            if (picture := keys.get(inner)) is not None:
                return picture, stem
    for last in (stem, bare):
        if (picture := stems.get((last,))) is not None:
            return picture, ""
    return _by_beginning(key, keys)


def _by_beginning(key: tuple[str, ...], keys: Mapping[tuple[str, ...], str]) -> tuple[str | None, str]:
    """The picture whose name a mask's name begins with: `a_CLASS.png` of `a.jpg`."""
    pieces = re.split(r"([ _.-])", key[-1])
    for cut in range(len(pieces) - 2, 0, -2):
        picture = keys.get((*key[:-1], "".join(pieces[:cut])))
        if picture is not None:
            return picture, "".join(pieces[cut + 1 :])
    return None, ""


def _name_classes(pairs: Pairs) -> None:
    """Say whether the several files of pictures are classes, which recur from picture to picture, or objects."""
    rests = {rest for found in pairs.masks.values() for rest in found if rest}
    if not rests:
        return
    total = sum(len(found) for found in pairs.masks.values())
    recurring = len(pairs.masks) == 1 or total >= 1.3 * len(rests)
    numbers = all(re.fullmatch(r"\d+", rest) for rest in rests)
    if recurring and not numbers and len(rests) <= _MOST_CLASSES:
        pairs.classes = tuple(sorted(rests))
        return
    pairs.objects = True
    pairs.masks = {picture: {"": sorted(name for group in found.values() for name in group)}
                   for picture, found in pairs.masks.items()}  # fmt: skip


def _key(name: str) -> tuple[str, ...]:
    """A file's path without its ending and without the words for pictures and masks in its folders."""
    *folders, base = name.split("/")
    kept = []
    for folder in folders:
        words = [word for word in re.split(r"[\W_]+", folder.lower()) if word]
        bare = [word for word in words if word not in _MASK_WORDS and word not in _PICTURE_WORDS]
        if len(bare) == len(words):
            kept.append(folder)
        elif bare:
            kept.append("_".join(bare))
    return (*kept, base.rpartition(".")[0] or base)


def _unique(pairs: Iterable[tuple[tuple[str, ...], str]]) -> dict[tuple[str, ...], str]:
    """Names by key, without those keys that two names have."""
    found: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for key, name in pairs:
        found[key].append(name)
    return {key: group[0] for key, group in found.items() if len(group) == 1}
