"""A diagnosis from scans: X-rays, slices or volumes of a patient, pictures of the retina or the skin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation import diagnosis
from assay.evaluation.diagnosis_answers import Diagnosis, diagnosis_of
from assay.samples.scan_spec import ScanSpec
from assay.targets.task import TargetTask
from assay.task import Batch, Corruption, Drawing, Encoded, NetworkKind, Support, Traits, no_targets

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor, nn

    from assay.baselines.baseline import Baseline
    from assay.evaluation.evaluation import Evaluation
    from assay.evaluation.metrics import Metric, Values
    from assay.evidence.finding import Figure
    from assay.progress import Progress
    from assay.samples.draws import Draws
    from assay.samples.lookalikes import Lookalikes
    from assay.samples.samples import Samples
    from assay.serving.predictor import Answering, Predictor
    from assay.sources.records import ProblemLog, Records
    from assay.sources.source import DataOptions, Recognition, Source
    from assay.training.plan import Plan

Array = np.ndarray[Any, Any]
_OF_SLICES = ("noise", "defocus blur", "contrast")


@dataclass(frozen=True, kw_only=True)
class ScanBatch(Batch):
    """Pictures (B, C, H, W) or volumes (B, D, H, W) of pixel values, and the numbers of their classes (B,)."""

    image: Tensor
    target: Tensor | None = None


class ScanDiagnosis(TargetTask):
    """See the module."""

    name = "scan-diagnosis"
    traits = Traits(
        title="scans: a diagnosis for each patient",
        data="DICOM files and series, NIfTI, npz, images: a folder per class, or CSV (path, label, patient)",
        extra="scan",
        takes=("scan", "picture"),
        several_windows=True,
        options={
            "at_sensitivity": "the sensitivity of the stated operating point, .95 where not given",
            "healthy": "the class without a finding, where its name does not say so",
            "view": "slices or volume: how scans of several slices are taken",
            "grid": "of volumes: slices x rows x columns, such as 32x64x64",
            "window": "of grey values: LOW,HIGH (Hounsfield units in CT), lung, bone, brain, soft-tissue, or full",
            "merge": "of several scans of a patient: mean, or highest (of the one that looks least healthy)",
            "image_size": "the side in pixels to which images are brought",
            "fit": "how: squash, cover (cut the longer side; the default of timm/…) or pad",
        },
        notice="This is not a medical device. Nothing on this page may decide how a patient is treated.",
        private=True,
    )
    batch_type = ScanBatch
    spec_type = ScanSpec

    def recognise(self, source: Source) -> Recognition | None:
        """Scans with diagnoses, in any of the known layouts."""
        from assay.sources.scans import recognise_scans

        return recognise_scans(source)

    def read(self, source: Source, options: DataOptions) -> Records:
        """See `assay.sources.scans`."""
        from assay.sources.scans import read_scans

        return read_scans(source, replace(options, extra={"target_kind": "class", **options.extra}))

    def read_like(self, source: Source, options: DataOptions, spec: ScanSpec) -> Records:
        """As those it learned from: the same window of grey values."""
        return self.read(source, replace(options, extra={"window": spec.window, **options.extra}))

    def read_inputs(self, source: Source, spec: ScanSpec) -> Records:
        """Scans without diagnoses."""
        from assay.sources.scans import read_scan_inputs

        return read_scan_inputs(source, spec.window)

    def fit_spec(self, records: Records, train: Array, options: DataOptions) -> ScanSpec:
        """See `assay.samples.scan_windows`."""
        from assay.samples.scan_windows import fit_scan_spec

        return fit_scan_spec(records, train, options)

    def encode(self, batch: pa.RecordBatch, records: Records, spec: ScanSpec, log: ProblemLog) -> Encoded:
        """Decode on all cores; a unit that cannot be decoded is skipped."""
        from assay.samples.scan_encoding import encoded_scans

        return encoded_scans(batch, records, spec, log, self.encode_targets(batch, spec, log))

    def networks(self, spec: ScanSpec) -> Sequence[NetworkKind]:
        """See `assay.networks.scan_networks`."""
        from assay.networks.scan_networks import scan_networks

        return scan_networks(spec)

    def augment(self, batch: ScanBatch, draws: Draws, plan: Plan, spec: ScanSpec) -> ScanBatch:
        """See `assay.samples.scan_augment`."""
        from assay.samples.scan_augment import augmented

        image, target = augmented(batch.image, batch.target, draws, plan, spec)
        return replace(batch, image=image, target=target)

    def objective(self, network: nn.Module, batch: ScanBatch, plan: Plan, spec: ScanSpec) -> Tensor:
        """Cross-entropy."""
        if batch.target is None:
            raise no_targets("these scans have no diagnosis")
        logits = network(batch.image)
        members = logits if logits.dim() == 3 else logits[None]  # each member of an ensemble learns by itself
        losses = [spec.target.loss(one, batch.target, plan.label_smoothing) for one in members]
        return sum(losses[1:], losses[0]) / len(losses)

    def predict(self, network: nn.Module, batch: ScanBatch, spec: ScanSpec, options: Mapping[str, Any]) -> Values:
        """(B, C) probabilities."""
        return spec.target.output(network(batch.image))

    def merge(self, outputs: Values, spec: ScanSpec) -> Array:
        """(C,) the mean of the windows, or the one that looks least healthy."""
        shares = np.asarray(outputs)
        return np.asarray(shares[self.deciding(shares, spec)] if spec.merging == "highest" else shares.mean(axis=0))

    def deciding(self, outputs: Values, spec: ScanSpec) -> int:
        """The window that looks least healthy; where no class is healthy, the one that is surest of the answer."""
        shares = np.asarray(outputs)
        return int(shares[:, 0].argmin() if spec.healthy else shares[:, shares.mean(axis=0).argmax()].argmax())

    def settled(self, predictor: Predictor, samples: Samples) -> Mapping[str, Any]:
        """The scores from which on a unit is called ill, and flagged at the stated sensitivity."""
        from assay.samples.split import VALIDATION

        spec, view = predictor.spec, samples.view(VALIDATION)
        if not spec.healthy or not len(view):
            return {}
        scores = diagnosis.scores_of(predictor.outputs(view), spec.classes)
        found = diagnosis.choose_thresholds(scores, np.asarray(view.truths()) != 0, spec.at_sensitivity, view.groups())
        return {} if np.isnan(found.operating) else vars(found)

    def decided(self, outputs: Values, settled: Mapping[str, Any], spec: ScanSpec) -> Values:
        """With the thresholds beside the probabilities (see `assay.evaluation.diagnosis`)."""
        if "operating" not in settled:
            return outputs
        return diagnosis.with_thresholds(outputs, spec.classes, float(settled["decision"]), float(settled["operating"]))

    def answer(self, output: Any, spec: ScanSpec) -> Diagnosis:
        """See `Diagnosis`."""
        return diagnosis_of(output, spec.target.classes)

    def metrics(self, spec: ScanSpec) -> Sequence[Metric]:
        """AUC, accuracy, sensitivity and specificity."""
        return diagnosis.diagnosis_metrics(spec.classes, spec.healthy)

    def probabilities(self, outputs: Values, spec: ScanSpec) -> Array:
        """Without the thresholds."""
        return diagnosis.probabilities_of(outputs, spec.classes)

    def sharpened(self, outputs: Values, temperature: float, spec: ScanSpec) -> Values:
        """Thresholds move along."""
        return diagnosis.sharpened(outputs, spec.classes, temperature)

    def losses(self, outputs: Values, truths: Values, spec: ScanSpec) -> Array:
        """Cross-entropy in nats."""
        return np.asarray(spec.target.losses(self.probabilities(outputs, spec), truths))

    def mistakes(self, outputs: Values, truths: Values, spec: ScanSpec) -> Array:
        """Where a unit is called what it is not."""
        return np.asarray(diagnosis.called(outputs, spec.classes) != np.asarray(truths))

    def support(self, outputs: Values, answered: Values, spec: ScanSpec) -> Support:
        """The probability of what was most probable."""
        return spec.target.support(self.probabilities(outputs, spec), self.probabilities(answered, spec))

    def words(self, output: Any, spec: ScanSpec) -> str:
        """The class and its probability."""
        answer = self.answer(output, spec)
        flagged = ", flagged" if answer.flagged else ""
        return f"{answer.label} ({100 * answer.confidence:.0f} %{flagged})"

    def figures(self, evaluation: Evaluation, spec: ScanSpec) -> Sequence[Figure]:
        """See `assay.evidence.diagnosis_figures`."""
        from assay.evidence.diagnosis_figures import diagnosis_figures

        return diagnosis_figures(evaluation, spec)

    def baselines(self, spec: ScanSpec) -> Sequence[Baseline]:
        """Statistics and textures with LightGBM; the dummy floor."""
        from assay.baselines.dummy import Dummy
        from assay.baselines.scan_texture import ScanTexture

        return (ScanTexture(spec), Dummy(spec.target))

    def copied_rows(self, records: Records, progress: Progress) -> Array | None:
        """See `assay.samples.image_copies`; a unit is known by its first picture, or the middle of its volume."""
        from assay.samples.image_copies import copied_image_rows
        from assay.samples.scan_windows import first_picture

        return copied_image_rows(replace(records, load=lambda place: first_picture(records, place)), progress)

    def lookalikes(self, samples: Samples, asked: Array, budget_s: float) -> Lookalikes | None:
        """See `assay.samples.image_copies`; not known where a unit has several windows."""
        from assay.samples.image_copies import image_lookalikes

        if len(samples.unit) != len(samples.side) or samples.spec.depth:
            return None
        return image_lookalikes(samples, asked, budget_s)

    def corruptions(self, spec: ScanSpec) -> Mapping[str, Corruption]:
        """Those of pictures with 8 bits a pixel; of volumes those that can befall each slice by itself."""
        from assay.samples.corruptions import image_corruptions

        known = image_corruptions(spec.image.height)
        return {name: one for name, one in known.items() if not spec.depth or name in _OF_SLICES}

    def regularisation(self, spec: ScanSpec) -> Mapping[str, tuple[float, float]]:
        """Augmentations that scans bear, and mixing."""
        changes = {"augment.crop": (1.0, 0.6), "augment.shift": (0.0, 0.08), "augment.jitter": (0.0, 0.3)}
        return {**changes, "mixup": (0.0, 0.4), **super().regularisation(spec)}

    def parts(self, spec: ScanSpec) -> Mapping[str, Array]:
        """See `assay.samples.scan_places`."""
        from assay.samples.scan_places import scan_parts

        return scan_parts(spec)

    def masked(self, batch: ScanBatch, kept: Tensor, spec: ScanSpec, instead: ScanBatch | None = None) -> ScanBatch:
        """See `assay.samples.scan_places`."""
        from assay.samples.scan_places import mask_scans

        return replace(batch, image=mask_scans(batch.image, kept, spec, None if instead is None else instead.image))

    def explain(self, predictor: Answering, batch: ScanBatch) -> Array:
        """See `assay.evidence.scan_attribution`."""
        from assay.evidence.scan_attribution import explain_scans

        return explain_scans(getattr(predictor, "network", None), batch.image, predictor.spec)

    def draw(self, samples: Samples, unit: int, spec: ScanSpec) -> Drawing:
        """Its first picture, or the middle slice of its volume."""
        from assay.report.scans import scan_drawing

        return scan_drawing(samples, unit, spec)

    def draw_explained(
        self, samples: Samples, unit: int, weights: Array, spec: ScanSpec, window: int | None = None
    ) -> Drawing:
        """The same in grey with what weighed in colour; of a volume the slice that weighed most."""
        from assay.report.scans import scan_drawing

        return scan_drawing(samples, unit, spec, weights, window)
