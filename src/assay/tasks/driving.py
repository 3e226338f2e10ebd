"""What to do with the wheel, the throttle and the brake, from frames: learned from drives, judged by driving."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.samples.drive_spec import DriveSpec
from assay.task import Batch, Encoded, NetworkKind, Task, Traits

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor, nn

    from assay.baselines.baseline import Baseline
    from assay.evaluation.evaluation import Evaluation
    from assay.evaluation.metrics import Metric, Values
    from assay.samples.draws import Draws
    from assay.samples.samples import Samples, View
    from assay.serving.predictor import Answering, Predictor
    from assay.simulators.rides import Ride, Terms
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
        default_budget_s=600.0,
        several_windows=True,
        closed_loop=True,
        options={
            "memory": "frames that the policy sees at once, a tenth of a second apart (1)",
            "longest": "the longer side of a frame as the policy sees it, in pixels (96)",
            "drives": "in a simulator: tracks on which it learns from the expert (40)",
            "tests": "in a simulator: tracks on which it is tested (30)",
            "collect": "in a simulator: drives of its own, with the expert's advice, that it learns from (40)",
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

    def read_inputs(self, source: Source, spec: DriveSpec) -> Records:
        """The same without what was done."""
        from assay.sources.drives import read_drives
        from assay.sources.source import DataOptions

        return read_drives(source, DataOptions())

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
        from assay.errors import SettingError
        from assay.networks.drive_networks import drive_losses

        if batch.action is None:
            raise SettingError("of these frames nobody knows what was done")
        return drive_losses(network(batch.image), batch.action, batch.weight, spec)

    def predict(self, network: nn.Module, batch: DriveBatch, spec: DriveSpec, options: Mapping[str, Any]) -> Values:
        """(B, A) controls within their bounds."""
        found = network(batch.image).float().numpy()
        return np.asarray(np.clip(found, np.float32(spec.low), np.float32(spec.high)))

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


def _answer(predictor: Answering) -> Any:
    """What a predictor answers to one window, given as an array."""
    import torch

    def answer(image: np.ndarray[Any, Any], number: int) -> np.ndarray[Any, Any]:
        batch = DriveBatch(index=torch.tensor([number]), image=torch.from_numpy(image))
        return np.asarray(predictor.respond(batch))[0]

    return answer
