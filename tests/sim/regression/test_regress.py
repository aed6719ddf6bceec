"""The regression itself: it must see every defect that open designs are known to have."""

import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from scalewright.golden.config import DatapathConfig
from scalewright.sim.blocks import design_of
from scalewright.sim.regression.regress import WINDOW, Regression, Verdict, regress
from tests.benches.faults import Fault

_ROUNDED = DatapathConfig.parse("4/4U/4/6", vector_size=4, scale_product_bits=6)
_CARRYING = DatapathConfig.parse("4/4U/6/6", vector_size=4, scale_product_bits=2)
_DEEP = replace(_ROUNDED, pipeline_depth=3)
_NARROW = DatapathConfig.parse("8/8/10/10", vector_size=4, accumulator_bits=16)

# A wrapper of the generated module with the same ports; `{logic}` drives its outputs.
_WRAPPER = """
module vector_mac(input clk, input rst, input [{high}:0] i_payload, input i_valid,
    output i_ready, output [{result_high}:0] o_payload, output o_valid, input o_ready);
  wire inner_ready, inner_valid;
  wire [{result_high}:0] inner_payload;
  wire inner_o_ready;
  inner inner(.clk(clk), .rst(rst), .i_payload(i_payload), .i_valid(i_valid),
    .i_ready(inner_ready), .o_payload(inner_payload), .o_valid(inner_valid),
    .o_ready(inner_o_ready));
  {logic}
endmodule
"""


def _verdict(config: DatapathConfig, verilog: str, folder: Path, phase: str | None) -> Verdict:
    path = folder / "defective.v"
    path.write_text(verilog)
    return regress(
        Regression("vector-mac", config, transactions=1000, seed=0, phase=phase, verilog=path)
    )


@pytest.mark.parametrize(
    ("config", "pattern", "replacement"),
    [
        pytest.param(
            _CARRYING, r"(s2_scale_product <= )[^?]+\?", r"\g<1>1'b0 ?",
            id="scale-product-wraps-to-zero",
        ),
        pytest.param(
            _NARROW, r"(= \(o_payload\[16\] & )s2_keep", r"\g<1>1'b0", id="not-sticky"
        ),
        pytest.param(_NARROW, r"16'h7fff", "16'h7ffe", id="saturates-one-too-low"),
        pytest.param(_NARROW, r"16'h8000", "16'h8001", id="saturates-one-too-high"),
        pytest.param(
            _ROUNDED, r"if \(rst\) s2_valid <= 1'b0;\s+else ", "", id="pipeline-survives-reset"
        ),
        pytest.param(
            _DEEP, r"if \(rst\) s1_valid <= 1'b0;\s+else ", "", id="first-stage-survives-reset"
        ),
        pytest.param(
            _ROUNDED, r"if \(rst\) o_valid <= 1'b0;\s+else ", "", id="result-survives-reset"
        ),
        pytest.param(
            _ROUNDED, r"assign s2_ready = .*", "assign s2_ready = 1'b1;", id="ignores-back-pressure"
        ),
        pytest.param(
            _DEEP, r"assign s1_ready = .*", "assign s1_ready = 1'b1;",
            id="first-stage-ignores-back-pressure",
        ),
        pytest.param(
            _ROUNDED, r"(s2_keep <= )[^;]+", r"\g<1>1'b0", id="never-accumulates"
        ),
    ],
)  # fmt: skip
def test_sees_a_defect(
    config: DatapathConfig, pattern: str, replacement: str, tmp_path: Path
) -> None:
    good = design_of("vector-mac", config).verilog
    bad, count = re.subn(pattern, replacement, good)
    assert count == 1, f"{count} matches of {pattern} in\n{good}"
    assert _verdict(config, bad, tmp_path, None).failure is not None


@pytest.mark.parametrize(
    "logic",
    [
        pytest.param(
            "assign {i_ready, o_payload} = {inner_ready, inner_payload};"
            "assign o_valid = inner_valid & o_ready; assign inner_o_ready = o_ready;",
            id="valid-waits-for-ready",
        ),
        pytest.param(
            "assign {i_ready, o_payload, o_valid} = {inner_ready, inner_payload, inner_valid};"
            "reg [4:0] n = 0; always @(posedge clk) n <= n + o_valid;"
            "assign inner_o_ready = o_ready | &n;",
            id="drops-a-stalled-result",
        ),
        pytest.param(
            "assign {i_ready, o_payload, o_valid} = {inner_ready, inner_payload, inner_valid};"
            "reg [4:0] n = 0; always @(posedge clk) n <= n + (o_valid & o_ready);"
            "assign inner_o_ready = o_ready & ~&n;",
            id="gives-a-result-twice",
        ),
        pytest.param(
            "assign {i_ready, o_payload, o_valid} = {inner_ready & !wait_, inner_payload, "
            "inner_valid}; reg wait_ = 0; always @(posedge clk) wait_ <= i_valid & i_ready;"
            "assign inner_o_ready = o_ready;",
            id="half-the-throughput",
        ),
    ],
)
def test_sees_a_breach_of_the_stream_contract(logic: str, tmp_path: Path) -> None:
    design = design_of("vector-mac", _ROUNDED, name="inner")
    wrapper = _WRAPPER.format(
        high=design.codec("i").width - 1, result_high=design.codec("o").width - 1, logic=logic
    )
    verilog = design.verilog + wrapper
    if "wait_" in logic:
        # The inner module would take what the wrapper refuses.
        verilog = verilog.replace(".i_valid(i_valid)", ".i_valid(i_valid & !wait_)")
        verilog = verilog.replace("wire inner_ready,", "reg wait_ = 0; wire inner_ready,")
        verilog = verilog.replace("reg wait_ = 0; always", "always")
    assert _verdict(_ROUNDED, verilog, tmp_path, None).failure is not None


