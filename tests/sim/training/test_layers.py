"""Quantized layers give golden's integers, and outputs that equal those of golden bit for bit."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.oracles.training import GoldenLayer, random_config, random_layer, spread, torch
from scalewright.golden.quantized import Quantized
from scalewright.sim.training import QuantizedConv2d, QuantizedLayer, QuantizedLinear

Array = npt.NDArray[Any]

CASES = 300


def windows(values: Array, layer: QuantizedConv2d) -> Array:
    """What each window sees, one by one: (N, H, W, groups, D) to (groups, N, H', W', taps, D)."""
    (top, left), (down, right) = layer.padding, layer.stride
    padded = np.pad(values, [(0, 0), (top, top), (left, left), (0, 0), (0, 0)])
    kernel_rows, kernel_columns = layer.kernel_size
    row_step, column_step = layer.dilation
    rows = range(0, padded.shape[1] - (kernel_rows - 1) * row_step, down)
    columns = range(0, padded.shape[2] - (kernel_columns - 1) * column_step, right)
    seen = [
        [
            [
                padded[:, row + i * row_step, column + j * column_step]
                for i in range(kernel_rows)
                for j in range(kernel_columns)
            ]
            for column in columns
        ]
        for row in rows
    ]
    return np.asarray(seen).transpose(4, 3, 0, 1, 2, 5)


def flat(operand: Quantized, elements: Array, scales: Array | None, gamma: Array) -> Quantized:
    size = operand.vector_size
    count = len(elements)
    return replace(
        operand,
        elements=np.ascontiguousarray(elements.reshape(count, -1, size)),
        scales=None if scales is None else np.ascontiguousarray(scales.reshape(count, -1)),
        length=-1,
        gamma=gamma,
        coarse_axis=None if gamma.ndim == 0 else 0,
    )


def expected(layer: QuantizedLayer, golden: GoldenLayer, x: Any, *, exact: bool) -> Array:
    """Outputs by golden, and the operands compared on the way."""
    w = golden.weights(layer.weight_rows().detach().numpy())
    a = golden.activations(layer.activation_rows(x).numpy())
    for got, want in (
        (layer.quantize_weight().as_golden(), w),
        (layer.quantize_activations(x).as_golden(), a),
    ):
        np.testing.assert_array_equal(got.elements, want.elements)
        np.testing.assert_array_equal(got.gamma, want.gamma)
        assert (got.scales is None) == (want.scales is None)
        if want.scales is not None:
            np.testing.assert_array_equal(got.scales, want.scales)
    if isinstance(layer, QuantizedLinear):
        y = golden.multiply(w, a, exact)
    else:
        assert isinstance(layer, QuantizedConv2d)
        elements = windows(a.elements.reshape(*a.elements.shape[:-2], -1), layer)
        scales = None if a.scales is None else windows(a.scales, layer)
        channels = layer.out_channels // layer.groups
        parts = []
        for group in range(layer.groups):
            rows = slice(group * channels, (group + 1) * channels)
            weights = flat(
                w,
                w.elements[rows],
                None if w.scales is None else w.scales[rows],
                w.gamma if w.gamma.ndim == 0 else w.gamma[rows],
            )
            count = int(np.prod(elements.shape[1:4]))
            activations = flat(
                a,
                elements[group].reshape(count, -1),
                None if scales is None else scales[group].reshape(count, -1),
                a.gamma,
            )
            parts.append(golden.multiply(weights, activations, exact))
        y = np.concatenate(parts, axis=1).reshape(*elements.shape[1:4], -1)
        y = y.transpose(0, 3, 1, 2)
    if layer.bias is None:
        return y
    bias = layer.bias.detach().numpy()
    biased: Array = y + (bias if y.ndim == 2 else bias[:, None, None])
    return biased


@pytest.mark.parametrize("seed", range(CASES))
def test_output_equals_golden_bit_for_bit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    layer, x = random_layer(rng, random_config(rng))
    golden = GoldenLayer(
        layer.config,
        layer.weight_rows().detach().numpy().copy(),
        float(layer.activation_threshold),
    )
    with torch.no_grad():
        layer.weight.mul_(spread(rng, *layer.weight.shape).clamp(0.5, 2))  # a step of training
    layer.train()
    np.testing.assert_array_equal(
        layer(x).detach().numpy(), expected(layer, golden, x, exact=True), strict=True
    )
    layer.eval()
    np.testing.assert_array_equal(
        layer(x).detach().numpy(), expected(layer, golden, x, exact=False), strict=True
    )
