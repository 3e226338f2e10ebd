"""How long Whisper takes over a long recording, in Assay and in transformers' pipeline, and how much memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from _common import ROOT, Bench, Json, Target, data_root, interleaved, open_bench, spread
from _data import pretrained_folder
from _speech import invented_files, long_recording, prompt_files

#: Seconds of the recording that both hear in turns, and of the one that Assay hears alone.
_SHORT_S, _LONG_S = 600.0, 3600.0
#: The real-time factor that is wanted, and how much more memory the longer recording may take.
_WANTED_FACTOR, _FLAT = 0.12, 1.1
#: Turns that each takes, in an order that turns round.
_ROUNDS = 3
#: Seconds of the recording that comes first in each process, which nobody times.
_WARM_S = 10.0

#: Each takes a network or a run, a recording, the one to begin with, and for which of text and words it is asked.
_OURS = """
import json, resource, sys, time
import assay
model = assay.load(sys.argv[1])
model.predict(sys.argv[3])
for what in sys.argv[4].split(","):
    begun, used = time.perf_counter(), time.process_time()
    (answer,) = model.predict(sys.argv[2], options={"words": int(what == "words")})
    seconds, processor_s = time.perf_counter() - begun, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"what": what, "seconds": seconds, "processor_s": processor_s, "peak": peak, "text": answer.text,
                      "words": len(answer.words)}))
"""
_THEIRS = """
import json, resource, sys, time
import soundfile, transformers
kind, how = "automatic-speech-recognition", {"chunk_length_s": 30, "batch_size": 8}
pipe = transformers.pipeline(kind, model=sys.argv[1], device="cpu", **how)
pipe.tokenizer.pad_token_id = pipe.model.config.eos_token_id
def heard(file, what):
    sound, rate = soundfile.read(file, dtype="float32")
    stamps = "word" if what == "words" else False
    return pipe({"raw": sound, "sampling_rate": rate}, return_timestamps=stamps, generate_kwargs={"num_beams": 1})
heard(sys.argv[3], "text")
for what in sys.argv[4].split(","):
    begun, used = time.perf_counter(), time.process_time()
    answer = heard(sys.argv[2], what)
    seconds, processor_s = time.perf_counter() - begun, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"what": what, "seconds": seconds, "processor_s": processor_s, "peak": peak,
                      "text": answer["text"], "words": len(answer.get("chunks", ()))}))
"""


def speed(bench: Bench) -> Json:
    """Ten minutes by Whisper tiny.en as it comes, in Assay and in transformers' pipeline in turns; an hour by Assay.

    Both follow one transcript at a time; the pipeline as it comes follows five, and takes longer.

    Each turn is a process of its own, in which a short recording comes first, then the text alone, then the text with
    the times of words. A smoke test has seconds instead, and where tiny.en or the prompts are not there a network of
    random weights, which no pipeline takes.
    """
    real = not bench.smoke or (_whisper().exists() and (data_root() / "asterisk_prompts_en").exists())
    whisper = str(whisper_folder() if real else random_whisper(bench.work))
    parts = prompt_files() if real else invented_files(bench.work)
    lengths = (_WARM_S, 20.0, 40.0) if bench.smoke else (_WARM_S, _SHORT_S, _LONG_S)
    warm, short, long = (long_recording(bench.work, length, parts) for length in lengths)
    with tempfile.TemporaryDirectory() as folder:
        run = as_it_comes(whisper, Path(folder) / "run")
        programs = {"": (_OURS, run), "pipeline_": (_THEIRS, whisper)} if real else {"": (_OURS, run)}
        turns: dict[str, list[Json]] = {}
        for _, name in interleaved(list(programs), 1 if bench.smoke else _ROUNDS):
            for turn in _apart(*programs[name], short[0], warm[0], "text,words", said=short[1]):
                turns.setdefault(name + turn["what"], []).append(turn)
        found: Json = {name: _all_turns(some, _seconds(short[0])) for name, some in turns.items()}
        hour = _apart(_OURS, run, long[0], warm[0], "words", said=long[1])
        found["long"] = _all_turns(hour, _seconds(long[0]))
    return found


def as_it_comes(whisper: str, folder: Path) -> Path:
    """A run whose network learned nothing: it hears 30 s at a time, as it was trained."""
    from assay.networks.speech_frames import LONGEST_S
    from assay.networks.speech_marks import HfSpeechSettings, most_tokens
    from assay.networks.speech_networks import speech_networks
    from assay.run import RunFolder
    from assay.samples.tokens import pretrained
    from assay.samples.transcript_spec import TranscriptSpec
    from assay.stored_network import write_network
    from assay.tasks.transcription import Transcription

    spec = TranscriptSpec(pretrained(whisper), LONGEST_S, "en", plain=False, most_tokens=most_tokens(whisper))
    kind, settings = speech_networks(spec)[-1], HfSpeechSettings(whisper, context_s=LONGEST_S)
    run = RunFolder.create(folder)
    name = f"{kind.name}{Path(whisper).name}"
    write_network(run.model, Transcription(), spec, name, kind.portable(settings), kind.build(spec, settings))
    run.write(run.plan, {"network": name})
    return folder


def whisper_folder() -> Path:
    """Whisper tiny.en; stops with advice where it is not there."""
    return pretrained_folder("whisper-tiny.en", "ASSAY_WHISPER").resolve()


def random_whisper(work: Path) -> Path:
    """A network of Whisper's kind with random weights, as small as can be."""
    folder = work / "tiny"
    if not folder.exists():
        sys.path.insert(0, str(ROOT / "tests"))
        from whisper_examples import write_whisper

        write_whisper(folder)
    return folder


