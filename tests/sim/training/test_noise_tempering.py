"""The noise of noise tempering is a random share of each weight's error, and fades."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.oracles.training import fixed_layer, random_config, random_layer, spread, torch
from scalewright.golden.config import DatapathConfig, OperandFormat
from scalewright.golden.quantize import Scaling
from scalewright.sim.training import QatConfig, QuantizedConv2d, QuantizedLinear
from scalewright.sim.training.noise_tempering import NoiseTempering, TemperedNoise
from scalewright.sim.training.oscillation import IterativeFreezing, OscillationTracker
from scalewright.sim.training.quantization import quantize


def operand(seed: int, scaling: Scaling = Scaling.NEAREST) -> tuple[Any, Any]:
    """Quantized weights, some of them clipped or without a scale, and their exact numbers."""
    x = spread(np.random.default_rng(seed), 12, 20)
    quantized = quantize(
        x,
        OperandFormat(element_bits=3, scale_bits=3),
        vector_size=8,
        coarse_axis=0,
        threshold=0.7 * x.abs().max(),
        scaling=scaling,
    )
    return quantized, x / quantized.coarse()


def test_strength_decays_exponentially_and_ends_at_one() -> None:
    layer = fixed_layer([[1.0]])
    tempering = NoiseTempering(layer, rate=3.0)
    assert float(tempering.noises[""].strength) == 1
    for progress in (0.0, 0.1, 0.5, 0.999):
        assert tempering.strength(progress) == math.exp(-3.0 * progress)
        tempering.step(progress)
        assert float(tempering.noises[""].strength) == np.float32(math.exp(-3.0 * progress))
    for progress in (1.0, 1.1):
        tempering.step(progress)
        assert float(tempering.noises[""].strength) == 0.0


@pytest.mark.parametrize(("rate", "learning_rate"), [(-0.1, 0.01), (5.0, -1.0)])
def test_negative_rate_is_an_error(rate: float, learning_rate: float) -> None:
    message = f"^rate and learning_rate must not be negative, not {rate} and {learning_rate}$"
    with pytest.raises(ValueError, match=message):
        NoiseTempering(fixed_layer([[1.0]]), rate=rate, learning_rate=learning_rate)


@pytest.mark.parametrize("seed", range(60))
def test_without_strength_and_in_evaluation_it_is_the_plain_quantizer(seed: int) -> None:
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    layer, x = random_layer(rng, random_config(rng, datapath_in_training=seed % 2 == 0))
    outputs = [layer.train(mode)(x) for mode in (True, False)]
    tempering = NoiseTempering(layer)
    tempering.noises[""].delta.fill_(0.8)
    for _ in range(2):
        assert torch.equal(layer.eval()(x), outputs[1])
    tempering.step(1.0)
    assert torch.equal(layer.train()(x), outputs[0])
    assert torch.equal(layer.eval()(x), outputs[1])


@pytest.mark.parametrize("scaling", Scaling)
@pytest.mark.parametrize("strength", [1.0, 0.3])
def test_noise_is_between_nothing_and_the_error_and_on_average_half_of_it(
    scaling: Scaling, strength: float
) -> None:
    torch.manual_seed(0)
    quantized, units = operand(0, scaling)
    noise = TemperedNoise()
    noise.strength.fill_(strength)
    integers = quantized.integers()
    error = torch.where(quantized.steps() == 0, 0, units - integers)
    assert (error != 0).float().mean() > 0.5
    assert (error == 0).sum() > 10
    total = torch.zeros_like(error, dtype=torch.float64)
    squares = total.clone()
    draws = 2000
    for _ in range(draws):
        values, exact = noise(quantized, units)
        assert torch.equal(exact, units)
        # Sums round monotonously, so that the bounds hold exactly.
        end = integers + strength * error
        assert (values >= torch.minimum(integers, end)).all()
        assert (values <= torch.maximum(integers, end)).all()
        assert torch.equal(values[error == 0], integers[error == 0])
        shares = ((values - integers) / error)[error.abs() > 1e-2].double() / strength
        total[error.abs() > 1e-2] += shares
        squares[error.abs() > 1e-2] += shares.square()
    mean = (total / draws)[error.abs() > 1e-2]
    deviation = 1 / math.sqrt(12 * draws)
    assert (mean - 0.5).abs().max() < 6 * deviation
    # Elements are independent: their mean is as much nearer.
    assert abs(mean.mean() - 0.5) < 6 * deviation / math.sqrt(len(mean))
    assert abs((squares / draws)[error.abs() > 1e-2].mean() - 1 / 3) < 0.01


def test_clean_weights_have_no_noise() -> None:
    layer = fixed_layer([[7.0, 3.0, -2.0, 0.0]])
    x = torch.rand(5, 4)
    before = layer(x)
    NoiseTempering(layer)
    assert torch.equal(layer(x), before)


@pytest.mark.parametrize("kind", ["linear", "convolution"])
def test_noise_adds_to_what_a_rounding_datapath_gives(kind: str) -> None:
    rng = np.random.default_rng(0)
    datapath = DatapathConfig.parse("4/4U/4/6", vector_size=4, scale_product_bits=4)
    config = QatConfig(datapath=datapath, datapath_in_training=True)
    layer: Any
    if kind == "linear":
        layer, x = QuantizedLinear(32, 8, config=config), spread(rng, 6, 32).relu()
    else:
        layer = QuantizedConv2d(8, 8, 3, groups=2, padding=1, config=config)
        x = spread(rng, 2, 8, 5, 5).relu()
    layer.calibrate(3.0)
    plain = layer(x).detach()
    rounding = plain - without_rounding(layer, x)
    assert rounding.abs().max() > 0.01
    NoiseTempering(layer)
    torch.manual_seed(0)
    noisy = layer(x).detach()
    torch.manual_seed(0)
    want = without_rounding(layer, x) + rounding
    torch.testing.assert_close(noisy, want, rtol=0, atol=1e-5)
    assert (noisy - plain).abs().max() > 0.01


def without_rounding(layer: Any, x: Any) -> Any:
    """Outputs of a layer without its datapath."""
    config = layer.config
    layer.config = replace(config, datapath_in_training=False)
    y = layer(x).detach()
    layer.config = config
    return y


def test_frozen_weights_have_no_noise() -> None:
    layer = fixed_layer([[7.0, 2.25, 0.25, 0.25]])
    tracker = OscillationTracker(layer, momentum=1.0)
    freezing = IterativeFreezing(layer, tracker)
    for value in (3.25, 2.25):
        with torch.no_grad():
            layer.weight[0, 1] = value
        tracker.update()
    freezing.update(0.5)
    assert freezing.share() == 0.25
    with torch.no_grad():
        layer.weight[0, 1] = 4.75  # the latent weight may be anywhere
    noise = NoiseTempering(layer).noises[""]
    noise.delta.fill_(1.0)
    assert layer(torch.tensor([[0.0, 1.0, 0.0, 0.0]])).item() == 2
    layer(torch.ones(1, 4)).sum().backward()
    assert layer.weight.grad.tolist() == [[1.0, 0.0, 1.25, 1.25]]
