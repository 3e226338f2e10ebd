"""Pretrained networks of `transformers`, from a model hub or a local folder, and what a finished run needs of them.

`hf/NAME` takes a name of the hub, `hf/FOLDER` a folder with `config.json`, `model.safetensors` and `tokenizer.json`, as
`save_pretrained` writes them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from assay.errors import MissingExtraError, SettingError
from assay.networks.dropout import Dropout
from assay.training.ranges import BODY_RATE, Range, searched

#: What `--network` begins with.
PREFIX = "hf/"


@dataclass(frozen=True)
class HfBodySettings:
    """Where a pretrained network comes from, and how much of it learns on.

    Attributes:
        model: what follows `hf/`: a name of the hub, or a folder.
        pretrained: start from trained weights.
        body_rate: the learning rate of the body's last layer as a share of the head's.
        layer_decay: how much slower each layer learns than the one above it.
        freeze: keep the body as it is, train the head alone.
        freeze_embeddings: keep the vectors of the tokens as they are.
        config: the architecture as JSON, with which a finished run is built without the folder or the hub.
    """

    model: str = ""
    pretrained: bool = True
    body_rate: float = searched(0.1, BODY_RATE)
    layer_decay: float = searched(0.9, Range(0.7, 1.0))
    freeze: bool = False
    freeze_embeddings: bool = False
    config: str = ""


#: Entries of a configuration that name code or kernels of the hub, or another form of the weights.
_FETCHING = {
    "auto_map", "_attn_implementation", "attn_implementation", "_experts_implementation", "experts_implementation",
    "quantization_config", "_name_or_path", "custom_pipelines",
}  # fmt: skip

S = TypeVar("S", bound=HfBodySettings)


def load_body(settings: HfBodySettings, family: str = "AutoModel") -> Any:
    """The network, with trained weights where the settings say so.

    Args:
        settings: where it comes from.
        family: the class of transformers that builds it.

    Raises:
        SettingError: there is no such model, or the hub cannot be reached.
        MissingExtraError: transformers is not installed.
    """
    maker = getattr(library(), family)
    config = _without_attention_dropout(config_of(settings))
    if not settings.pretrained:
        return _with_quick_dropout(maker.from_config(config))
    try:
        body = maker.from_pretrained(settings.model, config=config, dtype=torch.float32)
    except (OSError, ValueError) as error:
        raise SettingError(
            f"pretrained weights of {settings.model!r} could not be read ({_first_line(error)})",
            "Check the name and the network, give a local folder as hf/FOLDER, or --set pretrained=false.",
        ) from error
    _slow_down(body, settings)
    return _with_quick_dropout(body)


def _without_attention_dropout(config: Any) -> Any:
    """The architecture, whose attention then is one quick operation; a fifth of a step on a CPU was random numbers."""
    for name in ("attention_probs_dropout_prob", "attention_dropout"):
        if getattr(config, name, None):
            setattr(config, name, 0.0)
    return config


def _with_quick_dropout(network: nn.Module) -> nn.Module:
    """The same network, in place, with cheap random numbers (see `dropout.py`)."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if type(child) is nn.Dropout and child.p:
                setattr(module, name, Dropout(child.p))
    return network


def _slow_down(body: Any, settings: HfBodySettings) -> None:
    """The lower a layer, the more general what it knows, and the slower it learns."""
    layers = int(body.config.num_hidden_layers)
    embeddings = {id(parameter) for parameter in body.get_input_embeddings().parameters()}
    for name, parameter in body.named_parameters():
        number = next((int(part) for part in name.split(".") if part.isdecimal()), -1)
        parameter.learning_rate_scale = settings.body_rate * settings.layer_decay ** (layers - 1 - number)
        parameter.requires_grad = not (settings.freeze or (settings.freeze_embeddings and id(parameter) in embeddings))


def config_of(settings: HfBodySettings) -> Any:
    """The architecture, out of the settings, the folder or the hub; raises `SettingError` where there is none."""
    known = library().AutoConfig
    if settings.config:
        values = _plain(json.loads(settings.config))
        return known.for_model(values.pop("model_type"), **values)
    try:
        return known.from_pretrained(settings.model)
    except (OSError, ValueError) as error:
        raise SettingError(
            f"{settings.model!r} is no model that transformers knows ({_first_line(error)})",
            "Check the name and the network, or give a local folder as hf/FOLDER.",
        ) from error


def _plain(values: Any) -> Any:
    """A stored architecture without what makes transformers fetch or run anything else."""
    if isinstance(values, dict):
        return {key: _plain(value) for key, value in values.items() if key not in _FETCHING}
    return values


def check_vocabulary(body: Any, size: int, model: str) -> None:
    """Raise `SettingError` where a tokeniser has more tokens than the network has vectors: it is not its own."""
    held = int(body.get_input_embeddings().weight.shape[0])
    if size > held:
        raise SettingError(
            f"the texts were cut into {size} kinds of tokens, but {model!r} knows {held}",
            "Train with the tokeniser that came with the network.",
        )


def context_of(model: str) -> int:
    """The most tokens that a pretrained encoder takes at once."""
    config = config_of(HfBodySettings(model))
    reserved = int(config.pad_token_id or 0) + 1 if config.model_type in ("roberta", "xlm-roberta", "camembert") else 0
    return int(getattr(config, "max_position_embeddings", 512)) - reserved


def portable(settings: S) -> S:
    """Settings that need neither the folder nor the hub: a finished run holds all weights itself."""
    config = config_of(settings).to_diff_dict()
    name = Path(settings.model).name if Path(settings.model).is_dir() else settings.model
    return replace(settings, model=name, pretrained=False, config=json.dumps(config))


def origin_of_features(settings: HfBodySettings) -> str:
    """Where the features come from, for the comparison with a classical model."""
    return "learned before, from other texts" if settings.pretrained else "learned from this data"


def library() -> Any:
    """The package `transformers`, made quiet."""
    try:
        import transformers
    except ImportError as error:
        raise MissingExtraError("a pretrained network for text", "text") from error
    found: Any = transformers
    found.utils.logging.disable_progress_bar()
    found.utils.logging.set_verbosity_error()
    return found


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
