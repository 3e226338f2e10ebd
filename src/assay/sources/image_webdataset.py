"""Tar shards as WebDataset has them: the files of a sample share a name, `0001.jpg` beside `0001.cls` or `0001.json`.

The headers of all members are read once, and so is every image, to be checked; afterwards an image is a stretch of its
shard. Shards that `assay data shard` wrote have an index that says all that, and are read by `assay.sources.shards`.
"""

from __future__ import annotations

import json
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from assay.arrow import pa
from assay.errors import DataError, SettingError, did_you_mean
from assay.sources._image_files import ImageCheck, check_image
from assay.sources._image_header import is_image_name
from assay.sources._image_records import image_records
from assay.sources._image_targets import read_targets
from assay.sources._listing import listing, note
from assay.sources._parallel import ordered_map
from assay.sources._remote import RemoteStore
from assay.sources._shard_parts import LocalParts, Parts
from assay.sources._splits import asks_for_shares, side_of_name
from assay.sources._values import as_category
from assay.sources.records import ProblemLog, Records
from assay.sources.shards import load, locations_of, storage_of
from assay.sources.source import DataOptions, Recognition, Source

_LOOK_AT = 20
#: Where a label stands, the first that there is: a member's ending, or a key of a member that is JSON.
_ENDINGS = ("cls", "label", "cls.txt", "txt")
_KEYS = ("target", "label", "class", "cls", "labels")


@dataclass
class _Sample:
    """One sample as it was found: the image's place and check, and what else there is of it."""

    shard: int
    image: str
    place: tuple[int, int, int]
    check: ImageCheck
    words: dict[str, bytes] = field(default_factory=dict)


def recognise(source: Source) -> Recognition | None:
    """How well the source looks like such shards; None where it does not."""
    if not source.has_files:
        return None
    found = _shards(source)
    if found is None:
        return None
    parts, names = found
    endings: dict[str, set[str]] = {}
    for _, member, _, _ in _head(parts, names[0]):
        key, ending = _key(member)
        endings.setdefault(key, set()).add(ending)
    with_image = [those for those in endings.values() if any(map(_is_image, those))]
    labelled = [those for those in with_image if those & {*_ENDINGS, "json"}]
    if not labelled or 2 * len(with_image) < len(endings):
        return None
    files = f"{len(names)} tar shards" if len(names) > 1 else "a tar shard"
    return Recognition(0.98, f"{files} of images, each beside its label")


def read(source: Source, options: DataOptions) -> Records:
    """The images of all shards, with their labels.

    Options: `target`, the ending (`cls`) or the key of the JSON that is the label; `group`, likewise.

    Raises:
        DataError: a shard is damaged, or no image can be used.
        SettingError: there is no such label.
    """
    found = _shards(source)
    if found is None:
        raise DataError("there are no tar shards", "Give a folder of them.", file=source.label)
    parts, names = found
    log = ProblemLog()
    samples = list(_samples(parts, names, log))
    target = _label_name(samples, options.target, source.label)
    labels = [_value(sample, target) for sample in samples]
    for sample, label in zip(samples, labels, strict=True):
        note(sample.check, log)
        if label is None:
            log.add("missing-target", "skipped", sample.check.name)
    kept = [sample for sample, label in zip(samples, labels, strict=True) if label is not None]
    if target == "cls":  # by WebDataset's convention the number of a class
        options = replace(options, extra={"target_kind": "class", **options.extra})
    targets, kind = read_targets(_array([label for label in labels if label is not None]), options, target)
    usable = [sample.check.usable for sample in kept]
    numbers = np.asarray([(sample.shard, *sample.place) for sample in kept], np.int64).reshape(-1, 4)
    ids = [sample.check.name for sample in kept]
    columns = [pa.array(column) for column in numbers.T[1:]]
    shards = pa.array(names, pa.string()).take(pa.array(numbers[:, 0]))
    members = [sample.image for sample in kept]
    images = listing(
        id=ids,
        location=locations_of(shards, columns[0], columns[1], columns[2], pa.array(members, pa.string())),
        target=targets,
        group=_groups(kept, options, source.label),
        split=None if asks_for_shares(options) else _sides(names, kept),
    )
    shard, offset, size, _ = numbers[usable].T
    storage = storage_of(names, shard, offset, size, parts)
    records = image_records(
        images,
        [sample.check for sample in kept],
        partial(load, parts, storage.faults, False),
        log,
        target={"name": target, "kind": kind},
        label=source.label,
    )
    return replace(records, storage=storage)


