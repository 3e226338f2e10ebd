"""Cells in pictures of tissue and smears: where each is, of which kind, how many, and their outlines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.cells import CellCount, Cells
from assay.samples.cell_spec import CellSpec
from assay.task import Batch, Task, Traits, no_targets
from assay.task_parts import Confusion, Corruption, Doubt, Doubts, Drawing, Encoded, NetworkKind, Support, Things

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor, nn

    from assay.baselines.baseline import Baseline
    from assay.evaluation.evaluation import Evaluation
    from assay.evaluation.metrics import Metric, Values
    from assay.evidence.finding import Figure
    from assay.progress import Progress
    from assay.samples.draws import Draws
    from assay.samples.samples import Samples
    from assay.serving.cell_session import CellSession
    from assay.serving.predictor import Answering, Predictor
    from assay.sources.records import ProblemLog, Records
    from assay.sources.source import DataOptions, Recognition, Source
    from assay.training.plan import Plan


Array = np.ndarray[Any, Any]


@dataclass(frozen=True, kw_only=True)
class CellBatch(Batch):
    """Tiles of pictures.

    Attributes:
        image: (B, 3, T, T) pixel values.
        place: (B, 10) int32, see `samples.cell_tiles.Tile`.
        cells: (B, P, 4) x, y, class, radius of the cells; class -1 where it is not known, -2 where there is no cell.
        depth: (B, T, T) uint8, how deep in a cell each pixel is; None where no outlines are known.
        valid: (B, T, T) bool, what lies in the picture; None before it was changed, see `place`.
        ignored: (B, T, T) bool, where nobody could tell what is a cell; None where no picture has such a place.
    """

    image: Tensor
    place: Tensor
    cells: Tensor | None = None
    depth: Tensor | None = None
    valid: Tensor | None = None
    ignored: Tensor | None = None

    def inside(self) -> Tensor:
        """(B, T, T) bool, what lies in the picture."""
        from assay.samples.cell_tiles import inside_picture

        return inside_picture(self.place, self.image.shape[2:]) if self.valid is None else self.valid


class CellDetection(Task):
    """See the module. Outputs and truths are `Cells`."""

    name = "cell-detection"
    traits = Traits(
        title="cells in tissue and smears: where, of which kind, how many",
        data="images with points (CSV), outlines (label images, a mask a cell) or boxes; PanNuke, MoNuSAC; TIFF slides",
        extra="cells",
        takes=("picture",),
        exported_by="assay.serving.cell_export",
        default_budget_s=600.0,
        several_windows=True,
        streams=True,
        options={
            "radius": "pixels within which two centres are the same cell (6)",
            "tile": "the side of the tiles that the network sees, in pixels",
            "first_pixel": "1 where a table counts pixels from 1, as MATLAB does (0)",
            "encoding": "of tables, such as cp1252",
        },
        answering={
            "threshold": "the probability from which a find is a cell (chosen on the validation side)",
            "views": "mirrored and turned views of which an answer is the mean: 1, 2, 4 or 8",
        },
        doubting={"threshold": 0.05},
    )
    batch_type = CellBatch
    spec_type = CellSpec

    def recognise(self, source: Source) -> Recognition | None:
        """Pictures with points, outlines or boxes of cells."""
        from assay.sources.cells import recognise_cells

        return recognise_cells(source)

    def read(self, source: Source, options: DataOptions) -> Records:
        """See `assay.sources.cells`."""
        from assay.sources.cells import read_cells

        return read_cells(source, options)

    def classes(self, spec: CellSpec) -> Sequence[str]:
        """See `Task.classes`."""
        return spec.classes

    def read_inputs(self, source: Source, spec: CellSpec) -> Records:
        """Pictures and slides, without cells."""
        from assay.sources.cells import read_cell_pictures

        return read_cell_pictures(source)

    def copied_rows(self, records: Records, progress: Progress) -> Array | None:
        """See `assay.samples.image_copies`."""
        from assay.samples.image_copies import copied_image_rows

        return copied_image_rows(records, progress)

    def fit_spec(self, records: Records, train: Array, options: DataOptions) -> CellSpec:
        """Size of tiles and cells, classes, colours."""
        from assay.samples.cell_encoding import fitted_cell_spec

        return fitted_cell_spec(records, train, options)

    def encode(self, batch: pa.RecordBatch, records: Records, spec: CellSpec, log: ProblemLog) -> Encoded:
        """Tiles with the cells in them; a picture that cannot be decoded is skipped."""
        from assay.samples.cell_encoding import encoded_cells

        return encoded_cells(batch, records, spec, log)

    def truths(self, targets: pa.ChunkedArray, spec: CellSpec) -> Values:
        """The true cells of each picture."""
        from assay.samples.cell_spec import target_cells

        return target_cells(targets, spec.classes, spec.outlined)

    def networks(self, spec: CellSpec) -> Sequence[NetworkKind]:
        """`unet`, `timm/…`."""
        from assay.networks.cell_networks import cell_networks

        return cell_networks(spec)

    def augment(self, batch: CellBatch, draws: Draws, plan: Plan, spec: CellSpec) -> CellBatch:
        """See `assay.samples.cell_augment`."""
        from assay.samples.cell_augment import Seen, cells_augmented

        if batch.cells is None:
            return batch
        seen = Seen(batch.image, batch.cells, batch.depth, batch.inside(), batch.ignored)
        return replace(batch, **vars(cells_augmented(seen, plan.augment, spec.stained, draws)))

    def objective(self, network: nn.Module, batch: CellBatch, plan: Plan, spec: CellSpec) -> Tensor:
        """See `assay.networks.cell_loss`."""
        from assay.networks.cell_loss import cell_losses, in_parts

        if batch.cells is None:
            raise no_targets("these images have no marked cells")
        finder: Any = network
        about = (spec.size, spec.density, plan.label_smoothing)

        def losses(image: Tensor, cells: Tensor, valid: Tensor, depth: Any, ignored: Any) -> Tensor:
            return cell_losses(finder.maps(image), cells, depth, valid, *about, ignored)

        return in_parts(losses, batch.image, batch.cells, batch.inside(), batch.depth, batch.ignored)

    def predict(self, network: nn.Module, batch: CellBatch, spec: CellSpec, options: Mapping[str, Any]) -> Values:
        """The cells that each tile answers for, in the pixels of its picture."""
        from assay.networks.cell_decoding import Deciding, tile_cells

        return tile_cells(network, batch.image, batch.place, spec, Deciding.of(options, network))

    def merge(self, outputs: Values, spec: CellSpec) -> Cells:
        """The cells of all tiles, one that two of them found counted once."""
        from assay.networks.cell_decoding import merged_cells

        return merged_cells(list(outputs), spec)

    def deciding(self, outputs: Values, spec: CellSpec) -> int:
        """The tile with the most cells."""
        return int(np.argmax([len(output) for output in outputs]))

    def answer(self, output: Cells, spec: CellSpec) -> CellCount:
        """Each cell, and how many there are."""
        from assay.serving.cell_answers import cell_count

        return cell_count(output, spec)

    def words(self, output: Cells, spec: CellSpec) -> str:
        """How many of each class."""
        from assay.serving.cell_answers import cells_in_words

        return cells_in_words(output, spec)

    def truth_words(self, truth: Any, spec: CellSpec) -> str:
        """How many of each class."""
        from assay.serving.cell_answers import cells_in_words

        return cells_in_words(truth, spec)

    def writings(self) -> Mapping[str, Any]:
        """GeoJSON, which QuPath imports; maps of how dense the cells lie."""
        from assay.serving.cell_answers import geojson
        from assay.serving.cell_density import density_png

        return {".geojson": geojson, ".png": density_png}

    def metrics(self, spec: CellSpec) -> Sequence[Metric]:
        """F1 of outlines or of finding; by class; counts; see `assay.evaluation.cell_metrics`."""
        from assay.evaluation.cell_metrics import cell_metrics

        return cell_metrics(spec.radius, spec.classes, spec.outlined)

    def figures(self, evaluation: Evaluation, spec: CellSpec) -> Sequence[Figure]:
        """See `assay.evidence.cell_figures`."""
        from assay.evidence.cell_figures import cell_figures

        return cell_figures(evaluation, spec)

    def confusions(self, outputs: Values, truths: Values, spec: CellSpec) -> Sequence[Confusion]:
        """See `assay.evidence.cell_figures`."""
        from assay.evidence.cell_figures import cell_confusions

        return cell_confusions(outputs, truths, spec)

    def losses(self, outputs: Values, truths: Values, spec: CellSpec) -> Array:
        """(U,) one minus the F1 of each picture, of its primary metric."""
        from assay.evaluation.cell_metrics import picture_scores

        return 1 - picture_scores(outputs, truths, spec.radius, spec.outlined)

    def sureness(self, outputs: Values, spec: CellSpec) -> Array:
        """The mean probability of a picture's cells."""
        return np.asarray([float(output.probability.mean()) if len(output) else 1.0 for output in outputs])

    def confidences(self, outputs: Values, truths: Values, spec: CellSpec) -> tuple[Array, Array]:
        """What `sureness` says; the F1 of each picture."""
        from assay.evaluation.cell_metrics import picture_scores

        return self.sureness(outputs, spec), picture_scores(outputs, truths, spec.radius, spec.outlined)

    def doubts(self, outputs: Values, truths: Values, spec: CellSpec) -> Doubts:
        """See `assay.evaluation.cell_doubts`."""
        from assay.evaluation.cell_doubts import cell_doubts

        return cell_doubts(outputs, truths, spec)

    def baselines(self, spec: CellSpec) -> Sequence[Baseline]:
        """Stains, blobs and a support vector machine; a regular grid as the floor."""
        from assay.baselines.cell_classical import CellFloor, StainBlobs

        return (StainBlobs(spec), CellFloor(spec))

    def regularisation(self, spec: CellSpec) -> Mapping[str, tuple[float, float]]:
        """Flips and turns, another scale, other stains and light."""
        return {
            "augment.flip": (0.0, 1.0),
            "augment.scale": (0.0, 0.25),
            "augment.stain": (0.0, 0.4),
            "augment.jitter": (0.0, 0.15),
        }

    def corruptions(self, spec: CellSpec) -> Mapping[str, Corruption]:
        """See `assay.samples.cell_corruptions`."""
        from assay.samples.cell_corruptions import cell_corruptions

        return cell_corruptions(spec.stained)

    def masked(self, batch: CellBatch, kept: Tensor, spec: CellSpec, instead: CellBatch | None = None) -> CellBatch:
        """See `assay.samples.image_places`."""
        from assay.samples.image_places import mask_images

        other = None if instead is None else instead.image
        return replace(batch, image=mask_images(batch.image, kept, spec, other))  # type: ignore[arg-type]

    def things(self, spec: CellSpec) -> Things:
        """See `assay.evaluation.things`."""
        from assay.evaluation.things import CellThings

        return CellThings(spec)

    def support(self, outputs: Values, answered: Values, spec: CellSpec) -> Support:
        """How probable the surest cell still is."""
        from assay.evidence.cell_attribution import surest_left

        return Support(surest_left(outputs, answered, spec.radius))

    def explain(self, predictor: Answering, batch: CellBatch) -> Array:
        """See `assay.evidence.cell_attribution`."""
        from assay.evidence.cell_attribution import explain_cells

        return explain_cells(getattr(predictor, "network", None), batch.image, batch.place, predictor.spec, 0)

    def session(self, predictor: Predictor) -> CellSession:
        """Takes rows (n, W, C) of a picture from the top and gives `CellRows`."""
        from assay.serving.cell_session import CellSession

        return CellSession(predictor)

    def stream(self, samples: Samples, unit: int, spec: CellSpec) -> Array:
        """(H, W, 3) uint8, the picture."""
        from assay.report.cell_drawings import whole_picture

        return whole_picture(samples, unit, most=1 << 30)

    def streamed(self, records: Records, spec: CellSpec, log: ProblemLog) -> Iterator[tuple[str, Iterator[Any]]] | None:
        """Slides: see `Task.streamed`."""
        from assay.samples.cell_encoding import slides_of

        return slides_of(records, spec, log)

    def gathered(self, answers: Iterable[Any], spec: CellSpec) -> CellCount:
        """The cells of all rows."""
        from assay.serving.cell_session import gathered_cells

        return gathered_cells(answers, spec)

    def draw(self, samples: Samples, unit: int, spec: CellSpec) -> Drawing:
        """The picture with its true cells, coloured by class."""
        from assay.report.cell_drawings import draw_cells

        return draw_cells(samples, unit, spec)

    def draw_explained(
        self, samples: Samples, unit: int, weights: Array, spec: CellSpec, window: int | None = None
    ) -> Drawing:
        """What weighed, enlarged where it lies close together."""
        from assay.report.cell_drawings import draw_weights

        return draw_weights(samples, unit, weights, window)

    def draw_doubted(self, samples: Samples, unit: int, doubt: Doubt, spec: CellSpec) -> Drawing:
        """What lies around the cell that is in doubt."""
        from assay.report.cell_drawings import draw_doubted_cell

        return draw_doubted_cell(samples, unit, doubt.place[0], doubt.place[1], spec)

    def draw_answered(self, samples: Samples, unit: int, output: Cells, truth: Cells, spec: CellSpec) -> Drawing:
        """The picture with what was found, coloured by class, what was missed and what was found for nothing."""
        from assay.report.cell_drawings import draw_found_cells

        return draw_found_cells(samples, unit, output, truth, spec)

    def draw_confused(
        self, samples: Samples, unit: int, output: Cells, truth: Cells, box: Sequence[float], spec: CellSpec
    ) -> Drawing:
        """What lies around one cell whose class was told wrongly."""
        from assay.report.cell_drawings import draw_confused_cell

        return draw_confused_cell(samples, unit, output, box, spec)
