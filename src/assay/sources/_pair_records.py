"""What all readers of sentence pairs say about their records."""

from __future__ import annotations

from typing import Any

from assay.sources._text_records import Shape


def pair_shape(label: str, *, split: bool, group: bool = False) -> Shape:
    """Records with `source` and `target`, both text; a pair with an empty side is skipped."""
    return Shape(("source", "target"), group=group, split=split, label=label, noun="sentence pairs")


def pair_facts(source: str, target: str, chosen: str, **others: Any) -> dict[str, Any]:
    """The languages of sentence pairs, and how it was chosen which of them is the source.

    A hyphen stands between the two alone: regions are written `pt_BR`, as `asked_languages` takes them.
    """
    names = (name.replace("-", "_") for name in (source, target))
    return {"languages": "-".join(names), "languages_chosen": chosen, **others}
