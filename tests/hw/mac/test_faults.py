"""The regression of the vector MAC: it must see every fault put into its arithmetic."""

from pathlib import Path

import pytest

from scalewright.golden.config import DatapathConfig
from tests.benches.faults import Fault

_ROUNDED = DatapathConfig.parse("4/4U/4/6", vector_size=4, scale_product_bits=6)
_NARROW = DatapathConfig.parse("8/8/10/10", vector_size=4, accumulator_bits=16)

_EITHER = DatapathConfig.parse("4/4X/4/6", vector_size=4, scale_product_bits=6)

_FAULTS = {
    "product-cut-to-the-accumulator-before-the-sum": (
        _NARROW,
        {
            "assign kept =": "wire signed [15:0] cut = "
            "$signed(s2_dot) * $signed({1'b0, s2_scale_product}); "
            "wire signed [16:0] cut_sum = $signed(kept) + cut; "
            "assign kept =",
            "load ? n_* : o_payload[15:0]": "load ? "
            "(cut_sum[16] == cut_sum[15] ? cut_sum[15:0] : cut_sum[16] ? 16'h8000 : 16'h7fff) "
            ": o_payload[15:0]",
        },
    ),
    "sum-cut-to-the-accumulator-and-a-bit": (
        _NARROW,
        {"n_*[32:9]": "n_*[10:9]", "n_*[32] ?": "n_*[10] ?"},
    ),
    "rounding-constant-missing": (
        _ROUNDED,
        {
            "scale_product_odd = ~(^": "scale_product_odd = (^",
            "scale_product_bits_4_5 = |": "scale_product_bits_4_5 = &",
        },
    ),
    "rounding-half-down": (
        _ROUNDED,
        {
            "s2_scale_product <= ...;": "s2_scale_product <= "
            "(i_payload[35:32] * i_payload[41:36] + 10'd7) >> 4;"
        },
    ),
    "lane-slip": (
        _ROUNDED,
        {
            f"i_payload[{at}], i_payload[{at - 4}]": f"i_payload[{at - 4}], i_payload[{at - 4}]"
            for at in range(24, 28)
        },
    ),
    "unsigned-lane-taken-as-signed": (
        _ROUNDED,
        {
            "s2_dot <= ...;": "s2_dot <= ... - "
            "(i_payload[31] ? {{2{i_payload[15]}}, i_payload[15:12], 4'd0} : 10'd0);"
        },
    ),
    "one-negative-bit-not-complemented": (
        _ROUNDED,
        {"~(s0_dot_left_4 & s0_dot_right_3)": "~(s0_dot_left_4 & s0_dot_right_3) ^ 4'd4"},
    ),
    "constant-of-the-negative-bits-missing": (
        _ROUNDED,
        {"{1'b1, s0_dot_bits_8": "{1'b0, s0_dot_bits_8"},
    ),
    "a-bit-of-the-highest-row-not-met-by-the-flag": (
        _EITHER,
        {"s0_dot_bits_5_4 = sum_3 ^ i_payload[42]": "s0_dot_bits_5_4 = sum_3"},
    ),
    "constant-of-the-flag-missing": (_EITHER, {".c(i_payload[42])": ".c(1'b0)"}),
    "flag-of-the-vector-before": (
        _EITHER,
        {
            "i_payload[42]": "was_signed",
            "wire s0_dot_highest_bits_1_2,": "reg was_signed; "
            "always @(posedge clk) if (i_valid & i_ready) was_signed <= i_payload[42]; "
            "wire s0_dot_highest_bits_1_2,",
        },
    ),
    "lowest-pattern-taken-for-the-one-above": (
        _EITHER,
        {
            "s2_dot <= ...;": "s2_dot <= ... + (i_payload[42] & i_payload[31:28] == 4'h8 ? "
            "{{6{i_payload[15]}}, i_payload[15:12]} : 10'd0);"
        },
    ),
    "last-carry-between-the-adders-lost": (_ROUNDED, {"{5'd0, &{carry_4, sum_44}}": "6'd0"}),
}


@pytest.mark.parametrize(("config", "changes"), _FAULTS.values(), ids=_FAULTS)
def test_sees_a_fault(config: DatapathConfig, changes: dict[str, str], tmp_path: Path) -> None:
    verdict = Fault("vector_mac", changes).verdict("vector-mac", config, tmp_path, 1000)
    assert verdict.failure is not None
