"""Pretrained translators: their search is that of `transformers` itself, and padding changes no loss."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from assay.errors import SettingError
from assay.networks.beam_search import Search
from assay.networks.hf_loading import HfBodySettings, check_vocabulary, load_body, portable
from assay.networks.hf_seq2seq import HfSeq2Seq, HfSeq2SeqSettings
from translator_examples import translator_folder

pytest.importorskip("transformers")

FAMILY = "AutoModelForSeq2SeqLM"
SOURCE = torch.tensor([[5, 6, 7, 8, 9], [9, 8, 7, 0, 0], [4, 5, 6, 7, 0]])
MASK = torch.tensor([[1] * 5, [1, 1, 1, 0, 0], [1, 1, 1, 1, 0]]).bool()


@pytest.mark.parametrize(("kind", "most"), [("marian", 3), ("t5", 1)])
def test_its_search_is_that_of_transformers(kind: str, most: int, tmp_path: Path) -> None:
    # The T5 drawn here ends no text by itself, and transformers takes an end that it forces for certain.
    settings = HfSeq2SeqSettings(str(translator_folder(tmp_path, kind)))
    network = HfSeq2Seq(load_body(settings, FAMILY), [], [2]).eval()
    for beams in {1, most}:
        how = Search(network.marks.begin, network.marks.end, beams, 1.0)
        found = network.search(SOURCE, MASK, [12] * 3, how)
        for row in range(3):
            ids = torch.cat([SOURCE[row][MASK[row]], torch.tensor([2])])[None]
            theirs = network.model.generate(
                input_ids=ids, num_beams=beams, length_penalty=1.0, max_new_tokens=13, do_sample=False,
                early_stopping=True, forced_eos_token_id=2,
            )  # fmt: skip
            wanted = [token for token in theirs[0].tolist()[1:] if token != 2]
            assert list(found[row][0].ids) == wanted


@pytest.mark.parametrize("kind", ["marian", "t5"])
def test_padding_changes_no_loss_and_the_search_gives_its_loss(kind: str, tmp_path: Path) -> None:
    settings = HfSeq2SeqSettings(str(translator_folder(tmp_path, kind)))
    network = HfSeq2Seq(load_body(settings, FAMILY), [4], [2]).eval()
    how = Search(network.marks.begin, network.marks.end, 2)
    for row, found in enumerate(network.search(SOURCE, MASK, [8] * 3, how)):
        ids = torch.tensor([found[0].ids], dtype=torch.int64).view(1, -1)
        alone = network.losses(SOURCE[row : row + 1][:, MASK[row]], ids)
        assert float(alone.detach()) * (ids.shape[1] + 1) == pytest.approx(-found[0].log_probability, abs=1e-3)
    target, real = SOURCE.flip(1), MASK.flip(0)
    together = network.losses(SOURCE, target, MASK, real).tolist()
    count = int(real.sum()) + 3
    for row in range(3):
        alone = network.losses(SOURCE[row : row + 1][:, MASK[row]], target[row : row + 1][:, real[row]])
        share = 3 * (int(real[row].sum()) + 1) / count
        assert together[row] == pytest.approx(float(alone.detach()) * share, abs=1e-3)


def test_it_is_saved_whole_and_says_what_it_lacks(tmp_path: Path) -> None:
    settings = HfSeq2SeqSettings(str(translator_folder(tmp_path, "marian")))
    network = HfSeq2Seq(load_body(settings, FAMILY), [], [2]).eval()
    plain = portable(settings)
    (tmp_path / "marian").rename(tmp_path / "gone")
    again = HfSeq2Seq(load_body(plain, FAMILY), [], [2]).eval()
    again.load_state_dict(network.state_dict())
    with torch.no_grad():
        assert torch.equal(again.losses(SOURCE, SOURCE), network.losses(SOURCE, SOURCE))
    with pytest.raises(SettingError, match="knows 24"):
        check_vocabulary(network.model, 30, "marian")
    with pytest.raises(SettingError, match="no model that transformers knows"):
        load_body(HfBodySettings(str(tmp_path / "nowhere")))
    encoder = torch.nn.Module()
    encoder.config = SimpleNamespace(eos_token_id=2)  # type: ignore[assignment]
    with pytest.raises(SettingError, match="decoder_start_token_id"):
        HfSeq2Seq(encoder, [], [2])
