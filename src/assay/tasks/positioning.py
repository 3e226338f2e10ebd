"""Drives: where the car is, from its wheels, its gyroscope and GNSS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.tracks import Track, TrackAnswer
from assay.samples.route_spec import RouteSpec
from assay.task import (
    Amount,
    Batch,
    Corruption,
    Drawing,
    Encoded,
    InUse,
    NetworkKind,
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
    from assay.samples.samples import Samples
    from assay.serving.predictor import Answering, Predictor
    from assay.sources.records import ProblemLog, Records
    from assay.sources.source import DataOptions, Recognition, Source
    from assay.training.plan import Plan


@dataclass(frozen=True, kw_only=True)
class DriveBatch(Batch):
    """Drives on an even clock, with `mask`; see `assay.samples.route_steps.Steps` for the fields.

    Attributes:
        sensors: (B, T, C) float32.
        present: (B, T, C) bool.
        fixes: (B, T, 4) float32.
        begin: (B,) float64 seconds.
        base: (B, 2) float64 metres.
        origin: (B, 2) float64 degrees; beyond a pole where it is not known.
        moved: (B, T, 3) float32, how the reference moved; NaN where that is not known.
        clean: (B, T, 5) float32, of SIMULATED sensors what they are drawn from.
    """

    sensors: Tensor
    present: Tensor
    fixes: Tensor
    begin: Tensor
    base: Tensor
    origin: Tensor
    moved: Tensor | None = None
    clean: Tensor | None = None


class Positioning(Task):
    """See the module. Outputs and truths are `Track`s."""

    name = "positioning"
    traits = Traits(
        title="drives: where the car is, from wheels, gyroscope and GNSS",
        data="a folder per drive: imu.csv, wheels.csv, gnss.csv, poses.csv; a table per drive; comma2k19; KITTI poses",
        extra="positioning",
        takes=("log",),
        exported_by="assay.serving.motion_export",
        default_budget_s=300.0,
        variable_length=True,
        streams=True,
        options={
            "gnss": "0 leaves fixes of GNSS aside (1)",
            "stretch": "seconds into which long drives are cut",
            "rate": "steps a second (10)",
            "draws": "of KITTI's routes: draws of SIMULATED sensors for each (5)",
            "first_draw": "of these, the number of the first (0)",
        },
        answering={"gnss": "0 leaves fixes of GNSS aside: dead reckoning (1 where the training drives had some)"},
    )
    batch_type = DriveBatch
    spec_type = RouteSpec

    def recognise(self, source: Source) -> Recognition | None:
        """See `assay.sources.routes`."""
        from assay.sources.routes import recognise_drives

        return recognise_drives(source)

    def read(self, source: Source, options: DataOptions) -> Records:
        """See `assay.sources.routes`."""
        from assay.sources.routes import read_drives

        return read_drives(source, options)

    def read_like(self, source: Source, options: DataOptions, spec: RouteSpec) -> Records:
        """Whole drives, with fixes where the training drives had some."""
        from assay.sources.routes import read_drives

        extra = options.extra if spec.gnss else {**options.extra, "gnss": 0}
        return read_drives(source, replace(options, extra=extra), whole=True)

    def read_inputs(self, source: Source, spec: RouteSpec) -> Records:
        """Whole drives; a reference is not needed."""
        from assay.sources.routes import read_drive_inputs

        return read_drive_inputs(source, spec.gnss)

    def fit_spec(self, records: Records, train: np.ndarray[Any, Any], options: DataOptions) -> RouteSpec:
        """Channels and calibration, by the training drives."""
        from assay.samples.route_encoding import fitted_drive_spec

        return fitted_drive_spec(records, train, options)

    def encode(self, batch: pa.RecordBatch, records: Records, spec: RouteSpec, log: ProblemLog) -> Encoded:
        """See `assay.samples.route_encoding`."""
        from assay.samples.route_encoding import encoded_drives

        return encoded_drives(batch, records, spec, log)

    def truths(self, targets: pa.ChunkedArray, spec: RouteSpec) -> Values:
        """The true path of each drive."""
        from assay.samples.route_encoding import true_tracks

        return true_tracks(targets)

    def networks(self, spec: RouteSpec) -> Sequence[NetworkKind]:
        """`motion`."""
        from assay.networks.motion_networks import motion_networks

        return motion_networks(spec)

    def augment(self, batch: DriveBatch, draws: Draws, plan: Plan, spec: RouteSpec) -> DriveBatch:
        """See `assay.samples.route_augment`."""
        import torch

        from assay.samples.route_augment import Stretch, drives_changed

        if batch.moved is None:
            return batch
        mask = torch.ones(batch.sensors.shape[:2], dtype=torch.bool) if batch.mask is None else batch.mask
        whole = Stretch(batch.sensors, batch.present, batch.moved, mask, batch.clean)
        found = drives_changed(whole, plan.augment, spec, draws)
        fixes = batch.fixes[:, : found.mask.shape[1]]  # they have no say in what is learned
        return replace(batch, fixes=fixes, **vars(found))

    def objective(self, network: nn.Module, batch: DriveBatch, plan: Plan, spec: RouteSpec) -> Tensor:
        """See `assay.networks.motion_loss`."""
        from assay.networks.motion_loss import motion_losses
        from assay.networks.motion_tracks import motion_of

        if batch.moved is None:
            raise no_targets("these drives have no reference")
        known = batch.moved.isfinite().all(-1)
        if batch.mask is not None:
            known = known & batch.mask
        return motion_losses(motion_of(network, batch), batch.moved, known, spec.step_s)

    def predict(self, network: nn.Module, batch: DriveBatch, spec: RouteSpec, options: Mapping[str, Any]) -> Values:
        """The track of each drive."""
        from assay.networks.motion_tracks import motion_tracks

        return motion_tracks(network, batch, spec, options)

    def answer(self, output: Track, spec: RouteSpec) -> TrackAnswer:
        """The track, pose by pose."""
        from assay.evaluation.tracks import answered

        return answered(output)

    def words(self, output: Track, spec: RouteSpec) -> str:
        """How far it went, and how sure that is."""
        from assay.report.track_maps import told

        return told(output)

    def truth_words(self, truth: Track, spec: RouteSpec) -> str:
        """How far it truly went."""
        from assay.report.track_maps import told

        return told(truth)

    def writings(self) -> Mapping[str, Any]:
        """CSV, GeoJSON, and the rows of TUM's and KITTI's benchmarks; see `Task.writings`."""
        from assay.serving.track_files import track_csv, track_geojson, track_kitti, track_tum

        return {".csv": track_csv, ".geojson": track_geojson, ".tum": track_tum, ".kitti": track_kitti}

    def metrics(self, spec: RouteSpec) -> Sequence[Metric]:
        """See `assay.evaluation.track_metrics`."""
        from assay.evaluation.track_metrics import track_metrics

        return track_metrics(spec.gnss, spec.lengths_m)

    def losses(self, outputs: Values, truths: Values, spec: RouteSpec) -> np.ndarray[Any, Any]:
        """(U,) the primary metric of each drive."""
        metric = self.metrics(spec)[0]
        return np.asarray([metric.value([one], [other]) for one, other in zip(outputs, truths, strict=True)], float)

    def confidences(
        self, outputs: Values, truths: Values, spec: RouteSpec
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """See `assay.evaluation.track_confidence`."""
        from assay.evaluation.track_confidence import track_confidences

        return track_confidences(outputs, truths)

    def figures(self, evaluation: Evaluation, spec: RouteSpec) -> Sequence[Figure]:
        """See `assay.evidence.track_figures`."""
        from assay.evidence.track_figures import track_figures

        return track_figures(evaluation, spec)

    def figures_beside(
        self, evaluation: Evaluation, classical: Evaluation, name: str, spec: RouteSpec
    ) -> Sequence[Figure]:
        """The same of the network and a classical model together."""
        from assay.evidence.track_figures import figures_beside

        return figures_beside(evaluation, classical, name, spec)

    def in_use(self, predictor: Predictor, samples: Samples) -> InUse | None:
        """See `assay.evidence.positioning_in_use`."""
        from assay.evidence.positioning_in_use import positioning_in_use

        return positioning_in_use(predictor, samples)

    def amount(self, samples: Samples, units: np.ndarray[Any, Any], spec: RouteSpec) -> Amount:
        """Minutes of driving."""
        from assay.evidence.positioning_in_use import amount_of_driving

        return amount_of_driving(samples, units, spec)

    def baselines(self, spec: RouteSpec) -> Sequence[Baseline]:
        """A tuned extended Kalman filter; dead reckoning as the floor."""
        from assay.baselines.route_ekf import DeadReckoning, DriveFilter

        return (DriveFilter(spec), DeadReckoning(spec))

    def regularisation(self, spec: RouteSpec) -> Mapping[str, tuple[float, float]]:
        """Other errors of the sensors."""
        if spec.simulated:
            return {"augment.redraw": (0.0, 1.0)}
        return {
            "augment.scale": (0.0, 0.01),
            "augment.bias": (0.0, 0.002),
            "augment.noise": (0.0, 0.02),
            "augment.drop": (0.0, 0.1),
        }

    def corruptions(self, spec: RouteSpec) -> Mapping[str, Corruption]:
        """See `assay.samples.route_corruptions`."""
        from assay.samples.route_corruptions import route_corruptions

        return route_corruptions(spec)

    def part_names(self, samples: Samples, window: int, spec: RouteSpec) -> Sequence[str]:
        """Which sensor, and when; see `assay.samples.route_places`."""
        from assay.samples.route_places import place_names

        return place_names(len(samples.field("sensors", np.asarray([window]))[0]), spec)

    def masked(self, batch: DriveBatch, kept: Tensor, spec: RouteSpec, instead: Any = None) -> DriveBatch:
        """Sensors that say nothing where they are not kept; see `assay.samples.route_places`."""
        from assay.samples.route_places import masked_drives

        found: DriveBatch = masked_drives(batch, kept, spec)
        return found

    def support(self, outputs: Values, answered: Values, spec: RouteSpec) -> Support:
        """Minus how far (metres, in the mean) tracks moved away."""
        from assay.samples.route_places import moved_away

        return Support(-moved_away(outputs, answered), "m", by_size=True)

    def explain(self, predictor: Answering, batch: DriveBatch) -> np.ndarray[Any, Any]:
        """See `assay.evidence.motion_attribution`."""
        from assay.evidence.motion_attribution import explain_tracks

        return explain_tracks(predictor, batch)

    def session(self, predictor: Predictor) -> Session:
        """See `assay.serving.positioning_session`."""
        from assay.serving.positioning_session import Following

        return Following(predictor)

    def stream(self, samples: Samples, unit: int, spec: RouteSpec) -> np.ndarray[Any, Any]:
        """(T, 2C + 4), a drive as the steps that a session takes."""
        from assay.serving.positioning_session import steps_in

        return steps_in(samples, unit)

    def draw(self, samples: Samples, unit: int, spec: RouteSpec) -> Drawing:
        """The true path from above."""
        from assay.report.track_maps import draw_drive

        return draw_drive(samples, unit, spec)

    def draw_explained(
        self,
        samples: Samples,
        unit: int,
        weights: np.ndarray[Any, Any],
        spec: RouteSpec,
        window: int | None = None,
    ) -> Drawing:
        """Which sensor moved the track, and when."""
        from assay.report.track_maps import draw_weights

        return draw_weights(samples, unit, weights, spec)

    def draw_answered(self, samples: Samples, unit: int, output: Track, truth: Track, spec: RouteSpec) -> Drawing:
        """The true path and the track that was answered."""
        from assay.report.track_maps import draw_answered

        return draw_answered(samples, unit, output, truth, spec)
