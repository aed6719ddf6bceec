"""Energy of a netlist from its toggles.

Each transition of a net charges or discharges what hangs on it, and each transition of a pin costs
what its cell's tables say at the slew of the cause and the load:

    E = sum over outputs of toggles * (C_load * V^2 / 2 + mean over causes and directions of E_int)
      + sum over inputs of toggles * mean over directions of E_int
      + the same for the clock, which toggles twice in a cycle

This is what OpenSTA's `report_power` computes. It is done here because the OpenSTA of Debian 12
(2.0.17) cannot take the activity of a pin: its `set_power_activity -pins` calls a procedure that
does not exist (OpenSTA issue 51), and what is set below that is overwritten by propagation.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from scalewright.sim.ppa.cells import CellLibrary
from scalewright.sim.ppa.netlist import CONSTANTS, Netlist
from scalewright.sim.ppa.timing import INPUT_SLEW, Timing


@dataclass(frozen=True)
class Energy:
    """Energy of one clock cycle in J, and leakage in W.

    Attributes:
        switching: To charge the cells' inputs.
        internal: Inside cells, the clock's pins included.
        sequential: The part of both that is in flip-flops.
        leakage: Power of doing nothing, in W.
    """

    switching: float
    internal: float
    sequential: float
    leakage: float

    @property
    def total(self) -> float:
        """Dynamic energy of one clock cycle in J."""
        return self.switching + self.internal


def energy_per_cycle(
    netlist: Netlist, library: CellLibrary, timing: Timing, toggles: Mapping[str, float]
) -> Energy:
    """Energy of a clock cycle.

    Args:
        netlist: The netlist.
        library: Its cells.
        timing: For the slews.
        toggles: Transitions per cycle of each net but the clock.

    Raises:
        ValueError: A net has no toggles, not even none.
    """
    rates = {**toggles, **dict.fromkeys(CONSTANTS, 0.0), "clk": 2.0}
    loads: dict[str, float] = defaultdict(float)
    drivers: dict[str, str] = {}
    for name, instance in netlist.instances.items():
        pins = library.cells[instance.cell].pins
        for pin_name, net in instance.pins.items():
            if pins[pin_name].output:
                drivers[net] = f"{name}/{pin_name}"
            else:
                loads[net] += pins[pin_name].capacitance
    slews = {
        net: timing.slews.get(drivers[net], INPUT_SLEW) if net in drivers else INPUT_SLEW
        for net in {net for each in netlist.instances.values() for net in each.pins.values()}
    }
    # Tables are in units of capacitance times 1 V^2.
    unit = library.capacitance_unit
    by_pin: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for instance in netlist.instances.values():
        for each in instance.pins:
            by_pin[instance.cell, each].append(instance.pins)
    switching = internal = sequential = 0.0
    for (cell_name, name), connections in by_pin.items():
        cell = library.cells[cell_name]
        pin = cell.pins[name]
        nets = [pins[name] for pins in connections]
        unknown = [net for net in nets if net not in rates]
        if unknown:
            raise ValueError(f"no toggles of {len(unknown)} nets, such as {unknown[0]}")
        rate = np.array([rates[net] for net in nets])
        load = np.array([loads[net] for net in nets]) if pin.output else np.zeros(len(nets))
        inside = np.zeros(len(nets))
        for cause, tables in pin.energy.items():
            causes = nets if cause is None else [pins.get(cause, "") for pins in connections]
            slew = np.array([slews.get(net, INPUT_SLEW) for net in causes])
            inside += np.mean([table.look_up(slew, load) for table in tables], axis=0)
        here = float(rate @ inside) / max(len(pin.energy), 1) * unit
        outside = float(rate @ load) * unit * library.voltage**2 / 2
        internal += here
        switching += outside
        if cell.sequential:
            sequential += here + outside
    leakage = sum(library.cells[cell].leakage * count for cell, count in netlist.cells.items())
    return Energy(switching, internal, sequential, leakage * library.leakage_unit)
