"""From the recordings that a layout names, and the check of each, to `Records`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from assay.arrow import pa, pc
from assay.errors import DataError, SettingError, did_you_mean
from assay.samples.split import parse_shares
from assay.sources._audio_files import WHOLE_BYTES, RecordingCheck, check_recordings
from assay.sources._digest import fingerprint_of
from assay.sources._listing import note, target_facts, usable_files
from assay.sources._path_tables import present_rows, unique_ids
from assay.sources._recording_layout import TWO_SPEAKERS, Found, Kind, load_from
from assay.sources._splits import are_sides, as_sides, asks_for_shares, split_column_name
from assay.sources._text_values import LONGEST, count_words, doubtful_characters
from assay.sources.other_clips import is_other
from assay.sources.records import ProblemLog, Records, records_from_table
from assay.sources.source import DataOptions
from assay.sources.store import Store

#: A longer recording is no clip of a command.
LONGEST_CLIP_S = 60.0
#: Nobody speaks more characters a second.
_MOST_CHARACTERS_A_SECOND = 50.0
NO_GROUP = "none"


def labelled_recordings(found: Found, options: DataOptions, kind: Kind, log: ProblemLog, label: str) -> Records:
    """Records of the recordings that can be used and have a target.

    Args:
        found: what a layout gives.
        options: `target`, `group` ("none" for none) and `split` name columns of it.
        kind: what the target is.
        log: the problems so far.
        label: how messages name the source.

    Raises:
        DataError: no target column, or no usable recording.
        SettingError: an option names a column that does not exist.
    """
    target = _target_name(found, options, kind, label)
    files, rows = [place.file for place in found.places], [place.row for place in found.places]
    targets = _present(found.columns[target])
    keep = present_rows(found.locations, targets, rows, files, log)
    if not keep.any():
        raise DataError(
            f"none of the {len(keep)} recordings can be used: they are missing, or have no {_noun(kind)}.",
            "Give the folder that holds the recordings beside the table.",
            file=label,
        )
    columns: dict[str, Any] = {
        "id": pa.array([id or where for id, where in zip(found.ids, found.locations, strict=True)], pa.string()),
        "location": pa.array(found.locations, pa.string()),
        "target": targets,
    }
    speaker = found.defaults.get("speaker")
    if speaker is not None:
        columns["speaker"] = _present(found.columns[speaker])
    side = _side_column(found, options)
    if side is not None:
        columns["split"] = as_sides(found.columns[side].combine_chunks(), label)
    if (group := _group_column(found, options, target)) is not None:
        columns["group"] = _present(found.columns[group])
    table = pa.table(columns).append_column("row", pa.array(np.arange(len(keep)))).filter(pa.array(keep))
    kept = np.flatnonzero(keep).tolist()
    conflict = "recording-with-two-targets"
    table, _ = unique_ids(table, [rows[row] for row in kept], [files[row] for row in kept], log, conflict)
    longest = _longest(table) if kind == "class" else {}
    table, checks = _checked(table, found.store, log, label, strict=True, longest_s=longest)
    _judge_speakers(found, table, log)
    if options.group is None and "group" in table.column_names and not _enough_groups(table, options):
        log.add("too-few-speakers-to-split-by", "kept", label)
        table = table.drop_columns(["group"])
    _judge_targets(found, table, checks, kind, log)
    about = {"name": target, "kind": kind}
    return _records(table.drop_columns(["row"]), checks, found.store, log, about, dict(found.facts))


def unlabelled_recordings(names: Sequence[str], store: Store, log: ProblemLog, label: str) -> Records:
    """Records of recordings without targets; what is short or cut is kept, so that it is answered, too."""
    where = pa.array(names, pa.string())
    table, checks = _checked(pa.table({"id": where, "location": where}), store, log, label, strict=False)
    return _records(table, checks, store, log, {"name": "", "kind": "none"}, {})


def _noun(kind: Kind) -> str:
    return "label" if kind == "class" else "transcript"


def _target_name(found: Found, options: DataOptions, kind: Kind, label: str) -> str:
    names = found.columns.column_names
    if options.target is not None:
        if options.target not in names:
            raise SettingError(
                f"there is no column {options.target!r}; there are {', '.join(names) or 'none'}.",
                did_you_mean(options.target, names),
            )
        return options.target
    if kind not in found.defaults:
        told = ", ".join(map(repr, names)) or "nothing"
        raise DataError(
            f"there is no {_noun(kind)} for each recording; known of each is {told}.",
            "Name it with --target.",
            file=label,
        )
    return found.defaults[kind]


def _side_column(found: Found, options: DataOptions) -> str | None:
    """The column of the sides; None where there is none, or shares are asked for."""
    names = found.columns.column_names
    asked = options.split is not None and not asks_for_shares(options)
    name = split_column_name(options, names) if asked else found.defaults.get("split")
    if name is None or asks_for_shares(options):
        return None
    return name if asked or are_sides(found.columns[name]) else None


def _group_column(found: Found, options: DataOptions, target: str) -> str | None:
    """The column whose values never cross a split: the one that is asked for, else that of the speakers.

    Where speakers are to be told apart, each has to be on all sides.
    """
    names = found.columns.column_names
    if options.group is None:
        speaker = found.defaults.get("speaker")
        return None if speaker == target else speaker
    if options.group in names:
        return options.group
    if options.group == NO_GROUP:
        return None
    known = [*names, NO_GROUP]
    raise SettingError(f"there is no column {options.group!r}.", did_you_mean(options.group, known))


def _present(column: pa.ChunkedArray) -> pa.Array:
    """Text without white space around it, null where nothing is left; any word is a word, also "none"."""
    text = pc.utf8_trim_whitespace(column.combine_chunks().cast(pa.string()))
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def _longest(table: pa.Table) -> dict[str, float]:
    """By location, the seconds that a clip of a command may have; what is no command is cut into pieces elsewhere."""
    rows = zip(table["location"].to_pylist(), table["target"].to_pylist(), strict=True)
    return {location: LONGEST_CLIP_S for location, target in rows if not is_other(target)}


def _checked(
    table: pa.Table,
    store: Store,
    log: ProblemLog,
    label: str,
    *,
    strict: bool,
    longest_s: Mapping[str, float] | None = None,
) -> tuple[pa.Table, list[RecordingCheck]]:
    """The rows whose recording is usable, and the check of each."""
    unique = pc.unique(table["location"]).to_pylist()
    found = check_recordings(store, unique, strict=strict, longest_s=longest_s or {})
    checks = dict(zip(unique, found, strict=True))
    for check in found:
        note(check, log)
    in_order = [checks[name] for name in table["location"].to_pylist()]
    kept = usable_files(table, in_order, noun="recordings", label=label)
    return kept, [check for check in in_order if check.usable]


def _enough_groups(table: pa.Table, options: DataOptions) -> bool:
    """Whether there are as many groups as sides are to be made; given sides need none."""
    if "split" in table.column_names:
        return True
    sides = sum(share > 0 for share in parse_shares(options.split) or (0.8, 0.1, 0.1))
    groups = table["group"]
    return bool(pc.count_distinct(groups).as_py() + groups.null_count >= sides)


def _judge_speakers(found: Found, table: pa.Table, log: ProblemLog) -> None:
    """Note speakers who stand on two sides of a given split, and ids that seem to be of two people."""
    if "speaker" not in table.column_names:
        return
    speakers, rows = table["speaker"].to_pylist(), table["row"].to_pylist()
    values: dict[str, list[str | None]] = {}
    if "split" in table.column_names:
        values["speaker-on-two-sides"] = table["split"].to_pylist()
    gender = found.defaults.get("gender")
    if gender is not None:
        said = [None if value is None else value.lower() for value in _present(found.columns[gender]).to_pylist()]
        values[TWO_SPEAKERS] = [said[row] for row in rows]
    for kind, of_row in values.items():
        first: dict[str, str] = {}
        told: set[str] = set()
        for speaker, value, row in zip(speakers, of_row, rows, strict=True):
            if speaker is None or value is None or first.setdefault(speaker, value) == value or speaker in told:
                continue
            told.add(speaker)
            log.add(kind, "kept", found.places[row].file, found.places[row].row)


def _judge_targets(
    found: Found, table: pa.Table, checks: Sequence[RecordingCheck], kind: Kind, log: ProblemLog
) -> None:
    """Note equal recordings with different targets, and transcripts that can hardly be right."""
    first: dict[str, str] = {}
    rows = zip(table["row"].to_pylist(), table["target"].to_pylist(), checks, strict=True)
    for row, target, check in rows:
        place = found.places[row]
        if first.setdefault(check.digest, target) != target:
            log.add("equal-recordings-with-two-targets", "kept", place.file, place.row)
        if kind == "class":
            continue
        for problem in doubtful_characters(target[:LONGEST]):
            log.add(problem, "kept", place.file, place.row)
        if len(target) > max(1.0, check.seconds) * _MOST_CHARACTERS_A_SECOND:
            log.add("transcript-too-long-for-its-recording", "kept", place.file, place.row)


def _records(
    table: pa.Table,
    checks: Sequence[RecordingCheck],
    store: Store,
    log: ProblemLog,
    target: dict[str, str],
    facts: dict[str, Any],
) -> Records:
    """Records with the length of each recording beside it."""
    table = table.append_column("seconds", pa.array([check.seconds for check in checks], pa.float64()))
    about = {"samples": table.num_rows, **target_facts(table, target), **_sound_facts(checks), **facts}
    if target["kind"] == "text":
        texts = table["target"].to_pylist()
        about["words"] = sum(map(count_words, texts))
        about["different_transcripts"] = len(set(texts))
    if "speaker" in table.column_names:
        about["speakers"] = pc.count_distinct(table["speaker"]).as_py()
    if "split" in table.column_names:
        about["split"] = dict(sorted(Counter(table["split"].to_pylist()).items()))
    table = table.combine_chunks()
    load = load_from(store, WHOLE_BYTES)
    return records_from_table(
        table, fingerprint_of(table.to_batches()), problems=log.problems(), load=load, facts=about
    )


def _sound_facts(checks: Sequence[RecordingCheck]) -> dict[str, Any]:
    """What the recordings look like: lengths, sampling rates, channels, formats."""
    seconds = np.array([check.seconds for check in checks])
    known = seconds[np.isfinite(seconds)]
    facts: dict[str, Any] = {}
    if len(known):
        facts["seconds"] = {
            "total": round(float(known.sum()), 2),
            "min": round(float(known.min()), 3),
            "median": round(float(np.median(known)), 3),
            "max": round(float(known.max()), 3),
        }
    for name in ("rate", "channels", "format"):
        counts = Counter(str(getattr(check, name)) for check in checks)
        facts[f"{name.removesuffix('s')}s"] = dict(counts.most_common())
    return facts
