"""The estimators' derivatives equal golden's, and do to training what their authors say."""

import math
from typing import Any

import numpy as np
import pytest

from tests.oracles.training import torch
from scalewright.golden.calibration import Clip
from scalewright.golden.config import DatapathConfig
from scalewright.golden.gradients import Estimator
from scalewright.golden.gradients import derivative as golden_derivative
from scalewright.sim.training import QatConfig, QuantizedLinear
from scalewright.sim.training.estimator import derivative

_RESOLVED = [Estimator.STE, Estimator.PWL, Estimator.MAD]


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("estimator", _RESOLVED)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_derivative_equals_golden_bit_for_bit(
    estimator: Estimator, dtype: Any, signed: bool
) -> None:
    rng = np.random.default_rng(2)
    for shape in ((), (7, 1), (1, 9), (7, 9)):
        x = rng.standard_normal((7, 9)).astype(dtype)
        s = (rng.random(shape) * (rng.random(shape) < 0.8)).astype(dtype)
        x[0, :6] = [0.0, -0.0, np.inf, -np.inf, s.flat[0], -s.flat[0]]
        got = derivative(estimator, torch.tensor(x), torch.tensor(s), signed=signed)
        want = golden_derivative(estimator, x, s, signed=signed)
        np.testing.assert_array_equal(got.numpy(), want, strict=True)


def test_derivative_has_no_graph_of_its_own() -> None:
    x = torch.randn(3, requires_grad=True)
    for estimator in _RESOLVED:
        assert not derivative(estimator, x, torch.tensor(0.5), signed=True).requires_grad


def test_hybrid_itself_is_no_derivative() -> None:
    with pytest.raises(ValueError, match=r"^estimator must be that of weights or of activations"):
        derivative(Estimator.HYBRID, torch.ones(1), torch.ones(()), signed=True)


def _gaussian_layer(bits: int, estimator: Estimator, *, static_weights: bool = False) -> Any:
    """Gaussian weights with OCTAV's threshold of the whole tensor."""
    torch.manual_seed(bits)
    config = QatConfig(
        datapath=DatapathConfig.parse(f"{bits}/8/-/-"),
        weight_clip=Clip("octav"),
        per_channel=False,
        estimator=estimator,
        static_weights=static_weights,
        static_activations=False,
    )
    layer = QuantizedLinear(256, 256, False, config=config)
    with torch.no_grad():
        layer.weight.normal_()
    layer.calibrate(1.0)
    return layer


def _weight_gradient(layer: Any) -> Any:
    """The gradient to the weights where none of them would be 0 by itself."""
    layer(torch.rand(4, 256) + 0.5).sum().backward()
    return layer.weight.grad


def _gaussian_share(bits: int) -> float:
    """How much of a Gaussian is beyond the fixed point of OCTAV's recursion, by its integrals."""
    levels = 2 ** (bits - 1) - 1
    constant = 12 * levels**2  # rounding costs (s / levels)^2 / 12
    s = 1.0
    for _ in range(200):
        outside = math.erfc(s / math.sqrt(2))
        total = math.sqrt(2 / math.pi) * math.exp(-s * s / 2)
        s = constant * total / (1 - outside + constant * outside)
    return math.erfc(s / math.sqrt(2))


@pytest.mark.parametrize(("bits", "low", "high"), [(4, 1.2, 1.4), (3, 4.5, 4.9), (2, 18.6, 19.3)])
def test_pwl_leaves_clipped_weights_without_gradient(bits: int, low: float, high: float) -> None:
    gradient = _weight_gradient(_gaussian_layer(bits, Estimator.PWL))
    share = 100 * float((gradient == 0).float().mean())
    assert low < share < high
    assert low < 100 * _gaussian_share(bits) < high


@pytest.mark.parametrize("estimator", [Estimator.MAD, Estimator.HYBRID, Estimator.STE])
@pytest.mark.parametrize("bits", [4, 3, 2])
def test_the_others_leave_no_weight_without_gradient(bits: int, estimator: Estimator) -> None:
    assert _weight_gradient(_gaussian_layer(bits, estimator)).all()


def test_mad_multiplies_the_straight_through_gradient_by_one_or_the_attenuation() -> None:
    layer, other = _gaussian_layer(3, Estimator.MAD), _gaussian_layer(3, Estimator.STE)
    x = torch.rand(4, 256) + 0.5
    layer(x).sum().backward()
    other(x).sum().backward()
    weight, s = layer.weight.detach(), layer.weight_threshold
    clipped = weight.abs() > s
    assert torch.equal(layer.weight.grad[~clipped], other.weight.grad[~clipped])
    ratio = layer.weight.grad[clipped].double() / other.weight.grad[clipped].double()
    attenuation = (s / weight[clipped].abs()).double()
    assert ((ratio / attenuation - 1).abs() < 2**-22).all()  # rounded in another order


def _train(layer: Any, steps: int) -> tuple[list[Any], list[Any]]:
    """Weights, and which are clipped, before each step of plain gradient descent and at the end."""
    optimizer = torch.optim.SGD([layer.weight], lr=0.5)
    x, target = torch.randn(32, 256), torch.randn(32, 256)
    weights, clipped = [], []
    for step in range(steps + 1):
        weights.append(layer.weight.detach().clone())
        clipped.append(weights[-1].abs() > layer.weight_threshold)
        if step < steps:
            optimizer.zero_grad()
            ((layer(x) - target) ** 2).mean().mul(100).backward()
            optimizer.step()
    return weights, clipped


def test_weights_once_clipped_never_move_under_pwl() -> None:
    weights, clipped = _train(_gaussian_layer(2, Estimator.PWL, static_weights=True), 20)
    for before, after, was, now in zip(
        weights[:-1], weights[1:], clipped[:-1], clipped[1:], strict=True
    ):
        assert torch.equal(before[was], after[was])
        assert now[was].all()
        assert not torch.equal(before, after)
    assert clipped[-1].sum() > clipped[0].sum() + 100  # and others join them


def test_clipped_weights_come_back_under_mad() -> None:
    weights, clipped = _train(_gaussian_layer(2, Estimator.MAD, static_weights=True), 20)
    assert (weights[0] != weights[1])[clipped[0]].all()
    assert (clipped[0] & ~clipped[-1]).sum() > 100
