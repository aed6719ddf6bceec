"""Statistics of batch normalization estimated anew are means over batches, and all that changes."""

import copy
from typing import Any

import numpy as np
import pytest

from tests.oracles.training import torch
from scalewright.golden.config import DatapathConfig
from scalewright.sim.training import QatConfig, convert
from scalewright.sim.training.batch_norm import reestimate

nn = torch.nn


def network() -> Any:
    """A quantized network with two normalizations, whose statistics are of other inputs."""
    torch.manual_seed(0)
    config = QatConfig(datapath=DatapathConfig.parse("4/8/4/4"), static_activations=False)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.BatchNorm2d(8, momentum=0.3),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.Linear(8 * 16, 5),
        nn.BatchNorm1d(5, momentum=None, affine=False),
        nn.BatchNorm1d(5, track_running_stats=False),
    )
    model = convert(model, config)
    model(3 + torch.randn(20, 3, 6, 6))
    return model


def batches(count: int = 5) -> Any:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(20, 3, 6, 6, generator=generator) for _ in range(count)]


def set_modes(model: Any) -> dict[Any, bool]:
    """Modes of which no two neighbours have the same."""
    modes = {module: index % 3 == 1 for index, module in enumerate(model.modules())}
    for module, mode in modes.items():
        module.training = mode
    return modes


def test_statistics_are_the_plain_mean_over_batches_by_hand() -> None:
    model = nn.BatchNorm1d(1)
    with torch.no_grad():
        model(torch.full((2, 1), 100.0) + torch.randn(2, 1))
    # Means 2 and 3, unbiased variances 8 and 2.
    reestimate(model, [torch.tensor([[0.0], [4.0]]), torch.tensor([[2.0], [4.0]])])
    assert model.running_mean.tolist() == [2.5]
    assert model.running_var.tolist() == [5.0]
    assert model.num_batches_tracked.item() == 2


@pytest.mark.parametrize("training", [False, True])
def test_statistics_are_those_of_batches_on_the_quantized_network(training: bool) -> None:
    model = network().train(training)
    conv, norm, _, _, _, linear, last, _ = model
    twin = copy.deepcopy(model).eval()
    reestimate(model, iter(batches()))
    means: list[Any] = [[], []]
    variances: list[Any] = [[], []]
    for batch in batches():
        # What a normalization sees has been normalized by the statistics of the batch before it,
        # without dropout.
        images = twin[0](batch).detach().double()
        values = images.movedim(1, -1).reshape(-1, 8).numpy()
        means[0].append(values.mean(axis=0))
        variances[0].append(values.var(axis=0, ddof=1))
        normal = (images - images.mean((0, 2, 3), True)) / torch.sqrt(
            images.var((0, 2, 3), correction=0, keepdim=True) + 1e-5
        )
        rows = twin[5](normal.relu().flatten(1).float()).detach().double().numpy()
        means[1].append(rows.mean(axis=0))
        variances[1].append(rows.var(axis=0, ddof=1))
    for module, mean, variance in zip((norm, last), means, variances, strict=True):
        tolerance = 1e-5 if module is norm else 1e-3  # behind a quantizer, which may round apart
        np.testing.assert_allclose(module.running_mean, np.mean(mean, axis=0), atol=tolerance)
        np.testing.assert_allclose(module.running_var, np.mean(variance, axis=0), rtol=tolerance)
        assert module.num_batches_tracked.item() == 5
    assert conv.training is linear.training is training


def test_nothing_else_changes() -> None:
    model = network()
    modes = set_modes(model)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    random = torch.get_rng_state()
    reestimate(model, batches())
    assert torch.equal(torch.get_rng_state(), random)
    for name, tensor in model.state_dict().items():
        statistic = "running" in name or "tracked" in name
        assert torch.equal(tensor.nan_to_num(), before[name].nan_to_num()) != statistic, name
    assert {module: module.training for module in model.modules()} == modes
    assert (model[1].momentum, model[6].momentum) == (0.3, None)
    for parameter in model.parameters():
        assert parameter.requires_grad
        assert parameter.grad is None


def test_the_order_of_batches_does_not_matter_nor_what_was_before() -> None:
    model, other = network(), network()
    reestimate(other, batches(2))
    reestimate(model, batches())
    reestimate(other, batches()[::-1])
    for index in (1, 6):
        torch.testing.assert_close(model[index].running_mean, other[index].running_mean)
        torch.testing.assert_close(model[index].running_var, other[index].running_var)


def test_modes_and_momenta_come_back_after_an_exception() -> None:
    model = network()
    modes = set_modes(model)
    with pytest.raises(IndexError):
        reestimate(model, [*batches(2), torch.zeros(1, 2)])
    assert {module: module.training for module in model.modules()} == modes
    assert (model[1].momentum, model[6].momentum) == (0.3, None)


def test_no_batches_are_an_error_that_changes_nothing() -> None:
    model = network()
    modes = set_modes(model)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    message = "^batch normalization needs at least one batch to be estimated anew$"
    with pytest.raises(ValueError, match=message):
        reestimate(model, iter([]))
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor.nan_to_num(), before[name].nan_to_num()), name
    assert {module: module.training for module in model.modules()} == modes
    reestimate(nn.Linear(2, 2), [])  # without normalizations there is nothing to estimate


def test_normalizations_that_no_batch_passes_keep_their_statistics() -> None:
    # As those of the full-precision network beside a quantized one (block replacement).
    model = nn.Sequential(nn.BatchNorm1d(2))
    model.unused = nn.BatchNorm1d(2)
    model.forward = model[0].forward
    with torch.no_grad():
        model.unused(torch.randn(9, 2) + 5)
    before = model.unused.running_mean.clone(), model.unused.running_var.clone()
    reestimate(model, [torch.randn(9, 2)])
    assert torch.equal(model.unused.running_mean, before[0])
    assert torch.equal(model.unused.running_var, before[1])
    assert model.unused.num_batches_tracked.item() == 1
