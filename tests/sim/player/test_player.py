"""The compiled player does what the cocotb testbench does, to the cycle, whatever the design."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from scalewright.golden.config import DatapathConfig, OctavConfig
from scalewright.sim.bench.design import Design
from scalewright.sim.bench.plan import DETAIL_LIMIT, Outcome, Phase
from scalewright.sim.blocks import BLOCKS, design_of
from scalewright.sim.simulators.build import PLAYER, VERILATOR, build
from scalewright.sim.simulators.simulation import simulate
from tests.benches.combined import combine
from tests.benches.small import small_engine
from tests.benches.stage import WORDS, phases, stage


def _outcomes(design: Design, played: Sequence[Phase]) -> list[dict[str, Any]]:
    """What the player gives, after comparing it with what cocotb gives."""
    of_player, of_cocotb = (
        [_facts(outcome) for outcome in simulate(built, list(played)).outcomes]
        for built in (build(design, lint=False, simulator=each) for each in (PLAYER, VERILATOR))
    )
    assert of_player == of_cocotb
    return of_player


def _facts(outcome: Outcome) -> dict[str, Any]:
    assert outcome.seconds >= 0
    results = {port: words.tolist() for port, words in outcome.results.items()}
    return {**vars(outcome), "seconds": None, "results": results}


@pytest.mark.parametrize(
    ("block", "config"),
    [
        ("vector-mac", DatapathConfig.parse("4/4U/4/6", vector_size=4, scale_product_bits=6)),
        ("engine", small_engine("3/4U/4/4")),
        ("rescaler", small_engine("3/4U/4/4")),
        ("vector-quantizer", small_engine("3/4U/4/4")),
        ("octav", OctavConfig(sample_bits=6, lanes=4, depth=8, resident=True)),
    ],
)
def test_plays_every_block(block: str, config: Any) -> None:
    design = design_of(block, config)
    cases = BLOCKS[block].cases(design, config, 120, 7)
    outcomes = _outcomes(design, [case.phase for case in cases])
    assert len(outcomes) == len(cases)
    assert not any(each["mismatch_count"] or each["violations"] for each in outcomes)


# Takes a word in every other cycle; and counts cycles.
_HALF = ("= !full | o_ready;", "= !full;")
_MEMORY = ("reg never;", "reg [7:0] count; always @(posedge clk) count <= rst ? 0 : count + 1;")


@pytest.mark.parametrize(
    ("replacements", "failed"),
    [
        pytest.param([("= data;", "= data == 150 ? 151 : data;")], "plain", id="wrong"),
        pytest.param([("= data;", "= data ^ 1;")], "plain", id="all-wrong"),
        pytest.param([("= data;", "= data ^ {7'b0, data > 210};")], "plain", id="last-ones-wrong"),
        pytest.param([("<= i_valid;", "<= i_valid && i_payload != 130;")], "plain", id="lost"),
        pytest.param([("<= i_valid;", "<= i_valid && i_payload < 200;")], "plain", id="cut-off"),
        pytest.param([("<= i_valid;", "<= i_valid || data == 140;")], "stalled", id="repeated"),
        pytest.param([("<= i_valid;", "<= i_valid || data == 219;")], "plain", id="surplus"),
        pytest.param([("<= i_valid;", "<= 0;")], "plain", id="nothing"),
        pytest.param([("= full;", "= full & o_ready;")], "patient", id="valid-waits-for-ready"),
        pytest.param([_MEMORY, ("= data;", "= count > 9 && !o_ready ? count : data;")],
                     "patient", id="payload-changes"),
        pytest.param([_MEMORY, ("= full;", "= full && count % 4 != 3;"),
                      ("| o_ready;", "| (o_ready & o_valid);")],
                     "patient", id="valid-falls"),
        pytest.param([("if (rst) full <= 0;", "if (rst && i_valid) full <= 1;")],
                     "reset", id="takes-a-word-in-reset"),
        pytest.param([("if (rst) full <= 0;", "")], "reset", id="keeps-a-word-in-reset"),
        pytest.param([_MEMORY, ("<= i_valid;", "<= i_valid && count % 8 != 7;")],
                     "plain", id="loses-what-comes-in-some-cycles"),
        pytest.param([_HALF, ("if (i_ready) full", "if (o_ready | !full) full")],
                     "plain", id="takes-what-it-refuses"),
        pytest.param([_HALF, ("if (i_ready) full <= i_valid",
                              "if (o_ready | !full) full <= i_valid & !full")],
                     None, id="half-the-speed"),
    ],
)  # fmt: skip
def test_sees_what_is_wrong(replacements: list[tuple[str, str]], failed: str | None) -> None:
    outcomes = _outcomes(stage(*replacements), phases())
    wrong = [each["phase"] for each in outcomes if each["mismatch_count"] or each["violations"]]
    assert wrong == ([] if failed is None else [failed])


def test_offers_the_word_of_the_last_cycle_while_it_resets() -> None:
    design = stage(("if (rst) full <= 0;", "if (rst) begin full <= 1; data <= i_payload; end"))
    plain = phases()[0]
    # What the reset leaves comes first: after a number of cycles, the word after so many.
    for cycles in (1, 2, 7):
        (outcome,) = _outcomes(design, [replace(plain, reset_after=cycles)])
        assert outcome["results"]["o"][0] == WORDS[cycles - 1].tolist()


@pytest.mark.parametrize("cycles", [0, 1, 5, 119, 500])
def test_resets_after_any_number_of_cycles(cycles: int) -> None:
    (outcome,) = _outcomes(stage(), [replace(phases()[-1], reset_after=cycles)])
    assert outcome["results"]["o"] == WORDS.tolist()


def test_nothing_expected_and_nothing_sent() -> None:
    nothing = WORDS[:0]
    sent = Phase(name="unanswered", inputs={"i": WORDS}, expected={"o": nothing})
    (outcome,) = _outcomes(stage(), [sent])
    assert (outcome["cycles"], outcome["mismatch_count"]) == (0, 0)
    idle = Phase(name="idle", inputs={"i": nothing}, expected={"o": nothing})
    (outcome,) = _outcomes(stage(), [idle])
    assert outcome["results"]["o"] == []


def test_keeps_the_first_findings_and_counts_all() -> None:
    (outcome,) = _outcomes(stage(("= data;", "= data + 1;")), phases()[:1])
    assert outcome["mismatch_count"] == len(WORDS)
    assert [each.index for each in outcome["mismatches"]] == list(range(DETAIL_LIMIT))
    assert outcome["failed_at"] == 1


def _wide_stage(width: int) -> Design:
    """The stage with words of so many bits."""
    sound = ("module stage(", "[7:0] i_payload", "[7:0] o_payload", "[7:0] data")
    wide = (f"module stage_{width}(", *(f"[{width - 1}:0]{text[5:]}" for text in sound[1:]))
    verilog = stage(*zip(sound, wide, strict=True)).verilog
    streams = {
        name: {"direction": direction, "width": width, "fields": []}
        for name, direction in (("i", "input"), ("o", "output"))
    }
    directions = {"input": "i_payload i_valid o_ready", "output": "o_payload o_valid i_ready"}
    ports = [
        {"name": name, "direction": direction, "width": width if "payload" in name else 1}
        for direction, names in directions.items()
        for name in ("clk", "rst") * (direction == "input") + tuple(names.split())
    ]
    description = {"module": f"stage_{width}", "streams": streams, "ports": ports}
    return Design(description, f"{width}", lambda: verilog)


def test_wide_and_narrow_words() -> None:
    rng = np.random.default_rng(3)
    widths = (1, 9, 31, 64, 65, 200)
    words = {
        f"w{width}": np.packbits(
            rng.integers(0, 2, (50, width), np.uint8), axis=1, bitorder="little"
        )
        for width in widths
    }
    design = combine({f"w{width}": _wide_stage(width) for width in widths}, name="stages")
    # One bit as a vector, which cocotb takes for a word.
    text = re.sub(r"put (w1_\w_payload)", r"put [0:0] \1", design.verilog)
    design = design.with_verilog(text)
    phase = Phase(
        name="words",
        inputs={f"{name}_i": sent for name, sent in words.items()},
        expected={f"{name}_o": sent for name, sent in words.items()},
    )
    (outcome,) = _outcomes(design, [phase])
    assert outcome["results"] == {f"{name}_o": sent.tolist() for name, sent in words.items()}
    assert outcome["mismatch_count"] == 0
