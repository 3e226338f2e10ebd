"""Why a model answered as it did, input by input, and how far that explanation can be believed."""

from __future__ import annotations

import html
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.arrow import pa
from assay.errors import DataError, SettingError
from assay.evaluation.faithfulness import Curves
from assay.run import to_json
from assay.samples.split import TEST
from assay.serving.predictor import FEW, are_more_than, deciding_windows, inputs

if TYPE_CHECKING:
    from assay.samples.samples import Samples
    from assay.serving.predictor import Answering
    from assay.sources.records import Problem, Records
    from assay.task import Drawing

Array = np.ndarray[Any, Any]
#: Random orders that stand for chance where a single answer is explained.
ORDERS = 32
#: What a notebook shows of a long text.
_ROWS, _LONGEST = 12, 4000


@dataclass(frozen=True)
class Faithfulness:
    """What one explanation is worth (see `assay.evaluation.faithfulness`).

    Attributes:
        deletion: by how much less is left of the answer, on average, when what the explanation marks goes first than
            when parts go at random.
        insertion: by how much more is left when it goes last.
        unit: "%" for shares of a probability, else what both are counted in.
        beaten: the share of `ORDERS` random orders that are worse in both.
    """

    deletion: float
    insertion: float
    unit: str
    beaten: float


@dataclass(frozen=True)
class Explanation:
    """Why one input was answered as it was.

    Attributes:
        id: the input's name.
        answer: the answer, a dataclass of the task's.
        words: the answer in a few words.
        weights: how much each part of the input weighed: (H, W), (P,), (T,), (R, S); NaN where a part has no say.
        parts: the weight of each place that has a name, the heaviest first; places may overlap. Where names repeat, as
            words do, the later ones are numbered: "good", "good (2)".
        unit: of the weights: "%" for shares of a probability, else "".
        faithfulness: what the explanation is worth.
        plain: the input as it is drawn.
        drawn: the input with what weighed.
        window: which of the unit's windows was explained, from 0: the one that the answer rests on most.
        windows: how many it has.
    """

    id: str
    answer: Any
    words: str
    weights: Array
    parts: Mapping[str, float]
    unit: str
    faithfulness: Faithfulness
    plain: Drawing
    drawn: Drawing
    window: int = 0
    windows: int = 1

    def to_json(self) -> dict[str, Any]:
        """What `assay explain --json` prints, but for the file."""
        parts = [{"name": name, "weight": weight} for name, weight in self.parts.items()]
        told: dict[str, Any] = to_json(
            {"format": 1, "id": self.id, "answer": self.answer, "faithfulness": vars(self.faithfulness), "parts": parts}
        )
        return {**told, "window": self.window, "windows": self.windows} if self.windows > 1 else told

    def _repr_html_(self) -> str:
        from assay.report.spans import draw_spans

        images = [drawing.image for drawing in (self.plain, self.drawn) if drawing.image]
        pictures = "".join(f'<img src="{html.escape(image)}"/> ' for image in images)
        heaviest = list(self.parts.items())[: _ROWS if self.drawn.spans else None]
        rows = "".join(f"<tr><td>{html.escape(name)}</td><td>{weight:+.3g}</td></tr>" for name, weight in heaviest)
        text = draw_spans(self.drawn.spans, _LONGEST, styled=True) if self.drawn.spans else ""
        return f"<p>{html.escape(self.id)}: {html.escape(self.words)}</p>{pictures}{text}<table>{rows}</table>"


def explain(
    predictor: Answering, records: Records, row: int | None = None, only_first: bool = False
) -> tuple[list[Explanation], int, tuple[Problem, ...]]:
    """Explanations of the answers to records without targets.

    Args:
        predictor: the network, or a classical model where the task can explain its answers.
        records: the inputs.
        row: the row of a table alone, as it is counted in ids; None for all.
        only_first: the first alone.

    Returns:
        An explanation each, how many inputs there are, and what could not be read.

    Raises:
        SettingError: answers of this kind cannot be explained, or there is no such row.
    """
    if row is not None:
        records = _row_alone(records, row)
    if only_first and are_more_than(records, FEW):
        with suppress(DataError):  # none of the first can be read, so that all have to be looked at
            found, _, problems = explain(predictor, _beginning(records, FEW), only_first=True)
            return found, sum(batch.num_rows for batch in records.batches()), problems
    with inputs(predictor.task, records, predictor.spec) as (samples, problems):
        units = samples.view(TEST).units
        chosen = units[:1] if only_first else units
        return [_explained(predictor, samples, int(unit)) for unit in chosen], len(units), problems


