"""The applications, by name. Third parties add theirs through the entry-point group `assay.tasks`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from assay.errors import MissingExtraError, SettingError, did_you_mean

if TYPE_CHECKING:
    from assay.task import Task

BUILT_IN = {
    "cell-detection": "assay.tasks.cell_detection:CellDetection",
    "driving": "assay.tasks.driving:Driving",
    "image-classification": "assay.tasks.image_classification:ImageClassification",
    "object-detection": "assay.tasks.object_detection:ObjectDetection",
    "positioning": "assay.tasks.positioning:Positioning",
    "question-answering": "assay.tasks.question_answering:QuestionAnswering",
    "scan-diagnosis": "assay.tasks.scan_diagnosis:ScanDiagnosis",
    "segmentation": "assay.tasks.segmentation:Segmentation",
    "table": "assay.tasks.table:Table",
    "text-classification": "assay.tasks.text_classification:TextClassification",
    "text-generation": "assay.tasks.text_generation:TextGeneration",
    "transcription": "assay.tasks.transcription:Transcription",
    "translation": "assay.tasks.translation:Translation",
    "voice-commands": "assay.tasks.voice_commands:VoiceCommands",
}


def known_tasks() -> dict[str, str]:
    """Where each application's class stands, `module:Class` by name.

    Raises:
        SettingError: two packages claim the same name.
    """
    from importlib.metadata import entry_points

    tasks = dict(BUILT_IN)
    for entry in entry_points(group="assay.tasks"):
        if tasks.get(entry.name, entry.value) != entry.value:
            raise SettingError(
                f"the task {entry.name!r} is claimed by {tasks[entry.name]} and by {entry.value}",
                "Uninstall one of the two packages.",
            )
        tasks[entry.name] = entry.value
    return tasks


def load_task(name: str) -> Task:
    """The application of that name.

    Raises:
        SettingError: there is none, or the package that brings it is broken.
        MissingExtraError: it needs a package that is not installed.
    """
    tasks = known_tasks()
    if name not in tasks:
        raise SettingError(f"there is no task {name!r}", did_you_mean(name, tasks))
    module, _, attribute = tasks[name].partition(":")
    try:
        task: Task = getattr(importlib.import_module(module), attribute)()
    except (ImportError, AttributeError) as error:
        if name not in BUILT_IN:
            raise SettingError(
                f"the task {name!r} cannot be loaded from {tasks[name]} ({error})",
                "Mend or uninstall the package that brings it.",
            ) from error
        if isinstance(error, ImportError):
            raise MissingExtraError(f"the task {name!r}", "all") from error
        raise
    return task


def load_tasks() -> list[Task]:
    """All applications, in the order of the registry."""
    return [load_task(name) for name in known_tasks()]
