"""Block replacement trains the blocks of the quantized network, and nothing else."""

import copy
from typing import Any

import numpy as np
import pytest

from tests.oracles.training import torch
from scalewright.golden.config import DatapathConfig, OperandFormat
from scalewright.sim.training import QatConfig, convert, quantized_layers
from scalewright.sim.training.block_replacement import BlockReplacement, distillation_loss

nn = torch.nn
cross_entropy = nn.functional.cross_entropy


def network(seed: int, *, width: int = 16, depth: int = 3, norm: bool = True) -> Any:
    """Blocks `0`, `1`, ... of a linear layer each, and a classifier of 10 classes."""
    torch.manual_seed(seed)
    blocks = []
    for _ in range(depth):
        linear = nn.Linear(width, width)
        nn.init.kaiming_normal_(linear.weight)
        blocks.append(nn.Sequential(linear, *[nn.BatchNorm1d(width)] * norm, nn.ReLU()))
    model = nn.Sequential(*blocks, nn.Linear(width, 10))
    with torch.no_grad():  # for statistics that are not 0 and 1
        model(torch.rand(64, width))
    return model.eval()


def batch(seed: int, width: int = 16) -> tuple[Any, Any]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(64, width, generator=generator)
    return x, torch.randint(10, (64,), generator=generator)


def quantized_copy(model: Any, bits: int) -> Any:
    datapath = DatapathConfig(
        weights=OperandFormat(element_bits=bits, scale_bits=4),
        activations=OperandFormat(element_bits=bits, signed=False, scale_bits=4),
        accumulator_bits=32,
    )
    classifier = str(len(model) - 1)
    config = QatConfig(datapath=datapath, static_activations=False)
    return convert(copy.deepcopy(model), config, skip=[classifier])


def pair(bits: int = 3, **parameters: Any) -> BlockReplacement:
    model = network(0)
    return BlockReplacement(model, quantized_copy(model, bits), ["0", "1", "2"], **parameters)


def state(model: Any) -> dict[str, Any]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def assert_same(model: Any, before: dict[str, Any]) -> None:
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor.nan_to_num(), before[name].nan_to_num()), name


def test_mixed_network_runs_the_quantized_block_itself_and_nothing_else_of_it() -> None:
    both = pair()
    ran: list[Any] = []
    for module in both.modules():
        if not list(module.children()):
            module.register_forward_hook(lambda module, *_: ran.append(module))
    both.mixed(batch(0)[0], "1")
    full, quantized = both.full_precision, both.quantized
    assert [id(module) for module in ran] == [
        id(module) for module in (*full[0], *quantized[1], *full[2], full[3])
    ]
    assert quantized[1][0] is quantized_layers(quantized)["1.0"]


def test_full_precision_network_is_whole_again() -> None:
    both = pair()
    modules = dict(both.full_precision.named_modules())
    x, _ = batch(0)
    before = both.full_precision(x)
    both.mixed(x, "1")
    with pytest.raises(RuntimeError):
        both.mixed(x[:, :7], "1")  # raised by the first block
    with pytest.raises(RuntimeError):
        both.mixed(x[:, :7], "0")  # raised by its twin
    assert list(both.full_precision.named_modules()) == list(modules.items())
    assert torch.equal(both.full_precision(x), before)
    norms = [module for module in both.modules() if isinstance(module, nn.BatchNorm1d)]
    assert [(norm.momentum, norm.track_running_stats) for norm in norms] == [(0.1, True)] * 6


def test_only_the_block_has_gradients_of_a_mixed_network() -> None:
    both = pair().train()
    x, y = batch(0)
    cross_entropy(both.mixed(x, "1"), y).backward()
    for name, parameter in both.named_parameters():
        assert (parameter.grad is not None) == name.startswith("quantized.1."), name


def test_training_moves_the_quantized_network_only() -> None:
    both = pair().train()
    before, quantized = state(both.full_precision), state(both.quantized)
    optimizer = torch.optim.SGD(both.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-2)
    losses = []
    x, _ = batch(0)
    y = both.full_precision(x).argmax(dim=1)
    for _ in range(30):
        optimizer.zero_grad()
        loss = both.training_loss(x, lambda outputs: cross_entropy(outputs, y))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        assert not any(module.training for module in both.full_precision.modules())
        assert all(module.training for module in both.quantized.modules())
    without_error = 2 * cross_entropy(both.full_precision(x), y).item()
    assert losses[-1] - without_error < (losses[0] - without_error) / 2
    assert_same(both.full_precision, before)
    for name, parameter in both.full_precision.named_parameters():
        assert parameter.grad is None, name
        assert not parameter.requires_grad, name
    for name, parameter in both.quantized.named_parameters():
        assert not torch.equal(parameter, quantized[name]), name


