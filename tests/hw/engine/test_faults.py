"""The regressions of the engine and its blocks: they must see every fault put into the hardware."""

from dataclasses import replace
from pathlib import Path

import pytest

from scalewright.golden.config import DatapathConfig, EngineConfig
from scalewright.sim.regression.regress import Regression, regress
from tests.benches.faults import Fault

# Small, but with two groups in a tile, two beats in a row of sums, four in a vector, and a ring of
# weights whose depth is no power of two.
_CONFIG = EngineConfig(
    datapath=DatapathConfig.parse("3/3U/3/3", vector_size=4, accumulator_bits=16),
    lanes=2,
    depth=6,
    post_lanes=1,
)
_EITHER_SIGN = replace(
    _CONFIG, datapath=DatapathConfig.parse("3/3X/3/3", vector_size=4, accumulator_bits=16)
)
_TRANSACTIONS = 1000

_ENGINE_FAULTS = {
    "the-ring-of-weights-wraps-one-row-late": Fault(
        "weight_buffer", {"write_address == 3'd5": "write_address == 3'd6"}
    ),
    "a-tile-frees-one-row-too-few": Fault(
        "weight_buffer", {"(read & release_) ? (position + 3'd1)": "(read & release_) ? position"}
    ),
    "reading-does-not-go-back-to-the-first-row-of-the-tile": Fault(
        "weight_buffer", {"read_row <= rewind ?": "read_row <= 1'b0 ?"}
    ),
    "a-row-is-read-before-its-last-vector-is-there": Fault(
        "weight_buffer", {"position < loaded": "position < loaded + {2'd0, lane}"}
    ),
    "weights-overwrite-those-of-the-present-tile": Fault(
        "weight_buffer", {"loaded != 3'd6": "(loaded != 3'd6) | (position == 3'd5)"}
    ),
    "the-scale-of-the-weights-is-that-of-the-next-lane": Fault(
        "engine", {"row[14:12]": "row[29:27]"}
    ),
    "sums-start-from-0-after-a-partial-tile": Fault("sequencer", {" & ~resumes": ""}),
    "the-place-in-a-sum-survives-reset": Fault("sequencer", {"vector <= 3'd0;": ""}),
    "a-partial-tile-is-remembered-through-reset": Fault("sequencer", {"resumes <= 1'b0;": ""}),
    "the-end-of-a-tile-is-lost-while-stalled": Fault(
        "sequencer",
        {"else if (read)": "else if (~read & ~o_ready) o_payload[17] <= 1'b0; else if (read)"},
    ),
    "parameters-overwrite-those-that-the-post-processor-needs": Fault(
        "parameter_buffer", {"held != 2'd2": "unread != 2'd2"}
    ),
    "parameters-go-with-the-first-beat-of-a-tiles-last-row": Fault(
        "post_processor", {"done = ends_row & row[34]": "done = read & row[34] & ~row_beat"}
    ),
    "sums-of-a-partial-tile-become-results": Fault(
        "post_processor", {"read ? (~(tile[6:5] == 2'd3))": "read ? 1'b1"}
    ),
    "a-row-survives-reset": Fault("post_processor", {"row_valid <= 1'b0;": ""}),
    "a-result-overtakes-quantized-ones": Fault("post_processor", {"(inside_ == 4'd0)": "1'b1"}),
    "valid-waits-for-ready": Fault(
        "post_processor",
        {"o_valid = o_valid_3 | direct": "o_valid = (o_valid_3 | direct) & o_ready"},
    ),
}

_RESCALER_FAULTS = {
    "ties-go-up": Fault("rescaler_lane", {" & (s1_shifted_lost_1 | s1_shifted_0[1])": ""}),
    "what-is-shifted-out-does-not-matter": Fault(
        "rescaler_lane", {"(s1_shifted_lost_1 | s1_shifted_0[1])": "s1_shifted_0[1]"}
    ),
    "results-saturate-before-the-bias": Fault(
        "rescaler_lane", {"s1_shifted_0[32:19]": "s1_shifted_0[32:18]"}
    ),
    "relu-asks-for-the-sign-before-the-bias": Fault(
        "rescaler_lane",
        {"_function & n_*[17]": "_function & s1_shifted_0[32]"},
    ),
    "accumulators-pass-through-relu": Fault(
        "rescaler_lane",
        {
            "s1_passes ?": "(s1_passes & (|s1_activation_function) & s1_product[15]) ? 18'd0 : "
            "s1_passes ?"
        },
    ),
    "accumulators-are-marked-where-their-results-would-saturate": Fault(
        "rescaler", {" & (s1[...] != 2'd2)": ""}
    ),
    "shifting-by-32-does-not-extend-the-sign": Fault(
        "rescaler_lane", {"{33{s1_product[31]}}": "{32'd0, s1_product[31]}"}
    ),
}