def _whisper() -> Path:
    return Path(os.environ.get("ASSAY_WHISPER", ROOT / ".pretrained" / "whisper-tiny.en")) / "model.safetensors"


def _all_turns(turns: Sequence[Json], length_s: float) -> Json:
    """The turns of one program at a recording: the median of its seconds counts."""
    seconds, processor_s = (spread([turn[key] for turn in turns]) for key in ("seconds", "processor_s"))
    return {"seconds": seconds, "factor": seconds["median"] / length_s, "processor_s": processor_s,
            "wer": turns[-1]["wer"], "words": turns[-1]["words"], "peak": max(turn["peak"] for turn in turns),
            "of_s": length_s}  # fmt: skip


def _seconds(file: Path) -> float:
    import soundfile

    return float(soundfile.info(file).duration)


def _apart(program: str, *arguments: Any, said: str) -> list[Json]:
    """What a program prints that runs in a process of its own, and how much of what is said it has wrong."""
    from assay.evaluation.transcription_metrics import WordErrorRate

    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise SystemExit(done.stderr)
    results = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    metric = WordErrorRate("en")
    return [{**result, "wer": metric.value([result.pop("text")], [said])} for result in results]


def main() -> None:
    bench = open_bench("transcription_speed", __doc__)
    found = bench.piece("speed", partial(speed, bench))
    targets = [Target("tiny.en: real-time factor over an hour", found["long"]["factor"], "<=", _WANTED_FACTOR)]
    for ours, theirs, what in (("text", "pipeline_text", ""), ("words", "pipeline_words", ", times of words")):
        if theirs in found:
            beside = found[ours]["seconds"]["median"] / found[theirs]["seconds"]["median"]
            targets.append(Target(f"tiny.en: seconds over those of transformers' pipeline{what}", beside, "<=", 1.0))
            worse = found[ours]["wer"] - found[theirs]["wer"]
            targets.append(Target(f"tiny.en: word error rate minus that of the pipeline{what}", worse, "<=", 0.01))
    more = found["long"]["peak"] / found["words"]["peak"]
    targets.append(Target("memory of an hour over that of ten minutes", more, "<=", _FLAT))
    bench.settings = {"network": "Whisper tiny.en, 37.8 M", "form": "assay.evaluation.spoken_text"}
    bench.finish({"speed": found}, targets, packages=["transformers", "jiwer", "soundfile"])


if __name__ == "__main__":
    main()
