"""The written model rounds where golden does: at ties, and before the bias is added."""

import functools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalewright.golden.config import ActivationFunction, DatapathConfig, EngineConfig
from scalewright.golden.network import Block, Network, Product, Quantize, run_network
from scalewright.golden.network.feeds import Input
from scalewright.golden.quantized import Quantized
from tests.oracles import onnx_models as models

_CONFIG = EngineConfig(datapath=DatapathConfig.parse("8/8/-/-", vector_size=4))
_LENGTH = 64


def _network(weights: list[int], bias: int, shift: int, kind: str) -> Network:
    """One product of a channel whose accumulators count in units of 2^-shift results."""
    elements = np.array(weights, np.int8).reshape(1, -1, 4)
    attributes: dict[str, Any] = {}
    if kind == "Conv":
        elements, attributes = elements[:, None, None], {"kernel_shape": (1, 1)}
    product = Product(
        name="p",
        kind=kind,
        input="x_q",
        output="y",
        blocks=(
            Block(
                weights=Quantized(
                    elements=elements,
                    scales=None,
                    gamma=np.array([2.0**-shift], np.float32),
                    format=_CONFIG.datapath.weights,
                    coarse_axis=0,
                )
            ),
        ),
        bias=np.array([bias], np.float32),
        attributes=attributes,
        activation_function=ActivationFunction.IDENTITY,
        unit=1.0,
        gamma=None,
    )
    quantize = Quantize(name="q", input="x", output="x_q", gamma=1.0, axis=product.axis)
    shape = (None, *_shapes(kind)[1][1:])
    return Network(
        steps=(quantize, product),
        constants={},
        inputs=(Input(name="x", shape=shape),),
        outputs=("y",),
    )


@functools.cache
def _shapes(kind: str) -> tuple[str, tuple[int, ...]]:
    if kind == "Conv":
        return f"{_LENGTH},1,1->1,1,1", (1, _LENGTH, 1, 1)
    return f"{_LENGTH}->1", (1, _LENGTH)


def _both(accumulator: int, bias: int, shift: int, kind: str) -> tuple[float, float]:
    """Golden and ONNX Runtime for an accumulator, made of weights 127 and 1."""
    counts, rest = divmod(abs(accumulator), 127 * 127)
    x = np.zeros(_LENGTH, np.float32)
    x[:counts] = 127
    x[counts], x[counts + 1] = divmod(rest, 127)
    weights = [127] * (counts + 1) + [1] + [0] * (_LENGTH - counts - 2)
    shape, size = _shapes(kind)
    network = _network(weights, bias, shift, kind)
    inputs = (np.sign(accumulator) * x).astype(np.float32).reshape(size)
    golden = np.asarray(run_network(network, inputs, _CONFIG)["y"])
    return golden.item(), models.output_of(models.write(network, _CONFIG, shape), inputs).item()


@pytest.mark.parametrize("kind", ["Gemm", "MatMul", "Conv"])
@pytest.mark.parametrize(
    ("accumulator", "bias", "expected"),
    [
        (1, 1, 1),  # rne(0.5) + 1; the sum, 1.5, would round to 2
        (3, 1, 3),  # rne(1.5) + 1; 2.5 would round to 2
        (-1, 1, 1),
        (-3, -1, -3),
        (5, -7, -5),
        (262143, -131071, 1),  # rne(131071.5) - 131071
        (999997, 1, 131071),  # saturated
    ],
)
def test_ties_are_rounded_before_the_bias(
    accumulator: int, bias: int, expected: int, kind: str
) -> None:
    assert _both(accumulator, bias, 1, kind) == (expected, expected)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.integers(-(1 << 18), 1 << 18),
    st.integers(-(1 << 16), (1 << 16) - 1),
    st.integers(1, 12),
    st.sampled_from(["Gemm", "MatMul", "Conv"]),
)
def test_ties_with_odd_biases_agree(whole: int, half: int, shift: int, kind: str) -> None:
    largest = 127 * 127 * (_LENGTH - 2) >> shift
    accumulator = (2 * int(np.clip(whole, -largest + 1, largest - 1)) + 1) << (shift - 1)
    golden, runtime = _both(accumulator, 2 * half + 1, shift, kind)
    assert golden == runtime
