"""Energy from toggles: by hand for cells of few numbers, and beside OpenSTA's own report."""

import re
from pathlib import Path

import pytest

from scalewright.sim.ppa import tools
from scalewright.sim.ppa.energy import Energy, energy_per_cycle
from scalewright.sim.ppa.netlist import Instance, Netlist
from scalewright.sim.ppa.timing import Timing, time_netlist
from tests.tools.ppa import FILES, inverters, mapped, needs_flow, osu_library, tiny_library

# Sums of decimal fractions in doubles, in another order. Energies are far below the absolute
# tolerance that pytest.approx has by default, hence abs=0.
_ROUNDING = 1e-12
# OpenSTA computes in single precision.
_SINGLE = 1e-6

# tests/tools/ppa.py's library: 100 fF, at 2 V half of V^2 is 2.
_UNIT = 1e-13
_HALF_V2 = 2


def _energy(
    instances: dict[str, Instance], slews: dict[str, float], toggles: dict[str, float], folder: Path
) -> Energy:
    netlist = Netlist(folder, "top", ("clk", "a"), ("y",), instances)
    timing = Timing(1.0, "a", "y", slews)
    at_rest = {net: 0.0 for each in instances.values() for net in each.pins.values()}
    return energy_per_cycle(netlist, tiny_library(folder), timing, {**at_rest, **toggles})


def test_inverters_and_flip_flop_cost_what_their_tables_say(tmp_path: Path) -> None:
    energy = _energy(
        {
            "first": Instance("INV", {"A": "a", "Y": "b"}),
            "second": Instance("INV", {"A": "b", "Y": "c"}),
            "third": Instance("DFF", {"CLK": "clk", "D": "c", "Q": "y"}),
        },
        {"first/Y": 0.3, "second/Y": 0.1, "third/Q": 9.0},
        {"a": 0.5, "b": 0.5, "c": 0.5, "y": 0.25},
        tmp_path,
    )
    # Net b carries an input of 2, net c one of 1.
    assert energy.switching == pytest.approx(
        (0.5 * 2 + 0.5 * 1) * _HALF_V2 * _UNIT, rel=_ROUNDING, abs=0
    )
    # Ports have a slew of 0.06: half-way from 0.02 to 0.1. Rising costs (2 + 6) / 2 at a load of
    # 2, falling 2.
    first = 0.5 * (4 + 2) / 2
    # At a slew of 0.3 and a load of 1, half-way from 3 to 7.
    second = 0.5 * (5 + 2) / 2
    # Twice per cycle, rising 1.5 and falling 3.5.
    clock = 2 * (1.5 + 3.5) / 2
    # At a slew of 0.1
    data = 0.5 * (2 + 4) / 2
    # From the clock, at a load of 0: 2 at 1 and 6 at 3, hence 0.
    output = 0.25 * (0 + 2) / 2
    total = first + second + clock + data + output
    assert energy.internal == pytest.approx(total * _UNIT, rel=_ROUNDING, abs=0)
    assert energy.sequential == pytest.approx((clock + data + output) * _UNIT, rel=_ROUNDING, abs=0)
    assert energy.total == energy.switching + energy.internal
    # 10 pW
    assert energy.leakage == pytest.approx((5 + 5 + 7) * 1e-11, rel=_ROUNDING, abs=0)


def test_flip_flops_have_what_they_drive(tmp_path: Path) -> None:
    energy = _energy(
        {
            "r": Instance("DFF", {"CLK": "clk", "D": "a", "Q": "b"}),
            "i": Instance("INV", {"A": "b", "Y": "y"}),
        },
        {"r/Q": 0.1, "i/Y": 0.1},
        {"b": 1.0},
        tmp_path,
    )
    assert energy.switching == pytest.approx(2 * _HALF_V2 * _UNIT, rel=_ROUNDING, abs=0)
    # Clock 5, and the output at a load of 2: rising 4, falling 2.
    assert energy.sequential == pytest.approx(
        (5 + 3) * _UNIT + energy.switching, rel=_ROUNDING, abs=0
    )


