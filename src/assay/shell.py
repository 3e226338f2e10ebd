"""What the commands do: call the flow, and tell a person or a program how it went."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import SettingError
from assay.progress import PlainProgress, Progress
from assay.run import RunFolder, reading, to_json

if TYPE_CHECKING:
    from assay.flow import TrainOptions
    from assay.sources.records import Problem
    from assay.sources.source import DataOptions
    from assay.stopping import Stop
    from assay.task import Task

#: Kinds of problems that are worth a word with every answer, though the input was used.
_DOUBTFUL = frozenset({"more-bits-than-in-training", "degrees-for-radians"})
MARKS = {"good": "✓", "watch": "!", "act": "✗", "unknown": "?"}


def print_json(value: Any, *, one_line: bool = False) -> None:
    """One JSON object on standard output, with escapes where its encoding has no such letters."""
    plain, indent = to_json(value), None if one_line else 1
    text = json.dumps(plain, indent=indent, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(plain, indent=indent)
    sys.stdout.write(text + "\n")


def say(text: str = "") -> None:
    """A line on standard output that no terminal encoding can break."""
    say_on(text + "\n")


def say_on(text: str) -> None:
    """Text on standard output, likewise, without the end of a line."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))


def listener() -> Progress:
    """A progress bar on a terminal; plain lines elsewhere. Both go to standard error."""
    if not sys.stderr.isatty():
        return PlainProgress()
    from assay.bars import BarProgress

    return BarProgress()


def inspect_and_tell(source: Any, options: DataOptions, as_json: bool) -> None:
    """Read and split, and print what was found."""
    from assay.flow import prepare

    progress = listener()
    try:
        prepared = prepare(source, options, progress)
        found = prepared.to_json()
    finally:
        progress.close()
    if as_json:
        print_json(found)
    else:
        print_inspection(found)
    tell_names(prepared.task, [source])


def train_and_tell(
    source: Any, data: DataOptions, options: TrainOptions, out: Path | None, as_json: bool, label: str | None = None
) -> None:
    """Train, and print the verdicts or the summary."""
    from assay.flow import next_run_folder, train
    from assay.sources.source import open_source

    opened = open_source(source)
    folder = out or (RunFolder.next_name(Path("runs"), label) if label else next_run_folder(opened, data.task))
    done_and_told(folder, as_json, lambda here, *how: train(opened, data, options, here, *how))


def resume_and_tell(path: Path, as_json: bool, cluster: str | None = None) -> None:
    """Finish a run, and print its verdicts or summary."""
    from assay.flow import resume

    done_and_told(path, as_json, lambda here, progress, stop: resume(here, progress, stop, cluster), resuming=True)


def done_and_told(
    folder: Path, as_json: bool, work: Callable[[Path, Progress, Stop], object], resuming: bool = False
) -> None:
    """Do the work of a run folder, which a signal may stop, and print its verdicts or summary.

    Args:
        folder: as the user named it; it may be a URL.
        as_json: print the summary.
        work: is given the folder on this machine, who is told how far it is, and what stops it.
        resuming: the folder is there already.
    """
    from assay.cluster.copies import placed

    with placed(folder, resuming=resuming) as here:
        _done(here, folder, work)
        tell(RunFolder(here), as_json)


def _done(here: Path, named: Path, work: Callable[[Path, Progress, Stop], object]) -> None:
    """The work of `done_and_told` alone, in a folder on this machine that the user `named`."""
    from assay.stopping import stopping_on_signals

    progress = listener()
    try:
        with stopping_on_signals() as stop:
            uninterrupted(lambda: work(here, progress, stop), here, named)
    finally:
        progress.close()


def uninterrupted(work: Callable[[], object], folder: Path, named: Path) -> None:
    """Do the work; where it is stopped, say how to go on with what the user `named`, and raise `KeyboardInterrupt`."""
    from assay.training.loop import Interrupted

    try:
        work()
    except (Interrupted, KeyboardInterrupt):
        kept = RunFolder(folder).plan.exists() or (folder / "tuning" / "tuning.json").exists()
        sys.stderr.write("\nstopped.\n" + (f"hint: assay resume {named}\n" if kept else ""))
        raise KeyboardInterrupt from None


