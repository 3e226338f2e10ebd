"""What every layout of recordings gives: which files there are, and what is said about each, as columns of text."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from assay.arrow import pa
from assay.sources.records import Place, ProblemLog
from assay.sources.source import DataOptions, Recognition, Source
from assay.sources.store import Store

#: What is learned from recordings: a class each (a command), or the text that is spoken.
Kind = Literal["class", "text"]

#: What data sets call the columns, in lower case and without anything but letters; the surest first.
LABEL_NAMES = ("label", "labels", "command", "class", "keyword", "word", "target", "category", "intent", "digit")
TEXT_NAMES = (
    "transcript", "transcription", "text", "sentence", "normalizedtext", "utterance", "transcripts", "words", "phrase",
    "rawtext", "rawtranscription",
)  # fmt: skip
SPEAKER_NAMES = ("speaker", "speakerid", "spk", "spkid", "clientid", "speakername", "reader", "readerid", "narrator")
GENDER_NAMES = ("gender", "sex")

#: A recording whose id stands for two people: their data is one group, so that neither crosses a split.
TWO_SPEAKERS = "one-id-for-two-speakers"


@dataclass(frozen=True)
class Found:
    """The recordings that a layout names.

    Attributes:
        ids: unique names; None for the location.
        locations: the file of each in `store`; None where what is named does not exist.
        places: where each is spoken of, for problems.
        columns: what is said about each, (rows,) text in columns: labels, texts, speakers, sides and others.
        store: holds the files.
        defaults: the columns that are taken where the user names none, by "class", "text", "speaker", "split",
            "gender".
        facts: what the layout adds to the facts.
    """

    ids: list[str | None]
    locations: list[str | None]
    places: list[Place]
    columns: pa.Table
    store: Store
    defaults: Mapping[str, str]
    facts: Mapping[str, Any] = field(default_factory=dict)


class Layout(Protocol):
    """A module that knows one layout."""

    def recognise(self, source: Source) -> Mapping[Kind, Recognition]:
        """How well the source looks like labelled clips and like transcribed recordings in this layout."""
        ...

    def find(self, source: Source, options: DataOptions, log: ProblemLog) -> Found:
        """The recordings of a source in this layout; raises `DataError`."""
        ...


def name_of(names: Collection[str], usual: tuple[str, ...]) -> str | None:
    """The column that bears one of some usual names, the surest first; None where there is none."""
    bare = {"".join(filter(str.isalpha, name.lower())): name for name in reversed(list(names))}
    return next((bare[name] for name in usual if name in bare), None)


def defaults_of(names: Collection[str]) -> dict[str, str]:
    """The columns that are known by usual names."""
    usual = {"class": LABEL_NAMES, "text": TEXT_NAMES, "speaker": SPEAKER_NAMES, "gender": GENDER_NAMES}
    found = {kind: name_of(names, known) for kind, known in usual.items()}
    found["split"] = next((name for name in names if name.lower() == "split"), None)
    return {kind: name for kind, name in found.items() if name is not None}


def text_table(rows: list[dict[str, str | None]], names: Collection[str]) -> pa.Table:
    """Rows as columns of text; what a row does not say is null."""
    return pa.table({name: pa.array([row.get(name) for row in rows], pa.string()) for name in names})


def is_audio_source(source: Source, is_sample: Callable[[str], bool]) -> bool:
    """Whether a source has files, and samples among them."""
    return source.path is not None and any(map(is_sample, source.store.names))


def load_from(store: Store, large_bytes: int) -> Callable[[str], bytes | Path]:
    """Gives the bytes of a file, or its place where it is larger than `large_bytes` and lies on disk by itself."""

    def load(location: str) -> bytes | Path:
        place = store.path / location if store.path.is_dir() else store.path
        if store.size(location) > large_bytes and place.is_file() and place.name == location.rsplit("/", 1)[-1]:
            return place
        return store.read(location)

    return load
