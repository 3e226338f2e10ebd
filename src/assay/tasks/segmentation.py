"""What each pixel of a picture is: classes by masks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.arrays import array_of, softmax
from assay.samples.mask_spec import MaskSpec
from assay.sources.label_mask import LabelMask
from assay.task import (
    Batch,
    Confusion,
    Corruption,
    Doubt,
    Doubts,
    Drawing,
    Encoded,
    NetworkKind,
    Support,
    Task,
    Things,
    Traits,
    no_targets,
)

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor, nn

    from assay.baselines.baseline import Baseline
    from assay.evaluation.evaluation import Evaluation
    from assay.evaluation.mask_answers import MaskAnswer
    from assay.evaluation.metrics import Metric, Values
    from assay.evidence.finding import Figure
    from assay.progress import Progress
    from assay.samples.draws import Draws
    from assay.samples.lookalikes import Lookalikes
    from assay.samples.mask_windows import Segmented
    from assay.samples.samples import Samples
    from assay.serving.predictor import Answering
    from assay.sources.records import ProblemLog, Records
    from assay.sources.source import DataOptions, Recognition, Source
    from assay.training.plan import Plan

Array = np.ndarray[Any, Any]
#: With more classes than this, the metrics do not list each; the page still does.
_LISTED = 24


@dataclass(frozen=True, kw_only=True)
class MaskBatch(Batch):
    """Windows of pictures and of their masks; S is the side of a window.

    Attributes:
        image: (B, 3, S, S) uint8, or float once it was changed.
        place: (B, 6) int32, where each window lies in its picture: see `WindowShares`.
        target: (B, S, S) uint8 class numbers, 255 for none.
    """

    image: Tensor
    place: Tensor
    target: Tensor | None = None


class Segmentation(Task):
    """See the module. An output is `Segmented`, that of a window `WindowShares`, a truth a `LabelMask`."""

    name = "segmentation"
    traits = Traits(
        title="pictures: what each pixel is",
        data="pictures with masks: images/ and masks/, a_mask.png, Pascal VOC, a mask per class, CSV; folders or zip",
        extra="image",
        takes=("picture",),
        default_budget_s=600.0,
        several_windows=True,
        options={
            "mask_kind": "classes, or instances (objects with numbers, read as foreground), where it is not to tell",
            "window": "the side in pixels of the windows into which larger pictures are cut, a multiple of 32",
            "scale": "by which pictures are shrunk before, at most 1; by itself as far as small things stay visible",
            "encoding": "of a table of paths, such as cp1252",
        },
    )
    batch_type = MaskBatch
    spec_type = MaskSpec

    def recognise(self, source: Source) -> Recognition | None:
        """See `assay.sources.masks`."""
        from assay.sources.masks import recognise_masks

        return recognise_masks(source)

    def read(self, source: Source, options: DataOptions) -> Records:
        """See `assay.sources.masks`."""
        from assay.sources.masks import read_masks

        return read_masks(source, options)

    def read_like(self, source: Source, options: DataOptions, spec: MaskSpec) -> Records:
        """See `Task.read_like`: classes are known by their names, whatever number a class has in these masks."""
        from assay.sources.masks import read_masks

        return read_masks(source, options, spec.classes)

    def classes(self, spec: MaskSpec) -> Sequence[str]:
        """See `Task.classes`."""
        return [spec.classes[number] for number in spec.foreground]

    def read_inputs(self, source: Source, spec: MaskSpec) -> Records:
        """Pictures; masks that lie beside them are left alone."""
        from assay.sources.masks import read_pictures

        return read_pictures(source)

    def fit_spec(self, records: Records, train: Array, options: DataOptions) -> MaskSpec:
        """See `assay.samples.mask_spec`."""
        from assay.samples.mask_spec import fit_mask_spec

        return fit_mask_spec(records, train, options)

    def encode(self, batch: pa.RecordBatch, records: Records, spec: MaskSpec, log: ProblemLog) -> Encoded:
        """Decode, shrink and cut on all cores; a picture that cannot be decoded is skipped."""
        from assay.samples.mask_encoding import encoded_masks

        return encoded_masks(batch, records, spec, log)

    def truths(self, targets: pa.ChunkedArray, spec: MaskSpec) -> Values:
        """Masks in the pictures' own size."""
        return [LabelMask.from_text(text) for text in targets.to_pylist()]

    def copied_rows(self, records: Records, progress: Progress) -> Array | None:
        """See `assay.samples.image_copies`."""
        from assay.samples.image_copies import copied_image_rows

        return copied_image_rows(records, progress)

    def networks(self, spec: MaskSpec) -> Sequence[NetworkKind]:
        """`unet`, `timm/…`."""
        from assay.networks.segmentation_networks import segmentation_networks

        return segmentation_networks(spec)

    def augment(self, batch: MaskBatch, draws: Draws, plan: Plan, spec: MaskSpec) -> MaskBatch:
        """Mirrored, turned, enlarged or shrunk with the mask; other light and colours."""
        from assay.samples import mask_augment as change

        image, target, strength = batch.image, batch.target, plan.augment
        if strength.get("flip"):
            image, target = change.flip(image, target, strength["flip"], draws)
        if strength.get("quarters"):
            image, target = change.turn(image, target, strength["quarters"], draws)
        image = image.float()
        if strength.get("zoom", 1.0) > 1.0 or strength.get("turn"):
            image, target = change.zoom(image, target, strength.get("zoom", 1.0), strength.get("turn", 0.0), draws)
        if strength.get("colour"):
            image = change.colour(image, strength["colour"], draws)
        return replace(batch, image=image, target=target)

    def objective(self, network: nn.Module, batch: MaskBatch, plan: Plan, spec: MaskSpec) -> Tensor:
        """Cross-entropy and soft Dice."""
        from assay.networks.mask_loss import mask_loss

        if batch.target is None:
            raise no_targets("these pictures have no masks")
        return mask_loss(network(batch.image), batch.target, plan.label_smoothing)

    def predict(self, network: nn.Module, batch: MaskBatch, spec: MaskSpec, options: Mapping[str, Any]) -> Values:
        """The probability of each class at each pixel of each window."""
        from assay.samples.mask_windows import WindowShares

        shares = softmax(array_of(network(batch.image)), axis=1).astype(np.float16)
        return [WindowShares(one, place) for one, place in zip(shares, array_of(batch.place), strict=True)]

    def merge(self, outputs: Values, spec: MaskSpec) -> Segmented:
        """See `assay.samples.mask_windows`."""
        from assay.samples.mask_windows import merge

        return merge(list(outputs))

    def deciding(self, outputs: Values, spec: MaskSpec) -> int:
        """The window that holds most of what is no background."""
        background = spec.background if spec.background is not None else -1
        return int(np.argmax([(output.shares.argmax(axis=0) != background).sum() for output in outputs]))

    def answer(self, output: Segmented, spec: MaskSpec) -> MaskAnswer:
        """The area of each class, and where it lies."""
        from assay.evaluation.mask_answers import mask_answer

        return mask_answer(output, spec.classes, spec.background)

    def agree(self, one: Segmented, other: Segmented, spec: MaskSpec, tolerance: float) -> bool:
        """Whether they name the same class at all but so large a share of the pixels, each of which is an answer."""
        first, second = one.mask.array(), other.mask.array()
        same = first.shape == second.shape and float((first != second).mean()) <= tolerance
        return same and abs(one.confidence - other.confidence) <= tolerance

    def metrics(self, spec: MaskSpec) -> Sequence[Metric]:
        """Mean IoU, Dice, pixel accuracy, and the IoU of each class where they are not too many."""
        from assay.evaluation.mask_metrics import ClassIoU, MeanDice, MeanIoU, PixelAccuracy

        count = len(spec.classes)
        found: list[Metric] = [MeanIoU(count), MeanDice(count, spec.foreground), PixelAccuracy(count)]
        if count <= _LISTED:
            found += [ClassIoU(count, number, name) for number, name in enumerate(spec.classes)]
        return found

    def losses(self, outputs: Values, truths: Values, spec: MaskSpec) -> Array:
        """One minus the mean IoU of a picture."""
        from assay.evidence.mask_figures import picture_ious

        return 1 - picture_ious(outputs, truths, spec)

    def sureness(self, outputs: Values, spec: MaskSpec) -> Array:
        """The mean probability of the classes answered."""
        return np.asarray([min(1.0, output.confidence) for output in outputs])

    def confidences(self, outputs: Values, truths: Values, spec: MaskSpec) -> tuple[Array, Array]:
        """What `sureness` says, and the share of the pixels that are right."""
        from assay.evidence.mask_figures import accuracies

        return self.sureness(outputs, spec), accuracies(outputs, truths, spec)

    def confusions(self, outputs: Values, truths: Values, spec: MaskSpec) -> Sequence[Confusion]:
        """See `assay.evidence.mask_figures`."""
        from assay.evidence.mask_figures import mask_confusions

        return mask_confusions(outputs, truths, spec)

    def doubts(self, outputs: Values, truths: Values, spec: MaskSpec) -> Doubts | None:
        """See `assay.evaluation.mask_doubts`."""
        from assay.evaluation.mask_doubts import mask_doubts

        return mask_doubts(outputs, truths, spec)

    def words(self, output: Segmented, spec: MaskSpec) -> str:
        """The shares of the classes."""
        from assay.evidence.mask_figures import truth_words

        return truth_words(output.mask, spec)

    def truth_words(self, truth: LabelMask, spec: MaskSpec) -> str:
        """The shares of the classes."""
        from assay.evidence.mask_figures import truth_words

        return truth_words(truth, spec)

    def figures(self, evaluation: Evaluation, spec: MaskSpec) -> Sequence[Figure]:
        """See `assay.evidence.mask_figures`."""
        from assay.evidence.mask_figures import mask_figures

        return mask_figures(evaluation, spec)

    def writings(self) -> Mapping[str, Callable[[Mapping[str, Any]], str | bytes]]:
        """A PNG whose pixel values are the numbers of the classes."""
        from assay.evaluation.mask_answers import mask_png

        return {".png": mask_png}

    def baselines(self, spec: MaskSpec) -> Sequence[Baseline]:
        """A random forest on pixel features; the commonest class."""
        from assay.baselines.commonest_class import CommonestClass
        from assay.baselines.pixel_forest import PixelForest

        return (PixelForest(spec), CommonestClass(spec))

    def lookalikes(self, samples: Samples, asked: Array, budget_s: float) -> Lookalikes | None:
        """See `assay.samples.lookalikes`; None where pictures are cut into windows."""
        from assay.samples.image_copies import image_lookalikes

        return image_lookalikes(samples, asked, budget_s) if len(samples.unit) == len(samples.side) else None

    def corruptions(self, spec: MaskSpec) -> Mapping[str, Corruption]:
        """Those of ImageNet-C, of each window; none of them moves anything."""
        from assay.samples.corruptions import image_corruptions

        return image_corruptions(spec.side)

    def regularisation(self, spec: MaskSpec) -> Mapping[str, tuple[float, float]]:
        """Augmentations that suit most pictures."""
        return {"augment.zoom": (1.0, 1.5), "augment.colour": (0.0, 0.4), "augment.flip": (0.0, 0.5),
                "augment.turn": (0.0, 30.0), "label_smoothing": (0.0, 0.1)}  # fmt: skip

    def masked(self, batch: MaskBatch, kept: Tensor, spec: MaskSpec, instead: Any = None) -> MaskBatch:
        """The mean of the training pictures where nothing is kept, or the pixels of other windows."""
        import torch

        mean = torch.tensor(spec.mean)
        mean = mean if batch.image.is_floating_point() else mean.round()
        other = mean.to(batch.image.dtype).view(1, -1, 1, 1) if instead is None else instead.image
        return replace(batch, image=torch.where(kept.unsqueeze(-3), batch.image, other))

    def things(self, spec: MaskSpec) -> Things | None:
        """See `assay.evaluation.things`; None where no class is the background."""
        from assay.evaluation.things import MaskThings

        return MaskThings(spec) if spec.background is not None else None

    def support(self, outputs: Values, answered: Values, spec: MaskSpec) -> Support:
        """See `assay.evidence.mask_attribution`."""
        from assay.evidence.mask_attribution import area_left

        return Support(area_left(outputs, answered, spec))

    def explain(self, predictor: Answering, batch: MaskBatch) -> Array:
        """See `assay.evidence.mask_attribution`."""
        from assay.evidence.mask_attribution import explain_masks

        return explain_masks(getattr(predictor, "network", None), batch.image, predictor.spec)

    def draw(self, samples: Samples, unit: int, spec: MaskSpec) -> Drawing:
        """The picture with the outline of each class, where its mask is known."""
        from assay.report.masks import plain_or_outlined

        return plain_or_outlined(samples, unit, spec.background)

    def draw_answered(self, samples: Samples, unit: int, output: Any, truth: Any, spec: MaskSpec) -> Drawing:
        """The picture with what was missed and what was answered falsely."""
        from assay.report.masks import compared_with_truth

        return compared_with_truth(samples, unit, output.mask, truth, spec.background)

    def draw_doubted(self, samples: Samples, unit: int, doubt: Doubt, spec: MaskSpec) -> Drawing:
        """What lies around the area that is in doubt."""
        from assay.report.masks import doubted_area

        return doubted_area(samples, unit, doubt.place, spec.background)

    def draw_explained(
        self, samples: Samples, unit: int, weights: Array, spec: MaskSpec, window: int | None = None
    ) -> Drawing:
        """The window in grey with what weighed in colour."""
        from assay.report.close_ups import overlaid_close_up
        from assay.report.masks import SIZE

        number = int(samples.view_of(np.asarray([unit])).windows[0]) if window is None else window
        image, place = (np.asarray(samples.field(name, np.asarray([number]))) for name in ("image", "place"))
        high, wide = np.minimum(place[0, 2:4] - place[0, 4:], spec.side)
        shown = np.ascontiguousarray(image[0, :, :high, :wide].transpose(1, 2, 0))
        drawn = overlaid_close_up(shown, weights[:high, :wide], SIZE)
        return Drawing(image=drawn, lines=(samples.id(unit), "explained: the largest area"), large=True)