def tell(run: RunFolder, as_json: bool) -> None:
    """The verdicts of a finished run."""
    summary = run.read(run.summary, "task", "network", "seconds", "samples", "findings")
    if as_json:
        print_json(summary)
        return
    with reading(run.summary):
        text = "\n".join(_verdicts(summary))
    say(f"\n{text}\n")
    say(f"report: {run.report}")
    say(_use(run))


def _use(run: RunFolder) -> str:
    """The command that uses a run: it acts in the world that it was learned in, or answers inputs."""
    from assay.stored_network import read_description

    task, spec, _ = read_description(run.model)
    return f"drive: assay drive {run.path}" if task.in_loop(spec) else f"predict: assay predict {run.path} INPUT"


def _verdicts(summary: Mapping[str, Any]) -> Iterator[str]:
    """What was trained on what, and each finding with what to do next."""
    counts = summary["samples"]
    yield (
        f"{summary['task']}: {summary['network']['name']}, {summary['network']['parameters']:,} parameters, "
        f"trained {summary['seconds']:.0f} s on {counts['train']:,} samples "
        f"({counts['validation']:,} validation, {counts['test']:,} test, {counts['skipped']:,} skipped)"
    )
    for name, finding in summary["findings"].items():
        yield f"  {MARKS[finding['status']]} {name}: {finding['verdict']}"
        if finding["next"]:
            yield f"      next: {finding['next']}"


def print_inspection(found: Mapping[str, Any]) -> None:
    """What `inspect` found, for a person."""
    say(f"task: {found['task']} ({found['why']})")
    for other in found["candidates"][1:]:
        say(f"  or: {other['task']} ({other['why']})")
    say("counts:")
    for name, value in found["counts"].items():
        say(f"  {name}: {_short(value)}")
    say("problems:" if found["problems"] else "problems: none")
    for problem in found["problems"]:
        places = ", ".join(_place(example) for example in problem["examples"][:3])
        say(f"  {problem['kind']}: {problem['count']:,} {problem['action']} ({places})")
    split = found["split"]
    say(
        f"split: {split['train']:,} train, {split['validation']:,} validation, {split['test']:,} test, by {split['by']}"
    )


def _short(value: Any) -> str:
    text = _plain(value)
    return text if len(text) <= 160 else text[:157] + "…"


