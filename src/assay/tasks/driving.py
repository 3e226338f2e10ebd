"""What to do with the wheel, the throttle and the brake, from frames: learned from drives, judged by driving."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.arrays import array_of
from assay.samples.drive_spec import DriveSpec
from assay.task import (
    Amount,
    Batch,
    Corruption,
    Drawing,
    Encoded,
    InUse,
    NetworkKind,
    Rollout,
    Session,
    Support,
    Task,
    Traits,
    no_targets,
)

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor, nn

    from assay.baselines.baseline import Baseline
    from assay.evaluation.evaluation import Evaluation
    from assay.evaluation.metrics import Metric, Values
    from assay.evidence.finding import Figure
    from assay.samples.draws import Draws
    from assay.samples.samples import Samples, View
    from assay.serving.predictor import Answering, Predictor
    from assay.sources.records import ProblemLog, Records
    from assay.sources.source import DataOptions, Recognition, Source
    from assay.training.plan import Plan


@dataclass(frozen=True, kw_only=True)
class DriveBatch(Batch):
    """Frames with what was done at them.

    Attributes:
        image: (B, 3K, H, W) pixel values of the frames that are seen at once, the present one last.
        action: (B, A) what the driver did.
        weight: (B,) how much each window counts; None for all alike.
    """

    image: Tensor
    action: Tensor | None = None
    weight: Tensor | None = None


class Driving(Task):
    """See the module. A unit is a drive, or a stretch of one; a window is a frame of it.

    Outputs are (T, A) controls; where the source is a simulator, evaluation gives a `Ride` for each unit.
    """

    name = "driving"
    traits = Traits(
        title="driving: wheel, throttle and brake from camera frames, in a simulator or from records",
        data="simulator:CarRacing-v3; a Udacity log; CSV of frames with steering; a video with such a CSV",
        extra="driving",
        takes=("picture", "video"),
        default_budget_s=600.0,
        several_windows=True,
        closed_loop=True,
        streams=True,
        options={
            "memory": "frames that the policy sees at once, a tenth of a second apart (1)",
            "longest": "the longer side of a frame as the policy sees it, in pixels (96)",
            "drives": "in a simulator: tracks on which it learns from the expert (40)",
            "tests": "in a simulator: tracks on which it is tested (30)",
            "collect": "in a simulator: drives of its own, with the expert's advice, that it learns from (40)",
            "steps": "in a simulator: steps after which a ride is cut (its own limit)",
            "rate": "of records: frames a second where no clock tells (10)",
            "encoding": "of a table, such as cp1252",
        },
    )
    batch_type = DriveBatch
    spec_type = DriveSpec

    def in_loop(self, spec: DriveSpec) -> bool:
        """Records have no world that answers."""
        return spec.loop is not None

    def recognise(self, source: Source) -> Recognition | None:
        """A simulator, or records of drives."""
        from assay.sources.drives import recognise_drives

        return recognise_drives(source)

    def read(self, source: Source, options: DataOptions) -> Records:
        """See `assay.sources.drives`."""
        from assay.sources.drives import read_drives

        return read_drives(source, options)

    def read_like(self, source: Source, options: DataOptions, spec: DriveSpec) -> Records:
        """Of a simulator the tracks to be tested on, with as few others as can be."""
        extra = {**options.extra, "drives": "2"} if spec.loop is not None else options.extra
        return self.read(source, replace(options, extra=extra))

    def read_inputs(self, source: Source, spec: DriveSpec) -> Records:
        """Frames: see `assay.sources.drives`."""
        from assay.sources.drives import read_drive_inputs

        return read_drive_inputs(source)

    def fit_spec(self, records: Records, train: np.ndarray[Any, Any], options: DataOptions) -> DriveSpec:
        """See `assay.samples.drive_encoding`."""
        from assay.samples.drive_encoding import fitted_drive_spec

        return fitted_drive_spec(records, train, options)

    def encode(self, batch: pa.RecordBatch, records: Records, spec: DriveSpec, log: ProblemLog) -> Encoded:
        """See `assay.samples.drive_encoding`."""
        from assay.samples.drive_encoding import encoded_drives

        return encoded_drives(batch, records, spec, log)

    def truths(self, targets: pa.ChunkedArray, spec: DriveSpec) -> Values:
        """By name what was done at each frame."""
        from assay.sources.drive_records import driven

        return driven(targets)

    def networks(self, spec: DriveSpec) -> Sequence[NetworkKind]:
        """`drivenet`."""
        from assay.networks.drive_networks import drive_networks

        return drive_networks(spec)

    def augment(self, batch: DriveBatch, draws: Draws, plan: Plan, spec: DriveSpec) -> DriveBatch:
        """Mirrored frames with a mirrored wheel, other light; straight frames count less."""
        from assay.samples.drive_augment import augmented_drive

        image, action, weight = augmented_drive(batch.image, batch.action, plan.augment, spec, draws)
        return replace(batch, image=image, action=action, weight=weight)

    def objective(self, network: nn.Module, batch: DriveBatch, plan: Plan, spec: DriveSpec) -> Tensor:
        """See `assay.networks.drive_networks`."""
        from assay.networks.drive_networks import drive_losses

        if batch.action is None:
            raise no_targets("of these frames nobody knows what was done")
        return drive_losses(network(batch.image), batch.action, batch.weight, spec)

    def predict(self, network: nn.Module, batch: DriveBatch, spec: DriveSpec, options: Mapping[str, Any]) -> Values:
        """(B, A) controls within their bounds."""
        found = array_of(network(batch.image))
        return np.asarray(np.clip(found, np.asarray(spec.low, np.float32), np.asarray(spec.high, np.float32)))

    def merge(self, outputs: Values, spec: DriveSpec) -> np.ndarray[Any, Any]:
        """(T, A) of the frames in their order."""
        return np.asarray(outputs)

    def deciding(self, outputs: Values, spec: DriveSpec) -> int:
        """The frame at which it steers hardest."""
        return int(np.argmax(np.abs(np.asarray(outputs)[:, 0])))

    def evaluate(self, predictor: Answering, view: View) -> Evaluation:
        """Rides on the tracks of a view; of records what is answered beside what was done."""
        from assay.evaluation.batched import evaluate_batches
        from assay.evaluation.drive_loop import evaluate_loop

        spec: DriveSpec = predictor.spec
        if spec.loop is None:
            return evaluate_batches(predictor, view)
        return evaluate_loop(_answer(predictor), view, spec)

    def collect(self, predictor: Predictor, samples: Samples, epoch: int, seed: int, done: float) -> Records | None:
        """DAgger: see `assay.simulators.teaching`."""
        from assay.evaluation.drive_loop import collected_drives

        return collected_drives(_answer(predictor), predictor.spec, samples.appended, seed, done)

    def answer(self, output: Any, spec: DriveSpec) -> Any:
        """Controls by frame, or what came of a ride."""
        from assay.serving.drive_answers import controls_of, ridden

        return controls_of(output, spec) if isinstance(output, np.ndarray) else ridden(output, spec)

    def words(self, output: Any, spec: DriveSpec) -> str:
        """See `assay.serving.drive_answers`."""
        from assay.serving.drive_answers import words_of

        return words_of(output, spec)

    def truth_words(self, truth: Any, spec: DriveSpec) -> str:
        """See `assay.serving.drive_answers`."""
        from assay.serving.drive_answers import truth_words_of

        return truth_words_of(truth, spec)

    def metrics(self, spec: DriveSpec) -> Sequence[Metric]:
        """See `assay.evaluation.drive_metrics`."""
        from assay.evaluation.drive_metrics import drive_metrics

        return drive_metrics(spec)

    def figures(self, evaluation: Evaluation, spec: DriveSpec) -> Sequence[Figure]:
        """See `assay.evidence.drive_figures`."""
        from assay.evidence.drive_figures import drive_figures

        return drive_figures(evaluation, spec)

    def losses(self, outputs: Values, truths: Values, spec: DriveSpec) -> np.ndarray[Any, Any]:
        """(U,) what a ride lacks to the expert's score; of records the mean steering error."""
        from assay.evaluation.drive_loop import ride_losses
        from assay.evaluation.drive_metrics import control_losses

        ridden = spec.loop is not None and not all(isinstance(output, np.ndarray) for output in outputs)
        return ride_losses(list(outputs), spec) if ridden else control_losses(outputs, truths, spec)

    def in_use(self, predictor: Predictor, samples: Samples) -> InUse:
        """What a step takes."""
        from assay.evidence.drive_in_use import drive_in_use

        return drive_in_use(_answer(predictor), predictor.spec)

    def amount(self, samples: Samples, units: np.ndarray[Any, Any], spec: DriveSpec) -> Amount:
        """Minutes of driving."""
        return Amount(len(samples.view_of(units).windows) / spec.rate_hz / 60, "minutes of driving")

    def corruptions(self, spec: DriveSpec) -> Mapping[str, Corruption]:
        """See `assay.samples.drive_corruptions`."""
        from assay.samples.drive_corruptions import drive_corruptions

        return drive_corruptions(spec)

    def worsened(self, model: Answering, view: View, name: str, strength: int, seed: int) -> Values:
        """In a simulator rides with worse frames, in another world, or with late actions."""
        from assay.evaluation.drive_loop import worse_rides

        spec: DriveSpec = model.spec
        if spec.loop is None:
            return super().worsened(model, view, name, strength, seed)
        return worse_rides(partial(_answer, model), view, spec, name, strength, seed)

    def regularisation(self, spec: DriveSpec) -> Mapping[str, tuple[float, float]]:
        """Mirroring first: it doubles the bends; then other light and colours."""
        return {"augment.mirror": (0.0, 0.5), "augment.jitter": (0.0, 0.2), "augment.recolour": (0.0, 0.3)}

    def parts(self, spec: DriveSpec) -> Mapping[str, np.ndarray[Any, Any]]:
        """See `assay.samples.image_places`."""
        from assay.samples.image_places import image_parts

        return image_parts(spec)

    def masked(self, batch: DriveBatch, kept: Tensor, spec: DriveSpec, instead: DriveBatch | None = None) -> DriveBatch:
        """See `assay.samples.image_places`; all frames that are seen at once alike."""
        from assay.samples.image_places import mask_images

        return replace(batch, image=mask_images(batch.image, kept, spec, None if instead is None else instead.image))

    def support(self, outputs: Values, answered: Values, spec: DriveSpec) -> Support:
        """See `assay.evidence.drive_attribution`."""
        from assay.evidence.drive_attribution import wheel_support

        return wheel_support(outputs, answered, spec)

    def explain(self, predictor: Answering, batch: DriveBatch) -> np.ndarray[Any, Any]:
        """See `assay.evidence.drive_attribution`."""
        from assay.evidence.drive_attribution import explain_wheel

        return explain_wheel(getattr(predictor, "network", None), batch.image, predictor.spec)

    def draw(self, samples: Samples, unit: int, spec: DriveSpec) -> Drawing:
        """The frame in the middle of the drive."""
        from assay.report.drives import drive_drawing

        return drive_drawing(samples, unit)

    def draw_window(self, samples: Samples, unit: int, window: int, spec: DriveSpec) -> Drawing:
        """One frame."""
        from assay.report.drives import drive_drawing

        return drive_drawing(samples, unit, window)

    def draw_answered(self, samples: Samples, unit: int, output: Any, truth: Any, spec: DriveSpec) -> Drawing:
        """Where a ride first left the road; of records the frame at which the wheel is furthest off."""
        from assay.report.drives import answered_drawing

        return answered_drawing(samples, unit, output, truth, spec)

    def draw_explained(
        self, samples: Samples, unit: int, weights: np.ndarray[Any, Any], spec: DriveSpec, window: int | None = None
    ) -> Drawing:
        """A frame in grey with what turned the wheel to the right in orange, to the left in blue."""
        from assay.report.drives import drive_drawing

        return drive_drawing(samples, unit, window, weights)

    def rollouts(self, predictor: Answering, first: int | None, count: int, pictured: bool) -> Iterator[Rollout]:
        """Rides on tracks of the simulator."""
        from assay.serving.drive_rollouts import drive_rollouts

        return drive_rollouts(_answer(predictor), predictor.spec, first, count, pictured)

    def session(self, predictor: Predictor) -> Session:
        """See `assay.serving.drive_session`."""
        from assay.serving.drive_session import DriveSession

        return DriveSession(_answer(predictor), predictor.spec)

    def stream(self, samples: Samples, unit: int, spec: DriveSpec) -> np.ndarray[Any, Any]:
        """(T, H, W, 3) the frames of a drive, as the policy sees them."""
        windows = samples.view_of(np.asarray([unit])).windows
        return np.ascontiguousarray(np.asarray(samples.field("image", windows))[:, -3:].transpose(0, 2, 3, 1))

    def baselines(self, spec: DriveSpec) -> Sequence[Baseline]:
        """A controller on the colour of the road, or of records ridge regression on pixels; the floor."""
        from assay.baselines.drive_floors import RandomDriver, UsualControls
        from assay.baselines.pixel_ridge import PixelRidge
        from assay.baselines.road_following import RoadFollowing

        if spec.loop is None:
            return (PixelRidge(spec), UsualControls(spec))
        return (RoadFollowing(spec, self._trial), RandomDriver(spec))

    def _trial(self, model: Baseline, view: View) -> float:
        """The mean score of a classical model on the tracks of a view."""
        from assay.serving.predictor import Classical

        found = self.evaluate(Classical(self, view.samples.spec, model), view)
        return float(np.mean([ride.score for ride in found.outputs]))


def _answer(predictor: Answering, change: Callable[[DriveBatch], DriveBatch] | None = None) -> Any:
    """What a predictor answers to one window, given as an array (1, 3K, H, W), and changed before."""
    from assay.serving.predictor import form_of

    form = form_of(predictor)

    def answer(image: np.ndarray[Any, Any], number: int) -> np.ndarray[Any, Any]:
        batch = DriveBatch(index=form(np.asarray([number])), image=form(image))
        found = np.asarray(predictor.respond(batch if change is None else change(batch)))
        return np.asarray(found[0])

    return answer
