"""Toggles and responses at gate level, of netlists whose waveforms are known."""

from pathlib import Path

import numpy as np
import pytest

from scalewright.sim.ppa.activity import Activity, Bits, simulate_gates
from scalewright.sim.ppa.netlist import Netlist
from tests.tools.ppa import FILES, inverters, mapped, needs_flow

pytestmark = needs_flow

# Far longer than any path here, in ns.
_PERIOD = 4.0


def _simulated(netlist: Netlist, *, skipped: int = 1, **stimulus: Bits) -> Activity:
    return simulate_gates(netlist, FILES.models, stimulus, _PERIOD, skipped=skipped)


def _column(bits: list[int]) -> Bits:
    return np.array(bits, np.uint8)[:, None]


def _alternating(cycles: int) -> Bits:
    return _column([cycle % 2 for cycle in range(cycles)])


def test_toggle_flip_flop_toggles_once_per_cycle(tmp_path: Path) -> None:
    body = "always @(posedge clk) y <= a ? 0 : !y;"
    netlist = mapped(body, tmp_path, ports="input a, output reg y")
    activity = _simulated(netlist, skipped=4, a=_column([1] * 3 + [0] * 17))
    assert activity.cycles == 16
    assert activity.toggles["y"] == 16
    assert activity.toggles["a"] == 0
    # A cycle ends with what its rising edge stored; before the first edge under reset has passed
    # nothing is known.
    assert activity.responses["y"].tolist() == [[2]] + [[0]] * 3 + [[1], [0]] * 8


def test_unknown_state_is_no_toggle(tmp_path: Path) -> None:
    netlist = mapped("always @(posedge clk) y <= a ^ y;", tmp_path, ports="input a, output reg y")
    activity = _simulated(netlist, a=_alternating(10))
    assert activity.toggles["y"] == 0
    assert activity.responses["y"].tolist() == [[2]] * 10


def test_inputs_that_come_late_make_glitches(tmp_path: Path) -> None:
    # Both inputs are equal in the end, but the second one comes six inverters later.
    netlist = mapped(f"{inverters(6)} XOR2X1 x (.A(a), .B(w[6]), .Y(y));", tmp_path)
    activity = _simulated(netlist, skipped=2, a=_alternating(12))
    assert activity.cycles == 10
    assert [activity.toggles[f"w[{n}]"] for n in range(1, 7)] == [10] * 6
    assert activity.toggles["y"] == 2 * 10
    assert not activity.responses["y"].any()


def test_inputs_count_in_every_cycle(tmp_path: Path) -> None:
    netlist = mapped(f"{inverters(1)} assign y = w[1];", tmp_path)
    activity = _simulated(netlist, skipped=2, a=_alternating(12))
    assert activity.toggles["a"] == activity.toggles["y"] == activity.cycles == 10


def test_toggles_of_skipped_cycles_do_not_count(tmp_path: Path) -> None:
    netlist = mapped(f"{inverters(1)} assign y = w[1];", tmp_path)
    bits = [0, 1, 0, 1, 0, 0, 0, 0, 0]
    stimulus = _column(bits)
    assert _simulated(netlist, skipped=1, a=stimulus).toggles["y"] == 4
    assert _simulated(netlist, skipped=3, a=stimulus).toggles["y"] == 2
    after = _simulated(netlist, skipped=5, a=stimulus)
    assert (after.cycles, after.toggles["y"]) == (4, 0)
    # Responses are of all cycles.
    assert after.responses["y"].ravel().tolist() == [1 - bit for bit in bits]


def test_responses_have_the_bits_of_their_ports(tmp_path: Path) -> None:
    body = "always @(posedge clk) q <= a; assign y = ~a[1];"
    ports = "input [2:0] a, input b, output reg [2:0] q, output y, output z"
    netlist = mapped(f"{body} assign z = b;", tmp_path, ports=ports)
    a, b = np.random.default_rng(0).integers(2, size=(2, 20, 3), dtype=np.uint8)
    activity = _simulated(netlist, a=a, b=b[:, :1])
    assert {name: bits.shape for name, bits in activity.responses.items()} == {
        "q": (20, 3),
        "y": (20, 1),
        "z": (20, 1),
    }
    # Inputs change just after the edge: a register has those of the cycle before.
    np.testing.assert_array_equal(activity.responses["q"][1:], a[:-1])
    np.testing.assert_array_equal(activity.responses["y"][:, 0], 1 - a[:, 1])
    np.testing.assert_array_equal(activity.responses["z"], b[:, :1])


def test_every_net_is_found_in_the_recording(tmp_path: Path) -> None:
    body = r"""wire \$x , \cells[1].x ;
        INVX1 first (.A(a), .Y(\$x ));
        INVX1 second (.A(\$x ), .Y(\cells[1].x ));
        INVX1 third (.A(\cells[1].x ), .Y(y));"""
    netlist = mapped(body, tmp_path)
    activity = _simulated(netlist, a=_alternating(6))
    for name in ("first", "second", "third"):
        assert activity.toggles[netlist.instances[name].pins["Y"]] == 5, name


def test_broken_netlist_is_an_error(tmp_path: Path) -> None:
    netlist = mapped(f"{inverters(1)} assign y = w[1];", tmp_path)
    (tmp_path / "netlist.v").write_text("module top (clk, a, y); endmodule oops")
    with pytest.raises(RuntimeError, match=r"(?s)^Icarus failed in .*syntax error"):
        _simulated(netlist, a=_alternating(4))
