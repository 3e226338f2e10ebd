"""What takes a network's place answers as the network does; the graphs are the modules that an export is made of."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from assay.errors import SettingError
from assay.networks.beam_search import Search
from assay.networks.generation import Sampling, write_on
from assay.networks.language_model import LanguageModel, LanguageModelSettings
from assay.networks.seq2seq import Marks, Seq2Seq, Seq2SeqSettings
from assay.serving import cell_export, language_export, motion_export, speech_export, translation_export
from assay.serving.stand_in import StandIn, arrays_of, bind
from assay.task import Batch, Task
from export_examples import ModuleGraph, shaken
from translator_examples import translator_folder

MARKS = Marks(1, 2, 2)


def standing_in(module: Any, network: torch.nn.Module, batches: Any = None) -> Any:
    """What takes a network's place by an application's module, with its steps run by torch."""
    graphs = {step.name: ModuleGraph(step) for step in module.steps(network, batches)}
    task = SimpleNamespace(traits=SimpleNamespace(exported_by=module.__name__, asked=()))
    return module.stand_in(graphs, Task.asked(task, network))  # type: ignore[arg-type]


@pytest.mark.parametrize("counted", [0, 3])
def test_a_language_model_says_and_writes_the_same(counted: int) -> None:
    settings = LanguageModelSettings(depth=2, width=32, heads=2, buckets=16, counted=counted)
    network = shaken(LanguageModel(12, 16, settings, begin=1))
    assert isinstance(network, LanguageModel)
    if counted:
        random = np.random.default_rng(0)
        network.counts.count([random.integers(2, 12, 200)], [random.integers(2, 12, 50)])
        network.trust, network.trust_by_length = torch.randn(32), torch.randn(4)
    place = standing_in(language_export, network)
    tokens, targets = (torch.randint(2, 12, (3, 9)) for _ in range(2))
    with torch.no_grad():
        wanted = network.losses(tokens, targets).numpy()
    assert place.losses(tokens.numpy(), targets.numpy()) == pytest.approx(wanted, abs=1e-4)
    for how in (Sampling(temperature=0), Sampling(seed=3)):
        own, other = (list(write_on(lambda room, one=one: one.decoding(1, room), [1, 5, 6, 7], 30, 16, how))
                      for one in (network, place))  # fmt: skip
        assert [token for token, _ in own] == [token for token, _ in other]
        assert [log for _, log in own] == pytest.approx([log for _, log in other], abs=1e-3)


@pytest.mark.parametrize("target_size", [None, 15])
def test_a_translator_finds_the_same(target_size: int | None) -> None:
    settings = Seq2SeqSettings(depth=1, decoder_depth=2, width=32, heads=2, ngrams=2, buckets=16)
    network = shaken(Seq2Seq(15, target_size, 24, MARKS, settings))
    assert isinstance(network, Seq2Seq)
    source, mask = torch.randint(4, 15, (4, 7)), torch.arange(7) < torch.tensor([[7], [3], [5], [0]])
    batches = [
        SimpleNamespace(tokens=source[:rows, :length], mask=mask[:rows, :length]) for rows, length in ((2, 7), (3, 5))
    ]
    place = standing_in(translation_export, network, batches)
    how, longest = Search(MARKS.begin, MARKS.end, beams=3, never=(0,)), [9, 4, 7, 0]
    wanted = network.search(source, mask, longest, how)
    found = place.search(source.numpy(), mask.numpy(), longest, how)
    assert [[one.ids for one in text] for text in found] == [[one.ids for one in text] for text in wanted]
    scores = [[[one.score for one in text] for text in texts] for texts in (found, wanted)]
    assert np.concatenate(scores[0]) == pytest.approx(np.concatenate(scores[1]), abs=1e-4)


@pytest.mark.parametrize(("kind", "first"), [("marian", None), ("t5", None), ("marian", 7)])
def test_a_pretrained_translator_finds_the_same(kind: str, first: int | None, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    from assay.networks.hf_loading import load_body
    from assay.networks.hf_seq2seq import HfSeq2Seq, HfSeq2SeqSettings

    model = load_body(HfSeq2SeqSettings(str(translator_folder(tmp_path, kind))), "AutoModelForSeq2SeqLM")
    model.generation_config.forced_bos_token_id = first
    network = HfSeq2Seq(model, [4], [2]).eval()
    source, mask = torch.randint(5, 22, (4, 7)), torch.arange(7) < torch.tensor([[7], [3], [5], [1]])
    batches = [SimpleNamespace(tokens=source[:rows, :size], mask=mask[:rows, :size]) for rows, size in ((2, 7), (3, 5))]
    place = standing_in(translation_export, network, batches)
    how, longest = Search(network.marks.begin, network.marks.end, beams=3, never=(0,)), [9, 4, 7, 5]
    wanted = network.search(source, mask, longest, how)
    found = place.search(source.numpy(), mask.numpy(), longest, how)
    assert [[one.ids for one in text] for text in found] == [[one.ids for one in text] for text in wanted]
    scores = [[one.score for text in texts for one in text] for texts in (found, wanted)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-4)


def test_a_drive_is_followed_frame_by_frame() -> None:
    from assay.networks.motion_net import MotionNet, MotionSettings
    from assay.samples.route_spec import RouteSpec

    network = shaken(MotionNet(RouteSpec(("wheel_rl", "wheel_rr", "gyro_z"), (1.0, 1.0, 0.1)), MotionSettings(width=8)))
    place = standing_in(motion_export, network)
    torch.manual_seed(0)
    sensors, present = torch.randn(2, 37, 3), torch.rand(2, 37, 3) > 0.2
    with torch.no_grad():
        wanted, _ = network(sensors, present)
    found, _ = place(sensors.numpy(), present.numpy())
    for name in ("local", "noise", "checks"):
        assert getattr(found, name) == pytest.approx(getattr(wanted, name).numpy(), abs=1e-3)
    assert place.beginnings() == pytest.approx(network.beginnings())  # type: ignore[operator]
    empty, _ = place(sensors.numpy()[:, :0], present.numpy()[:, :0])
    assert empty.local.shape == (2, 0, 3)


def test_speech_is_heard_the_same_whatever_its_length() -> None:
    from assay.networks.speech_ctc import SpeechCtc, SpeechCtcSettings

    network = shaken(SpeechCtc(9, SpeechCtcSettings(depth=1, width=32), 8000))
    sound = 0.1 * torch.randn(3, 4000)
    mask = torch.arange(4000) < torch.tensor([[4000], [2500], [90]])
    batches = [
        SimpleNamespace(sound=sound[:2], mask=mask[:2]),
        SimpleNamespace(sound=sound[:, :3000], mask=mask[:, :3000]),
    ]
    place = standing_in(speech_export, network, batches)
    with torch.no_grad():
        wanted = network(sound, mask).numpy()
        short = network(sound[:, :90], mask[:, :90]).numpy()
    lengths = mask.sum(1)
    assert place(sound.numpy(), mask.numpy()) == pytest.approx(wanted, abs=1e-3)
    assert place(sound.numpy()[:, :90], mask.numpy()[:, :90]).shape == short.shape
    assert place.frames(lengths.numpy()).tolist() == network.frames(lengths).tolist()  # type: ignore[operator]
    assert (place.rate, place.seconds_per_frame) == (8000, network.seconds_per_frame)


@pytest.mark.parametrize("beams", [1, 3])
def test_a_network_of_whispers_kind_writes_the_same_and_looks_at_the_same_places(beams: int) -> None:
    pytest.importorskip("transformers")
    from assay.networks.hf_speech import HfSpeech
    from assay.networks.speech_marks import SpeechMarks
    from whisper_examples import random_whisper

    network = HfSpeech(random_whisper(init_std=0.5), SpeechMarks(50, 51, 52), "", 0.0).eval()
    torch.manual_seed(0)
    mask = torch.arange(20_000) < torch.tensor([[9000], [20_000], [15_000]])
    sound = 0.1 * torch.randn(3, 20_000) * mask
    place = standing_in(speech_export, network)
    how, longest = Search(52, 51, beams, never=tuple(range(52, 60)), never_first=(51,)), [6, 11, 4]
    wanted = network.transcripts(sound, mask, longest, how, True)
    found = place.transcripts(sound.numpy(), mask.numpy(), longest, how, True)
    for one, other in zip(found, wanted, strict=True):
        assert one.ids == other.ids and one.log_probability == pytest.approx(other.log_probability, abs=1e-3)
        assert one.nats == pytest.approx(other.nats, abs=1e-3)
        shares = np.asarray(other.shares)
        assert one.shares[:, : len(one.ids) + 1] == pytest.approx(shares[..., : one.shares.shape[2]], abs=1e-4)
    bare = place.transcripts(sound.numpy(), mask.numpy(), longest, how, False)
    assert [one.ids for one in bare] == [one.ids for one in wanted] and bare[0].shares is None
    assert (place.marks.end, place.most, place.vocabulary) == (51, network.most, 60)


def test_cells_are_found_the_same_with_as_many_views_alone() -> None:
    from assay.networks.cell_decoding import Deciding, tile_cells
    from assay.networks.cell_network import CellNetwork
    from assay.networks.image_networks import Pixels
    from assay.networks.unet import SmallEncoder, UNet
    from assay.samples.cell_spec import CellSpec
    from assay.samples.cell_tiles import Tile

    spec = CellSpec(64, 16, (128.0,) * 3, (50.0,) * 3, ("a", "b"), True, 6.0, 5.0, 1e-3, 8, True)
    body = UNet(SmallEncoder(3, (8, 8), 1), 3, (8,), 5, stride=2, views=2)
    network = shaken(CellNetwork(Pixels(spec.mean, spec.deviation), body, 2, True))
    with torch.no_grad():
        body.head.bias[0], body.head.bias[-2:] = 3.0, 4.0  # all of it is cell
    image = torch.randint(0, 255, (3, 3, 64, 64), dtype=torch.uint8)
    place = standing_in(cell_export, network, [SimpleNamespace(image=image[:2]), SimpleNamespace(image=image)])
    numbers = np.stack([Tile(0, 0, 64, 64, 0, 64, 0, 64, 64, 64).numbers] * 3)
    how = Deciding(0.05, 2)
    with torch.no_grad():
        wanted = tile_cells(network, image, torch.from_numpy(numbers), spec, how)
    found = tile_cells(place, image.numpy(), numbers, spec, how)
    assert sum(map(len, wanted)) > 0
    for one, other in zip(found, wanted, strict=True):
        assert one.places == pytest.approx(other.places, abs=1e-3)
        assert one.label.tolist() == other.label.tolist()
    with pytest.raises(SettingError, match="2 views, not of 4"):
        tile_cells(place, image.numpy(), numbers, spec, Deciding(0.05, 4))
    assert float(place.threshold) == pytest.approx(0.3)


def test_a_graph_is_called_as_the_network_is() -> None:
    assert bind(("a", "b"), (1, None, 2), {}) == {"a": 1, "b": 2}
    assert bind(("a", "b"), (1,), {"b": 2, "c": 3}) == {"a": 1, "b": 2}
    with pytest.raises(SettingError, match="takes a, b"):
        bind(("a", "b"), (1,), {})
    place = StandIn({"model": lambda value: (value + 1,)}, {"threshold": 0.5, "trust": [1.0, 2.0]})  # type: ignore[dict-item]
    assert place(1) == 2 and place.threshold == 0.5 and place.trust.tolist() == [1.0, 2.0]
    assert not hasattr(place, "nothing")


def test_a_batch_of_tensors_becomes_one_of_arrays() -> None:
    given = arrays_of(Batch(index=torch.arange(3)))
    assert isinstance(given.index, np.ndarray) and given.mask is None
    assert arrays_of(given) is given
