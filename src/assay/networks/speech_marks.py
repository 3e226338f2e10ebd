"""The tokens that steer a pretrained network of Whisper's kind, and the settings that say which network it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.errors import SettingError
from assay.networks.hf_loading import HfBodySettings, config_of, library
from assay.training.ranges import Range, searched

#: Tokens before a transcript, at most: the start, the language, what to do, and that no times are written.
_STEERING = 4


@dataclass(frozen=True)
class HfSpeechSettings(HfBodySettings):
    """Hyper-parameters of a pretrained network that transcribes; it has no head of ours, so `body_rate` is of all.

    Attributes:
        context_s: seconds that the encoder hears at least, silence behind the window; 30 as it was trained, 0 for as
            long as the window.
        freeze_encoder: keep what hears as it is, and train what writes.
        marks: the tokens that steer it, as JSON, with which a finished run is built without the folder or the hub.
    """

    body_rate: float = 1.0
    layer_decay: float = searched(1.0, Range(0.7, 1.0))
    context_s: float = 0.0
    freeze_encoder: bool = False
    marks: str = ""


@dataclass(frozen=True)
class SpeechMarks:
    """The tokens that steer a network of Whisper's kind.

    Attributes:
        start: begins every text.
        end: ends it.
        plain: says that no times are to be written; None where there is no such.
        first: tokens that no text begins with.
        languages: by code; empty for a network of one language.
        transcribe: says that nothing is to be translated; None where there is no such.
        heads: layer and number of the heads that look at where a token is spoken; empty where that is not known.
    """

    start: int
    end: int
    plain: int | None
    first: tuple[int, ...] = ()
    languages: Mapping[str, int] | None = None
    transcribe: int | None = None
    heads: tuple[tuple[int, int], ...] = ()

    @staticmethod
    def of(settings: HfSpeechSettings) -> SpeechMarks:
        """Out of the settings, the folder or the hub; raises `SettingError` where they do not say."""
        data = json.loads(settings.marks) if settings.marks else _generation(settings.model)
        start, end = data.get("decoder_start_token_id"), data.get("eos_token_id")
        if start is None or end is None:
            raise SettingError(
                f"the configuration of {settings.model!r} does not say which tokens a transcript begins and ends with",
                "Give a network that was trained to transcribe, with its generation_config.json.",
            )
        languages = {str(name).strip("<|>"): int(token) for name, token in (data.get("lang_to_id") or {}).items()}
        return SpeechMarks(
            int(start),
            int(end[0] if isinstance(end, list) else end),
            data.get("no_timestamps_token_id"),
            tuple(data.get("begin_suppress_tokens") or ()),
            languages or None,
            (data.get("task_to_id") or {}).get("transcribe"),
            tuple((int(layer), int(head)) for layer, head in data.get("alignment_heads") or ()),
        )

    def prefix(self, language: str) -> list[int]:
        """The tokens before a text; raises `SettingError` where a network of many languages is not told which."""
        found = [self.start]
        if self.languages is not None:
            code = language.lower().replace("_", "-").split("-")[0]
            if code not in self.languages:
                raise SettingError(
                    f"the network knows {len(self.languages)} languages and is not told which one is spoken"
                    if not code
                    else f"the network does not know the language {language!r}",
                    f"Give --language, one of {', '.join(sorted(self.languages))}.",
                )
            found.append(self.languages[code])
            found += [] if self.transcribe is None else [self.transcribe]
        return found + ([] if self.plain is None else [self.plain])


def most_tokens(model: str) -> int:
    """The most tokens of a transcript that a pretrained network has places for, those that steer it left out."""
    return places_for(config_of(HfSpeechSettings(model)))


def places_for(config: Any) -> int:
    """The same by the configuration of transformers'."""
    return max(1, int(getattr(config, "max_target_positions", 448)) - _STEERING)


def marks_of(settings: HfSpeechSettings) -> str:
    """The steering tokens as JSON, for `HfSpeechSettings.marks`."""
    return settings.marks or json.dumps(_generation(settings.model))


def _generation(model: str) -> dict[str, Any]:
    try:
        found = library().GenerationConfig.from_pretrained(model).to_dict()
    except (OSError, ValueError) as error:
        raise SettingError(
            f"{model!r} has no generation_config.json, which says how a transcript begins",
            "Give a folder that transformers saved a Whisper network in, or check the name and the network.",
        ) from error
    names = (
        "decoder_start_token_id", "eos_token_id", "no_timestamps_token_id", "begin_suppress_tokens", "lang_to_id",
        "task_to_id", "alignment_heads",
    )  # fmt: skip
    return {name: found[name] for name in names if found.get(name) is not None}
