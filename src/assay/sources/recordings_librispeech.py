"""LibriSpeech and what is laid out as it is: SPEAKER/CHAPTER/SPEAKER-CHAPTER.trans.txt beside the recordings.

A line is `SPEAKER-CHAPTER-NUMBER TRANSCRIPT`. Folders such as `train-clean-100` and `dev-other` above name the sides.
"""

from __future__ import annotations

from collections.abc import Mapping

from assay.errors import DataError
from assay.sources._audio_header import is_audio_name
from assay.sources._lines import lines_of
from assay.sources._recording_layout import TWO_SPEAKERS, Found, Kind, is_audio_source, text_table
from assay.sources._splits import asks_for_shares, side_of_name
from assay.sources.records import Place, ProblemLog
from assay.sources.source import DataOptions, Recognition, Source
from assay.sources.store import Store

_TRANSCRIPTS = ".trans.txt"
_SPEAKERS = "SPEAKERS.TXT"


def recognise(source: Source) -> Mapping[Kind, Recognition]:
    """0.98 where there are files that end in .trans.txt among recordings."""
    if not is_audio_source(source, is_audio_name):
        return {}
    files = _transcripts(source.store)
    if not files:
        return {}
    return {"text": Recognition(0.98, f"LibriSpeech's layout: recordings with {len(files)} files of transcripts")}


def find(source: Source, options: DataOptions, log: ProblemLog) -> Found:
    """Every line of every transcript file, with its recording; raises `DataError` where there is none."""
    store = source.store
    files = _transcripts(store)
    if not files:
        raise DataError(
            f"there is no file that ends in {_TRANSCRIPTS}.",
            "Download the data set again; each chapter has such a file.",
            file=source.label,
        )
    recordings = {name.rpartition(".")[0]: name for name in store.names if is_audio_name(name)}
    sides = {file: side_of_name(file.rpartition("/")[0]) for file in files}
    told = set(sides.values())
    sided = not asks_for_shares(options) and None not in told and "train" in told and len(told) > 1
    genders = _genders(store, log)
    rows: list[dict[str, str | None]] = []
    locations: list[str | None] = []
    places = []
    for file in files:
        folder = file.rpartition("/")[0]
        for number, line in enumerate(lines_of(store, file), 1):
            key, _, text = (line or "").strip().partition(" ")
            if not key:
                continue
            speaker, _, rest = key.partition("-")
            about = {"speaker": speaker, "chapter": rest.partition("-")[0], "gender": genders.get(speaker)}
            rows.append({"text": text, **about, "split": sides[file]})
            locations.append(recordings.get(f"{folder}/{key}" if folder else key))
            places.append(Place(file, number))
    known = set(locations)
    for name in recordings.values():
        if name not in known:
            log.add("recording-without-transcript", "skipped", name)
    names = ["text", "speaker", "chapter", *(["gender"] if genders else []), *(["split"] if sided else [])]
    defaults: dict[str, str] = {name: name for name in ("text", "speaker", "gender", "split") if name in names}
    return Found(list(locations), locations, places, text_table(rows, names), store, defaults)


def _transcripts(store: Store) -> list[str]:
    return [name for name in store.names if name.endswith(_TRANSCRIPTS)]


def _genders(store: Store, log: ProblemLog) -> dict[str, str]:
    """What SPEAKERS.TXT says (`ID | SEX | SUBSET | MINUTES | NAME`); an id with two of them is noted."""
    genders: dict[str, str] = {}
    about: dict[str, tuple[str, str]] = {}
    for file in (name for name in store.names if name.rsplit("/", 1)[-1] == _SPEAKERS):
        for number, line in enumerate(lines_of(store, file), 1):
            cells = [cell.strip() for cell in (line or "").split("|")]
            if len(cells) < 5 or cells[0].startswith(";"):
                continue
            speaker, gender, name = cells[0], cells[1], cells[4]
            genders.setdefault(speaker, gender)
            if about.setdefault(speaker, (gender, name)) != (gender, name):
                log.add(TWO_SPEAKERS, "kept", file, number)
    return genders
