"""Gradients that arrive at parameters and inputs, against those worked out in float64 from golden.

A quantized layer is the float one on dequantized operands; a gradient that leaves it is the float
layer's, times the estimator's factor. Gradients are floats summed in some order, so that they are
compared with a tolerance: 1e-5 of the sum of the magnitudes of what is summed.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.oracles.training import GoldenLayer, random_config, random_layer, spread, torch
from scalewright.golden.calibration import Clip, Granularity, clipping_threshold
from scalewright.golden.config import OperandFormat
from scalewright.golden.gradients import Estimator, derivative
from scalewright.golden.quantized import Quantized
from scalewright.sim.training import QuantizedConv2d, QuantizedLayer, QuantizedLinear

Array = npt.NDArray[Any]

CASES = 60


@dataclass(frozen=True)
class Reference:
    """Operands (float64) and the factors of their gradients, of their own shapes, by golden."""

    weight: Any
    weight_factor: Any
    x: Any
    x_factor: Any


def thresholds(rows: Array, fmt: OperandFormat, clip: Clip, size: int, coarse: Granularity) -> Any:
    """Thresholds of rows (..., K), broadcast against them; a loop over vectors in NumPy."""
    granularity = coarse if fmt.scale_bits is None else Granularity.VECTOR
    limit = clipping_threshold(rows, fmt, clip, granularity=granularity, vector_size=size)
    if granularity is Granularity.VECTOR:
        limit = np.repeat(limit, size, axis=-1)[..., : rows.shape[-1]]
    return limit


def dequantized(q: Quantized) -> Array:
    """x_q * s_q * gamma in float64, (..., K)."""
    values = q.elements.astype(np.float64)
    if q.scales is not None:
        values *= q.scales[..., None]
    values = values.reshape(*values.shape[:-2], -1)[..., : q.length]
    return values * q.gamma.astype(np.float64).reshape(-1, *[1] * (values.ndim - 1))


def reference(layer: QuantizedLayer, golden: GoldenLayer, x: Any) -> Reference:
    config, path = layer.config, layer.config.datapath
    size = path.vector_size
    w_rows = layer.weight_rows().detach().numpy()
    a_rows = layer.activation_rows(x.detach()).numpy()
    w_limit: Any = np.inf
    a_limit: Any = np.inf
    if config.static_weights or config.weight_clip.method != "max":
        seen = golden.calibrated if config.static_weights else w_rows
        assert seen is not None
        coarse = Granularity.CHANNEL if config.per_channel else Granularity.TENSOR
        w_limit = thresholds(seen, path.weights, config.weight_clip, size, coarse)
    if config.static_activations:
        a_limit = np.float32(golden.threshold)
    elif config.activation_clip.method != "max":
        a_limit = thresholds(
            a_rows, path.activations, config.activation_clip, size, Granularity.TENSOR
        )
    w_factor = derivative(config.estimator.of_weights, w_rows, w_limit)
    a_factor = derivative(
        config.estimator.of_activations, a_rows, a_limit, signed=path.activations.signed
    )
    weights, activations = golden.weights(w_rows), golden.activations(a_rows)

    def as_weight(rows: Array) -> Any:
        tensor = torch.tensor(rows, dtype=torch.float64)
        return tensor if tensor.ndim == 2 else tensor.permute(0, 3, 1, 2).contiguous()

    def as_x(rows: Array) -> Any:
        tensor = torch.tensor(rows, dtype=torch.float64)
        return tensor if tensor.ndim == 2 else tensor.flatten(-2).movedim(-1, 1).contiguous()

    return Reference(
        as_weight(dequantized(weights)),
        as_weight(w_factor),
        as_x(dequantized(activations)),
        as_x(a_factor),
    )


def float_gradients(layer: QuantizedLayer, weight: Any, x: Any, g: Any) -> tuple[Any, Any, Any]:
    """Gradients of sum(g * y) to weight, bias and x of the float layer: its own, in float64."""
    if isinstance(layer, QuantizedLinear):
        return g.T @ x, g.sum(0), g @ weight
    assert isinstance(layer, QuantizedConv2d)
    weight, x = weight.clone().requires_grad_(), x.clone().requires_grad_()
    shape = (layer.stride, layer.padding, layer.dilation, layer.groups)
    y = torch.nn.functional.conv2d(x, weight, None, *shape)
    to_weight, to_x = torch.autograd.grad(y, (weight, x), g)
    return to_weight, g.sum((0, 2, 3)), to_x


def backward(layer: QuantizedLayer, x: Any, g: Any) -> list[Any]:
    """Gradients of sum(g * y) that arrive at the weight, the bias and the input."""
    x = x.clone().requires_grad_()
    layer(x).backward(g)
    return [layer.weight.grad, None if layer.bias is None else layer.bias.grad, x.grad]


def assert_close(got: Any, want: Any, magnitude: Any) -> None:
    assert got.shape == want.shape
    assert got.dtype == torch.float32
    error = (got.double() - want).abs()
    worst = (error / magnitude.clamp(min=1e-30)).max()
    assert worst <= 1e-5, f"off by {worst:.3g} of the sum of magnitudes"


@pytest.mark.parametrize("estimator", list(Estimator))
@pytest.mark.parametrize("seed", range(CASES))
def test_gradients_are_the_float_layers_times_the_factor(seed: int, estimator: Estimator) -> None:
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    layer, x = random_layer(rng, random_config(rng, estimator=estimator))
    golden = GoldenLayer(
        layer.config,
        layer.weight_rows().detach().numpy().copy(),
        float(layer.activation_threshold),
    )
    with torch.no_grad():
        layer.weight.mul_(spread(rng, *layer.weight.shape).clamp(0.5, 2))  # a step of training
    layer.train(bool(rng.random() < 0.5))  # what rounds and saturates in evaluation has no gradient
    want = reference(layer, golden, x)
    with torch.no_grad():
        g = torch.randn_like(layer(x))
    if g.ndim == 4 and rng.random() < 0.5:  # as a layer before a convolution gets it
        g = g.contiguous(memory_format=torch.channels_last)
    g64 = g.double().contiguous()
    to_weight, to_bias, to_x = float_gradients(layer, want.weight, want.x, g64)
    sizes = float_gradients(layer, want.weight.abs(), want.x.abs(), g64.abs())
    got = backward(layer, x, g)
    assert_close(got[0], to_weight * want.weight_factor, sizes[0])
    assert_close(got[2], to_x * want.x_factor, sizes[2])
    if layer.bias is not None:
        assert_close(got[1], to_bias, sizes[1])
    for got_gradient, factor in ((got[0], want.weight_factor), (got[2], want.x_factor)):
        assert not got_gradient[factor == 0].any()


def test_random_layers_clip_weights_and_activations() -> None:
    clipped = {"weights": 0, "activations": 0}
    for seed in range(CASES):
        rng = np.random.default_rng(seed)
        torch.manual_seed(seed)
        layer, x = random_layer(rng, random_config(rng, estimator=Estimator.MAD))
        rows = layer.weight_rows().detach().numpy().copy()
        want = reference(
            layer, GoldenLayer(layer.config, rows, float(layer.activation_threshold)), x
        )
        inside = (want.weight_factor > 0) & (want.weight_factor < 1)
        clipped["weights"] += bool(inside.any())
        clipped["activations"] += bool(((want.x_factor > 0) & (want.x_factor < 1)).any())
    assert clipped["weights"] > CASES // 3, clipped
    assert clipped["activations"] > CASES // 3, clipped
