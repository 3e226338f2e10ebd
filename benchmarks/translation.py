"""Multi30k: sentences from English to German and French, without pretrained weights.

BLEU is sacreBLEU's (13a, cased); beside it with lower case, as the published 41.02 of a tiny Transformer is counted
(Z. Wu et al., "Good for misconceived reasons", ACL 2021: tokenised and lower-cased; en-de, test2016). The phrase-based
system that Assay fits beside the network is told, too.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from functools import partial
from typing import Any

from _command import train_or_resume
from _common import ROOT, Bench, Json, Target, data_root, interleaved, open_bench, spread

#: Languages and time of fitting.
_CASES = {"en-de-45m": ("en-de", "45m"), "en-de-2h": ("en-de", "2h"), "en-fr-20m": ("en-fr", "20m")}
_WANTED = {"en-de-45m": 34.0, "en-de-2h": 37.0}
_TEST_SETS = ("test_2016_flickr", "test_2017_flickr")
_PUBLISHED_LOWER_CASED = 41.02
_TRANSLATED = 500
#: How often the two trainings are timed in turn, and the steps of each.
_ROUNDS, _STEPS = 3, 100


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cases", default=",".join([*_CASES, "trainers"]), help="which trainings, separated by commas")
    parser.add_argument("--seed", default="0", help="of the trainings")


def source_of(bench: Bench, languages: str) -> Any:
    if not bench.smoke:
        return data_root() / "multi30k"
    folder = bench.work / "pairs"
    folder.mkdir(exist_ok=True)
    words = ("one", "two", "three", "four", "five", "six")
    for side, count in (("train", 120), ("val", 12), ("test_2016_flickr", 12), ("test_2017_flickr", 12)):
        lines = [" ".join(words[(number * step) % 6] for step in (1, 2, 3)) for number in range(count)]
        for language in languages.split("-"):
            text = "\n".join(line if language == "en" else line[::-1] for line in lines)
            (folder / f"{side}.{language}").write_text(text + "\n", encoding="utf-8")
    return folder


def measure(bench: Bench, case: str) -> Json:
    """One `assay train`, and what the network reaches on each test set."""
    languages, budget = _CASES[case]
    source, run = source_of(bench, languages), bench.work / f"run-{case}"
    how = (source, "--task", "translation", "--languages", languages, "--budget",
           "2s" if bench.smoke else budget, "--seed", bench.options.seed, "--evidence", "quick")  # fmt: skip
    done, wall_s = train_or_resume(run, *how, cache=bench.work / "cache")
    summary = done.json
    found = {name: judged(run, source, languages, name) for name in _TEST_SETS}
    return {"case": case, "budget": budget, "wall_s": wall_s, "fit_s": summary["seconds"],
            "bleu": summary["metric"], "phrase_based": summary["baseline"], "verdict": summary["verdict"],
            "samples": summary["samples"], "network": summary["network"], "test_sets": found,
            "speed": speed(run, source, languages), "stages": dict(done.stages)}  # fmt: skip


def judged(run: Any, source: Any, languages: str, test_set: str) -> Json:
    """BLEU with and without case, and chrF, of one test set."""
    import assay
    from assay.evaluation.translation_metrics import Bleu
    from assay.sources.source import DataOptions

    options = DataOptions(extra={"languages": languages, "test_set": test_set})
    found, evaluation, _ = assay.load(run).evaluate(source, options)
    lower = Bleu(lower_case=True).value(evaluation.outputs, evaluation.truths)
    return {"sentences": len(evaluation), "bleu_lower_cased": lower,
            **{name: {"value": one.value, "low": one.low, "high": one.high}
               for name, one in found.items()}}  # fmt: skip


def speed(run: Any, source: Any, languages: str) -> Json:
    """Sentences a second with beam 4, from strings to strings, after loading."""
    import assay
    from assay.sources.source import DataOptions, open_source

    model = assay.load(run)
    options = DataOptions(extra={"languages": languages, "test_set": _TEST_SETS[0]})
    records = model.task.read(open_source(source), options)
    texts = [text for batch in records.batches() for text, side in
             zip(batch.column("source").to_pylist(), batch.column("split").to_pylist(), strict=True)
             if side == "test"][:_TRANSLATED]  # fmt: skip
    model.predict(texts[:8])
    begun = time.perf_counter()
    model.predict(texts, options={"beams": 4})
    return {"sentences": len(texts), "per_s": len(texts) / (time.perf_counter() - begun)}


def trainers(bench: Bench) -> Json:
    """Tokens a second of Assay's loop and of transformers' Trainer, in turn, on the same pairs.

    The Trainer once as it comes, in random order, and once grouping by length; see `_trainer.py`.
    """
    import gzip

    from assay.samples.tokens import train_bpe

    sides: list[list[str]] = []
    for language in ("en", "de"):
        if bench.smoke:
            sides.append([f"{language} {number} {number * 7}" for number in range(400)])
            continue
        with gzip.open(data_root() / "multi30k" / f"train.{language}.gz", "rt", encoding="utf-8") as stream:
            sides.append(stream.read().splitlines())
    tokenizer = train_bpe([*sides[0], *sides[1]], 300 if bench.smoke else 4000)
    ids = [[row.tolist() for row in tokenizer.encode_batch(side)] for side in sides]
    file = bench.work / "pairs.json"
    pairs = [{"source": one, "target": other} for one, other in zip(*ids, strict=True)]
    file.write_text(json.dumps(pairs), encoding="utf-8")
    asked = json.dumps({"pairs": str(file), "steps": 3 if bench.smoke else _STEPS, "smoke": bench.smoke})
    found: dict[str, list[float]] = {"assay": [], "trainer": [], "trainer_grouped": []}
    parameters: Json = {}
    for _, name in interleaved(list(found), 1 if bench.smoke else _ROUNDS):
        command = [sys.executable, str(ROOT / "benchmarks" / "_trainer.py"), name, asked]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        done = json.loads(told.strip().splitlines()[-1])
        found[name].append(done["tokens_per_s"])
        parameters[name] = done["parameters"]
    rates = {name: spread(values) for name, values in found.items()}
    return {"tokens_per_s": rates, "parameters": parameters,
            "ratio": rates["assay"]["median"] / rates["trainer"]["median"],
            "ratio_grouped": rates["assay"]["median"] / rates["trainer_grouped"]["median"]}  # fmt: skip


def main() -> None:
    bench = open_bench("translation", __doc__, add_options)
    cases = ["en-de-45m"] if bench.smoke else bench.options.cases.split(",")
    targets: list[Target] = []
    summary: Json = {"published_lower_cased": _PUBLISHED_LOWER_CASED}
    for case in (case for case in cases if case in _CASES):
        run = bench.piece(case, partial(measure, bench, case))
        summary[case] = {name: run[name] for name in ("bleu", "phrase_based", "fit_s", "test_sets", "speed")}
        if case in _WANTED:
            targets.append(Target(f"{case}: BLEU of test2016", run["bleu"]["value"], ">=", _WANTED[case]))
        targets.append(Target(f"{case}: sentences a second with beam 4", run["speed"]["per_s"], ">=", 20.0))
    if "trainers" in cases or bench.smoke:
        summary["trainers"] = bench.piece("trainers", partial(trainers, bench))
        targets.append(
            Target("tokens a second over transformers' Trainer as it comes", summary["trainers"]["ratio"], ">=", 1.5)
        )
    bench.settings = {"data": "Multi30k as it comes: 29,000 / 1,014 / 1,000", "pretrained": "nothing"}
    bench.finish(summary, targets, seeds=[int(bench.options.seed)], packages=["sacrebleu", "tokenizers"])


if __name__ == "__main__":
    main()
