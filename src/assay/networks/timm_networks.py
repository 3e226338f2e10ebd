"""Any image network that `timm` knows, with pretrained weights from its hub or from a local folder.

`--network timm/resnet18` takes the architecture (with hub weights where `pretrained=true`, the default);
`--network timm/PATH` takes a folder with `config.json` and `model.safetensors`, as `timm` and its hub write them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from assay.errors import MissingExtraError, SettingError, did_you_mean
from assay.networks.head import set_head
from assay.networks.quick_convolutions import quicken
from assay.samples.image_spec import ImageSpec
from assay.task import NetworkKind, Situation
from assay.training.plan import Plan
from assay.training.precision import multiplies_bfloat16
from assay.training.ranges import BODY_RATE, SHARE, SKIPPED, searched

if TYPE_CHECKING:
    from assay.samples.samples import Samples

#: Enough to fit a head on; more would take longer than they are worth.
_HEAD_SAMPLES = 20_000
#: With fewer samples than this, only so large a share of the body is trained.
_FEW, _TRAINED_FEW = 5000, 0.15


@dataclass(frozen=True)
class TimmSettings:
    """Hyper-parameters of a network of timm's.

    Attributes:
        architecture: what follows `timm/`: a name of timm's, or a folder.
        pretrained: start from trained weights.
        dropout: before the last layer.
        stochastic_depth: the share of blocks skipped at each training step, where the network knows it.
        body_rate: the body's learning rate as a share of the head's, where the weights are pretrained.
        freeze: keep the pretrained body as it is, train the head alone.
        trained: the share of a pretrained body's tensors, counted from the head, that are trained; the others stay as
            they are, and no gradient has to be sent through them.
        keep_statistics: keep the means and variances of the pretrained body's batch normalisation, which few samples
            would only blur.
    """

    architecture: str = ""
    pretrained: bool = True
    dropout: float = searched(0.0, SHARE)
    stochastic_depth: float = searched(0.0, SKIPPED)
    body_rate: float = searched(0.1, BODY_RATE)
    freeze: bool = False
    trained: float = 1.0
    keep_statistics: bool = True


class TimmBody(nn.Module):
    """A network of timm's with a head for our outputs."""

    def __init__(self, model: Any, settings: TimmSettings) -> None:
        super().__init__()
        self.model: Any = model
        head = {id(parameter) for parameter in model.get_classifier().parameters()}
        body = [parameter for parameter in model.parameters() if id(parameter) not in head and settings.pretrained]
        train_gently(body, settings.body_rate, 0.0 if settings.freeze else settings.trained)
        self.freeze, self.pretrained = settings.freeze, settings.pretrained
        self.keep_statistics = settings.pretrained and settings.keep_statistics

    def train(self, mode: bool = True) -> TimmBody:
        """As in PyTorch; a frozen body, or the normalisation alone, stays as in evaluation."""
        super().train(mode)
        if self.freeze:
            self.model.eval()
        elif self.keep_statistics:
            normalise_by_statistics(self.model)
        return self

    def features(self, x: Tensor) -> Tensor:
        """(B, F) pooled features."""
        pooled: Tensor = self.model.forward_head(self.model.forward_features(x), pre_logits=True)
        return pooled

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) standardised pixels to (B, outputs)."""
        logits: Tensor = self.model(x)
        return logits


def timm_kind(wrap: Callable[..., nn.Module]) -> NetworkKind:
    """The entry `timm/`, whose rest names the architecture or folder."""

    def build(spec: ImageSpec, settings: TimmSettings) -> nn.Module:
        options: dict[str, Any] = {"num_classes": spec.target.outputs, "drop_rate": settings.dropout}
        if settings.stochastic_depth:
            options["drop_path_rate"] = settings.stochastic_depth
        model, config = create_timm(settings.architecture, settings.pretrained, spec.channels, options)
        mean, deviation = wanted_scale(config, spec.channels, 255.0)
        quicken(model, spec.channels, settings.pretrained and settings.keep_statistics)
        return wrap(spec, TimmBody(model, settings), mean, deviation)

    summary = "any network of timm's, pretrained (timm/NAME or timm/FOLDER)"
    return NetworkKind(
        "timm/", TimmSettings, build, _recipe, summary, prepare=fit_head, portable=portable, features=timm_features
    )


def train_gently(pretrained: Iterable[nn.Parameter], rate: float, trained: float = 1.0) -> None:
    """Let pretrained tensors learn at a share of the learning rate, and only the last of them, a share `trained`."""
    every = list(pretrained)
    kept = round((1 - trained) * len(every))
    for place, parameter in enumerate(every):
        parameter.learning_rate_scale = rate  # type: ignore[attr-defined]
        parameter.requires_grad = place >= kept


def normalise_by_statistics(model: nn.Module) -> None:
    """Let a model's batch normalisation use the means and variances that it has, and leave them as they are."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def timm_features(settings: Any) -> str:
    """Where the features come from, of settings with `pretrained`: see `NetworkKind.features`."""
    return "learned before, from other images" if settings.pretrained else "learned from this data"


