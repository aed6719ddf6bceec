import dataclasses

import numpy as np
import pytest

from scalewright.golden.config import DatapathConfig
from scalewright.golden.mac import matmul
from scalewright.golden.quantize import quantize
from scalewright.sim.blocks import design_of
from scalewright.sim.execution import products as compare
from scalewright.sim.execution.products import compare_matmul, real_product, signal_to_noise_db
from scalewright.sim.simulators.build import build


@pytest.mark.parametrize("notation", ["4/4/4/6", "8/8U/-/-", "3/5/-/4"])
def test_rtl_product_equals_golden(notation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "_VECTORS", 200)  # several simulations, the last one short
    config = DatapathConfig.parse(notation, accumulator_bits=20, vector_size=8)
    rng = np.random.default_rng(0)
    w = quantize(rng.standard_normal((5, 50)), config.weights, vector_size=8, coarse_axis=0)
    a = quantize(rng.standard_normal((13, 50)), config.activations, vector_size=8)
    played: list[int] = []
    result = compare_matmul(
        build(design_of("vector-mac", config)), w, a, config, progress=played.append
    )
    assert (result.mismatch_count, result.first_mismatch) == (0, None)
    want = matmul(w, a, config)
    np.testing.assert_array_equal(result.rtl.accumulators, want.accumulators)
    np.testing.assert_array_equal(result.rtl.saturated, want.saturated)
    assert result.vectors == 5 * 13 * 7
    assert sum(played) == result.vectors


def test_every_mismatch_is_counted_and_the_first_located() -> None:
    config = DatapathConfig.parse("4/4/-/-", vector_size=4)
    design = design_of("vector-mac", config)
    # Accumulators of exactly 5 come out as 4.
    bad = (
        design.verilog.replace("module vector_mac (", "module inner (")
        + """
module vector_mac(input i_valid, input o_ready, input clk, input rst, output i_ready,
    output [24:0] o_payload, output o_valid, input [33:0] i_payload);
  wire [24:0] result;
  inner inner(.i_valid(i_valid), .o_ready(o_ready), .clk(clk), .rst(rst), .i_ready(i_ready),
    .o_payload(result), .o_valid(o_valid), .i_payload(i_payload));
  assign o_payload = result == 5 ? 25'd4 : result;
endmodule
"""
    )
    w = quantize(np.eye(4) * 7, config.weights, vector_size=4)
    x = np.array([[7, 1, 2, 3], [5, 5, 1, 7], [7, 1, 1, 5]])
    a = quantize(x, config.activations, vector_size=4)
    scaled = dataclasses.replace(w, elements=np.minimum(w.elements, 1))
    result = compare_matmul(build(design.with_verilog(bad)), scaled, a, config)
    assert result.mismatch_count == 3
    assert result.first_mismatch is not None
    assert result.first_mismatch[1] == (1, 0)
    assert (result.rtl.accumulators != result.golden.accumulators).sum() == 3


def test_real_product_undoes_every_scale() -> None:
    config = DatapathConfig.parse("8/8/6/6", scale_product_bits=8, accumulator_bits=48)
    rng = np.random.default_rng(1)
    w, a = rng.standard_normal((6, 64)), rng.standard_normal((9, 64))
    wq = quantize(w, config.weights, vector_size=16, coarse_axis=0)
    aq = quantize(a, config.activations, vector_size=16)
    assert signal_to_noise_db(a @ w.T, real_product(matmul(wq, aq, config), wq, aq, config)) > 30


def test_signal_to_noise() -> None:
    assert signal_to_noise_db(np.array([10.0]), np.array([9.0])) == 20
    assert signal_to_noise_db(np.array([10.0]), np.array([10.0])) == np.inf