def _row_alone(records: Records, row: int) -> Records:
    """The rows whose id ends with a number; raises `SettingError` where there is none."""

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in records.batches():
            wanted = [name.endswith(f":{row}") for name in batch.column("id").to_pylist()]
            if any(wanted):
                yield batch.filter(pa.array(wanted, pa.bool_()))

    alone = replace(records, batches=batches)
    if not are_more_than(alone, 0):
        names = [name for batch in records.batches() for name in batch.column("id").to_pylist()]
        known = f"from {names[0]!r} to {names[-1]!r}" if names else "not there at all"
        raise SettingError(f"there is no row {row}", f"Rows are counted {known}.")
    return alone


def _beginning(records: Records, count: int) -> Records:
    """The first rows."""

    def batches() -> Iterator[pa.RecordBatch]:
        left = count
        for batch in records.batches():
            yield batch.slice(0, left)
            left -= min(left, batch.num_rows)
            if not left:
                return

    return replace(records, batches=batches)


def _explained(predictor: Answering, samples: Samples, unit: int) -> Explanation:
    from assay.evaluation.faithfulness import count_parts
    from assay.evidence.explanation import ONE_PART, explain_and_measure

    task, spec = predictor.task, predictor.spec
    view = samples.view_of(np.asarray([unit]))
    windows = deciding_windows(predictor, view)
    batch = samples.batch(windows)
    found = explain_and_measure(task, predictor, batch, orders=ORDERS)
    reason = found if isinstance(found, str) else ONE_PART if count_parts(found[0])[0] < 2 else ""
    if reason or isinstance(found, str):
        raise SettingError(
            f"{samples.id(unit)} cannot be explained: {reason}",
            "Try another input, or look at the page's finding on explanations.",
        )
    (weights,), curves, unit_of_curves = found
    output = predictor.outputs(view)[0] if task.traits.several_windows else predictor.respond(batch)[0]
    places, window = task.parts(spec), int(windows[0])
    named = _named(weights, places) if places else _by_name(weights, task.part_names(samples, window, spec))
    return Explanation(
        samples.id(unit),
        task.answer(output, spec),
        task.words(output, spec),
        weights,
        named,
        "%" if unit_of_curves == "%" and weights.ndim == 1 and not task.traits.variable_length else "",
        _worth(curves, unit_of_curves),
        task.draw_window(samples, unit, window, spec),
        task.draw_explained(samples, unit, weights, spec, window),
        int(np.flatnonzero(view.windows == window)[0]),
        len(view.windows),
    )


def _named(weights: Array, parts: Mapping[str, Array]) -> dict[str, float]:
    """The weight of each part, the heaviest first."""
    found = {name: float(weights[part].sum()) for name, part in parts.items() if part.any()}
    return _heaviest_first(found)


def _by_name(weights: Array, names: Sequence[str] | None) -> dict[str, float]:
    """The weight of each named part that has a say, the heaviest first; a repeated name is numbered."""
    found: dict[str, float] = {}
    seen: Counter[str] = Counter()
    for name, weight in zip(names or (), weights.ravel().tolist(), strict=False):
        words = name.strip()
        if words and not math.isnan(weight):
            seen[words] += 1
            found[words if seen[words] == 1 else f"{words} ({seen[words]})"] = weight
    return _heaviest_first(found)


def _heaviest_first(found: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(found.items(), key=lambda item: -abs(item[1])))


def _worth(curves: Curves, unit: str) -> Faithfulness:
    deletion, insertion = (float(one[0]) for one in (curves.deletion_gains, curves.insertion_gains))
    return Faithfulness(deletion, insertion, unit, float(curves.beaten[0]))


def judged(faithfulness: Faithfulness) -> str:
    """What an explanation is worth, in two sentences."""
    share = faithfulness.unit == "%"
    lost, back = (_more(gain, faithfulness.unit) for gain in (faithfulness.deletion, faithfulness.insertion))
    first = "costs {} confidence" if share else "moves the answer {}"
    last = "keeps {}" if share else "moves it {}"
    if not share:
        back = _more(-faithfulness.insertion, faithfulness.unit)
    gains = f"Taking away what it marks first {first.format(lost)} than taking parts away at random"
    gains += f"; taking it away last {last.format(back)}"
    return f"{gains}. This is better than {100 * faithfulness.beaten:.0f} % of {ORDERS} random orders."


def _more(gain: float, unit: str) -> str:
    size = f"{100 * abs(gain):.1f} points" if unit == "%" else f"{abs(gain):.3g} {unit}".rstrip()
    return f"{size} {'more' if gain >= 0 else 'less'}"
