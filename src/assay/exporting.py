"""A trained network as ONNX, proven to answer as the network does: `assay export`.

export_run   graphs, parity on the run's own test side, int8, latency; then the files, the finding and the page
refused      where an export answers differently, with the layer where that begins
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import RunError, SettingError, did_you_mean
from assay.progress import Progress
from assay.run import RunFolder, writing
from assay.samples.split import TEST, TRAIN, VALIDATION

if TYPE_CHECKING:
    import onnx

    from assay.evaluation.evaluation import Evaluation
    from assay.kept_samples import Kept
    from assay.samples.samples import Samples, View
    from assay.serving.latency import Latency
    from assay.serving.parity import Parity
    from assay.serving.predictor import Predictor
    from assay.task_export import Step

#: Training units by which the ranges of values are measured, and windows of them that go in together.
_CALIBRATION, _TOGETHER = 128, 16


@dataclass(frozen=True)
class Work:
    """What an export is made of.

    Attributes:
        kept: the run's data, as far as it is there.
        predictor: the trained network.
        facts: what `model.json` holds.
        steps: one for each graph.
    """

    kept: Kept
    predictor: Predictor
    facts: Mapping[str, Any]
    steps: Sequence[Step]

    @property
    def samples(self) -> Samples:
        """The run's samples that are there."""
        return self.kept.samples

    def exported(self, models: Mapping[str, onnx.ModelProto]) -> Predictor:
        """What answers by these graphs, with as many threads as torch."""
        import torch

        from assay.serving.onnx_graph import OnnxGraph

        threads = torch.get_num_threads()
        graphs = {name: OnnxGraph(model.SerializeToString(), threads) for name, model in models.items()}
        task, spec = self.predictor.task, self.predictor.spec
        return replace(self.predictor, network=task.stand_in(graphs, task.asked(self.predictor.network), spec))

    def side(self) -> View:
        """The test side; raises `RunError` where it is empty."""
        view = self.samples.view(TEST)
        if not len(view):
            raise RunError("this run has no test side, on which an export is proven", "Train with one: --split.")
        return view


def export_run(
    run: RunFolder, form: str, int8: bool, out: Path | None, progress: Progress, source: str | None = None
) -> dict[str, Any]:
    """Export a run's network into `model/`, or into a folder of its own that works as a run for answering.

    Where the data has changed since, the export is proven on the test samples that are left, and says so.

    Args:
        run: the run.
        form: "onnx".
        int8: whether weights shall have eight bits.
        out: the folder of its own; None for `model/`.
        progress: is told how far it is.
        source: where the run's data is now; None for where it was.

    Returns:
        What `export.json` holds.

    Raises:
        RunError: the run is not complete, none of its test samples is there any more, an operator has no form in
            ONNX, the export answers differently, int8 loses too much, or `out` is taken.
        SettingError: another form is asked for.
        MissingExtraError: the packages that write ONNX are not installed.
    """
    if form != "onnx":
        raise SettingError(f"--format {form} is not possible", did_you_mean(form, ("onnx",)))
    run.read(run.summary)  # the run is complete
    if out is not None and out.resolve().is_relative_to(run.path.resolve()):
        raise RunError(f"{out} lies in the run that is exported", "Choose a folder elsewhere, or leave out --out.")
    target = run if out is None else RunFolder.create(out)
    try:
        return _keep(run, target, *_exported(run, int8, progress, source))
    except BaseException:
        if target is not run:
            target.drop_if_empty()
        raise


