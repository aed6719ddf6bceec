"""Noise tempering scales gradients by the quantization error, and learns how much."""

import math
from typing import Any

import numpy as np
import pytest

from tests.oracles.training import fixed_layer, random_config, random_layer, torch
from scalewright.sim.training.noise_tempering import NoiseTempering


@pytest.mark.parametrize("delta", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("seed", range(8))
def test_gradient_is_scaled_by_its_sign_and_the_relative_error(seed: int, delta: float) -> None:
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    layer, x = random_layer(rng, random_config(rng))
    coefficients = torch.randn_like(layer(x))
    (layer(x) * coefficients).sum().backward()
    plain = layer.weight.grad.clone()
    layer.weight.grad = None
    noise = NoiseTempering(layer).noises[""]
    noise.delta.fill_(delta)
    (layer(x) * coefficients).sum().backward()  # linear in the weights: noise does not matter
    if delta == 0:
        assert torch.equal(layer.weight.grad, plain)
        return
    quantized = layer.quantize_weight()
    units = (layer.weight_rows() / quantized.coarse()).detach()
    steps = quantized.steps()
    distance = torch.where(steps == 0, 0, (units - quantized.integers()) / steps)
    relative = distance.clamp(-0.5, 0.5)
    rows = plain if plain.ndim == 2 else plain.permute(0, 2, 3, 1)
    got = layer.weight.grad if plain.ndim == 2 else layer.weight.grad.permute(0, 2, 3, 1)
    want = rows * (1 + delta * rows.sign() * relative)
    torch.testing.assert_close(got, want, rtol=1e-5, atol=0)


WEIGHTS = [[7.0, 1.25, 2.25, -2.75]]  # errors of 0, 1/4, 1/4, 1/4


def learn(layer: Any, rate: float, slopes: list[float]) -> list[float]:
    """Delta after steps whose loss has these slopes; the weights stay where they are."""
    tempering = NoiseTempering(layer, learning_rate=rate)
    deltas = []
    for slope in slopes:
        (slope * layer(torch.ones(1, layer.in_features))).sum().backward()
        tempering.step(0.5)
        deltas.append(float(tempering.noises[""].delta))
    return deltas


def test_delta_grows_where_scaling_up_helps() -> None:
    # The gradient (1, 1, 1, 1) and what delta adds to it, (0, 1, 1, 1)/4: their cosine is
    # sqrt(3)/2. The first step has no last one to learn from.
    deltas = learn(fixed_layer(WEIGHTS), 0.25, [1.0] * 7)
    cosine = math.sqrt(3) / 2
    want = [min(1.0, 0.25 * step * cosine) for step in range(7)]
    np.testing.assert_allclose(deltas, want, rtol=1e-6)
    assert deltas[-1] == 1.0  # and no more


def test_delta_stays_at_zero_where_scaling_up_hurts() -> None:
    # Against the errors' sign scaling makes a gradient smaller, and it should be as large.
    assert learn(fixed_layer(WEIGHTS), 0.25, [-1.0] * 5) == [0.0] * 5


def test_delta_comes_back() -> None:
    # From slope 1 to -1 the new gradient points against the last share of delta; after it that
    # share, of |gradient|, is the same, and so on.
    deltas = learn(fixed_layer(WEIGHTS), 0.25, [1.0] * 3 + [-1.0] * 4)
    cosine = 0.25 * math.sqrt(3) / 2
    np.testing.assert_allclose(deltas, [cosine * n for n in (0, 1, 2, 1, 0, 0, 0)], atol=1e-6)


def test_rate_of_zero_keeps_delta() -> None:
    assert learn(fixed_layer(WEIGHTS), 0.0, [1.0] * 3) == [0.0] * 3


def test_steps_without_backward_change_nothing_but_the_strength() -> None:
    layer = fixed_layer(WEIGHTS)
    tempering = NoiseTempering(layer, learning_rate=0.25)
    noise = tempering.noises[""]
    tempering.step(0.1)
    for expected in (0.0, 0.25 * math.sqrt(3) / 2):
        layer(torch.ones(1, 4)).sum().backward()
        for progress in (0.2, 0.3, 0.4):
            tempering.step(progress)
            assert float(noise.delta) == pytest.approx(expected, rel=1e-6)


def test_gradients_may_accumulate_before_a_step() -> None:
    torch.manual_seed(0)
    layer = fixed_layer(torch.empty(3, 4).uniform_(-6, 6).tolist())
    tempering = NoiseTempering(layer, learning_rate=0.5)
    noise = tempering.noises[""]
    noise.delta.fill_(0.5)
    relative = (layer.weight - layer.weight.round()).detach()
    direction: Any = None
    for _ in range(4):
        layer.weight.grad = None
        delta = float(noise.delta)
        total, following, scaled = torch.zeros(3, 3, 4)
        for _ in range(2):
            x = torch.randint(-64, 65, (5, 4)) / 64
            coefficients = torch.randn(5, 3)
            (layer(x) * coefficients).sum().backward()
            gradient = coefficients.T @ x
            total = total + gradient
            following = following + gradient.abs() * relative
            scaled = scaled + gradient * (1 + delta * gradient.sign() * relative)
        torch.testing.assert_close(layer.weight.grad, scaled)
        tempering.step(0.5)
        if direction is not None:
            delta += 0.5 * float((total * direction).sum() / (total.norm() * direction.norm()))
        assert float(noise.delta) == pytest.approx(min(max(delta, 0), 1), abs=1e-6)
        direction = following


@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_gradient_that_is_not_finite_leaves_delta_alone(bad: float) -> None:
    # As under a gradient scaler, which skips such a step of the optimizer.
    deltas = learn(fixed_layer(WEIGHTS), 0.25, [1.0, 1.0, bad, 1.0, 1.0])
    cosine = 0.25 * math.sqrt(3) / 2
    np.testing.assert_allclose(deltas, [0, cosine, cosine, cosine, 2 * cosine], rtol=1e-6)
