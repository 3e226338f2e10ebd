"""A BERT's layers as plain functions of the weights that `transformers` holds.

A short text spends about a third of its time in the modules around a network's products: hooks, output classes, masks
made anew. Evaluation goes without them; training keeps to the library. Source: J. Devlin et al., "BERT", NAACL 2019.

Shapes: B texts, T tokens, W channels, H heads, D channels of a head.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import embedding, layer_norm, linear, scaled_dot_product_attention


def is_plain_bert(body: Any) -> bool:
    """Whether a network of transformers' is an encoder that `bert_features` computes."""
    config = body.config
    if type(body).__name__ != "BertModel" or config.model_type != "bert":
        return False
    positions = getattr(config, "position_embedding_type", None) or "absolute"
    return positions == "absolute" and not config.is_decoder and not config.add_cross_attention


def bert_features(body: Any, vectors: Tensor, mask: Tensor | None = None, segments: Tensor | None = None) -> Tensor:
    """(B, T, W): what the last layer says of each token, without dropout.

    Args:
        body: a `BertModel` (see `is_plain_bert`).
        vectors: (B, T, W), of the tokens themselves.
        mask: (B, T) bool, True where a token is real; None for all.
        segments: (B, T), 0 and 1 for two texts; None for one.
    """
    batch, length, width = vectors.shape
    seen = None if mask is None else mask.bool()[:, None, None, :]
    known = body.embeddings
    kinds = known.token_type_embeddings.weight
    placed = vectors + known.position_embeddings.weight[:length]
    placed = placed + (kinds[0] if segments is None else embedding(segments.long(), kinds))
    x = _normed(known.LayerNorm, placed.view(batch * length, width))
    for layer in body.encoder.layer:
        own, after = layer.attention.self, layer.attention.output
        heads = (batch, length, body.config.num_attention_heads, -1)
        queries, keys, values = (
            _product(one, x).view(heads).transpose(1, 2) for one in (own.query, own.key, own.value)
        )
        looked = scaled_dot_product_attention(queries, keys, values, seen).transpose(1, 2).reshape(x.shape)
        x = _normed(after.LayerNorm, _product(after.dense, looked) + x)
        inner = layer.intermediate.intermediate_act_fn(_product(layer.intermediate.dense, x))
        x = _normed(layer.output.LayerNorm, _product(layer.output.dense, inner) + x)
    return x.view(batch, length, width)


def _product(layer: nn.Linear, x: Tensor) -> Tensor:
    return linear(x, layer.weight, layer.bias)


def _normed(norm: nn.LayerNorm, x: Tensor) -> Tensor:
    return layer_norm(x, norm.normalized_shape, norm.weight, norm.bias, norm.eps)
