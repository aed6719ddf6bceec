"""Delays: what OpenSTA says of netlists that can be followed by hand."""

from pathlib import Path

import numpy as np
import pytest

from scalewright.sim.ppa.timing import INPUT_SLEW, Timing, time_netlist
from tests.tools.ppa import FILES, inverters, mapped, needs_flow

pytestmark = needs_flow

# OpenSTA prints four digits.
_PRINTED = 1e-4


def _timed(body: str, folder: Path, *, ports: str = "input a, output y") -> Timing:
    return time_netlist(mapped(body, folder, ports=ports), FILES)


def test_chain_of_inverters_takes_longer_with_each(tmp_path: Path) -> None:
    paths = []
    for count in range(1, 6):
        timing = _timed(f"{inverters(count)} assign y = w[{count}];", tmp_path / str(count))
        assert (timing.start, timing.end) == ("a", "y")
        paths.append(timing.critical_path)
    # INVX1, rising, at a slew of 0.06 ns: 0.05258 and 0.07402 ns at loads of 0.0125 and 0.025 pF;
    # the output port is 0.02 pF.
    assert paths[0] == pytest.approx(0.05258 + 0.6 * (0.07402 - 0.05258), abs=_PRINTED)
    assert (np.diff(paths) > 0.02).all()


def test_setup_time_is_part_of_the_path(tmp_path: Path) -> None:
    timing = _timed("always @(posedge clk) y <= a;", tmp_path, ports="input a, output reg y")
    assert timing.start == "a"
    # DFFPOSX1, data rising at a slew of 0.06 ns: 0.1875 and 0.2 ns at slews of the clock of 0.06
    # and 0.3 ns; the clock is ideal.
    expected = 0.1875 - 0.06 * (0.2 - 0.1875) / (0.3 - 0.06)
    assert timing.critical_path == pytest.approx(expected, abs=_PRINTED)


def test_path_between_flip_flops_counts_from_the_clock(tmp_path: Path) -> None:
    body = "reg x; always @(posedge clk) begin x <= a; y <= !x; end"
    timing = _timed(body, tmp_path, ports="input a, output reg y")
    # From clock to output more than 0.09 ns, an inverter, and the setup time.
    assert timing.critical_path > 0.09 + 0.03 + 0.18
    assert timing.start.split("/")[0] != timing.end.split("/")[0]
    assert "a" not in (timing.start, timing.end)


def test_every_pin_has_a_slew(tmp_path: Path) -> None:
    timing = _timed(f"{inverters(4)} XOR2X1 x (.A(a), .B(w[4]), .Y(y));", tmp_path)
    pins = {f"i{n}/{pin}" for n in range(4) for pin in "AY"} | {"x/A", "x/B", "x/Y"}
    assert set(timing.slews) == pins
    # Single precision
    assert timing.slews["i0/A"] == pytest.approx(INPUT_SLEW, rel=1e-6)
    assert timing.slews["x/A"] == pytest.approx(INPUT_SLEW, rel=1e-6)
    for n in range(3):
        # No wires: what goes out comes in.
        assert timing.slews[f"i{n}/Y"] == timing.slews[f"i{n + 1}/A"]
    # The first inverter drives one like it, the last a larger load.
    assert 0.03 < timing.slews["i0/Y"] < timing.slews["i3/Y"] < 0.2


def test_slew_is_that_of_the_slower_edge(tmp_path: Path) -> None:
    timing = _timed(f"{inverters(1)} assign y = w[1];", tmp_path)
    # INVX1 at a slew of 0.06 ns, rising: 0.047167 and 0.072 ns at 0.0125 and 0.025 pF; its falling
    # edge takes 0.036025 to 0.06 ns.
    expected = 0.047167 + 0.6 * (0.072 - 0.047167)
    assert timing.slews["i0/Y"] == pytest.approx(expected, rel=1e-6)


def test_netlist_without_paths_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)^OpenSTA failed on .*No paths found"):
        _timed("assign y = 1'b1;", tmp_path, ports="output y")