def test_failure_prints_the_transaction_the_seed_and_the_replay(tmp_path: Path) -> None:
    rounding = Fault(
        "vector_mac",
        {
            "scale_product_odd = ~(^": "scale_product_odd = (^",
            "scale_product_bits_4_5 = |": "scale_product_bits_4_5 = &",
        },
    )
    bad = rounding.insert(design_of("vector-mac", _ROUNDED).verilog)
    failure = _verdict(_ROUNDED, bad, tmp_path, "scale-products").failure
    assert failure is not None
    assert re.search(r"phase scale-products, result \d+ of stream o, cycle \d+:", failure)
    assert re.search(r"got  accumulator=-?\d+ saturated=0\n", failure)
    assert re.search(r"want accumulator=-?\d+ saturated=0\n", failure)
    assert re.search(r"weights=\[.*\] activations=\[.*\] weight_scale=\d+", failure)
    assert re.search(r"golden: dot=-?1 scale_product=\d+ partial_sum=", failure)
    assert "seed 0; to replay with waves:" in failure
    command = shlex.split(failure.splitlines()[-1])
    assert command[:3] == ["scalewright", "regress", "4/4U/4/6"]
    assert {"--waves", "--seed", "--phase", "scale-products", "--verilog"} <= set(command)


def test_hang_is_reported_as_missing_results(tmp_path: Path) -> None:
    good = design_of("vector-mac", _ROUNDED).verilog
    bad, count = re.subn(r"assign i_ready = .*", "assign i_ready = 1'b0;", good)
    assert count == 1
    failure = _verdict(_ROUNDED, bad, tmp_path, "random").failure
    assert failure is not None
    assert "got  nothing" in failure


def test_waves_are_recorded(tmp_path: Path) -> None:
    verdict = regress(
        Regression("vector-mac", _ROUNDED, transactions=60, seed=0, phase="random", waves=True)
    )
    assert verdict.failure is None
    assert verdict.waves is not None
    text = verdict.waves.read_text()
    assert "$enddefinitions" in text
    assert "s2_scale_product" in text


@pytest.mark.parametrize("player", ["cocotb", "compiled"])
def test_waves_of_a_failure_begin_shortly_before_it(player: str, tmp_path: Path) -> None:
    good = design_of("vector-mac", _ROUNDED).verilog
    # An element is wrong in cycle 3000 after reset.
    ticks = "reg [15:0] ticks; always @(posedge clk) ticks <= rst ? 16'd0 : ticks + 16'd1;"
    bad = good.replace("{i_payload[", "{(ticks == 16'd3000) ^ i_payload[", 1)
    bad = bad.replace("  assign ", f"  {ticks}\n  assign ", 1)
    (tmp_path / "bad.v").write_text(bad)
    verdict = regress(
        Regression(
            *("vector-mac", _ROUNDED, 60_000, 0, "random"),
            waves=True,
            verilog=tmp_path / "bad.v",
            player=player,
        )
    )
    assert verdict.failure is not None
    cycle = int(re.search(r"of stream o, cycle (\d+):", verdict.failure)[1])  # type: ignore[index]
    assert 3000 < cycle < 3200
    assert verdict.waves is not None
    # In ps, at 10 ns a cycle; the whole is 10,000 cycles.
    times = [int(line[1:]) for line in verdict.waves.read_text().splitlines() if line[:1] == "#"]
    assert cycle - WINDOW - 10 < times[0] / 10_000 < cycle - WINDOW + 10
    assert cycle + 50 < times[-1] / 10_000


def test_same_seed_plays_the_same() -> None:
    runs = [
        regress(Regression("vector-mac", _ROUNDED, transactions=600, seed=seed)).as_dict()
        for seed in (3, 3, 4)
    ]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_replay_names_a_pipeline_that_is_not_the_default() -> None:
    options = [
        "--pipeline-depth 3" in Regression("vector-mac", config, transactions=1, seed=0).replay
        for config in (_ROUNDED, _DEEP)
    ]
    assert options == [False, True]


def test_rejects_an_unknown_phase() -> None:
    with pytest.raises(ValueError, match=r"^phase must be one of single, .*, not noon$"):
        regress(Regression("vector-mac", _ROUNDED, transactions=10, seed=0, phase="noon"))


def test_rejects_an_unknown_simulator() -> None:
    with pytest.raises(ValueError, match=r"^simulator must be verilator or icarus, not vcs$"):
        regress(Regression("vector-mac", _ROUNDED, transactions=10, seed=0, simulator="vcs"))
