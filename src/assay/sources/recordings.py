"""Recordings in any layout: every layout is asked, the one that fits best is read.

Columns of all records: `id`, `location`, `digest`, `seconds` (double, NaN where the header does not say), with labels
or transcripts `target`, and where they are known `speaker`, `group` (what never crosses a split: the speaker unless
`--group` says otherwise) and `split`. Their `load` gives a file's bytes, or its place where it is large; `decode_audio`
and `audio_blocks` take both. Only headers are read; what is wrong with the sound itself `Sound.problems` tells.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from assay.errors import DataError
from assay.sources import (
    recordings_folder,
    recordings_kaldi,
    recordings_librispeech,
    recordings_named,
    recordings_table,
)
from assay.sources._audio_header import is_audio_name
from assay.sources._image_header import suffix_of
from assay.sources._recording_layout import Kind, Layout
from assay.sources._recording_records import labelled_recordings, unlabelled_recordings
from assay.sources.records import ProblemLog, Records
from assay.sources.source import DataOptions, Recognition, Source

LAYOUTS: tuple[Layout, ...] = (
    recordings_librispeech,
    recordings_kaldi,
    recordings_table,
    recordings_named,
    recordings_folder,
)

#: What a task that reads recordings can be told about them, for `Traits.options`.
OPTIONS = {
    "file_names": "a pattern of the files' names, such as {label}_{speaker}_{}",
    "encoding": "of a table of recordings, such as cp1252",
}

_CLIPS = "Expected: a folder for each command, or a table of recordings and labels beside them."
_TRANSCRIPTS = (
    "Expected: a table of recordings and transcripts beside them, or the layout of LibriSpeech, Common Voice or Kaldi."
)


def recognise_clips(source: Source) -> Recognition | None:
    """How well the source looks like recordings with a label each, and why; None where no layout knows it.

    The scores: 0.96 for a table with a column called as labels are (0.93 by its values, 0.9 beside transcripts), 0.92
    for names as LABEL_SPEAKER_NUMBER, 0.9 for folders, 0.3 for one folder alone.
    """
    return _recognised(source, "class")


def recognise_transcripts(source: Source) -> Recognition | None:
    """How well the source looks like recordings with their transcripts, and why; None where no layout knows it.

    The scores: 0.98 for LibriSpeech and Kaldi, 0.96 for tables (0.93 by their values), 0.92 for names as in yesno.
    """
    return _recognised(source, "text")


def read_clips(source: Source, options: DataOptions) -> Records:
    """The recordings of a source with a label each.

    Args:
        source: a folder, an archive or a table.
        options: `target`, `group` ("none" for none) and `split` name columns of what the layout knows; in `extra`
            `file_names` (see `recordings_named`) and `encoding`.

    Returns:
        Records as the module says; `target` is text. Broken, empty, very short (under 0.05 s), cut and long (over a
        minute, but for what is no command) recordings are skipped and counted. In `facts`: `seconds`, `rates`,
        `channels`, `formats`, `speakers`, `classes`, `class_counts`, and `background` (locations of recordings without
        any command), where there are such.

    Raises:
        DataError: no layout that is known, no labels, or no usable recording.
        SettingError: an option names a column that does not exist.
    """
    return _read(source, options, "class", _CLIPS)


def read_transcripts(source: Source, options: DataOptions) -> Records:
    """The recordings of a source with their transcripts, as they are written.

    Args:
        source: a folder, an archive or a table.
        options: as `read_clips` takes them.

    Returns:
        Records as the module says; `target` is text, without white space around it and else as it stands. In `facts`
        as `read_clips` gives, with `words` and `different_transcripts`.

    Raises:
        DataError: no layout that is known, no transcripts, or no usable recording.
        SettingError: an option names a column that does not exist.
    """
    return _read(source, options, "text", _TRANSCRIPTS)


def read_recordings_inputs(source: Source) -> Records:
    """The recordings of a file, a folder or an archive, without targets, for prediction.

    Raises:
        DataError: no recordings, or none that can be used.
    """
    if source.path is None:
        raise DataError(f"{source.label} is no file.", "Give recordings as files.")
    names = source.store.names
    kept = [name for name in names if is_audio_name(name)]
    if not kept and not (len(names) == 1 and source.path.is_file()):
        raise DataError(_what_is_there(source), "Expected recordings: WAV, FLAC, OGG or MP3.", file=source.label)
    log = ProblemLog()
    for name in sorted(set(names) - set(kept)) if kept else ():
        log.add("stray-file", "skipped", name)
    return unlabelled_recordings(kept or names, source.store, log, source.label)


def _recognised(source: Source, kind: Kind) -> Recognition | None:
    if source.path is None:
        return None
    found = [recognised for _, recognised in _known(source, kind)]
    return max(found, key=lambda item: item.score) if found else None


def _known(source: Source, kind: Kind) -> Iterator[tuple[Layout, Recognition]]:
    """The layouts that fit, each with how well."""
    for layout in LAYOUTS:
        if layout is recordings_folder and recordings_librispeech.recognise(source):
            continue  # its folders are speakers, no commands
        if (recognised := layout.recognise(source).get(kind)) is not None:
            yield layout, recognised


def _read(source: Source, options: DataOptions, kind: Kind, expected: str) -> Records:
    if source.path is None:
        raise DataError(f"{source.label} is no file.", expected)
    log = ProblemLog()
    layout = recordings_named if options.extra.get("file_names") is not None else _layout(source, kind)
    if layout is None:
        raise DataError(_what_is_there(source), expected, file=source.label)
    return labelled_recordings(layout.find(source, options, log), options, kind, log, source.label)


def _layout(source: Source, kind: Kind) -> Layout | None:
    """The layout that fits best; where none has such a target, one that has another, which `--target` may name."""
    other: Kind = "text" if kind == "class" else "class"
    for asked in (kind, other):
        found = list(_known(source, asked))
        if found:
            return max(found, key=lambda pair: pair[1].score)[0]
    return recordings_table if source.store.names and _has_table(source) else None


def _has_table(source: Source) -> bool:
    """Whether a table names recordings, though none of its columns is known as a target."""
    try:
        return bool(recordings_table.naming_tables(source))
    except DataError:
        return False


def _what_is_there(source: Source) -> str:
    """One sentence about what a source holds."""
    names = source.store.names
    if not names:
        return "the folder is empty." if source.path is not None and source.path.is_dir() else "the archive is empty."
    endings = Counter(suffix_of(name) or "no ending" for name in names)
    told = ", ".join(f"{count} {ending}" for ending, count in endings.most_common(4))
    recordings = sum(map(is_audio_name, names))
    where = f"{recordings} recordings without labels or transcripts" if recordings else "no recordings"
    return f"there are {where} among {len(names)} files ({told})."
