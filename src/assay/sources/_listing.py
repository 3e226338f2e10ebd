"""What readers of files share, be it images or recordings: the listing of what is there, and the check of each file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.arrow import pa
from assay.errors import DataError
from assay.sources.records import Action, ProblemLog


@dataclass(frozen=True)
class FileCheck:
    """What the bytes of one file show.

    Attributes:
        name: the file, member or row.
        problems: kind and action of everything found; one with the action "skipped" makes the file unusable.
        digest: a hash of the content; "" where unusable.
    """

    name: str
    problems: tuple[tuple[str, Action], ...] = ()
    digest: str = ""

    @property
    def usable(self) -> bool:
        """Whether nothing was found that makes the file useless."""
        return all(action != "skipped" for _, action in self.problems)


def listing(**columns: Sequence[Any] | pa.Array | None) -> pa.Table:
    """A table of files, in columns of `Records`; one that is None is left out, sequences are text."""
    return pa.table(
        {
            name: values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values, pa.string())
            for name, values in columns.items()
            if values is not None
        }
    )


def note(check: FileCheck, log: ProblemLog, file: str | None = None, row: int | None = None) -> None:
    """Add what a check found to the problems."""
    for kind, action in check.problems:
        if action == "skipped" or check.usable:
            log.add(kind, action, file or check.name, row)


def usable_files(files: pa.Table, checks: Sequence[FileCheck], *, noun: str, label: str) -> pa.Table:
    """The rows whose file is usable, with its `digest` as another column.

    Args:
        files: a row a file.
        checks: one for each row.
        noun: what messages call the files ("images").
        label: how messages name the source.

    Raises:
        DataError: no file is usable.
    """
    usable = [check for check in checks if check.usable]
    if not usable:
        reasons = Counter(kind for check in checks for kind, action in check.problems if action == "skipped")
        told = ", ".join(f"{count} {kind}" for kind, count in reasons.most_common())
        which = f"none of the {len(checks)} {noun} can" if len(checks) != 1 else f"the {noun.removesuffix('s')} cannot"
        raise DataError(
            f"{which} be used ({told or 'there is none'}).",
            f"Check that the {noun} open in another program.",
            file=label,
        )
    kept = files.filter(pa.array([check.usable for check in checks]))
    return kept.append_column("digest", pa.array([check.digest for check in usable], pa.string())).combine_chunks()


def target_facts(files: pa.Table, target: Mapping[str, Any]) -> dict[str, Any]:
    """What is to be predicted, and how often each class stands there."""
    facts: dict[str, Any] = {"target": dict(target)}
    if target["kind"] in ("class", "labels"):
        values = files["target"].combine_chunks()
        counts = Counter((values.flatten() if target["kind"] == "labels" else values).to_pylist())
        facts["classes"] = len(counts)
        facts["class_counts"] = dict(sorted(counts.items()))
    return facts
