"""The Transformer's parts against PyTorch's own, and what they promise: distances, masks, caches and cheap losses."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from assay.networks.attention import CrossAttention, SelfAttention, keys_mask
from assay.networks.dropout import Dropout
from assay.networks.feed_forward import FeedForward
from assay.networks.key_value_cache import KeyValueCache
from assay.networks.positions import LearnedPositions, Rotary, _turned
from assay.networks.squared_relu import SquaredRelu
from assay.networks.token_loss import per_text, token_losses
from assay.networks.transformer import Transformer, TransformerSettings, token_table
from assay.training.optimisers import build_optimizer
from assay.training.plan import Plan

SMALL = TransformerSettings(depth=2, width=32, heads=2)


def opened(network: nn.Module) -> nn.Module:
    """With the branches' last layers drawn at random, too: at first they are zero."""
    torch.manual_seed(1)
    for parameter in network.parameters():
        if parameter.dim() > 1 and not parameter.any():
            nn.init.normal_(parameter, std=parameter.shape[1] ** -0.5)
    return network.eval()


def mask_of(lengths: list[int]) -> Tensor:
    return torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]


def test_rotary_products_depend_on_the_distance_alone() -> None:
    rotary, query, key = Rotary(16), torch.randn(1, 1, 16), torch.randn(1, 1, 16)

    def product(at: int, other: int) -> float:
        return float((rotary(query, at) * rotary(key, other)).sum())

    assert product(3, 10) == pytest.approx(product(120, 127), abs=1e-4)
    assert product(3, 10) != pytest.approx(product(3, 11), abs=1e-3)
    assert rotary(query, 0).tolist() == query.tolist()


def test_rotary_turns_each_pair_by_its_own_angle() -> None:
    x = torch.randn(2, 100, 3, 2, 8)
    rotary = Rotary(8)
    turned = rotary(x)
    for pair in range(4):
        angle = 5 * 10_000 ** (-2 * pair / 8)
        turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        wanted = x[:, 5, :, :, 2 * pair : 2 * pair + 2] @ turn.T
        assert torch.allclose(turned[:, 5, :, :, 2 * pair : 2 * pair + 2], wanted, atol=1e-5)
    turns = rotary._turns(100, x.device)[:100].view(100, 1, 1, 4)
    real = _turned(x, turns.real, turns.imag)
    assert torch.allclose(real, turned, atol=1e-6)
    with pytest.raises(ValueError, match="even number"):
        Rotary(7)


def test_self_attention_is_that_of_pytorch() -> None:
    torch.manual_seed(0)
    ours = opened(SelfAttention(32, 4, causal=False, rotary=None))
    theirs = nn.MultiheadAttention(32, 4, bias=False, batch_first=True).eval()
    with torch.no_grad():
        theirs.in_proj_weight.copy_(ours.queries_keys_values.weight)
        theirs.out_proj.weight.copy_(ours.out.weight)
    x, mask = torch.randn(3, 7, 32), mask_of([7, 4, 2])
    wanted, _ = theirs(x, x, x, key_padding_mask=~mask)
    assert torch.allclose(ours(x, keys_mask(mask))[mask], wanted[mask], atol=1e-5)


def test_cross_attention_is_that_of_pytorch_and_beams_share_a_text() -> None:
    torch.manual_seed(0)
    ours = opened(CrossAttention(32, 4))
    theirs = nn.MultiheadAttention(32, 4, bias=False, batch_first=True).eval()
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.queries.weight, ours.keys_values.weight]))
        theirs.out_proj.weight.copy_(ours.out.weight)
    x, other, mask = torch.randn(6, 3, 32), torch.randn(2, 5, 32), mask_of([5, 3])
    keys, values = ours.remember(other)
    many, many_mask = other.repeat_interleave(3, 0), mask.repeat_interleave(3, 0)
    wanted, _ = theirs(x, many, many, key_padding_mask=~many_mask)
    assert torch.allclose(ours(x, keys, values, keys_mask(mask)), wanted, atol=1e-5)


@pytest.mark.parametrize("positions", ["rotary", "learned"])
def test_a_cache_gives_what_the_whole_text_gives(positions: str) -> None:
    network = opened(Transformer(replace(SMALL, positions=positions), 12, causal=True, crossed=True))
    x, other, mask = torch.randn(4, 9, 32), torch.randn(2, 5, 32), mask_of([5, 3])
    memory = network.remember(other, mask)
    whole = network(x, memory=memory)
    caches = network.caches(4, 12)
    steps = [network(x[:, :1], None, memory, caches), network(x[:, 1:5], None, memory, caches)]
    steps += [network(x[:, place : place + 1], None, memory, caches) for place in range(5, 9)]
    assert torch.allclose(torch.cat(steps, 1), whole, atol=1e-5)
    with pytest.raises(ValueError, match=r"cannot hold|more than"):
        network(x, None, memory, caches)


def test_a_cache_goes_on_with_the_rows_it_is_told() -> None:
    cache = KeyValueCache(3, 2, 4, 5, torch.zeros(1))
    keys, values = torch.randn(3, 2, 2, 5), torch.randn(3, 2, 2, 5)
    cache.append(keys, values)
    cache.keep(torch.tensor([2, 0, 0]))
    more = torch.randn(3, 2, 1, 5)
    found, _ = cache.append(more, more)
    assert torch.equal(found, torch.cat([keys[[2, 0, 0]], more], 2))
    cache.keep(torch.tensor([1]))
    assert torch.equal(cache.append(more[:1], more[:1])[1][:, :, :2], values[[0]])


