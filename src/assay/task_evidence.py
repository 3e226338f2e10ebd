"""What findings ask of an application beyond its answers: the second half of the contract, see `assay.task`.

Shapes: B windows in a batch, U units.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from assay.errors import SettingError
from assay.task_parts import Amount, Confusion, Corruption, Doubt, Doubts, Drawing, InUse, Spec, Support, Things

if TYPE_CHECKING:
    from torch import Tensor

    from assay.evaluation.metrics import Values
    from assay.samples.lookalikes import Lookalikes
    from assay.samples.samples import Samples, View
    from assay.samples.text_spans import Recital
    from assay.serving.predictor import Answering, Predictor


class TaskEvidence(ABC):  # every method has a default that says "not applicable"
    """What an application can be asked about its answers; the default of each says "not applicable"."""

    name: ClassVar[str]

    def probabilities(self, outputs: Values, spec: Spec) -> np.ndarray[Any, Any] | None:
        """(U, C) class probabilities, where a truth is the number of one of C classes; None for other answers.

        Calibration, conformal sets and the search for wrong labels need them.
        """
        return None

    def sharpened(self, outputs: Values, temperature: float, spec: Spec) -> Values:
        """Outputs whose probabilities were taken at another temperature; those of 1 are as they are."""
        raise SettingError(
            f"the answers of {self.name} have no temperature", "Define `sharpened`, or give no `probabilities`."
        )

    def residuals(self, outputs: Values, truths: Values, spec: Spec) -> np.ndarray[Any, Any] | None:
        """(U,) truth minus output, where both are numbers; None for other answers. Prediction intervals need them."""
        return None

    def sureness(self, outputs: Values, spec: Spec) -> np.ndarray[Any, Any] | None:
        """(U,) from 0 to 1, how sure each output says that it is, where answers are no classes; None where it does not.

        What `assay label-next` goes by where there are no probabilities of classes. It may be asked about no outputs.
        """
        return None

    def confidences(
        self, outputs: Values, truths: Values, spec: Spec
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]] | None:
        """(U,) how good each output says that it is, and (U,) how good it was, both from 0 to 1.

        For answers that are neither a class nor a number: the probability of a span and whether it was right, the mean
        probability of a translation's tokens and its chrF over 100. A confidence need not be on the scale of the
        goodness; it should only rise with it. None where outputs do not say how good they are.
        """
        return None

    def confusions(self, outputs: Values, truths: Values, spec: Spec) -> Sequence[Confusion]:
        """Parts of answers that stand in the place of others, the commonest first; empty where none is known."""
        return ()

    def doubts(self, outputs: Values, truths: Values, spec: Spec) -> Doubts | None:
        """Labels that look wrong, of which a unit has several: boxes, points.

        Args:
            outputs: (U,) of networks that were not trained on these units.
            truths: (U,) as labelled.
            spec: the sample spec.

        Returns:
            None where an application cannot tell. Where an answer is one class of several, `probabilities` suffice.
        """
        return None

    def parts(self, spec: Spec) -> Mapping[str, np.ndarray[Any, Any]]:
        """Places in the input by name, each a bool array of one input's shape without channels: (H, W) or (P,).

        The one named "rim", where an input has one, is all that should not decide an answer by itself. Findings hide
        places and train networks that see nothing else. Empty where inputs differ in shape (see `part_names`).
        """
        return {}

    def things(self, spec: Spec) -> Things | None:
        """The labelled things in inputs, which findings cover to see whether answers look at them or at what is around.

        Returns:
            None where labels are of whole inputs, or where they leave nothing around.
        """
        return None

    def part_names(self, samples: Samples, window: int, spec: Spec) -> Sequence[str] | None:
        """The parts of one input in their order, where inputs differ in length: the text of each of its tokens.

        One after the other they are the input's text: a name holds the white space that stands before it, and is ""
        where a part has no text, such as a special token. There are as many as the input has places without padding.
        Of a sound they are the cells of its grid, band by band, each with its time and its frequencies.

        Args:
            samples: all samples.
            window: the window's number among them.
            spec: the sample spec.

        Returns:
            None where parts have no names.
        """
        return None

    def masked(self, batch: Any, kept: Tensor, spec: Spec, instead: Any = None) -> Any:
        """The batch with everything outside of what is kept made to say nothing, or taken from other inputs.

        Args:
            batch: the inputs.
            kept: (B, ...) or (...) bool, shaped as `parts`; where inputs differ in length shaped as what
                `explain` gives for the same batch, and True wherever that is NaN.
            spec: the sample spec.
            instead: a batch of as many inputs, whose values stand where nothing is kept; None for the training mean.
        """
        raise SettingError(f"the inputs of {self.name} cannot be masked", "Define `masked`, or give no `parts`.")

    def corruptions(self, spec: Spec) -> Mapping[str, Corruption]:
        """Ways in which inputs get worse, by name."""
        return {}

    def worsened(self, model: Answering, view: View, name: str, strength: int, seed: int) -> Values:
        """The outputs of a view's units where a corruption, by its name, is at a strength from 1 to 5.

        By default each input is changed; an application in a closed loop lets rollouts go worse.
        """
        from assay.samples.draws import Draws

        change = self.corruptions(model.spec)[name].change
        if change is None:
            raise SettingError(f"inputs of {self.name} do not get worse by {name}", "Ask for one of `corruptions`.")
        return model.outputs(
            view.changed(lambda batch: change(batch, strength, Draws(seed, strength, batch.index.numpy())))
        )

    def regularisation(self, spec: Spec) -> Mapping[str, tuple[float, float]]:
        """What else than weight decay and the network's own settings can hold this application back from memorising.

        Returns:
            By the name of a setting of the plan, `augment.NAME` for an augmentation: the value at which it does
            nothing, and a moderate one. What usually helps most comes first.
        """
        return {}

    def lookalikes(self, samples: Samples, asked: np.ndarray[Any, Any], budget_s: float) -> Lookalikes | None:
        """Which units are copies of those asked about, exact or changed a little.

        Args:
            samples: all samples; copies are looked for on every side.
            asked: (A,) int64, the units whose copies are wanted.
            budget_s: seconds that it may take, about; what it gives says how many of `asked` it got to.

        Returns:
            None where the application cannot tell copies.
        """
        return None

    def amount(self, samples: Samples, units: np.ndarray[Any, Any], spec: Spec) -> Amount | None:
        """How much some units (U,) are, where people count such data in something else than samples; None elsewhere."""
        return None

    def in_use(self, predictor: Predictor, samples: Samples) -> InUse | None:
        """How the network does on the test side as it is used, such as while it listens; None where metrics tell that.

        Args:
            predictor: the network, with what was settled after the training.
            samples: all samples.
        """
        return None

    def recital(self, predictor: Predictor, samples: Samples, budget_s: float) -> Recital | None:
        """How much of what the network writes stands word for word in what it learned from.

        Args:
            predictor: the network.
            samples: all samples.
            budget_s: seconds that it may take, about.

        Returns:
            None where the application writes nothing of its own.
        """
        return None

    def support(self, outputs: Values, answered: Values, spec: Spec) -> Support | None:
        """How much of the answers that outputs (U,) gave is left in the outputs of the same units, changed.

        Explanations are judged by it: where they are right, little is left once what they mark is gone. None where that
        cannot be measured.
        """
        return None

    def explain(self, predictor: Answering, batch: Any) -> np.ndarray[Any, Any]:
        """How much each part of the input weighed in the answers of a batch.

        Args:
            predictor: the network, or where the application can explain such answers, too, a classical model.
            batch: the inputs, as they were answered.

        Returns:
            (B, ...) float, shaped as `parts`; positive where it spoke for the answer, or raised the number. Where
            inputs differ in length (B, T), or (B, R, S) of bands over time, padded at the end, and NaN where an input
            has no such part or where the part is none of the input's content: padding, special tokens. Raises
            `SettingError` where answers of this kind cannot be explained.
        """
        raise SettingError(f"{self.name} cannot explain its answers", "Look at its figures in the report.")

    def draw_explained(
        self,
        samples: Samples,
        unit: int,
        weights: np.ndarray[Any, Any],
        spec: Spec,
        window: int | None = None,
    ) -> Drawing:
        """One unit as the page shows it, with what weighed.

        Args:
            samples: all samples.
            unit: the unit.
            weights: what `explain` gave for a window of the unit: (...) as `parts`, or (T,) with NaN at its end where
                other inputs were longer.
            spec: the sample spec.
            window: the window's number among the samples; None where the unit has no other.
        """
        drawing = self.draw(samples, unit, spec)
        number = int(samples.view_of(np.asarray([unit])).windows[0]) if window is None else window
        names = self.part_names(samples, number, spec)
        if names is None:
            return drawing
        spans = tuple((name, float(weight)) for name, weight in zip(names, weights, strict=False))
        return replace(drawing, lines=drawing.lines[:1], spans=spans)

    def draw(self, samples: Samples, unit: int, spec: Spec) -> Drawing:
        """One unit as the page shows it."""
        return Drawing(lines=(samples.id(unit),))

    def draw_window(self, samples: Samples, unit: int, window: int, spec: Spec) -> Drawing:
        """One window of a unit as the page shows it beside what weighed in it; the unit, where windows show no less."""
        return self.draw(samples, unit, spec)

    def draw_answered(self, samples: Samples, unit: int, output: Any, truth: Any, spec: Spec) -> Drawing:
        """One unit as the page shows it, with what an output has in common with its truth and what not."""
        return self.draw(samples, unit, spec)

    def draw_confused(
        self, samples: Samples, unit: int, output: Any, truth: Any, box: tuple[float, float, float, float], spec: Spec
    ) -> Drawing:
        """One unit as the page shows it, with the place of a confusion (`Confusion.places`)."""
        return self.draw_answered(samples, unit, output, truth, spec)

    def draw_doubted(self, samples: Samples, unit: int, doubt: Doubt, spec: Spec) -> Drawing:
        """One unit as the page shows it, with the label that is in doubt (`doubts`)."""
        return self.draw(samples, unit, spec)