def _exported(
    run: RunFolder, int8: bool, progress: Progress, source: str | None
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The graphs and what `export.json` holds of them."""
    from assay.serving.likeness import limited_anew

    work = _prepared(run, source, progress)
    progress.stage("Writing the network as ONNX")
    models = _written(work)
    progress.stage("Comparing the export with the network on the test side")
    exported = work.exported(models)
    parity, trained = _proven(work, models, exported)
    predictors, told = {"trained": work.predictor, "float": exported}, {"float": parity}
    kept = models
    if int8:
        progress.stage("Reducing the export to eight bits")
        kept = _reduced(work, models, exported)
        predictors["int8"] = work.exported(kept)
        told["int8"] = _proven_int8(work, predictors["int8"], trained)
    facts = _facts(work, kept, told, int8)
    if int8 and (likeness := limited_anew(predictors["int8"], work.samples)) is not None:
        facts["unlike_limit"] = likeness.limit
    progress.stage("Timing")
    facts |= _costs(work, run, predictors, {"float": models, **({"int8": kept} if int8 else {})})
    return {name: model.SerializeToString() for name, model in kept.items()}, facts


def _prepared(run: RunFolder, source: str | None, progress: Progress) -> Work:
    from assay.kept_samples import kept_samples
    from assay.serving.predictor import Predictor
    from assay.serving.steps import example_batches, with_features
    from assay.stored_network import read_network

    task, spec, network, facts = read_network(run.model)
    kept = kept_samples(run, task, spec, source, progress)
    samples = kept.samples
    predictor = Predictor(task, spec, network, temperature=facts["temperature"], settled=facts["settled"],
                          likeness=facts["likeness"])  # fmt: skip
    work = Work(kept, predictor, facts, ())
    steps = task.steps(network, example_batches(samples, work.side()), spec)
    by_features = predictor.likeness is not None and predictor.likeness.by == "features"
    if by_features and [step.name for step in steps] == ["model"]:
        steps = [with_features(steps[0], network)]
    return replace(work, steps=tuple(steps))


def _written(work: Work) -> dict[str, onnx.ModelProto]:
    from assay.serving.exported import metadata_of
    from assay.serving.onnx_writing import OPSET, write_step
    from assay.stored_network import public_name
    from assay.versions import installed

    task, spec = work.predictor.task, work.predictor.spec
    told = {
        "format": 1,
        "version": _assay(),
        "task": task.name,
        "network": public_name(work.facts),
        "labels": list(task.classes(spec)),
        "spec": work.facts["spec"],
        "asked": task.asked(work.predictor.network),
        "temperature": work.predictor.temperature,
        "settled": work.predictor.settled,
        "preprocessing": task.preparation(spec),
        "opset": OPSET,
        "versions": installed(("torch", "onnx", "onnxscript")),
    }
    return {step.name: write_step(step, metadata_of({**told, "graph": step.name})) for step in work.steps}


def _proven(work: Work, models: Mapping[str, onnx.ModelProto], exported: Predictor) -> tuple[Parity, Evaluation]:
    """That the export answers as the network does."""
    from assay.serving.parity import FLOAT, LEAST_EQUAL, compared, graphs_of, largest_difference, module_outputs
    from assay.serving.parity_layers import first_differing_layer

    parity, trained = compared(work.predictor, exported, work.side(), work.steps, FLOAT)
    if parity.equal >= LEAST_EQUAL:
        return parity, trained
    layer = None
    for step in work.steps:
        graph = graphs_of(exported)[step.name]
        if graph.calls and largest_difference(step, graph) > 0:
            worst = max(graph.calls, key=lambda call: _apart(module_outputs(step, call[0]), call[1]))
            layer = layer or first_differing_layer(step, models[step.name], worst[0])
    where = f"they begin to differ in {layer}" if layer else "no layer of the network differs by itself"
    raise RunError(
        f"only {100 * parity.equal:.2f} % of {parity.answers} answers of the export equal the network's; {where}",
        "Train another --network; assay predict answers without an export, too.",
    )


def _apart(ours: Sequence[np.ndarray[Any, Any]], theirs: Sequence[np.ndarray[Any, Any]]) -> float:
    from assay.serving.parity import apart

    return max(apart(one, other) for one, other in zip(ours, theirs, strict=True))


def _proven_int8(work: Work, exported: Predictor, trained: Evaluation) -> Parity:
    from assay.serving.parity import INT8, MOST_LOST, compared

    parity, _ = compared(work.predictor, exported, work.side(), work.steps, INT8, trained)
    if not parity.lost <= MOST_LOST:
        lost = f"{100 * parity.lost:.2f} {parity.unit} of {parity.metric}"
        told = f"the int8 export loses {lost}, more than {100 * MOST_LOST:g}"
        if not math.isfinite(parity.lost):
            told = f"the answers of the int8 export have no {parity.metric}, so that nothing can be proven of them"
        raise RunError(told, "Export in float: leave out --int8.")
    return parity


def _reduced(work: Work, models: Mapping[str, onnx.ModelProto], exported: Predictor) -> dict[str, onnx.ModelProto]:
    """The graphs in eight bits but for what lies before their first learned layer.

    The first and last layers are spared, too, where the validation side loses too much otherwise.
    """
    from assay.serving.parity import INT8, MOST_LOST, compared
    from assay.serving.quantising import front_nodes, outer_nodes, quantised

    fed = _fed(work, exported)
    fronts = {step.name: front_nodes(models[step.name], step.fixed) for step in work.steps}
    found: list[tuple[float, dict[str, Any]]] = []
    view = work.samples.view(VALIDATION)
    known = None
    for spares in (False, True):
        reduced = {
            name: quantised(model, fed[name], (*fronts[name], *(outer_nodes(model, fronts[name]) if spares else ())))
            for name, model in models.items()
        }
        if not len(view):
            return reduced
        parity, known = compared(work.predictor, work.exported(reduced), view, work.steps, INT8, known)
        found.append((parity.lost, reduced))
        if parity.lost <= MOST_LOST / 2:
            break
    return min(found, key=lambda pair: pair[0])[1]


def _fed(work: Work, exported: Predictor) -> dict[str, list[dict[str, np.ndarray[Any, Any]]]]:
    """What each graph is fed for some training samples."""
    from assay.serving.parity import graphs_of

    if not len(work.samples.view(TRAIN)):
        told = "none of the training samples is there, by which ranges of values are measured"
        raise RunError(told, "Export in float: leave out --int8; or give all of the data: --source.")
    graphs = graphs_of(exported)
    for graph in graphs.values():
        graph.noting, graph.calls = _CALIBRATION, []
    for batch in work.samples.view(TRAIN).sample(_CALIBRATION).batches(_TOGETHER):
        exported.respond(batch)
    fed = {name: [call[0] for call in graph.calls] for name, graph in graphs.items()}
    for graph in graphs.values():
        graph.noting, graph.calls = 0, []
    return fed


def _facts(work: Work, models: Mapping[str, onnx.ModelProto], told: Mapping[str, Parity], int8: bool) -> dict[str, Any]:
    from assay.serving.exported import model_digest
    from assay.serving.onnx_writing import opset_of
    from assay.stored_network import public_name
    from assay.versions import installed

    task, spec = work.predictor.task, work.predictor.spec
    return {
        "version": _assay(),
        "task": task.name,
        "network": public_name(work.facts),
        "precision": "int8" if int8 else "float",
        "opset": max(map(opset_of, models.values())),
        "model": model_digest(work.facts),
        "asked": task.asked(work.predictor.network),
        "preprocessing": task.preparation(spec),
        "proven_on": {"test_samples": work.kept.test, "there": work.kept.there},
        "parity": {name: {**vars(one), "difference": vars(one.difference)} for name, one in told.items()},
        "versions": installed(("torch", "onnx", "onnxscript", "onnxruntime")),
    }


def _costs(
    work: Work, run: RunFolder, predictors: Mapping[str, Predictor],
    models: Mapping[str, Mapping[str, onnx.ModelProto]],
) -> dict[str, Any]:  # fmt: skip
    """Bytes and latency before and after."""
    from assay.serving.latency import latencies

    view = work.side()
    found = latencies(list(predictors.values()), work.samples, view.units)
    sizes = {"trained": (run.model / "model.safetensors").stat().st_size}
    sizes |= {name: sum(model.ByteSize() for model in graphs.values()) for name, graphs in models.items()}
    return {"latency": {name: _milliseconds(one) for name, one in zip(predictors, found, strict=True)}, "bytes": sizes}


def _milliseconds(found: Latency) -> dict[str, float]:
    return {"alone_ms": round(1000 * found.alone_s, 4), "each_ms": round(1000 * found.each_s, 4)}


def _keep(run: RunFolder, target: RunFolder, graphs: Mapping[str, bytes], facts: dict[str, Any]) -> dict[str, Any]:
    """Write the export, and tell of it in the run's findings and on its page."""
    from assay.conclusion import add_finding
    from assay.evidence.export import find
    from assay.serving.exported import copy_for_answers, write_export

    add_finding(run, find(facts))
    if target is not run:
        copy_for_answers(run, target)
    with writing(target.model):
        write_export(target.model, graphs, facts)
    return facts


def _assay() -> str:
    from assay.versions import installed

    return installed(("assay",)).get("assay", "unknown")


def export_and_tell(
    path: Path, form: str, int8: bool, out: Path | None, as_json: bool, source: str | None = None
) -> None:
    """Export, and tell a person or a program how it compares."""
    from assay.evidence.export import lines
    from assay.shell import listener, print_json, say

    run, progress = RunFolder.open(path), listener()
    try:
        facts = export_run(run, form, int8, out, progress, source)
    finally:
        progress.close()
    if as_json:
        print_json({"format": 1, "run": str(path), "folder": str(out or run.model), **facts})
        return
    for line in lines(facts):
        say(line)
    say(str(out or run.model))
