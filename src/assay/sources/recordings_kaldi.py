"""Data folders as Kaldi has them: `wav.scp`, `text`, `utt2spk`, and `segments` and `spk2gender` where there are such.

Kaldi runs an entry of `wav.scp` that ends in `|` as a shell command. Nothing is run here: such an entry is a problem
(`command-in-wav-scp`), and its utterance is skipped.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from assay.errors import DataError
from assay.sources._audio_header import is_audio_name
from assay.sources._lines import lines_of
from assay.sources._path_tables import Beside, resolver
from assay.sources._recording_layout import TWO_SPEAKERS, Found, Kind, text_table
from assay.sources._recording_stretches import Stretches
from assay.sources._splits import asks_for_shares, side_of_name
from assay.sources.records import Place, ProblemLog
from assay.sources.source import DataOptions, Recognition, Source
from assay.sources.store import Store

_SCRIPT = "wav.scp"
_FOLDERS_UP = 3


def recognise(source: Source) -> Mapping[Kind, Recognition]:
    """0.98 where wav.scp and text lie in one folder."""
    folders = _folders(source)
    if not folders:
        return {}
    return {"text": Recognition(0.98, f"Kaldi's layout: wav.scp and text in {', '.join(folders) or 'the folder'}")}


def find(source: Source, options: DataOptions, log: ProblemLog) -> Found:
    """Every utterance of every wav.scp.

    A path is looked for as it stands, from the folder itself, and from up to three folders above it on disk, since
    Kaldi's paths begin where its recipe is run.

    Where there is a `segments`, utterances are stretches of the recordings.

    Raises:
        DataError: there is no wav.scp with a text beside it.
    """
    store = source.store
    folders = _folders(source)
    if not folders:
        raise DataError(
            "there is no folder with wav.scp and text.", "Put wav.scp and text into one folder.", file=source.label
        )
    sides = {folder: side_of_name(folder) for folder in folders}
    sided = not asks_for_shares(options) and None not in sides.values() and len(set(sides.values())) > 1
    rows: list[dict[str, str | None]] = []
    ids: list[str | None] = []
    places: list[Place] = []
    locations: list[str | None] = []
    files, resolve = _files(source)
    stretches = Stretches(files)
    for folder in folders:
        data = _Folder(store, folder, log)
        for utterance in data.utterances:
            speaker = data.speakers.get(utterance.name)
            about = {"speaker": speaker, "gender": data.genders.get(speaker or ""), "split": sides[folder]}
            rows.append({"text": data.texts.get(utterance.name), **about})
            ids.append(utterance.name)
            places.append(utterance.place)
            where = resolve(utterance.path)
            cut = utterance.seconds if where is not None else None
            locations.append(where if where is None or cut is None else stretches.add(where, *cut))
    names = ["text", "speaker", "gender", *(["split"] if sided else [])]
    defaults: dict[str, str] = {name: name for name in ("text", "speaker", "gender", "split") if name in names}
    if not any(row["speaker"] for row in rows):
        defaults.pop("speaker")
    return Found(ids, locations, places, text_table(rows, names), stretches, defaults)


@dataclass(frozen=True)
class _Utterance:
    """One utterance: its recording as wav.scp names it, from and to which second, and where it is spoken of."""

    name: str
    path: str
    seconds: tuple[float, float | None] | None
    place: Place


class _Folder:
    """The files of one data folder."""

    def __init__(self, store: Store, folder: str, log: ProblemLog) -> None:
        before = f"{folder}/" if folder else ""
        known = set(store.names)

        def read(name: str, conflict: str) -> dict[str, tuple[str, int]]:
            return _map(store, before + name, conflict, log) if before + name in known else {}

        scripts = read(_SCRIPT, "utterance-with-two-recordings")
        texts = read("text", "utterance-with-two-transcripts")
        script, segments = before + _SCRIPT, before + "segments"
        paths: dict[str, str] = {}
        for recording, (path, row) in scripts.items():
            if path.endswith("|"):
                log.add("command-in-wav-scp", "skipped", script, row)
            else:
                paths[recording] = path
        self.utterances: list[_Utterance] = []
        if segments in known:
            cut = read("segments", "utterance-with-two-segments")
            for name, (told, row) in cut.items():
                found = _segment(told, paths)
                if found is None:
                    log.add("unusable-segment", "skipped", segments, row)
                else:
                    self.utterances.append(_Utterance(name, found[0], found[1], Place(segments, row)))
        else:
            cut = scripts
            self.utterances = [
                _Utterance(name, path, None, Place(script, scripts[name][1])) for name, path in paths.items()
            ]
        for utterance, (_, row) in texts.items():
            if utterance not in cut:
                log.add("transcript-without-recording", "skipped", before + "text", row)
        self.texts = {key: text for key, (text, _) in texts.items()}
        self.speakers = {key: name for key, (name, _) in read("utt2spk", "utterance-with-two-speakers").items()}
        self.genders = {key: name for key, (name, _) in read("spk2gender", TWO_SPEAKERS).items()}


def _segment(told: str, paths: Mapping[str, str]) -> tuple[str, tuple[float, float | None]] | None:
    """The recording's path and the seconds of a line of `segments` behind its name; None where it makes no sense.

    An end of -1 is that of the recording, as in Kaldi.
    """
    words = told.split()
    try:
        recording, start, end = words[0], float(words[1]), float(words[2])
    except (IndexError, ValueError):
        return None
    if recording not in paths or not 0 <= start < float("inf") or not (end == -1 or start < end < float("inf")):
        return None
    return paths[recording], (start, None if end == -1 else end)


def _map(store: Store, name: str, conflict: str, log: ProblemLog) -> dict[str, tuple[str, int]]:
    """The first word of each line with the rest of it and its row; of a word's lines the first counts."""
    found: dict[str, tuple[str, int]] = {}
    for row, line in enumerate(lines_of(store, name), 1):
        key, _, rest = (line or "").strip().replace("\t", " ", 1).partition(" ")
        if key and found.setdefault(key, (rest.strip(), row))[0] != rest.strip():
            log.add(conflict, "kept", name, row)
    return found


def _folders(source: Source) -> list[str]:
    """The folders that hold wav.scp and text; the uppermost is ""."""
    if source.path is None:
        return []
    known = set(source.store.names)
    found = [name.rpartition("/")[0] for name in source.store.names if name.rsplit("/", 1)[-1] == _SCRIPT]
    return [folder for folder in found if (f"{folder}/text" if folder else "text") in known]


def _files(source: Source) -> tuple[Store, Callable[[str], str | None]]:
    """The files that wav.scp can mean: those of the source and, where that is a folder, any on disk."""
    store = source.store
    inside = resolver(store.names, "", is_audio_name)
    path = source.path or Path()
    if not path.is_dir():
        return store, inside
    bases = [path, *list(path.resolve().parents)[:_FOLDERS_UP]]
    known = set(store.names)

    def resolve(value: str) -> str | None:
        """As it stands, inside or on disk, before by its last part alone."""
        tidy = os.path.normpath(value).replace("\\", "/")
        places = [os.path.join(base, value) for base in bases]
        exact = tidy if tidy in known else next((place for place in places if _is_file(place)), None)
        return exact or inside(value)

    return Beside(path, store), resolve


def _is_file(place: str) -> bool:
    try:
        return os.path.isfile(place)
    except ValueError:  # a zero byte in the name
        return False
