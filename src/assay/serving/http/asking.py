"""From the bytes of a request to inputs that a model can read."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from assay._task_options import answering_options
from assay.errors import AssayError, MissingExtraError
from assay.serving.http.kinds import in_json, is_table_name
from assay.serving.http.limits import Limits
from assay.serving.http.multipart import read_form
from assay.serving.http.refusals import Refused
from assay.serving.http.upload_checks import check_files
from assay.serving.http.uploads import Upload, UploadRoot
from assay.sources.source import Source

if TYPE_CHECKING:
    from assay.serving.http.hosted import Hosted, House
    from assay.sources.records import Records
    from assay.task import Task

JSON, FORM = "application/json", "multipart/form-data"


@dataclass(frozen=True)
class Asked:
    """A request that was read.

    Attributes:
        hosted: who is asked.
        source: the inputs.
        options: of answers.
        upload: where files lie; None where there are none.
    """

    hosted: Hosted
    source: Source
    options: Mapping[str, Any]
    upload: Upload | None = None

    def close(self) -> None:
        """Remove files."""
        if self.upload is not None:
            self.upload.close()

    def hidden(self, text: str) -> str:
        """A message without where files lie."""
        return text if self.upload is None else self.upload.hidden(text)


@dataclass(frozen=True)
class _Said:
    """What a request says, whatever its form."""

    model: str | None
    options: Mapping[str, Any]
    files: Sequence[tuple[str, bytes]]
    values: Sequence[Any]


def read_request(content_type: str, body: bytes, house: House, root: UploadRoot, limits: Limits) -> Asked:
    """Who is asked about what; raises `Refused`."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == FORM:
        said = _form(content_type, body, limits)
    elif kind == JSON:
        said = _json(body)
    else:
        raise Refused(415, "requests are JSON or forms with files", f"Send {JSON} or {FORM}.")
    hosted = _found(house, said.model)
    task = hosted.loaded.task
    try:
        options = answering_options(task, said.options)
    except AssayError as error:
        raise told(error) from error
    source, upload = put_down(task, said.values, said.files, root, limits)
    return Asked(hosted, source, options, upload)


def put_down(
    task: Task, values: Sequence[Any], files: Sequence[tuple[str, bytes]], root: UploadRoot, limits: Limits
) -> tuple[Source, Upload | None]:
    """Inputs as readers take them: in memory, or as files in a folder of their own; raises `Refused`.

    Args:
        task: the application that is asked.
        values: texts, rows or questions; or, where it takes files, each as `{"name": …, "base64": …}`.
        files: by their names, where they came as they are.
        root: where files are put.
        limits: of the server.
    """
    value_kind = in_json(task.traits.takes)
    if values and value_kind is not None:
        return Source(value=_values(values, value_kind, limits)), None
    files = files or _encoded_files(values, limits)
    check_files(files, task.traits.takes, limits)
    upload = root.upload()
    try:
        for name, content in files:
            upload.add(name, content)
    except BaseException:
        upload.close()
        raise
    # Readers look beside a table that lies by itself for the files that it names, wherever these are.
    by_itself = value_kind is not None or not any(is_table_name(name) for name, _ in files)
    return Source(path=upload.source if by_itself else upload.folder), upload


def read_inputs(asked: Asked, limits: Limits) -> tuple[Records, int]:
    """The inputs of a request and how many they are; raises `Refused` where they are too many or too long."""
    records = asked.hosted.loaded.records(asked.source)
    count, seconds, held = 0, 0.0, []
    for batch in records.batches():
        held.append(batch)
        count += batch.num_rows
        if count > limits.inputs:
            raise Refused(413, f"there are more than {limits.inputs} inputs", "Send fewer at once.")
        if "seconds" in batch.schema.names and "sound" in asked.hosted.loaded.task.traits.takes:
            seconds += sum(_length(value) for value in batch.column("seconds").to_pylist())
    if seconds > limits.sound_s:
        raise Refused(413, f"there are more than {limits.sound_s:g} seconds of sound", "Send less at once.")
    if not count:
        raise Refused(422, "there is no input", "Send a file, a text or a row.")
    return replace(records, batches=lambda: iter(held)), count  # some are made anew each time they are iterated over


