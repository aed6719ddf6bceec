"""The regressions of the engine and its blocks: they must see every fault put into the hardware."""

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

_FAULTS = {
    "engine": _ENGINE_FAULTS,
    "rescaler": _RESCALER_FAULTS,
    "vector-quantizer": _QUANTIZER_FAULTS,
}


@pytest.mark.parametrize("block", _FAULTS)
def test_sees_nothing_wrong_with_sound_hardware(block: str) -> None:
    verdict = regress(Regression(block, _CONFIG, _TRANSACTIONS, seed=0, player="compiled"))
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
