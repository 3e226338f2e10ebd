"""How much each token of a source sentence weighed in its translation.

Shapes: B sentences, S source tokens, T tokens of a translation.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import SettingError

if TYPE_CHECKING:
    from assay.serving.predictor import Answering
    from assay.task import Task

Array = np.ndarray[Any, Any]


def explain_translations(task: Task, predictor: Answering, batch: Any) -> Array:
    """(B, S) by how many nats the translation is less probable without each source token; NaN where none is.

    A token is left out alone, and the network asked how probable the translation is that it gave to the whole sentence
    (occlusion: M. Zeiler, R. Fergus, ECCV 2014).

    Args:
        task: the application, whose `masked` leaves tokens out.
        predictor: a network that has `losses(source, target, source_mask, target_mask)`.
        batch: has the fields `tokens` and `mask`.

    Raises:
        SettingError: what answers is no network that gives probabilities to a given translation.
    """
    import torch

    network: Any = getattr(predictor, "network", None)
    if network is None or not hasattr(network, "losses"):
        raise SettingError("a classical model's translations cannot be explained", "Leave out --baseline.")
    real = np.ones(batch.tokens.shape, bool) if batch.mask is None else batch.mask.numpy()
    found = np.full(batch.tokens.shape, np.nan)
    answers = predictor.respond(batch)
    for row, answer in enumerate(answers):
        where = np.flatnonzero(real[row])
        (ids,) = predictor.spec.tokenizer.encode_batch([answer.text])
        if not len(where) or not len(ids):
            continue
        count = len(where)
        kept = torch.ones(count + 1, count, dtype=torch.bool)
        kept[1:].fill_diagonal_(False)
        tokens = batch.tokens[row, where].expand(count + 1, -1)
        target = torch.as_tensor(np.asarray(ids, np.int64)).expand(count + 1, -1)
        one = replace(
            batch, index=batch.index[row].expand(count + 1), tokens=tokens, mask=torch.ones_like(kept), target=target,
            target_mask=torch.ones_like(target, dtype=torch.bool), source_text=None, source_text_mask=None,
            target_text=None, target_text_mask=None,
        )  # fmt: skip
        shown = task.masked(one, kept, predictor.spec)
        with torch.inference_mode():
            each = network.losses(shown.tokens, target, shown.mask, one.target_mask)
        nats = each.double().numpy() * (len(ids) + 1)  # losses are means over tokens, of which all rows have as many
        found[row, where] = nats[1:] - nats[0]
    return found