@torch.no_grad()
def fit_head(network: nn.Module, samples: Samples, plan: Plan) -> None:
    """Start the head of a pretrained network from a logistic regression on its features (`set_head`).

    Targets that are no class keep a fresh head.
    """
    from assay.samples.split import TRAIN

    body: Any = getattr(network, "body", None)
    if not isinstance(body, TimmBody) or not body.pretrained or samples.spec.target.kind != "class":
        return
    network.eval()
    view = samples.view(TRAIN).sample(_HEAD_SAMPLES, plan.seed)
    look: Any = network
    batches: list[Any] = list(view.batches(64))
    features = torch.cat([look.features(batch.image) for batch in batches]).double().numpy()
    set_head(body.model.get_classifier(), features, torch.cat([batch.target for batch in batches]).numpy())


def portable(settings: Any) -> Any:
    """Settings that need neither the folder nor the hub: a finished run holds all weights itself.

    Args:
        settings: a dataclass with `architecture`, by timm's name or a folder, and `pretrained`.
    """
    config = Path(settings.architecture) / "config.json"
    name = str(_read_config(config)["architecture"]) if config.exists() else settings.architecture
    return replace(settings, architecture=name, pretrained=False)


def wanted_size(architecture: str) -> int | None:
    """The side of the images that a local folder's weights were trained on; None where that is not known offline."""
    config = Path(architecture) / "config.json"
    if not config.exists():
        return None
    size = _read_config(config).get("pretrained_cfg", {}).get("input_size", [3, 224, 224])
    return int(size[-1])


def create_timm(
    architecture: str, pretrained: bool, channels: int, options: dict[str, Any]
) -> tuple[Any, dict[str, Any]]:
    """A model of timm's and its `pretrained_cfg`.

    Args:
        architecture: a name of timm's, or a folder with `config.json` and `model.safetensors`.
        pretrained: with trained weights, of the folder or the hub.
        channels: of an image.
        options: what else `timm.create_model` takes, such as `features_only=True`.

    Raises:
        SettingError: there is no such network, or its weights cannot be had.
        MissingExtraError: timm is not installed.
    """
    try:
        import timm
    except ImportError as error:
        raise MissingExtraError("a network of timm's", "timm") from error
    folder, options = Path(architecture), {**options, "in_chans": channels}
    if (folder / "config.json").exists():
        return _from_folder(timm, folder, options, pretrained)
    if not timm.is_model(architecture.split(".")[0]):
        raise SettingError(
            f"timm knows no network {architecture!r}", did_you_mean(architecture, timm.list_models()[:2000])
        )
    try:
        model: Any = timm.create_model(architecture, pretrained=pretrained, **options)
    except (OSError, RuntimeError) as error:
        raise SettingError(
            f"pretrained weights of {architecture!r} could not be fetched",
            "Check the network, give a local folder as timm/FOLDER, or --set pretrained=false.",
        ) from error
    return model, dict(model.pretrained_cfg)


@contextmanager
def unwarned() -> Iterator[None]:
    """Without timm's warning that the weights hold a head, too, which feature maps have no use for."""
    logger = logging.getLogger("timm.models._builder")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _from_folder(timm: Any, folder: Path, options: dict[str, Any], pretrained: bool) -> tuple[Any, dict[str, Any]]:
    config = _read_config(folder / "config.json")
    overlay = {
        **config.get("pretrained_cfg", {}),
        "file": str(folder / "model.safetensors"),
        "num_classes": config["num_classes"],
    }
    try:
        model = timm.create_model(
            config["architecture"], pretrained=pretrained, pretrained_cfg_overlay=overlay, **options
        )
    except (OSError, RuntimeError, KeyError) as error:
        raise SettingError(
            f"the weights in {folder} do not fit {config.get('architecture')!r} ({error})",
            "Save architecture and weights together, as timm.models.save_for_hf does.",
        ) from error
    return model, {**getattr(model, "pretrained_cfg", overlay), **config.get("pretrained_cfg", {})}


def _read_config(file: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads(file.read_text())
    except ValueError as error:
        raise SettingError(f"{file} is not readable as JSON ({error})", "Download or save the folder again.") from error
    return config


def wanted_scale(config: dict[str, Any], channels: int, largest: float) -> tuple[list[float], list[float]]:
    """Mean and deviation of each channel, in pixel values, by which pretrained weights want images standardised.

    Args:
        config: a `pretrained_cfg`.
        channels: of an image.
        largest: the largest pixel value.
    """
    mean, deviation = ([largest * float(value) for value in config[name]] for name in ("mean", "std"))
    if len(mean) != channels:
        return [sum(mean) / len(mean)] * channels, [sum(deviation) / len(deviation)] * channels
    return mean, deviation


def _recipe(situation: Situation) -> tuple[TimmSettings, Plan]:
    """Gentle steps from good weights; of few samples the last layers alone learn, which is also much quicker."""
    batch = 32
    plan = Plan(
        batch_size=batch,
        optimizer="adamw",
        learning_rate=5e-4,
        weight_decay=0.02,
        warmup=0.15,
        schedule="cosine",
        averaging=0.99,
        augment={"flip": 0.5, "crop": 0.5, "turn": 10.0, "jitter": 0.2},
        steps=30 * max(1, situation.samples // batch),
        checks=6,
        keep="best",
        precision="bfloat16" if multiplies_bfloat16() else "float32",
    )
    return TimmSettings(trained=_TRAINED_FEW if situation.samples < _FEW else 1.0), plan


__all__ = [
    "TimmBody",
    "TimmSettings",
    "create_timm",
    "normalise_by_statistics",
    "portable",
    "timm_features",
    "timm_kind",
    "train_gently",
    "unwarned",
    "wanted_scale",
    "wanted_size",
]