@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("training", [True, False])
def test_mixed_networks_leave_all_statistics_alone(momentum: float | None, training: bool) -> None:
    both = pair().train(training)
    norms = [module for module in both.modules() if isinstance(module, nn.BatchNorm1d)]
    for norm in norms:
        norm.momentum = momentum
    before = state(both)
    x, _ = batch(0)
    for block in both.blocks:
        both.mixed(x, block)
    assert_same(both, before)
    # And the quantized network itself moves them as if there were no mixed ones.
    both(x)
    alone = pair().train(training)
    for module in alone.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.momentum = momentum
    alone(x)
    assert_same(both, state(alone))
    assert all((norm.momentum, norm.track_running_stats) == (momentum, True) for norm in norms)


def test_without_quantization_error_all_losses_are_the_task_loss() -> None:
    model = network(0)
    both = BlockReplacement(model, copy.deepcopy(model), ["0", "1", "2"], distillation=3.0).eval()
    x, y = batch(0)
    outputs = both.full_precision(x)
    task = cross_entropy(outputs, y)
    assert torch.equal(both(x), outputs)
    for block in both.blocks:
        assert torch.equal(both.mixed(x, block), outputs)
        assert distillation_loss(both.mixed(x, block), outputs).item() == 0
    assert both.training_loss(x, lambda out: cross_entropy(out, y)).item() == 2 * task.item()
    assert both.training_loss(x, lambda out: cross_entropy(out, y), []).item() == task.item()


def test_training_loss_is_the_sum_of_its_branches() -> None:
    both = pair(2, distillation=0.7).eval()
    x, y = batch(0)
    targets = both.full_precision(x)

    def branch(outputs: Any) -> float:
        loss = cross_entropy(outputs, y) + 0.7 * distillation_loss(outputs, targets)
        return float(loss.item())

    mixed = {block: branch(both.mixed(x, block)) for block in both.blocks}
    assert len({branch(both(x)), *mixed.values()}) == 4
    for blocks in (None, ["1"], ["0", "2"], []):
        loss = both.training_loss(x, lambda outputs: cross_entropy(outputs, y), blocks)
        chosen = [mixed[block] for block in (both.blocks if blocks is None else blocks)]
        want = branch(both(x)) + (sum(chosen) / len(chosen) if chosen else 0)
        assert loss.item() == pytest.approx(want, rel=1e-6)


@pytest.mark.parametrize("shape", [(5, 7), (3, 4, 7)])
def test_distillation_loss_is_the_divergence_from_the_targets(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(shape, generator=generator, requires_grad=True)
    targets = 2 * torch.randn(shape, generator=generator)
    p, q = (
        np.exp(values.double().detach().numpy().reshape(-1, 7)) for values in (targets, outputs)
    )
    p, q = p / p.sum(axis=1, keepdims=True), q / q.sum(axis=1, keepdims=True)
    loss = distillation_loss(outputs, targets)
    assert loss.item() == pytest.approx((p * np.log(p / q)).sum() / len(p), rel=1e-5)
    loss.backward()
    want = ((q - p) / len(p)).reshape(shape)
    np.testing.assert_allclose(outputs.grad.numpy(), want, rtol=1e-4, atol=1e-7)


def gradient_agreement(bits: int, seed: int, norm: bool) -> tuple[Any, Any]:
    """Cosines to the full-precision gradient of each block's weights: mixed, all quantized."""
    depth, width = 8, 32
    model = network(seed, width=width, depth=depth, norm=norm)
    twin = copy.deepcopy(model)
    x, y = batch(seed, width)
    cross_entropy(twin(x), y).backward()
    names = [str(index) for index in range(depth)]
    both = BlockReplacement(model, quantized_copy(model, bits), names).eval()

    def cosine(outputs: Any, block: str) -> float:
        both.zero_grad()
        cross_entropy(outputs, y).backward()
        gradients = [
            network.get_submodule(block)[0].weight.grad.flatten()
            for network in (both.quantized, twin)
        ]
        return float(nn.functional.cosine_similarity(*gradients, dim=0))

    mixed = [cosine(both.mixed(x, block), block) for block in names]
    return np.array(mixed), np.array([cosine(both(x), block) for block in names])


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("bits", [2, 3])
def test_gradient_through_full_precision_blocks_is_nearer_to_the_full_precision_one(
    bits: int, norm: bool
) -> None:
    seeds = [gradient_agreement(bits, seed, norm) for seed in range(4)]
    for mixed, quantized in seeds:
        assert mixed.mean() > quantized.mean()
    mixed, quantized = np.mean(seeds, axis=0)
    assert mixed.mean() > quantized.mean() + 0.1


def test_unknown_block_is_an_error() -> None:
    model = network(0)
    other = nn.Sequential(*list(quantized_copy(model, 3))[:2])
    for blocks, name in ((["0", "7"], "7"), (["1", "2"], "2"), ([""], "")):
        with pytest.raises(ValueError, match=f"^both networks must have a block '{name}'$"):
            BlockReplacement(model, other, blocks)


def test_no_block_is_an_error() -> None:
    model = network(0)
    with pytest.raises(ValueError, match=r"^blocks must name at least one block$"):
        BlockReplacement(model, quantized_copy(model, 3), [])
