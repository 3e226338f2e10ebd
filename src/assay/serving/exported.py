"""An export on disk: its graphs, what says that they are those of this run, and the predictor that they make.

`model/export.json` names each graph's file with its hash and with that of the model that it was made from. It is
written last, so that an export is there as a whole or not at all.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import MissingExtraError, RunError
from assay.run import RunFolder, reading, to_json, write_bytes, write_text, writing

if TYPE_CHECKING:
    from assay.serving.predictor import Predictor
    from assay.task import Spec, Task

FORMAT = 1
FILE = "export.json"
_AGAIN = "Export again: assay export RUN."


def file_of(graph: str) -> str:
    """The name of a graph's file."""
    return "model.onnx" if graph == "model" else f"model.{graph}.onnx"


def is_exported(folder: Path) -> bool:
    """Whether an export lies in a `model/` folder, and can be run here.

    Raises:
        MissingExtraError: there is one, and neither ONNX Runtime nor PyTorch to answer without it.
    """
    if not (folder / FILE).exists():
        return False
    if importlib.util.find_spec("onnxruntime") is not None:
        return True
    if importlib.util.find_spec("torch") is None:
        raise MissingExtraError("answering by an export", "run")
    return False


def digest(content: bytes) -> str:
    """The SHA-256 of a file's content."""
    return hashlib.sha256(content).hexdigest()


def model_digest(facts: Mapping[str, Any]) -> str:
    """What tells the model of a run from any other: of `model.json` as it reads, whatever its spacing."""
    known = {name: facts.get(name) for name in ("task", "network", "spec", "temperature", "settled")}
    return digest(json.dumps(to_json(known), sort_keys=True, ensure_ascii=False).encode())


def metadata_of(facts: Mapping[str, Any]) -> dict[str, str]:
    """What a graph says about itself: each value a text, or JSON."""
    plain = {name: value if isinstance(value, str) else json.dumps(to_json(value), ensure_ascii=False)
             for name, value in facts.items()}  # fmt: skip
    return {f"assay.{name}": value for name, value in plain.items()}


def write_export(folder: Path, graphs: Mapping[str, bytes], facts: Mapping[str, Any]) -> None:
    """Write graphs and, last, `export.json`; graphs of an earlier export that are no longer there go."""
    (folder / FILE).unlink(missing_ok=True)
    for old in folder.glob("model*.onnx"):
        if old.name not in {file_of(name) for name in graphs}:
            old.unlink()
    for name, content in graphs.items():
        write_bytes(folder / file_of(name), content)
    files = {name: {"file": file_of(name), "sha256": digest(content), "bytes": len(content)}
             for name, content in graphs.items()}  # fmt: skip
    told = {"format": FORMAT, **facts, "graphs": files}
    write_text(folder / FILE, json.dumps(to_json(told), indent=1, ensure_ascii=False) + "\n")


def copy_for_answers(run: RunFolder, target: RunFolder) -> None:
    """What answering takes of a run beside the graphs, into a folder that is empty: no weights of torch."""
    from assay.serving.likeness import FILE as LIKENESS

    with writing(target.path):
        target.model.mkdir()
        for file in (run.plan, run.summary, run.evidence, run.report):
            if file.exists():
                shutil.copyfile(file, target.path / file.name)
        for name in ("model.json", LIKENESS):
            if (run.model / name).exists():
                shutil.copyfile(run.model / name, target.model / name)


def read_export(folder: Path) -> dict[str, Any]:
    """What `export.json` holds; raises `RunError` where it is missing, damaged or of a newer Assay."""
    file = folder / FILE
    with reading(file):
        facts: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if facts["format"] > FORMAT:
            raise RunError(f"{file} was written by a newer Assay", "Upgrade: pip install --upgrade assay.")
        for item in facts["graphs"].values():
            if Path(item["file"]).name != item["file"]:
                raise RunError(f"{file} names a file outside of its folder", _AGAIN)
    return facts


def load_exported(folder: Path, task: Task, spec: Spec, facts: Mapping[str, Any]) -> Predictor:
    """A predictor that answers by the export in a `model/` folder, without torch.

    Args:
        folder: `model/` of a run.
        task: the application.
        spec: what a sample is.
        facts: what `model.json` holds.

    Raises:
        MissingExtraError: ONNX Runtime is not installed.
        RunError: the export was changed, or belongs to another model or version.
    """
    from assay.serving.onnx_graph import OnnxGraph
    from assay.serving.predictor import Predictor

    exported = read_export(folder)
    with reading(folder / FILE):
        if exported["model"] != model_digest(facts):
            raise RunError(f"the export in {folder} is of another model than its model.json", _AGAIN)
        graphs = {}
        for name, item in exported["graphs"].items():
            content = _content(folder / item["file"])
            if digest(content) != item["sha256"]:
                raise RunError(f"{folder / item['file']} was changed since it was exported", _AGAIN)
            graphs[name] = OnnxGraph(content, label=item["file"])
        stand_in = task.stand_in(graphs, exported["asked"], spec)
        likeness = facts["likeness"]
        if likeness is not None and exported.get("unlike_limit") is not None:
            likeness = replace(likeness, limit=float(exported["unlike_limit"]))
    return Predictor(task, spec, stand_in, temperature=facts["temperature"], settled=facts["settled"],
                     likeness=likeness)  # fmt: skip


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise RunError(f"{file} of the export cannot be read ({error.strerror or error})", _AGAIN) from error
