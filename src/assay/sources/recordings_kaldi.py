"""Data folders as Kaldi has them: `wav.scp`, `text`, `utt2spk`, and `spk2gender` where there is one.

Kaldi runs an entry of `wav.scp` that ends in `|` as a shell command. Nothing is run here: such an entry is a problem
(`command-in-wav-scp`), and its utterance is skipped.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from assay.errors import DataError
from assay.sources._audio_header import is_audio_name
from assay.sources._lines import lines_of
from assay.sources._path_tables import Beside, resolver
from assay.sources._recording_layout import TWO_SPEAKERS, Found, Kind, text_table
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

    Raises:
        DataError: there is no wav.scp with a text beside it, or utterances are stretches of recordings (`segments`).
    """
    store = source.store
    folders = _folders(source)
    if not folders:
        raise DataError("there is no folder with wav.scp and text.", file=source.label)
    sides = {folder: side_of_name(folder) for folder in folders}
    sided = not asks_for_shares(options) and None not in sides.values() and len(set(sides.values())) > 1
    rows: list[dict[str, str | None]] = []
    ids: list[str | None] = []
    paths: list[str | None] = []
    places: list[Place] = []
    for folder in folders:
        data = _Folder(store, folder, log)
        for utterance, (path, row) in data.recordings.items():
            speaker = data.speakers.get(utterance)
            about = {"speaker": speaker, "gender": data.genders.get(speaker or ""), "split": sides[folder]}
            rows.append({"text": data.texts.get(utterance), **about})
            ids.append(utterance)
            paths.append(path)
            places.append(Place(data.script, row))
    names = ["text", "speaker", "gender", *(["split"] if sided else [])]
    defaults: dict[str, str] = {name: name for name in ("text", "speaker", "gender", "split") if name in names}
    if not any(row["speaker"] for row in rows):
        defaults.pop("speaker")
    files, resolve = _files(source)
    locations = [None if path is None else resolve(path) for path in paths]
    return Found(ids, locations, places, text_table(rows, names), files, defaults)


class _Folder:
    """The files of one data folder."""

    def __init__(self, store: Store, folder: str, log: ProblemLog) -> None:
        before = f"{folder}/" if folder else ""
        self.script = before + _SCRIPT
        known = set(store.names)
        if before + "segments" in known:
            raise DataError(
                "utterances are stretches of longer recordings, which is not read.",
                "Cut them with Kaldi's extract-segments first.",
                file=before + "segments",
            )

        def read(name: str, conflict: str) -> dict[str, tuple[str, int]]:
            return _map(store, before + name, conflict, log) if before + name in known else {}

        scripts = read(_SCRIPT, "utterance-with-two-recordings")
        texts = read("text", "utterance-with-two-transcripts")
        self.recordings: dict[str, tuple[str | None, int]] = {}
        for utterance, (path, row) in scripts.items():
            if path.endswith("|"):
                log.add("command-in-wav-scp", "skipped", self.script, row)
            else:
                self.recordings[utterance] = (path, row)
        for utterance, (_, row) in texts.items():
            if utterance not in scripts:
                log.add("transcript-without-recording", "skipped", before + "text", row)
        self.texts = {key: text for key, (text, _) in texts.items()}
        self.speakers = {key: name for key, (name, _) in read("utt2spk", "utterance-with-two-speakers").items()}
        self.genders = {key: name for key, (name, _) in read("spk2gender", TWO_SPEAKERS).items()}


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

    def resolve(value: str) -> str | None:
        places = [os.path.join(base, value) for base in bases]
        return inside(value) or next((place for place in places if _is_file(place)), None)

    return Beside(path, store), resolve


def _is_file(place: str) -> bool:
    try:
        return os.path.isfile(place)
    except ValueError:  # a zero byte in the name
        return False
