"""Recordings in a folder for each command, also below train/, validation/ and test/; in a folder, a zip or a tar.

The layout of Google's Speech Commands is known in particular: `SPEAKER_nohash_NUMBER.wav` names the speaker,
`validation_list.txt` and `testing_list.txt` name the files of these sides, and `_background_noise_` holds no command.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from assay.errors import DataError
from assay.sources._audio_header import is_audio_name
from assay.sources._class_folders import ClassFolders, class_folders
from assay.sources._lines import lines_of
from assay.sources._recording_layout import Found, Kind, is_audio_source, text_table
from assay.sources._splits import split_of
from assay.sources.records import Place, ProblemLog
from assay.sources.source import DataOptions, Recognition, Source
from assay.sources.store import Store

_BACKGROUND = re.compile(r"_*background(_?noises?)?_*", re.IGNORECASE)
_NO_HASH = re.compile(r"(?P<speaker>[^/]+)_nohash_\d+\.[^/.]+$")
_LISTS = {"validation_list.txt": "validation", "testing_list.txt": "test"}
_SIDES = ("train", "validation", "test")


def recognise(source: Source) -> Mapping[Kind, Recognition]:
    """0.9 for folders of recordings, one per class; 0.5 where other files are more; 0.3 for one such folder."""
    if not is_audio_source(source, is_audio_name):
        return {}
    layout = _layout(source.store.names)
    classes = sorted({name for name in layout.classes if not _BACKGROUND.fullmatch(name)})
    if not classes or all(split_of(name) is not None for name in classes):
        return {}
    sides = sorted(set(layout.sides), key=_SIDES.index)
    below = f", below {', '.join(sides)}" if sides else ""
    if len(classes) == 1:
        return {"class": Recognition(0.3, f"1 folder of recordings, {classes[0]!r}{below}")}
    score = 0.9 if len(layout.names) >= len(layout.stray) else 0.5
    return {"class": Recognition(score, f"{len(classes)} folders of recordings, one per class{below}")}


def find(source: Source, options: DataOptions, log: ProblemLog) -> Found:
    """The recordings of every class folder; what lies elsewhere is noted as `stray-file`.

    The names of background recordings go into the facts, as `background`. Raises `DataError` where there is no folder.
    """
    store = source.store
    layout = _layout(store.names)
    if not layout.names:
        raise DataError(
            "there are no folders of recordings, one per class.",
            "Put the recordings of each class into a folder of its name.",
            file=source.label,
        )
    lists = _listed(store)
    sides: list[str | None] = list(layout.sides) or [None] * len(layout.names)
    rows: list[dict[str, str | None]] = []
    places, background = [], []
    for name, label, side in zip(layout.names, layout.classes, sides, strict=True):
        if _BACKGROUND.fullmatch(label):
            background.append(name)
            continue
        speaker = _NO_HASH.search(name)
        given = (lists.get(_last(name)) or "train") if lists else side
        rows.append({"label": label, "speaker": speaker and speaker["speaker"], "split": given})
        places.append(name)
    for name in layout.stray:
        if _last(name, 1) not in _LISTS or not lists:
            log.add("stray-file", "skipped", name)
    names = ["label"]
    defaults = {"class": "label"}
    if any(row["speaker"] for row in rows):
        names.append("speaker")
        defaults["speaker"] = "speaker"
    if lists or layout.sides:
        names.append("split")
        defaults["split"] = "split"
    facts = {"background": background} if background else {}
    where: list[str | None] = list(places)
    return Found(where, where, [Place(name) for name in places], text_table(rows, names), store, defaults, facts)


def _layout(names: list[str]) -> ClassFolders:
    return class_folders(names, is_audio_name)


def _last(name: str, parts: int = 2) -> str:
    return "/".join(name.split("/")[-parts:])


def _listed(store: Store) -> dict[str, str]:
    """The side of each file that the lists of Speech Commands name, by its folder and name; empty without lists."""
    sides: dict[str, str] = {}
    for name in store.names:
        if (side := _LISTS.get(_last(name, 1))) is not None:
            sides.update({_last(line.strip()): side for line in lines_of(store, name) if line and line.strip()})
    return sides
