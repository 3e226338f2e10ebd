"""The commands. Nothing heavy is imported before a command needs it, so that `assay --help` answers at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from assay._arguments import (
    MORE_OPTIONS,
    ClusterOption,
    EvidenceOption,
    Group,
    Json,
    RunArgument,
    RunOutOption,
    SetOption,
    SourceArgument,
    SplitOption,
    SplitSeed,
    Target,
    TaskOption,
    data_options,
    settings_of,
)
from assay._data_commands import data_app
from assay._failing import fail, unexpected
from assay._listen_options import listen, with_camera_number
from assay._serve_options import serve
from assay._studio_options import studio
from assay._task_options import COMMANDS, READING, take_task_options
from assay.errors import AssayError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Train a neural network on your data, and see what it is really worth.",
)
app.add_typer(data_app, name="data")

MORE_ANSWERS = "Applications add options of their own, such as --beams or --length: see assay tasks."


@app.command()
def tasks(json: Json = False) -> None:
    """The applications and the data each takes."""
    from assay.registry import load_tasks
    from assay.shell import print_json, say

    known = load_tasks()
    if json:
        rows = [{"task": task.name, "title": task.traits.title, "data": task.traits.data} for task in known]
        print_json({"format": 1, "tasks": rows})
        return
    for task in known:
        say(f"{task.name}\n    {task.traits.title}\n    takes: {task.traits.data}")
        for name, text in task.traits.options.items():
            say(f"    --{name.replace('_', '-')}: {text}")
        for name, text in task.traits.answering.items():
            say(f"    predict --{name.replace('_', '-')}: {text}")


@app.command(epilog=MORE_OPTIONS)
def inspect(
    context: typer.Context,
    source: SourceArgument,
    task: TaskOption = None,
    target: Target = None,
    group: Group = None,
    split: SplitOption = None,
    split_seed: SplitSeed = 0,
    json: Json = False,
) -> None:
    """What is here: the task recognised and why, counts, problems, the split."""
    from assay.shell import inspect_and_tell

    options = data_options(context, task, target, group, split, split_seed)
    inspect_and_tell(source, options, json)


@app.command(epilog=MORE_OPTIONS)
def train(
    context: typer.Context,
    source: SourceArgument,
    out: RunOutOption = None,
    budget: Annotated[str | None, typer.Option("--budget", help="Time for fitting: 90s, 5m, 1h.")] = None,
    epochs: Annotated[float | None, typer.Option("--epochs", help="Passes over the training samples, instead.")] = None,
    network: Annotated[
        str | None, typer.Option("--network", help="The network, such as convnet or timm/resnet18.")
    ] = None,
    settings: SetOption = None,
    seed: Annotated[int, typer.Option("--seed", help="Of weights, order and augmentation.")] = 0,
    evidence: EvidenceOption = "full",
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")] = "auto",
    devices: Annotated[int, typer.Option("--devices", help="How many processes train together, one a GPU.")] = 1,
    accumulate: Annotated[
        int | None, typer.Option("--accumulate", help="Parts in which a step is computed, to need less memory.")
    ] = None,
    cluster: ClusterOption = None,
    log: Annotated[str | None, typer.Option("--log", help="tensorboard:FOLDER or mlflow:URI.")] = None,
    task: TaskOption = None,
    target: Target = None,
    group: Group = None,
    split: SplitOption = None,
    split_seed: SplitSeed = 0,
    json: Json = False,
) -> None:
    """Train a network and write its run folder with the evidence page."""
    from assay.api import fitting_time
    from assay.flow import TrainOptions
    from assay.shell import train_and_tell

    data, given = data_options(context, task, target, group, split, split_seed), settings_of(settings)
    if accumulate is not None:
        given["accumulate"] = str(accumulate)
    options = TrainOptions(*fitting_time(budget, epochs), network, given, seed, evidence, device, devices, log, cluster)
    train_and_tell(source, data, options, out, json)


@app.command(epilog=MORE_OPTIONS)
def tune(
    context: typer.Context,
    source: SourceArgument,
    trials: Annotated[int | None, typer.Option("--trials", help="How many; as many as fit by default.")] = None,
    budget: Annotated[str | None, typer.Option("--budget", help="Time for all trainings: 30m, 2h.")] = None,
    storage: Annotated[
        str | None, typer.Option("--storage", help="Share the trials: sqlite:///FILE, postgresql://…, a journal file.")
    ] = None,
    out: RunOutOption = None,
    network: Annotated[list[str] | None, typer.Option("--network", help="A network to try; may be repeated.")] = None,
    settings: SetOption = None,
    search: Annotated[
        list[str] | None, typer.Option("--search", help="Search this alone, NAME or NAME=LOW..HIGH; may be repeated.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the search and of all trainings.")] = 0,
    evidence: EvidenceOption = "full",
    sampler: Annotated[str, typer.Option("--sampler", help="tpe, or random for comparison.")] = "tpe",
    pruning: Annotated[bool, typer.Option("--pruning/--no-pruning", help="Stop trials that are behind.")] = True,
    cluster: ClusterOption = None,
    task: TaskOption = None,
    target: Target = None,
    group: Group = None,
    split: SplitOption = None,
    split_seed: SplitSeed = 0,
    json: Json = False,
) -> None:
    """Search hyper-parameters within a time, and make the best a run."""
    from assay.api import fitting_time
    from assay.tuning.command import tune_and_tell
    from assay.tuning.options import TuneOptions

    ranges = {name: where for name, _, where in (text.partition("=") for text in search or ())}
    data = data_options(context, task, target, group, split, split_seed)
    options = TuneOptions(trials, fitting_time(budget, None)[0], storage, tuple(network or ()), settings_of(settings),
                          ranges, seed, evidence, sampler, pruning, cluster)  # fmt: skip
    tune_and_tell(source, data, options, out, json)


@app.command()
def resume(run: RunArgument, cluster: ClusterOption = None, json: Json = False) -> None:
    """Finish a run that was stopped or killed."""
    from assay.shell import resume_and_tell

    resume_and_tell(run, json, cluster)


@app.command(epilog=MORE_OPTIONS)
def evaluate(
    context: typer.Context,
    run: RunArgument,
    source: SourceArgument,
    target: Target = None,
    group: Group = None,
    split: SplitOption = None,
    json: Json = False,
) -> None:
    """The metrics of a trained network on other labelled data."""
    from assay.shell import evaluate_and_tell

    evaluate_and_tell(run, source, data_options(context, None, target, group, split, 0), json)


@app.command(epilog=MORE_ANSWERS)
def predict(
    context: typer.Context,
    run: RunArgument,
    inputs: Annotated[list[str], typer.Argument(help="Files or folders.")],
    baseline: Annotated[bool, typer.Option("--baseline", help="Ask the classical model instead.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Write the answers to this file: .csv, .json, or a form of the application."),
    ] = None,
    json: Json = False,
) -> None:
    """Answers for new data, one a line."""
    from assay.answering import predict_and_tell

    predict_and_tell(run, inputs, baseline, out, json, dict(context.obj or {}))


@app.command()
def explain(
    run: RunArgument,
    item: Annotated[str, typer.Argument(metavar="INPUT", help="A file with one input, or a table.")],
    row: Annotated[int | None, typer.Option("--row", help="Which row of a table; the first where not given.")] = None,
    baseline: Annotated[bool, typer.Option("--baseline", help="Explain the classical model instead.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="The picture (.png) or page (.html) to write.")] = None,
    json: Json = False,
) -> None:
    """Why one input is answered as it is, and how far that can be believed."""
    from assay.explaining import explain_and_tell

    explain_and_tell(run, item, row, baseline, out, json)


@app.command()
def export(
    run: RunArgument,
    form: Annotated[str, typer.Option("--format", help="onnx.")] = "onnx",
    int8: Annotated[bool, typer.Option("--int8", help="Eight-bit weights: a quarter of the size.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="A folder of its own, to copy elsewhere; into the run by default.")
    ] = None,
    source: Annotated[
        str | None, typer.Option("--source", help="Where the run's data is now; where it was by default.")
    ] = None,
    json: Json = False,
) -> None:
    """Write the network as ONNX, proven on the test side to answer as the network does."""
    from assay.exporting import export_and_tell

    export_and_tell(run, form, int8, out, json, source)


app.command()(serve)
app.command()(studio)


app.command(epilog=MORE_ANSWERS)(listen)


@app.command()
def drive(
    run: RunArgument,
    episodes: Annotated[int, typer.Option("--episodes", help="How many tracks.")] = 5,
    seed: Annotated[
        int | None, typer.Option("--seed", help="The first track; the first of those tested on where not given.")
    ] = None,
    video: Annotated[Path | None, typer.Option("--video", help="A video of what was seen: out.mp4.")] = None,
    baseline: Annotated[bool, typer.Option("--baseline", help="Let the classical model drive instead.")] = False,
    json: Json = False,
) -> None:
    """Let a trained policy drive in its simulator."""
    from assay.driving import drive_and_tell

    drive_and_tell(run, episodes, seed, video, baseline, json)


@app.command("label-next")
def label_next(
    run: RunArgument,
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="Unlabelled data: a folder of files, or a table.")],
    count: Annotated[int, typer.Option("--count", help="How many to suggest.")] = 20,
    seed: Annotated[int, typer.Option("--seed", help="Of the draw of candidates, where there are very many.")] = 0,
    out: Annotated[Path | None, typer.Option("--out", help="A CSV file for the suggestions.")] = None,
    json: Json = False,
) -> None:
    """Which unlabelled samples to label next, and why."""
    from assay.answering import suggest_and_tell

    suggest_and_tell(run, folder, count, seed, out, json)


@app.command()
def report(
    run: RunArgument,
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    json: Json = False,
) -> None:
    """Write the evidence page of a run anew and say where it is."""
    from assay.shell import report_and_tell

    report_and_tell(run, show, json)


@app.command()
def compare(runs: Annotated[list[Path], typer.Argument(help="Two runs or more.")], json: Json = False) -> None:
    """Compare runs on the same test samples, paired."""
    from assay.shell import compare_and_tell

    compare_and_tell(runs, json)


@app.command()
def demo(
    name: Annotated[
        str, typer.Argument(help="digits, breast-cancer, wine, diabetes, driving or positioning.")
    ] = "digits",
    out: Annotated[Path | None, typer.Option("--out", help="The run folder.")] = None,
    json: Json = False,
) -> None:
    """The whole flow on data that comes with the installation."""
    from assay.demo import run_demo

    run_demo(name, out, json)


def main() -> None:
    """Run the command line: exit 0 done, 1 the user's problem in two lines, 2 wrong usage, 130 interrupted."""
    try:
        words, extra = _words()
        # A command that was interrupted comes back as an exit status, too.
        status = app(words, standalone_mode=False, obj=extra)
        sys.stdout.flush()
    except AssayError as error:
        status = fail(error.message, error.hint)
    except (typer.Abort, KeyboardInterrupt):
        status = 130
    except Exception as error:
        status = unexpected(error)
    sys.exit(status if isinstance(status, int) else 0)


def _words() -> tuple[list[str], dict[str, str]]:
    """The command line, and the options in it that applications add."""
    words = with_camera_number(sys.argv[1:]) if sys.argv[1:2] == ["listen"] else sys.argv[1:]
    name = " ".join(words[: 2 if words[:1] == ["data"] else 1])
    if name not in COMMANDS:
        return words, {}
    command: Any = typer.main.get_command(app)
    for part in name.split():
        command = command.commands[part]
    own = {option for parameter in command.params for option in parameter.opts}
    return take_task_options(words, {*own, "--help"}, answering=name not in READING)
