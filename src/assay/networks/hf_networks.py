"""Pretrained encoders of text, by `transformers`: from a model hub, or from a local folder.

`--network hf/NAME` takes a name of the hub, `--network hf/FOLDER` a folder with `config.json`, `model.safetensors` and
`tokenizer.json`, as `save_pretrained` writes them.

Shapes: B windows, T tokens, F features, O outputs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from assay.errors import MissingExtraError, SettingError
from assay.networks.head import set_head
from assay.task import NetworkKind, Situation
from assay.training.plan import Plan

if TYPE_CHECKING:
    from assay.samples.samples import Samples
    from assay.samples.text_spec import TextSpec

#: What `--network` begins with.
PREFIX = "hf/"
_HEAD_SAMPLES = 20_000
_MOST_EPOCHS = 4


@dataclass(frozen=True)
class HfSettings:
    """Hyper-parameters of a pretrained encoder with a head of ours.

    Attributes:
        model: what follows `hf/`: a name of the hub, or a folder.
        pretrained: start from trained weights.
        pooling: the features of a text are the `mean` over its tokens, or what stands at the `first` mark.
        dropout: before the head.
        body_rate: the learning rate of the body's last layer as a share of the head's.
        layer_decay: how much slower each layer learns than the one above it.
        freeze: keep the body as it is, train the head alone.
        config: the architecture as JSON, with which a finished run is built without the folder or the hub.
    """

    model: str = ""
    pretrained: bool = True
    pooling: Literal["mean", "first"] = "mean"
    dropout: float = 0.1
    body_rate: float = 0.1
    layer_decay: float = 0.9
    freeze: bool = False
    config: str = ""


class HfEncoder(nn.Module):
    """Tokens (B, T) to logits (B, O)."""

    def __init__(self, body: Any, outputs: int, settings: HfSettings) -> None:
        super().__init__()
        self.body: Any = body
        self.pooling, self.pretrained, self.freeze = settings.pooling, settings.pretrained, settings.freeze
        self.dropout = nn.Dropout(settings.dropout)
        self.head = nn.Linear(int(body.config.hidden_size), outputs)
        if settings.pretrained:
            self._slow_down(settings)

    def _slow_down(self, settings: HfSettings) -> None:
        """The lower a layer, the more general what it knows, and the slower it learns."""
        layers = int(self.body.config.num_hidden_layers)
        for name, parameter in self.body.named_parameters():
            number = next((int(part) for part in name.split(".") if part.isdecimal()), -1)
            parameter.learning_rate_scale = settings.body_rate * settings.layer_decay ** (layers - 1 - number)
            parameter.requires_grad = not settings.freeze

    def train(self, mode: bool = True) -> HfEncoder:
        """As in PyTorch; a frozen body stays as in evaluation."""
        super().train(mode)
        if self.freeze:
            self.body.eval()
        return self

    def features(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, F) of each window."""
        there = torch.ones_like(tokens, dtype=torch.bool) if mask is None else mask
        states: Tensor = self.body(input_ids=tokens.long(), attention_mask=there.long()).last_hidden_state
        if self.pooling == "first":
            return states[:, 0]
        weight = there[..., None].to(states.dtype)
        return (states * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """Tokens (B, T), and which of them are there (B, T) bool, to (B, O)."""
        logits: Tensor = self.head(self.dropout(self.features(tokens, mask)))
        return logits


def hf_kind() -> NetworkKind:
    """The entry `hf/`, whose rest names the model or folder."""
    summary = "a pretrained encoder of transformers' (hf/NAME or hf/FOLDER)"
    return NetworkKind(PREFIX, HfSettings, _build, _recipe, summary, fit_head, _portable, _features)


def context_of(model: str) -> int:
    """The most tokens that a pretrained encoder takes at once."""
    config = _config(HfSettings(model))
    reserved = int(config.pad_token_id or 0) + 1 if config.model_type in ("roberta", "xlm-roberta", "camembert") else 0
    return int(getattr(config, "max_position_embeddings", 512)) - reserved


@torch.no_grad()
def fit_head(network: nn.Module, samples: Samples, plan: Plan) -> None:
    """Start the head from a logistic regression on the body's features; targets that are no class keep a fresh one."""
    from assay.samples.split import TRAIN

    if not isinstance(network, HfEncoder) or not network.pretrained or samples.spec.target.kind != "class":
        return
    network.eval()
    view = samples.view(TRAIN).sample(_HEAD_SAMPLES, plan.seed)
    batches: list[Any] = list(view.batches(64, view.by_length()))
    features = torch.cat([network.features(batch.tokens, batch.mask) for batch in batches]).double().numpy()
    set_head(network.head, features, torch.cat([batch.target for batch in batches]).numpy())


def _build(spec: TextSpec, settings: HfSettings) -> nn.Module:
    transformers = _library()
    config = _config(settings)
    if settings.pretrained:
        try:
            body = transformers.AutoModel.from_pretrained(settings.model, dtype=torch.float32)
        except (OSError, ValueError) as error:
            raise SettingError(
                f"pretrained weights of {settings.model!r} could not be read ({_first_line(error)})",
                "Check the name and the network, give a local folder as hf/FOLDER, or --set pretrained=false.",
            ) from error
    else:
        body = transformers.AutoModel.from_config(config)
    return HfEncoder(body, spec.target.outputs, settings)


def _config(settings: HfSettings) -> Any:
    transformers = _library()
    if settings.config:
        values = json.loads(settings.config)
        return transformers.AutoConfig.for_model(values.pop("model_type"), **values)
    try:
        return transformers.AutoConfig.from_pretrained(settings.model)
    except (OSError, ValueError) as error:
        raise SettingError(
            f"{settings.model!r} is no model that transformers knows ({_first_line(error)})",
            "Check the name and the network, or give a local folder as hf/FOLDER.",
        ) from error


def _portable(settings: HfSettings) -> HfSettings:
    """Settings that need neither the folder nor the hub: a finished run holds all weights itself."""
    config = _config(settings).to_diff_dict()
    name = Path(settings.model).name if Path(settings.model).is_dir() else settings.model
    return replace(settings, model=name, pretrained=False, config=json.dumps(config))


def _features(settings: HfSettings) -> str:
    return "learned before, from other texts" if settings.pretrained else "learned from this data"


def _recipe(situation: Situation) -> tuple[HfSettings, Plan]:
    """Gentle steps from good weights, a few passes at most."""
    batch = 32
    plan = Plan(
        batch_size=batch,
        learning_rate=1e-3,
        weight_decay=0.01,
        warmup=0.1,
        steps=_MOST_EPOCHS * max(1, situation.samples // batch),
        checks=8,
        keep="best",
        gradient_clip=1.0,
    )
    return HfSettings(), plan


def _library() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise MissingExtraError("a pretrained network for text", "text") from error
    library: Any = transformers
    library.utils.logging.disable_progress_bar()
    library.utils.logging.set_verbosity_error()
    return library


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
