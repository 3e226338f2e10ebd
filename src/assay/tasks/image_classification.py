"""A photo's class, its labels, or a number that belongs to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import AssayError, SettingError, did_you_mean
from assay.samples.image_form import bring, fit_mode, image_size
from assay.samples.image_spec import ImageSpec
from assay.samples.pixel_values import DEEPER, PixelRange
from assay.targets.task import TargetTask
from assay.task import Batch, Corruption, Drawing, Encoded, NetworkKind, Traits, no_targets

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor, nn

    from assay.baselines.baseline import Baseline
    from assay.evaluation.metrics import Values
    from assay.progress import Progress
    from assay.samples.draws import Draws
    from assay.samples.lookalikes import Lookalikes
    from assay.samples.samples import Samples
    from assay.serving.predictor import Answering
    from assay.sources.records import ProblemLog, Records
    from assay.sources.source import DataOptions, Recognition, Source
    from assay.training.plan import Plan

_LOOK_AT = 512
_KINDS = ("class", "labels", "number")


@dataclass(frozen=True, kw_only=True)
class ImageBatch(Batch):
    """Images (B, C, H, W) of pixel values, and their targets as `Target.encode` gives them."""

    image: Tensor
    target: Tensor | None = None


class ImageClassification(TargetTask):
    """See the module."""

    name = "image-classification"
    traits = Traits(
        title="images: a class, several labels, or a number",
        data="a folder per class; CSV/Parquet of paths and labels; zip, tar, npz, IDX, Parquet with images, "
        "WebDataset, (OME-)TIFF",
        extra="image",
        takes=("picture",),
        watched_by="assay.serving.image_sight",
        options={
            "image_size": "the side in pixels to which images are brought",
            "fit": "how: squash, cover (cut the longer side; the default of timm/…) or pad",
            "target_kind": "class, labels or number, where the target could be several",
            "encoding": "of a table of paths, such as cp1252",
        },
    )
    batch_type = ImageBatch
    spec_type = ImageSpec

    def recognise(self, source: Source) -> Recognition | None:
        """Images with labels, in any of the known layouts."""
        from assay.sources.images import recognise_images

        return recognise_images(source)

    def read(self, source: Source, options: DataOptions) -> Records:
        """See `assay.sources.images`."""
        from assay.sources.images import read_images

        kind = options.extra.get("target_kind")
        if kind is not None and kind not in _KINDS:
            raise SettingError(f"--target-kind {kind} is not class, labels or number", did_you_mean(kind, _KINDS))
        return read_images(source, options)

    def read_inputs(self, source: Source, spec: ImageSpec) -> Records:
        """Image files, folders, archives or arrays, without labels."""
        from assay.sources.images import read_unlabelled_images

        return read_unlabelled_images(source)

    def fit_spec(self, records: Records, train: np.ndarray[Any, Any], options: DataOptions) -> ImageSpec:
        """Size and type from a sample of the training images; scale from the same."""
        from assay.targets.target import fit_target

        target = fit_target(records.index().column("target"), train)
        shapes, images = _look_at(records, train)
        channels = max(shape[2] for shape in shapes)
        height, width = image_size(shapes, options)
        fit = fit_mode(options)
        nothing, one = (0.0,) * channels, (1.0,) * channels
        spec = ImageSpec(channels, height, width, nothing, one, fit, target, PixelRange.of(images))
        brought = np.stack([bring(image, spec) for image in images]).astype(np.float64)
        mean, deviation = brought.mean(axis=(0, 2, 3)), brought.std(axis=(0, 2, 3))
        deviation = np.where(deviation > 1e-4, deviation, 255.0)
        return replace(spec, mean=tuple(mean.round(4).tolist()), deviation=tuple(deviation.round(4).tolist()))

    def encode(self, batch: pa.RecordBatch, records: Records, spec: ImageSpec, log: ProblemLog) -> Encoded:
        """Decode on all cores; an image that cannot be decoded is skipped."""
        from assay.sources._parallel import ordered_map

        locations = batch.column("location").to_pylist()
        names = batch.column("id").to_pylist()
        decoded = list(ordered_map(lambda location: _decode(records, location, spec), locations, chunk=4))
        usable = np.asarray([one is not None for one in decoded], bool)
        for name, one in zip(names, decoded, strict=True):
            if one is None:
                log.add("undecodable-image", "skipped", name)
            elif not spec.pixels.knows(one[1]):
                log.add(DEEPER, "kept", name)
        fields: dict[str, Any] = {}
        if (targets := self.encode_targets(batch, spec, log)) is not None:
            usable &= targets[1]
            fields["target"] = targets[0][usable]
        kept = [one[0] for one, use in zip(decoded, usable, strict=True) if use and one is not None]
        shape = (0, spec.channels, spec.height, spec.width)
        fields["image"] = np.stack(kept) if kept else np.zeros(shape, np.uint8)
        return Encoded(fields, np.flatnonzero(usable))

    def networks(self, spec: ImageSpec) -> Sequence[NetworkKind]:
        """`convnet`, `mlp`, `timm/…`."""
        from assay.networks.image_networks import image_networks

        return image_networks(spec)

    def augment(self, batch: ImageBatch, draws: Draws, plan: Plan, spec: ImageSpec) -> ImageBatch:
        """Flips, shifts, crops, light, erasing and mixing, as strong as the plan says."""
        from assay.samples.augment import augmented

        image, target = augmented(batch.image, batch.target, plan, spec, draws)
        return replace(batch, image=image, target=target)

    def objective(self, network: nn.Module, batch: ImageBatch, plan: Plan, spec: ImageSpec) -> Tensor:
        """Cross-entropy, binary cross-entropy or squared error, by the kind of target."""
        if batch.target is None:
            raise no_targets("these images have no targets")
        return spec.target.loss(network(batch.image), batch.target, plan.label_smoothing)

    def predict(self, network: nn.Module, batch: ImageBatch, spec: ImageSpec, options: Mapping[str, Any]) -> Values:
        """Probabilities or numbers, as `Target.output` gives them."""
        return spec.target.output(network(batch.image))

    def baselines(self, spec: ImageSpec) -> Sequence[Baseline]:
        """HOG and colour features with a classical model; the dummy floor."""
        from assay.baselines.dummy import Dummy
        from assay.baselines.image_classical import HogSvm

        return (HogSvm(spec.target), Dummy(spec.target))

    def copied_rows(self, records: Records, progress: Progress) -> np.ndarray[Any, Any] | None:
        """See `assay.samples.image_copies`."""
        from assay.samples.image_copies import copied_image_rows

        return copied_image_rows(records, progress)

    def lookalikes(self, samples: Samples, asked: np.ndarray[Any, Any], budget_s: float) -> Lookalikes:
        """See `assay.samples.lookalikes`."""
        from assay.samples.image_copies import image_lookalikes

        return image_lookalikes(samples, asked, budget_s)

    def corruptions(self, spec: ImageSpec) -> Mapping[str, Corruption]:
        """Those of ImageNet-C and its smaller kin."""
        from assay.samples.corruptions import image_corruptions

        return image_corruptions(spec.height)

    def regularisation(self, spec: ImageSpec) -> Mapping[str, tuple[float, float]]:
        """Augmentations that suit most pictures, and mixing; whether they suit these is for a trial to say."""
        augmentations = {"augment.crop": (1.0, 0.6), "augment.shift": (0.0, 0.08), "augment.flip": (0.0, 0.5),
                         "augment.erase": (0.0, 0.3)}  # fmt: skip
        return {**augmentations, "mixup": (0.0, 0.4), **super().regularisation(spec)}

    def parts(self, spec: ImageSpec) -> Mapping[str, np.ndarray[Any, Any]]:
        """See `assay.samples.image_places`."""
        from assay.samples.image_places import image_parts

        return image_parts(spec)

    def masked(self, batch: ImageBatch, kept: Tensor, spec: ImageSpec, instead: ImageBatch | None = None) -> ImageBatch:
        """See `assay.samples.image_places`."""
        from assay.samples.image_places import mask_images

        return replace(batch, image=mask_images(batch.image, kept, spec, None if instead is None else instead.image))

    def explain(self, predictor: Answering, batch: ImageBatch) -> np.ndarray[Any, Any]:
        """See `assay.evidence.image_attribution`."""
        from assay.evidence.image_attribution import explain_images

        return explain_images(getattr(predictor, "network", None), batch.image, predictor.spec)

    def draw(self, samples: Samples, unit: int, spec: ImageSpec) -> Drawing:
        """A thumbnail."""
        from assay.report.images import thumbnail

        return Drawing(image=thumbnail(_picture(samples, unit, spec)), lines=(samples.id(unit),))

    def draw_explained(
        self,
        samples: Samples,
        unit: int,
        weights: np.ndarray[Any, Any],
        spec: ImageSpec,
        window: int | None = None,
    ) -> Drawing:
        """A thumbnail in grey with what weighed in colour."""
        from assay.report.explained import overlay

        return Drawing(image=overlay(_picture(samples, unit, spec), weights), lines=(samples.id(unit),))


def _picture(samples: Samples, unit: int, spec: ImageSpec) -> np.ndarray[Any, Any]:
    """(H, W, 1 or 3) uint8 of an image as the network sees it."""
    window = samples.view_of(np.asarray([unit])).windows[:1]
    image = np.asarray(samples.field("image", window))[0]
    shown = image[:3] if spec.channels >= 3 else image[:1]
    return np.asarray(shown.transpose(1, 2, 0))


def _look_at(records: Records, train: np.ndarray[Any, Any]) -> tuple[list[tuple[int, ...]], list[np.ndarray[Any, Any]]]:
    """Shapes (H, W, C) and pixels of up to `_LOOK_AT` training images, evenly spread."""
    from assay.sources._parallel import ordered_map
    from assay.sources.decode import decode_values

    index = records.index()
    rows = np.flatnonzero(train)
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), _LOOK_AT)).astype(np.int64)]
    locations = [index.column("location")[int(row)].as_py() for row in rows]
    load = records.loader

    def decode(location: str) -> np.ndarray[Any, Any] | None:
        try:
            return decode_values(load(location))
        except AssayError:
            return None

    images = [image for image in ordered_map(decode, locations) if image is not None]
    if not images:
        raise SettingError("none of the training images can be decoded", "See the problems that assay inspect lists.")
    return [image.shape for image in images], images


def _decode(records: Records, location: str, spec: ImageSpec) -> tuple[np.ndarray[Any, Any], np.dtype[Any]] | None:
    """One image in the spec's form, (C, H, W), and its own type of values; None where it cannot be decoded."""
    from assay.sources.decode import decode_values

    try:
        image = decode_values(records.loader(location), least_side=max(spec.height, spec.width))
    except AssayError:
        return None
    return bring(image, spec), image.dtype
