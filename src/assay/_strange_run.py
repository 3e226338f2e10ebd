"""What is refused of a run folder that somebody else made: links, and a network that asks for more than its weights.

Nothing in a run folder is executed whoever made it; what is checked here are other ways to do harm: a link that makes
Assay read something else, settings that fetch files, and sizes that fill the memory.
"""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import RunError

if TYPE_CHECKING:
    from torch import Tensor

    from assay.task import NetworkKind, Spec

#: A JSON file of a run that is larger is not read.
MOST_JSON_BYTES = 256 << 20
#: What a hyper-parameter may be whatever the weights are.
_PLAIN_NUMBER = 1 << 16
#: The most values of an input that a spec of a run may speak of.
_MOST_VALUES = 1 << 31
_COPY = "Copy the file itself into the run, if you trust where it came from."


def check_plain(folder: Path, below: bool = False) -> None:
    """Raise `RunError` for what is no plain file or folder in a folder, such as a link; `below`: in all below, too."""
    for path in _entries(folder, below):
        try:
            mode = os.lstat(path).st_mode
        except OSError as error:
            raise RunError(f"{path} cannot be read ({error.strerror or error})", "Check its permissions.") from error
        if stat.S_ISLNK(mode):
            raise RunError(f"{path} is a link to something else", _COPY)
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise RunError(f"{path} is no file", _COPY)


def _entries(folder: Path, below: bool) -> Iterator[Path]:
    try:
        found = sorted(folder.iterdir())
    except OSError as error:
        raise RunError(f"{folder} cannot be read ({error.strerror or error})", "Check its permissions.") from error
    for path in found:
        yield path
        if below and path.is_dir() and not path.is_symlink():
            yield from _entries(path, below)


def check_network(kind: NetworkKind, spec: Spec, settings: Any, stored: Mapping[str, Tensor]) -> None:
    """Raise `ValueError` where a stored network is not one that its weights make, before it takes any memory.

    Args:
        kind: the network's.
        spec: what a sample is.
        settings: its hyper-parameters.
        stored: its weights.
    """
    _check_settings(settings, sum(value.numel() for value in stored.values()))
    sizes = [getattr(spec, name, 1) for name in ("channels", "depth", "height", "width")]
    if math.prod(size for size in sizes if isinstance(size, int)) > _MOST_VALUES:
        raise ValueError("its inputs are larger than any memory")
    for name, value in stored.items():
        if value.is_floating_point() and bool(value.isnan().any()):
            raise ValueError(f"the weights {name!r} are no numbers")
    known, own = _shapes(kind, spec, settings) or ({}, ("",))
    for name, value in stored.items():
        if name.startswith(own):
            continue
        if name not in known:
            raise ValueError(f"the network has no weights {name!r}")
        shape, is_float = known[name]
        if tuple(value.shape) != shape or value.is_floating_point() != is_float:
            raise ValueError(f"the weights {name!r} have the wrong form")


def _check_settings(settings: Any, weights: int) -> None:
    """Raise `ValueError` for settings that ask for files, or for more than the weights can be of."""
    values = vars(settings)
    if values.get("pretrained") or ("config" in values and "model" in values and not values["config"]):
        raise ValueError("its network asks for weights from elsewhere")
    if "marks" in values and not values["marks"]:
        raise ValueError("its network asks for a file from elsewhere")
    architecture = values.get("architecture", "")
    if isinstance(architecture, str) and ("/" in architecture or "\\" in architecture):
        raise ValueError("its network asks for a folder from elsewhere")
    for name, value in values.items():
        if isinstance(value, int) and abs(value) > max(_PLAIN_NUMBER, weights):
            raise ValueError(f"its network's {name} is {value}, but it has {weights} weights")


def _shapes(
    kind: NetworkKind, spec: Spec, settings: Any
) -> tuple[dict[str, tuple[tuple[int, ...], bool]], tuple[str, ...]] | None:
    """By name the shape of each weight of a network, and whether it is of fractions; how others begin.

    The network is built without memory behind its weights; None where it cannot be. Others are those of modules that
    take what is stored as it is, and check it themselves.
    """
    import torch
    from torch import nn

    try:
        with torch.device("meta"):
            skeleton = kind.build(spec, settings)
        state = skeleton.state_dict()
    except Exception:
        return None
    own = tuple(
        f"{name}."
        for name, module in skeleton.named_modules()
        if type(module)._load_from_state_dict is not nn.Module._load_from_state_dict
        and not type(module).__module__.startswith("torch.")
    )
    return {name: (tuple(value.shape), value.is_floating_point()) for name, value in state.items()}, own
