"""Which results saturate, and the accumulators that hold them."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from scalewright.golden.calibration import Clip
from scalewright.golden.config import DatapathConfig, EngineConfig
from scalewright.golden.network import run_network
from scalewright.golden.network.quantization import quantize_network
from scalewright.golden.network.saturation import (
    counting,
    fitting_bits,
    largest_accumulators,
    with_accumulators,
)
from tests.oracles import onnx_models as models
from tests.oracles.onnx_models import model, uniform

_CONFIG = EngineConfig(datapath=DatapathConfig.parse("8/8/-/-", accumulator_bits=16))
_ONES = np.ones((64, 4), np.float32) * np.array([1, -1, 1, 0], np.float32)


@pytest.mark.parametrize(
    ("body", "saturated"),
    [("y = Gemm(x, ones)", 3), ("a = Gemm(x, ones) y = Relu(a)", 2)],
)
def test_what_a_relu_hides_is_not_counted(body: str, saturated: int, tmp_path: Path) -> None:
    graph = models.graph_of(model("64->4", body, {"ones": _ONES}), tmp_path)
    x = np.ones((1, 64), np.float32)
    network = quantize_network(graph, x, _CONFIG, Clip("max"))
    found: Counter[str] = Counter()
    run = counting(_CONFIG, lambda product, number: found.update({product.output: number}))
    run_network(network, x, _CONFIG, run=run)
    assert found["y"] == saturated


def test_accumulators_that_fit_do_not_saturate(tmp_path: Path) -> None:
    graph = models.graph_of(model("64->4", "y = Gemm(x, ones)", {"ones": _ONES}), tmp_path)
    x = np.ones((1, 64), np.float32)
    network = quantize_network(graph, x, _CONFIG, Clip("max"))
    largest = largest_accumulators(network, x, _CONFIG)
    # Scales of seven bits round up: 1 is 126 of them.
    assert largest == {"y_node": 64 * 127 * 126}
    (product,) = network.products
    # 2^20 holds 1,024,128, which is 21 bits with the sign; one more is room.
    assert fitting_bits(product, largest["y_node"], _CONFIG) == 22
    config = with_accumulators(_CONFIG, 21)
    found: Counter[str] = Counter()
    run = counting(config, lambda product, number: found.update({product.output: number}))
    run_network(network, x, config, run=run)
    assert found["y"] == 0


def test_room_for_more_ends_where_no_sum_can_be_larger(tmp_path: Path) -> None:
    graph = models.graph_of(model("64->4", "y = Gemm(x, w)", {"w": uniform(0, 64, 4)}), tmp_path)
    network = quantize_network(graph, uniform(1, 9, 64), _CONFIG, Clip("max"))
    (product,) = network.products
    assert fitting_bits(product, (1 << 17) - 1, _CONFIG) == 19
    assert fitting_bits(product, 1, _CONFIG) == 16
    assert fitting_bits(product, 1 << 40, _CONFIG) == _CONFIG.datapath.exact_accumulator_bits(4)
