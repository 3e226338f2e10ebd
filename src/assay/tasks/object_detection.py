"""Objects in pictures: where each is, and of which class.

Pictures with boxes of any labelled layout (`assay.sources.boxes`) go in; the boxes found come out. An output (n, 6)
float32 is x0, y0, x1, y1 in pixels of the picture, right and bottom exclusive, score, class; best first. A truth (m, 6)
is x0, y0, x1, y1, class, difficult. A score of one half or more counts as found: models choose what scores so much.

Shapes: B pictures, U units, C channels, H height and W width of the field, N objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.samples.box_spec import BoxSpec
from assay.task import Batch, Recorder, Task, Traits, no_targets, number_of
from assay.task_parts import Confusion, Corruption, Doubt, Doubts, Drawing, Encoded, NetworkKind, Support, Things

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    from torch import Tensor, nn

    from assay.baselines.baseline import Baseline
    from assay.evaluation.evaluation import Evaluation
    from assay.evaluation.followed import FollowedObjects
    from assay.evaluation.found_objects import FoundObjects
    from assay.evaluation.metrics import Metric, Values
    from assay.evidence.finding import Figure
    from assay.progress import Progress
    from assay.samples.draws import Draws
    from assay.samples.lookalikes import Lookalikes
    from assay.samples.samples import Samples
    from assay.serving.predictor import Answering
    from assay.serving.video_session import VideoSession
    from assay.sources.records import ProblemLog, Records
    from assay.sources.source import DataOptions, Recognition, Source
    from assay.training.plan import Plan


Array = np.ndarray[Any, Any]


@dataclass(frozen=True, kw_only=True)
class BoxBatch(Batch):
    """Pictures in the field (B, C, H, W) uint8, their own sizes (B, 2), and their objects (B, N, 6)."""

    image: Tensor
    frame: Tensor
    objects: Tensor | None = None
    objects_mask: Tensor | None = None


class ObjectDetection(Task):
    """See the module."""

    name = "object-detection"
    traits = Traits(
        title="pictures and videos: where which objects are",
        data="COCO JSON, Pascal VOC, YOLO, exports of CVAT, Label Studio and LabelMe; folders, zip, tar",
        extra="detection",
        takes=("picture", "video"),
        asked=("threshold",),
        watched_by="assay.serving.box_sight",
        default_budget_s=900.0,
        streams=True,
        classical_streams=True,
        options={"image_size": "the longer side in pixels of what the network sees, or WIDTHxHEIGHT"},
        answering={
            "min_score": "boxes of at least this score are told (0.5); in a video, what an object begins with",
            "nms": "boxes of a class that overlap by more than this are taken for one (0.6)",
            "patience": "seconds that an object of a video may be out of sight and is still the same (1)",
            "rate": "frames of a video that are looked at in each second (all)",
        },
        mixing=("mosaic",),
    )
    batch_type = BoxBatch
    spec_type = BoxSpec

    def recognise(self, source: Source) -> Recognition | None:
        """See `assay.sources.boxes`."""
        from assay.sources.boxes import recognise_boxes

        return recognise_boxes(source)

    def read(self, source: Source, options: DataOptions) -> Records:
        """See `assay.sources.boxes`."""
        from assay.sources.boxes import read_boxes

        return read_boxes(source, options)

    def classes(self, spec: BoxSpec) -> Sequence[str]:
        """See `Task.classes`."""
        return spec.classes

    def read_inputs(self, source: Source, spec: BoxSpec) -> Records:
        """Pictures and videos, without labels."""
        from assay.sources.video import read_pictures_and_videos

        return read_pictures_and_videos(source)

    def read_explained(self, source: Source, spec: BoxSpec) -> Records:
        """Pictures; where there are none, the frames of videos."""
        from assay.sources.video import read_pictures_or_frames

        return read_pictures_or_frames(source)

    def fit_spec(self, records: Records, train: Array, options: DataOptions) -> BoxSpec:
        """See `assay.samples.box_pictures`."""
        from assay.samples.box_pictures import fit_box_spec

        return fit_box_spec(records, train, options)

    def encode(self, batch: pa.RecordBatch, records: Records, spec: BoxSpec, log: ProblemLog) -> Encoded:
        """Decode on all cores into the field; a picture that cannot be decoded is skipped."""
        from assay.samples.box_pictures import encode_pictures

        return Encoded(*encode_pictures(batch, records, spec, log))

    def truths(self, targets: pa.ChunkedArray, spec: BoxSpec) -> Values:
        """See the module."""
        from assay.samples.box_pictures import object_array

        return [object_array(boxes, spec) for boxes in targets.to_pylist()]

    def networks(self, spec: BoxSpec) -> Sequence[NetworkKind]:
        """`detector`, `detector/…`."""
        from assay.networks.detector_networks import detector_networks

        return detector_networks(spec)

    def augment(self, batch: BoxBatch, draws: Draws, plan: Plan, spec: BoxSpec) -> BoxBatch:
        """Mirrored, scaled and cut, in other light, four put together; the objects move along."""
        from assay.samples.box_augment import augment_boxes

        if batch.objects is None or batch.objects_mask is None:
            return batch
        image, objects, real = augment_boxes(batch.image, batch.objects, batch.objects_mask, plan.augment, spec, draws)
        return replace(batch, image=image, objects=objects, objects_mask=real)

    def objective(self, network: nn.Module, batch: BoxBatch, plan: Plan, spec: BoxSpec) -> Tensor:
        """See `assay.networks.detector_loss`."""
        from assay.networks.detector import field_places
        from assay.networks.detector_loss import detection_loss

        if batch.objects is None or batch.objects_mask is None:
            raise no_targets("these pictures have no labelled objects")
        where = field_places(spec.height, spec.width, network.finest)  # type: ignore[arg-type]
        return detection_loss(network(batch.image), batch.objects, batch.objects_mask, where, spec.objects)

    def predict(self, network: nn.Module, batch: BoxBatch, spec: BoxSpec, options: Mapping[str, Any]) -> Values:
        """Boxes without those that overlap better ones; with `min_score` a seventh column says that they are told."""
        from assay.networks.detector_decoding import OVERLAP, decode

        overlap = number_of(options, "nms", OVERLAP, 0.01, 1.0)
        least = number_of(options, "min_score", 0.0, 0.0, 1.0)
        found = decode(network(batch.image), batch.frame, spec, network.threshold, least, overlap)
        if "min_score" not in options:
            return found
        return [np.concatenate([one, np.ones((len(one), 1), np.float32)], axis=1) for one in found]

    def answer(self, output: Any, spec: BoxSpec) -> FoundObjects:
        """The boxes that count as found."""
        from assay.evaluation.found_objects import found_objects

        return found_objects(output, spec)

    def metrics(self, spec: BoxSpec) -> Sequence[Metric]:
        """COCO's mean average precision; what the boxes that count as found make of the objects."""
        from assay.evaluation import box_metrics as measures

        found = (measures.BoxF1(), measures.BoxPrecision(), measures.BoxRecall())
        return (measures.MeanAveragePrecision(), measures.MeanAveragePrecision50(), *found)

    def losses(self, outputs: Values, truths: Values, spec: BoxSpec) -> Array:
        """Objects that are missed, and the scores of the boxes found that are wrong."""
        from assay.evaluation.box_errors import picture_losses

        return picture_losses(outputs, truths)

    def sureness(self, outputs: Values, spec: BoxSpec) -> Array:
        """The F1 that a picture's scores promise."""
        from assay.evaluation.box_errors import promised_scores

        return promised_scores(outputs)

    def confidences(self, outputs: Values, truths: Values, spec: BoxSpec) -> tuple[Array, Array]:
        """What `sureness` says, and the F1 of each picture."""
        from assay.evaluation.box_errors import picture_scores

        return self.sureness(outputs, spec), picture_scores(outputs, truths)

    def doubts(self, outputs: Values, truths: Values, spec: BoxSpec) -> Doubts:
        """See `assay.evaluation.box_doubts`."""
        from assay.evaluation.box_doubts import box_doubts

        return box_doubts(outputs, truths, spec.classes)

    def words(self, output: Any, spec: BoxSpec) -> str:
        """How many objects of each class were found."""
        from assay.evaluation.found_objects import in_words, told_boxes

        return in_words(told_boxes(output)[:, 5], spec)

    def truth_words(self, truth: Any, spec: BoxSpec) -> str:
        """How many objects of each class there are."""
        from assay.evaluation.found_objects import in_words

        return in_words(np.asarray(truth)[:, 4], spec)

    def figures(self, evaluation: Evaluation, spec: BoxSpec) -> Sequence[Figure]:
        """See `assay.evidence.box_figures`."""
        from assay.evidence.box_figures import box_figures

        return box_figures(evaluation, spec)

    def confusions(self, outputs: Values, truths: Values, spec: BoxSpec) -> Sequence[Confusion]:
        """See `assay.evidence.box_figures`."""
        from assay.evidence.box_figures import box_confusions

        return box_confusions(outputs, truths, spec)

    def baselines(self, spec: BoxSpec) -> Sequence[Baseline]:
        """Histograms of gradients over sliding windows; the floor."""
        from assay.baselines.hog_windows import HogWindows
        from assay.baselines.usual_boxes import UsualBoxes

        return (HogWindows(spec), UsualBoxes(spec))

    def copied_rows(self, records: Records, progress: Progress) -> Array | None:
        """See `assay.samples.image_copies`."""
        from assay.samples.image_copies import copied_image_rows

        return copied_image_rows(records, progress)

    def lookalikes(self, samples: Samples, asked: Array, budget_s: float) -> Lookalikes:
        """See `assay.samples.lookalikes`."""
        from assay.samples.image_copies import image_lookalikes

        return image_lookalikes(samples, asked, budget_s)

    def corruptions(self, spec: BoxSpec) -> Mapping[str, Corruption]:
        """Those of ImageNet-C and its smaller kin."""
        from assay.samples.corruptions import image_corruptions

        return image_corruptions(spec.height)

    def regularisation(self, spec: BoxSpec) -> Mapping[str, tuple[float, float]]:
        """Augmentations that suit most pictures; whether they suit these is for a trial to say."""
        augmentations = {"augment.mosaic": (0.0, 0.5), "augment.scale": (0.0, 0.5), "augment.flip": (0.0, 0.5)}
        return {**augmentations, **super().regularisation(spec)}

    def parts(self, spec: BoxSpec) -> Mapping[str, Array]:
        """See `assay.samples.image_places`."""
        from assay.samples.image_places import image_parts

        return image_parts(spec)

    def masked(self, batch: BoxBatch, kept: Tensor, spec: BoxSpec, instead: BoxBatch | None = None) -> BoxBatch:
        """See `assay.samples.image_places`."""
        from assay.samples.image_places import mask_images

        return replace(batch, image=mask_images(batch.image, kept, spec, None if instead is None else instead.image))

    def things(self, spec: BoxSpec) -> Things:
        """See `assay.evaluation.things`."""
        from assay.evaluation.things import BoxThings

        return BoxThings(spec)

    def support(self, outputs: Values, answered: Values, spec: BoxSpec) -> Support:
        """See `assay.evidence.box_attribution`."""
        from assay.evidence.box_attribution import best_box_support

        return best_box_support(outputs, answered)

    def explain(self, predictor: Answering, batch: BoxBatch) -> Array:
        """See `assay.evidence.box_attribution`."""
        from assay.evidence.box_attribution import explain_boxes

        return explain_boxes(getattr(predictor, "network", None), batch.image, predictor.spec)

    def session(self, predictor: Answering) -> VideoSession:
        """Takes frames of a video and gives `FrameObjects` for each."""
        from assay.serving.video_session import VideoSession

        return VideoSession(predictor)

    def stream(self, samples: Samples, unit: int, spec: BoxSpec) -> Array:
        """(1, H, W, C) uint8, the picture in the field as a video of one frame."""
        from assay.report.boxes import picture_of

        return picture_of(samples, unit)[0][None]

    def streamed(self, records: Records, spec: BoxSpec, log: ProblemLog) -> Iterator[tuple[str, Iterable[Any]]] | None:
        """Videos: see `Task.streamed`."""
        from assay.sources.video import videos_of

        return videos_of(records, log)

    def gathered(self, answers: Iterable[Any], spec: BoxSpec) -> FollowedObjects:
        """The objects of all frames."""
        from assay.evaluation.followed import followed

        return followed(answers, spec.classes)

    def recorders(self) -> Mapping[str, Callable[[Path], Recorder]]:
        """Videos with the objects drawn in."""
        from assay.serving.tracked_video import annotated_videos

        return annotated_videos()

    def draw(self, samples: Samples, unit: int, spec: BoxSpec) -> Drawing:
        """The picture with its labelled objects."""
        from assay.report.boxes import drawn

        return drawn(samples, unit)

    def draw_answered(self, samples: Samples, unit: int, output: Any, truth: Any, spec: BoxSpec) -> Drawing:
        """The picture with its labelled objects and what was found: what is missed and what is wrong."""
        from assay.evaluation.found_objects import told_boxes
        from assay.report.boxes import drawn_with_found

        return drawn_with_found(samples, unit, told_boxes(output), spec)

    def draw_doubted(self, samples: Samples, unit: int, doubt: Doubt, spec: BoxSpec) -> Drawing:
        """The picture with its labelled objects, the label in doubt, and what was found there."""
        from assay.report.boxes import drawn_with_doubt

        return drawn_with_doubt(samples, unit, doubt.place[0], doubt.place[1], spec)

    def draw_explained(
        self, samples: Samples, unit: int, weights: Array, spec: BoxSpec, window: int | None = None
    ) -> Drawing:
        """The picture in grey with what weighed in colour."""
        from assay.report.boxes import drawn_explained

        return drawn_explained(samples, unit, weights)