@pytest.mark.parametrize("causal", [False, True])
def test_padding_changes_nothing(causal: bool) -> None:
    network = opened(Transformer(SMALL, 16, causal=causal))
    texts = [torch.randn(length, 32) for length in (7, 3, 5)]
    padded = nn.utils.rnn.pad_sequence(texts, batch_first=True, padding_value=9.0)
    found = network(padded, mask_of([7, 3, 5]))
    for row, text in enumerate(texts):
        assert torch.allclose(found[row, : len(text)], network(text[None])[0], atol=1e-5)
    assert keys_mask(torch.ones(2, 3, dtype=torch.bool)) is None


def test_a_causal_network_does_not_look_ahead() -> None:
    network = opened(Transformer(SMALL, 16, causal=True))
    x = torch.randn(1, 8, 32)
    changed = x.clone()
    changed[:, 5:] += 1
    assert torch.allclose(network(x)[:, :5], network(changed)[:, :5], atol=1e-6)


@pytest.mark.parametrize("gated", [False, True])
def test_a_feed_forward_part_is_what_it_says(gated: bool) -> None:
    part = opened(FeedForward(8, 12, "silu", gated))
    x = torch.randn(2, 3, 8)
    wide = x @ part.widen.weight.T
    inner = nn.functional.silu(wide[..., :12]) * wide[..., 12:] if gated else nn.functional.silu(wide)
    assert torch.allclose(part(x), inner @ part.narrow.weight.T, atol=1e-6)


def test_squared_relu_and_its_gradient() -> None:
    x = torch.randn(50, dtype=torch.float64, requires_grad=True)
    assert torch.equal(SquaredRelu()(x), x.relu().square())
    assert torch.autograd.gradcheck(SquaredRelu(), x)


def test_dropout_silences_its_share_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    dropout, x = Dropout(0.25), torch.ones(1000, 333)
    dropped = dropout(x)
    assert (dropped == 0).float().mean().item() == pytest.approx(0.25, abs=0.003)
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.005)
    assert (dropped[:, 7::8] == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)
    assert torch.equal(dropout.eval()(x), x) and torch.equal(Dropout(0.0)(x), x)
    with pytest.raises(ValueError, match="share"):
        Dropout(1.0)


@settings(max_examples=40, deadline=None)
@given(count=st.integers(1, 40), smoothing=st.sampled_from([0.0, 0.1]), kept=st.sampled_from([0, 1 << 26]))
def test_token_losses_are_the_cross_entropy(count: int, smoothing: float, kept: int) -> None:
    generator = torch.Generator().manual_seed(count)
    hidden, table = torch.randn(count, 6, generator=generator), torch.randn(11, 6, generator=generator)
    targets = torch.randint(0, 11, (count,), generator=generator)
    weights = torch.rand(count, generator=generator)

    def gradients(losses: object) -> tuple[Tensor, Tensor, Tensor]:
        h, t = hidden.clone().requires_grad_(), table.clone().requires_grad_()
        found: Tensor = losses(h, t)  # type: ignore[operator]
        return found.detach(), *torch.autograd.grad((found * weights).sum(), (h, t))

    wanted = gradients(lambda h, t: cross_entropy(h @ t.T, targets, reduction="none", label_smoothing=smoothing))
    for found, value in zip(gradients(lambda h, t: token_losses(h, t, targets, smoothing, kept)), wanted, strict=True):
        assert torch.allclose(found, value, atol=1e-5)


@pytest.mark.parametrize("kept", [0, 1 << 26])
def test_token_losses_in_pieces(kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden, table, targets = torch.randn(50, 6), torch.randn(11, 6), torch.randint(0, 11, (50,))
    whole = token_losses(hidden, table, targets)
    monkeypatch.setattr("assay.networks.token_loss._AT_ONCE", 77)
    h, t = hidden.clone().requires_grad_(), table.clone().requires_grad_()
    pieces = token_losses(h, t, targets, 0.0, kept)
    assert torch.allclose(pieces, whole, atol=1e-6)
    pieces.sum().backward()
    again, other = hidden.clone().requires_grad_(), table.clone().requires_grad_()
    cross_entropy(again @ other.T, targets, reduction="sum").backward()
    assert torch.allclose(h.grad, again.grad, atol=1e-5) and torch.allclose(t.grad, other.grad, atol=1e-5)


def test_losses_of_texts_have_the_tokens_mean() -> None:
    mask = mask_of([3, 1, 2])
    losses = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    found = per_text(losses, mask)
    assert found.tolist() == pytest.approx([3.0, 2.0, 5.5])
    assert found.mean().item() == pytest.approx(losses.mean().item())


def test_stochastic_depth_and_shares_are_checked() -> None:
    network = opened(Transformer(replace(SMALL, stochastic_depth=0.5), 8)).train()
    x = torch.randn(4, 8, 32)
    assert not torch.equal(network(x), network(x)) and torch.equal(network.eval()(x), network(x))
    with pytest.raises(ValueError, match="stochastic_depth"):
        Transformer(replace(SMALL, stochastic_depth=1.0), 8)
    with pytest.raises(ValueError, match="evenly"):
        Transformer(replace(SMALL, heads=3), 8)
    with pytest.raises(ValueError, match="places"):
        LearnedPositions(4, 8)(torch.zeros(1, 5, 8))


def test_muon_leaves_the_tokens_table_to_adamw() -> None:
    network = nn.Module()
    network.table, network.matrix = token_table(5, 4), nn.Parameter(torch.randn(4, 4))
    optimizer = build_optimizer(network, Plan(optimizer="muon", learning_rate=0.1))
    assert {group["matrix"]: len(group["params"]) for group in optimizer.param_groups} == {False: 1, True: 1}
    before = copy.deepcopy(network.table.detach())
    (network.table[2].sum() + network.matrix.sum()).backward()
    optimizer.step()
    change = (network.table - before).abs().sum(1)
    assert change[2] > 0.03 and change[[0, 1, 3, 4]].max() == 0