def _shards(source: Source) -> tuple[Parts, list[str]] | None:
    """The tar files of a source; None where it holds others, too, or is a single archive of something else."""
    if source.path is None:
        store = source.store
        names = [name for name in store.names if name.endswith(".tar")]
        return (store, names) if names and len(names) == len(store.names) and isinstance(store, RemoteStore) else None
    if source.path.is_file():
        return (LocalParts(source.path.parent), [source.path.name]) if source.path.name.endswith(".tar") else None
    names = source.store.names
    return (LocalParts(source.path), names) if names and all(name.endswith(".tar") for name in names) else None


def _head(parts: Parts, name: str) -> Iterator[tuple[int, str, int, bytes]]:
    for count, member in enumerate(_members(parts, name)):
        if count == _LOOK_AT:
            return
        yield member


def _members(parts: Parts, name: str) -> Iterator[tuple[int, str, int, bytes]]:
    """The number, name, first byte and bytes of each file in a shard, from its start to its end."""
    try:
        with parts.open(name) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for number, member in enumerate(archive):
                if member.isreg():
                    file = archive.extractfile(member)
                    content = b"" if file is None else file.read()
                    if len(content) < member.size:
                        raise EOFError(f"it ends within {member.name}")
                    yield number, member.name, member.offset_data, content
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise DataError(
            f"the shard is damaged ({error})", "Copy or write it again.", file=parts.address(name)
        ) from error


def _samples(parts: Parts, names: list[str], log: ProblemLog) -> Iterator[_Sample]:
    """The samples of all shards; what belongs to no image is noted."""
    for shard, name in enumerate(names):
        words: dict[str, dict[str, bytes]] = {}
        images: dict[str, _Sample] = {}
        for (member, start, content), check in _checked(parts, name):
            key, ending = _key(member)
            if check is None:
                words.setdefault(key, {})[ending] = content
            elif key in images:
                log.add("second-image-of-a-sample", "skipped", f"{name}/{member}")
            else:
                images[key] = _Sample(shard, member, (start, len(content), zlib.crc32(content)), check)
        for key, sample in images.items():
            sample.words = words.pop(key, {})
            yield sample
        for key in words:
            log.add("sample-without-image", "skipped", f"{name}/{key}")


def _checked(parts: Parts, name: str) -> Iterator[tuple[tuple[str, int, bytes], ImageCheck | None]]:
    """Members with the check of those that are images, by as many threads as there are processors."""

    def check(member: tuple[int, str, int, bytes]) -> tuple[tuple[str, int, bytes], ImageCheck | None]:
        _, inside, start, content = member
        found = check_image(content, f"{name}/{inside}") if is_image_name(inside) else None
        return (inside, start, content), found

    yield from ordered_map(check, _members(parts, name), chunk=16)


def _key(member: str) -> tuple[str, str]:
    """A member's sample and ending: the name up to the first dot behind the folders, and what follows."""
    folder, slash, file = member.removeprefix("./").rpartition("/")
    stem, _, ending = file.partition(".")
    return f"{folder}{slash}{stem}", ending.lower()


def _is_image(ending: str) -> bool:
    return is_image_name(f"x.{ending}")


def _label_name(samples: list[_Sample], asked: str | None, label: str) -> str:
    """The ending or key that is the label: the one that is asked for, or the first usual one of the first samples."""
    known: list[str] = []
    for sample in samples[:_LOOK_AT]:
        known += [name for name in (*sample.words, *_json(sample)) if name not in known and name != "json"]
    if asked is not None:
        if asked not in known:
            raise SettingError(f"no sample has a {asked!r}.", did_you_mean(asked, known))
        return asked
    found = next((name for name in (*_ENDINGS[:3], *_KEYS, "txt") if name in known), None)
    if found is None:
        told = ", ".join(map(repr, known)) or "nothing"
        raise DataError(f"no label is found; beside the images there is {told}.", "Name it with --target.", file=label)
    return found


def _json(sample: _Sample) -> dict[str, Any]:
    try:
        found = json.loads(sample.words.get("json", b"{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _value(sample: _Sample, name: str) -> Any:
    """What a sample has under an ending or a key; None for nothing."""
    if name in sample.words:
        return sample.words[name].decode("utf-8", "replace").strip() or None
    return _json(sample).get(name)


def _array(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if value is None else str(value) for value in values], pa.string())


def _groups(samples: list[_Sample], options: DataOptions, label: str) -> pa.Array | None:
    if options.group is None:
        return None
    name = _label_name(samples, options.group, label)
    return as_category(_array([_value(sample, name) for sample in samples]))


def _sides(names: list[str], samples: list[_Sample]) -> list[str] | None:
    """The side that each sample's shard is named after, where all shards are."""
    sides = [side_of_name(name) for name in names]
    if None in sides or len(set(sides)) < 2:
        return None
    return [str(sides[sample.shard]) for sample in samples]
