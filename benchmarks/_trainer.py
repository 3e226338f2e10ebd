"""Who trains a translator faster: Assay's loop, or the Trainer of transformers with a network of equal size?

    python benchmarks/_trainer.py assay '{"pairs": "pairs.json", "steps": 100, "smoke": false}'

The pairs are sentences that are cut into tokens already, the same for all; the networks have as many layers, channels,
heads and vectors, which all texts share. All meet batches of 64 pairs: Assay's loop as it divides them, `trainer` in
random order, as the Trainer does where nothing else is asked, `trainer_grouped` with batches of about one length, which
it does where its option is found. `tokens_per_s` counts real tokens of sources and targets, without padding and marks,
over the steps behind the first twenty.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

Json = dict[str, Any]
_BATCH, _WARM = 64, 20
_PAD, _BEGIN, _END = 0, 1, 2


@dataclass(frozen=True)
class Size:
    vocabulary: int = 4000
    depth: int = 4
    decoder_depth: int = 2
    width: int = 192
    heads: int = 3
    longest: int = 128


def in_assay(pairs: list[Json], size: Size, steps: int) -> Json:
    """Steps of Assay's own loop, on samples that are cut and divided as in a training."""
    import pyarrow as pa

    from assay.networks.seq2seq import Marks, Seq2Seq, Seq2SeqSettings
    from assay.samples.samples import build_samples
    from assay.samples.split import TRAIN
    from assay.samples.stream import TrainStream
    from assay.sources.records import records_from_table
    from assay.training.loop import Job
    from assay.training.optimisers import build_optimizer
    from assay.training.plan import Plan
    from assay.training.state import Position, State
    from assay.training.step import Step

    settings = Seq2SeqSettings(depth=size.depth, decoder_depth=size.decoder_depth, width=size.width, heads=size.heads)
    torch.manual_seed(0)
    network = Seq2Seq(size.vocabulary, None, size.longest + 1, Marks(_BEGIN, _END, _END), settings)
    plan = Plan(batch_size=_BATCH, optimizer="muon", learning_rate=0.01, steps=_WARM + steps)
    with tempfile.TemporaryDirectory() as folder:
        names = [str(number) for number in range(len(pairs))]
        table = pa.table({"id": names, "source": [pair["source"] for pair in pairs],
                          "target": [pair["target"] for pair in pairs]})  # fmt: skip
        task = token_pairs()
        samples = build_samples(task, records_from_table(table, "pairs"), None, np.full(len(pairs), TRAIN, np.int8),
                                folder=Path(folder) / "samples")  # fmt: skip
        state = State(network, build_optimizer(network, plan), position=Position(end=plan.steps))
        stream, job = TrainStream(samples.view(TRAIN), _BATCH, 0), Job(task, None, samples, plan)
        one_step = Step(state, job)
        network.train()
        tokens, begun = 0, time.perf_counter()
        for step in range(_WARM + steps):
            if step == _WARM:
                tokens, begun = 0, time.perf_counter()
            tokens += sum(len(pairs[row]["source"]) + len(pairs[row]["target"]) for row in stream.windows(step)[1])
            one_step(stream)
            state.position.step += 1
        seconds = time.perf_counter() - begun
    return {"tokens_per_s": tokens / seconds, "parameters": sum(value.numel() for value in network.parameters())}


def token_pairs() -> Any:
    """The application of translation, whose pairs come as tokens."""
    from assay.task import Encoded
    from assay.tasks.translation import Translation

    class TokenPairs(Translation):
        def encode(self, batch: Any, records: Any, spec: Any, log: Any) -> Encoded:
            fields = {"tokens": [np.asarray(ids, np.int32) for ids in batch.column("source").to_pylist()],
                      "target": [np.asarray(ids, np.int32) for ids in batch.column("target").to_pylist()]}  # fmt: skip
            return Encoded(fields, np.arange(batch.num_rows))

    return TokenPairs()


def in_trainer(pairs: list[Json], size: Size, steps: int, sampling: str = "random") -> Json:
    """Steps of transformers' Trainer with a Marian network of that size."""
    from transformers import MarianConfig, MarianMTModel, Trainer, TrainerCallback, TrainingArguments

    config = MarianConfig(
        vocab_size=size.vocabulary, d_model=size.width, encoder_layers=size.depth, decoder_layers=size.decoder_depth,
        encoder_attention_heads=size.heads, decoder_attention_heads=size.heads, encoder_ffn_dim=4 * size.width,
        decoder_ffn_dim=4 * size.width, max_position_embeddings=size.longest + 2, pad_token_id=_PAD, eos_token_id=_END,
        decoder_start_token_id=_BEGIN, dropout=0.0, activation_function="relu", share_encoder_decoder_embeddings=True,
    )  # fmt: skip
    torch.manual_seed(0)
    network = MarianMTModel(config)
    rows = [{"input_ids": [*pair["source"], _END], "labels": [*pair["target"], _END]} for pair in pairs]
    seen: list[tuple[float, int]] = []
    collate = _Collate()

    class Watch(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            seen.append((time.perf_counter(), collate.tokens))

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder, per_device_train_batch_size=_BATCH, max_steps=_WARM + steps, learning_rate=1e-3, report_to=[],
            logging_strategy="no", save_strategy="no", train_sampling_strategy=sampling, use_cpu=True,
            disable_tqdm=True, dataloader_num_workers=0, remove_unused_columns=False,
        )  # fmt: skip
        Trainer(network, arguments, collate, rows, callbacks=[Watch()]).train()
    (first, before), (last, after) = seen[_WARM - 1], seen[-1]
    return {"tokens_per_s": (after - before) / (last - first),
            "parameters": sum(value.numel() for value in network.parameters())}  # fmt: skip


class _Collate:
    """Rows of a batch as tensors, which is all that a collator has to do; counts their tokens."""

    def __init__(self) -> None:
        self.tokens = 0

    def __call__(self, rows: list[Json]) -> Json:
        ids, labels = [row["input_ids"] for row in rows], [row["labels"] for row in rows]
        self.tokens += sum(map(len, ids)) + sum(map(len, labels)) - 2 * len(rows)
        padded = _padded(ids, _PAD)
        return {"input_ids": padded, "attention_mask": (padded != _PAD).long(), "labels": _padded(labels, -100)}


def _padded(rows: list[list[int]], value: int) -> torch.Tensor:
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[value] * (longest - len(row))] for row in rows])


CONTESTANTS = {
    "assay": in_assay,
    "trainer": in_trainer,
    "trainer_grouped": partial(in_trainer, sampling="group_by_length"),
}


def measure(name: str, asked: Json) -> Json:
    pairs = json.loads(Path(asked["pairs"]).read_text(encoding="utf-8"))
    size = Size(depth=1, decoder_depth=1, width=32, heads=1) if asked["smoke"] else Size()
    return CONTESTANTS[name](pairs, size, asked["steps"])


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], json.loads(sys.argv[2]))))