_QUANTIZER_FAULTS = {
    "scales-are-rounded-down": Fault("peak_scale", {"upward &": "1'b0 &"}),
    "elements-are-not-clipped": Fault("element_quotient", {" | {3{too_large}}": ""}),
    "ties-go-away-from-zero": Fault("element_quotient", {" & (magnitude[0] | fits_0)": ""}),
    "negative-results-count-in-unsigned-vectors": Fault("magnitude", {"? 18'd0 : y": "? -y : y"}),
    "a-peak-is-carried-over-to-the-next-vector": Fault(
        "vector_quantizer", {"((gathered == 2'd0) ? 8'd0 : peak)": "peak"}
    ),
    "a-mark-is-carried-over-to-the-next-vector": Fault(
        "vector_quantizer", {"(peak_marked & (gathered != 2'd0))": "peak_marked"}
    ),
    "the-ring-is-full-one-row-early": Fault("vector_quantizer", {"level != 3'd6": "level != 3'd5"}),
    "the-ring-is-overwritten": Fault("vector_quantizer", {"(level != 3'd6) & ": ""}),
    "a-vector-in-the-making-survives-reset": Fault("vector_quantizer", {"gathered <= 2'd0;": ""}),
}

# Of the flags of activations and results, by block.
_SIGN_FAULTS = {
    "the-sign-is-that-of-the-vector-before": (
        "engine",
        Fault(
            "sequencer",
            {
                "o_payload[15] <= i_payload[15];": "o_payload[15] <= was_signed; "
                "was_signed <= i_payload[15];",
                "assign tile_done =": "reg was_signed = 1'b0; assign tile_done =",
            },
        ),
    ),
    "results-have-the-sign-of-the-tile-that-the-sequencer-has": (
        "engine",
        Fault("engine", {".tile(tile_2)": ".tile({tile[13], tile_2[12:0]})"}),
    ),
    "the-sign-of-a-beat-does-not-wait-with-it": (
        "rescaler",
        Fault("rescaler", {"o_payload[26] <= n_* ?": "o_payload[26] <= 1'b1 ?"}),
    ),
    "negative-results-count-in-unsigned-vectors": (
        "vector-quantizer",
        Fault("magnitude", {"(is_signed ? (-{y[17], y}) : 19'd0)": "(-{y[17], y})"}),
    ),
    "scales-are-those-of-unsigned-elements": (
        "vector-quantizer",
        Fault("vector_quantizer", {".is_signed(is_signed), .scale": ".is_signed(1'b0), .scale"}),
    ),
    "a-remainder-of-signed-elements-has-a-bit-too-many": (
        "vector-quantizer",
        Fault("peak_scale", {"{n_5[2] & ~is_signed,": "{n_5[2],"}),
    ),
    "signed-elements-are-not-clipped": (
        "vector-quantizer",
        Fault("element_quotient", {"n_4[1:0] | {2{is_signed & n_4[2]}}": "n_4[1:0]"}),
    ),
    "elements-have-the-sign-of-the-next-vector": (
        "vector-quantizer",
        Fault("vector_quantizer", {".is_signed(is_signed_2)": ".is_signed(is_signed)"}),
    ),
}

_FAULTS = {
    "engine": _ENGINE_FAULTS,
    "rescaler": _RESCALER_FAULTS,
    "vector-quantizer": _QUANTIZER_FAULTS,
}


@pytest.mark.parametrize("config", [_CONFIG, _EITHER_SIGN], ids=["unsigned", "either-sign"])
@pytest.mark.parametrize("block", _FAULTS)
def test_sees_nothing_wrong_with_sound_hardware(block: str, config: EngineConfig) -> None:
    verdict = regress(Regression(block, config, _TRANSACTIONS, seed=0, player="compiled"))
    assert verdict.failure is None, verdict.failure


@pytest.mark.parametrize(
    ("block", "fault"),
    [
        pytest.param(block, fault, id=f"{block}-{name}")
        for block, faults in _FAULTS.items()
        for name, fault in faults.items()
    ],
)
def test_sees_a_fault(block: str, fault: Fault, tmp_path: Path) -> None:
    assert fault.verdict(block, _CONFIG, tmp_path, _TRANSACTIONS).failure is not None


@pytest.mark.parametrize(("block", "fault"), _SIGN_FAULTS.values(), ids=_SIGN_FAULTS)
def test_sees_a_fault_of_either_sign(block: str, fault: Fault, tmp_path: Path) -> None:
    assert fault.verdict(block, _EITHER_SIGN, tmp_path, _TRANSACTIONS).failure is not None