def test_causes_of_a_transition_count_equally(tmp_path: Path) -> None:
    energy = _energy(
        {"x": Instance("XOR", {"A": "a", "B": "b", "Y": "y"})}, {}, {"y": 1.0}, tmp_path
    )
    # A: rising 2, falling 4; B: rising 6, falling 8.
    assert energy.internal == pytest.approx((3 + 7) / 2 * _UNIT, rel=_ROUNDING, abs=0)
    assert energy.switching == energy.sequential == 0


def test_nets_at_rest_cost_the_clock_only(tmp_path: Path) -> None:
    instances = {"r": Instance("DFF", {"CLK": "clk", "D": "1", "Q": "y"})}
    energy = _energy(instances, {}, {}, tmp_path)
    assert energy.total == energy.sequential == pytest.approx(5 * _UNIT, rel=_ROUNDING, abs=0)
    assert _energy({}, {}, {}, tmp_path).total == 0


@needs_flow
def test_switching_and_leakage_are_those_of_opensta(tmp_path: Path) -> None:
    # OpenSTA adds the loads of a net for rising and for falling, and takes the larger sum; here
    # the larger one of each pin is added. These nets have loads that are larger in one direction.
    body = f"""{inverters(3)}
        wire p, q, r, s;
        NAND2X1 nand_ (.A(w[3]), .B(a), .Y(p));
        XOR2X1 xor_ (.A(p), .B(b), .Y(q));
        INVX8 big (.A(q), .Y(r));
        INVX1 left (.A(r), .Y(s)), right (.A(r), .Y(z));
        DFFPOSX1 keep (.CLK(clk), .D(s), .Q(y));"""
    netlist = mapped(body, tmp_path, ports="input a, input b, output y, output z")
    (tmp_path / "power.tcl").write_text(
        f"""read_liberty {FILES.liberty}
read_verilog netlist.v
link_design top
create_clock -name clk -period 10 [get_ports clk]
set_input_delay 0 -clock clk [get_ports {{a b}}]
set_power_activity -global -activity 0.3
report_power -digits 8
exit
"""
    )
    printed = tools.run(["sta", "-no_splash", "-exit", "power.tcl"], tmp_path, "OpenSTA")
    total = re.search(r"^Total +(\S+) +(\S+) +(\S+)", printed, re.MULTILINE)
    assert total is not None
    # Its internal power is another: it adds rising and falling in place of their mean.
    _, switching, leakage = (float(number) for number in total.groups())
    nets = {net for each in netlist.instances.values() for net in each.pins.values()}
    timing = time_netlist(netlist, FILES)
    energy = energy_per_cycle(netlist, osu_library(), timing, dict.fromkeys(nets, 0.3))
    assert switching > 0
    assert energy.switching / 10e-9 == pytest.approx(switching, rel=_SINGLE, abs=0)
    assert energy.leakage == pytest.approx(leakage, rel=_SINGLE, abs=0)


def test_a_net_without_toggles_is_an_error(tmp_path: Path) -> None:
    netlist = Netlist(tmp_path, "top", ("clk", "a"), ("y",), {"i": Instance("INV", {"A": "a"})})
    with pytest.raises(ValueError, match=r"^no toggles of 1 nets, such as a$"):
        energy_per_cycle(netlist, tiny_library(tmp_path), Timing(1.0, "a", "y", {}), {})


@needs_flow
def test_internal_energy_is_that_of_the_liberty_file(tmp_path: Path) -> None:
    netlist = mapped(f"{inverters(2)} assign y = w[2];", tmp_path)
    timing = time_netlist(netlist, FILES)
    toggles = {"a": 1.0, "w[1]": 1.0, "y": 0.0}
    energy = energy_per_cycle(netlist, osu_library(), timing, toggles)
    # INVX1 at a slew of 0.06 ns and loads of 0.005 and 0.0125 pF, which the other's input is
    # between; the second one rests.
    share = (0.00932456 - 0.005) / (0.0125 - 0.005)
    falling = 0.009213 + share * (0.009047 - 0.009213)
    rising = 0.023555 + share * (0.023165 - 0.023555)
    assert energy.internal == pytest.approx((rising + falling) / 2 * 1e-12, rel=_ROUNDING, abs=0)
    assert energy.switching == pytest.approx(0.00932456e-12 * 1.8**2 / 2, rel=_ROUNDING, abs=0)
    assert energy.leakage == pytest.approx(2 * 0.0221741e-9, rel=_ROUNDING, abs=0)
    assert energy.sequential == 0
