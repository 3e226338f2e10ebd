"""What requests in JSON hold, and what answers look like."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Scalar = str | int | float | bool | None
#: An option's value; none is a structure.
Option = str | int | float | bool


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Request(_Strict):
    """What `/predict` and `/explain` take as JSON."""

    model: Annotated[
        str | None, Field(max_length=200, description="Which model; may be left out where there is one.")
    ] = None
    inputs: Annotated[
        list[dict[str, Scalar] | str],
        Field(
            min_length=1,
            description="Texts, rows, questions with their context; or files, each with its name and base64.",
        ),
    ]
    options: Annotated[dict[str, Option], Field(description="Of answers, as /models lists them, such as beams.")] = (
        Field(default_factory=dict)
    )


class FormRequest(_Strict):
    """The same as a form with files."""

    model: Annotated[str | None, Field(description="Which model; may be left out where there is one.")] = None
    options: Annotated[str | None, Field(description="A JSON object.")] = None
    files: Annotated[list[bytes], Field(description="One or more files, or a zip of them.")]


class Answers(BaseModel):
    """What `/predict` gives."""

    format: int = 1
    model: str
    answers: Annotated[list[dict[str, Any]], Field(description="One for each input that could be read, with its id.")]
    problems: Annotated[list[dict[str, Any]], Field(description="What was skipped, repaired or kept with a doubt.")]
    notice: Annotated[str, Field(description="What the answers may not be used for.")] = ""


class Explained(BaseModel):
    """What `/explain` gives."""

    format: int = 1
    model: str
    explanation: Annotated[dict[str, Any], Field(description="Answer, weights of parts, and what they are worth.")]
    picture: Annotated[str | None, Field(description="The input with what weighed, as a data URI.")] = None
    spans: Annotated[list[dict[str, Any]], Field(description="A text in pieces, each with its weight.")]
    of: Annotated[int, Field(description="How many inputs were sent; the first is explained.")]
    problems: list[dict[str, Any]]
    notice: str = ""


class ModelFacts(BaseModel):
    """A model that is served."""

    name: str
    state: Annotated[str, Field(description="loading, ready or failed.")]
    task: str | None = None
    title: str | None = None
    takes: list[str] = []
    endings: Annotated[list[str], Field(description="Of files that it takes; any where empty.")] = []
    options: Annotated[dict[str, str], Field(description="Of answers, with what they mean.")] = {}
    metric: Annotated[dict[str, Any] | None, Field(description="How good it was on its test samples.")] = None
    notice: str = ""


class Models(BaseModel):
    """What `/models` gives."""

    format: int = 1
    models: list[ModelFacts]


class State(BaseModel):
    """What `/health` and `/ready` give."""

    status: str


class Problem(BaseModel):
    """Why there is no answer, and how to mend it."""

    format: int = 1
    error: str
    hint: str