def _plain(value: Any) -> str:
    """A value of JSON without its marks."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return "none" if value is None else str(value)


def _place(example: Mapping[str, Any]) -> str:
    return example["file"] if example["row"] is None else f"{example['file']}, row {example['row']}"


def tell_names(task: Task, sources: Sequence[Any]) -> None:
    """Say on standard error where it stands which files are meant, where an application hides their names."""
    if not task.traits.private:
        return
    from assay.sources.privacy import names_file
    from assay.sources.source import open_source

    for source in sources:
        path = open_source(source).path
        if path is not None and (file := names_file(path)).exists():
            sys.stderr.write(f"names are hidden; which files are meant stands in {file}\n")


def warn_of(problems: Sequence[Problem]) -> None:
    """Say on standard error what could not be read, or is so unlike the training that answers may mean little."""
    for problem in problems:
        if problem.action == "skipped" or problem.kind in _DOUBTFUL:
            where = ", ".join(_place(to_json(example)) for example in problem.examples[:3])
            sys.stderr.write(f"{problem.action} {problem.count} ({problem.kind}): {where}\n")


def evaluate_and_tell(path: Path, source: str, options: DataOptions, as_json: bool) -> None:
    """Metrics on other labelled data."""
    from assay.evidence.words import spread, title
    from assay.loading import load_to_answer
    from assay.sources.privacy import hidden_source
    from assay.sources.source import open_source

    model = load_to_answer(path)
    opened = open_source(source)
    found, evaluation, problems = model.evaluate(opened, options)
    metrics = model.task.metrics(model.spec)
    named = hidden_source(opened.path) if model.task.traits.private and opened.path is not None else source
    tell_names(model.task, [opened])
    if as_json:
        values = {name: vars(estimate) for name, estimate in found.items()}
        print_json(
            {
                "format": 1,
                "task": model.task.name,
                "run": str(path),
                "source": named,
                "samples": len(evaluation),
                "metric": metrics[0].name,
                "metrics": values,
                "problems": [to_json(problem) for problem in problems],
            }
        )
        return
    warn_of(problems)
    say(f"{len(evaluation):,} samples of {named}")
    for metric in metrics:
        say(f"  {title(metric)}: {spread(metric, found[metric.name])}")


def report_and_tell(path: Path, show: bool, as_json: bool) -> None:
    """Write the page anew out of what the run holds; evidence that was interrupted is gone on with where it stopped."""
    from assay.conclusion import write_page_again
    from assay.flow import resume

    run = RunFolder.open(path)
    if (run.model / "model.json").exists() and not run.summary.exists():
        _done(path, path, resume)
    else:
        write_page_again(run)
    if as_json:
        print_json({"format": 1, "run": str(path), "report": str(run.report)})
    else:
        say(f"report: {run.report}")
    if show:
        import webbrowser

        webbrowser.open(run.report.resolve().as_uri())


def compare_and_tell(paths: list[Path], as_json: bool) -> None:
    """Each run against the first, on the test samples that both have."""
    from assay.comparison import compare_runs

    if len(paths) < 2:
        raise SettingError("there is only one run to compare", "Give two runs or more.")
    found = compare_runs(paths)
    if as_json:
        print_json(found)
        return
    say(f"{found['metric']} on {found['samples']:,} test samples that all have")
    for row in found["runs"]:
        say(f"  {row['run']}: {row['value']:.4g} [{_bound(row['low'])}, {_bound(row['high'])}]")
    for row in found["differences"]:
        say(
            f"  {row['second']} − {row['first']}: {row['value']:+.4g} "
            f"[{_bound(row['low'])}, {_bound(row['high'])}] → {row['verdict']}"
        )


def _bound(value: float | None) -> str:
    return "?" if value is None else f"{value:.4g}"


def list_datasets(as_json: bool) -> None:
    """The public sets that `assay data get` knows."""
    from assay.datasets import DATASETS

    if as_json:
        print_json({"format": 1, "datasets": list(DATASETS.values())})
        return
    for item in DATASETS.values():
        say(f"{item.name}\t{item.task}\t{item.title}\t{item.licence}\t{item.homepage}")


def get_dataset(name: str, folder: Path | None, as_json: bool) -> None:
    """Fetch a public set."""
    from assay.datasets import DATASETS, get

    progress = listener()
    try:
        where = get(name, folder, progress=progress)
    finally:
        progress.close()
    target = DATASETS[name].target
    if as_json:
        print_json({"format": 1, "name": name, "path": str(where), "target": target})
    else:
        say(f"{where}\ntrain: assay train {where}" + (f" --target {target}" if target else ""))


def shard_and_tell(source: str, target: str, size: str, options: DataOptions, as_json: bool) -> None:
    """Write shards, and say what they hold."""
    from assay.sharding import parse_size, summary, write_shards

    most, progress = parse_size(size), listener()
    try:
        index = write_shards(source, target, most, options, progress)
    finally:
        progress.close()
    warn_of(index.problems)
    if as_json:
        print_json(summary(index, target))
        return
    count = len(index.shards)
    shards = f"{count} shards" if count > 1 else "1 shard"
    say(f"{target}: {index.rows.num_rows:,} samples of {index.task} in {shards}, {index.bytes / 1e6:,.1f} MB")
    say(f"train: assay train {target}")