def told(error: AssayError, hide: Any = str) -> Refused:
    """An error of Assay as what a client is told."""
    status = 503 if isinstance(error, MissingExtraError) else 422
    return Refused(status, hide(error.message), hide(error.hint), reason="unanswerable")


def _length(seconds: float | None) -> float:
    if seconds is None or seconds != seconds:
        raise Refused(422, "a recording does not say how long it is", "Save it as WAV or FLAC, and send it again.")
    return seconds


def _found(house: House, name: str | None) -> Hosted:
    try:
        hosted = house.find(name)
    except KeyError as error:
        what = "the request names no model" if name is None else f"there is no model {name[:50]!r}"
        raise Refused(422 if name is None else 404, what, str(error.args[0])) from None
    if hosted.state != "ready":
        raise Refused(503, f"the model {hosted.name!r} is not ready", "Try again; /ready tells when.", 2, "loading")
    return hosted


def _form(content_type: str, body: bytes, limits: Limits) -> _Said:
    fields: dict[str, str] = {}
    files: list[tuple[str, bytes]] = []
    for part in read_form(content_type, body, limits):
        if part.filename is not None:
            if part.filename or part.content:  # a browser sends an empty one where none was chosen
                files.append((part.filename, bytes(part.content)))
        elif part.name in ("model", "options"):
            fields[part.name] = part.content.decode("utf-8", "replace")
        else:
            raise Refused(422, f"the form has a field {part.name[:50]!r}", "Known: model, options, and files.")
    if not files:
        raise Refused(422, "the form holds no file", "Send one, such as with curl -F files=@photo.jpg.")
    return _Said(fields.get("model") or None, _options(fields.get("options", "")), files, ())


def _options(text: str) -> dict[str, Any]:
    """The options of a form, which are a JSON object in text."""
    if not text.strip():
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(one, str | int | float) for one in found.values()):
        raise Refused(422, "the field options is no JSON object of plain values", 'Write it as {"beams": 1}.')
    return found


def _json(body: bytes) -> _Said:
    from pydantic import ValidationError

    from assay.serving.http.schema import Request

    try:
        found = Request.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part)[:50] for part in first["loc"][:2])
        raise Refused(422, f"the JSON is not as expected{f', at {where}' if where else ''}: {first['msg'][:200]}",
                      "See /docs for its form.") from None  # fmt: skip
    except (ValueError, RecursionError):
        raise Refused(422, "the body is no JSON", "See /docs for its form.") from None
    return _Said(found.model, found.options, (), found.inputs)


def _values(values: Sequence[Any], kind: str, limits: Limits) -> list[Any]:
    """Inputs in JSON as readers take them in memory."""
    if len(values) > limits.inputs:
        raise Refused(413, f"there are more than {limits.inputs} inputs", "Send fewer at once.")
    same = {type(value) for value in values}
    if len(same) > 1 or (kind != "text" and same != {dict}):
        expected = "all texts, or all objects" if kind == "text" else "objects"
        raise Refused(422, f"inputs of this model are {expected}", "See /docs for an example.")
    if kind != "question":
        return list(values)
    if not all(set(value) == {"question", "context"} and all(isinstance(one, str) for one in value.values())
               for value in values):  # fmt: skip
        raise Refused(422, "an input of this model has two texts, question and context", "See /docs for an example.")
    return [(value["question"], value["context"]) for value in values]


def _encoded_files(values: Sequence[Any], limits: Limits) -> list[tuple[str, bytes]]:
    """Files that came inside of JSON."""
    if len(values) > limits.files:
        raise Refused(413, f"there are more than {limits.files} files", "Send fewer, or a zip of them.")
    files: list[tuple[str, bytes]] = []
    for value in values:
        file = value if isinstance(value, dict) else {}
        name, text = file.get("name"), file.get("base64")
        if not isinstance(name, str) or not isinstance(text, str) or len(file) != 2:
            raise Refused(422, "this model takes files", 'Send a form, or {"name": "…", "base64": "…"} as an input.')
        try:
            files.append((name, base64.b64decode(text, validate=True)))
        except (binascii.Error, ValueError):
            raise Refused(422, "a file is no base64", "Encode it as RFC 4648 says, section 4.") from None
    return files
