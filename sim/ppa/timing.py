"""Times a netlist with OpenSTA."""

import re
from dataclasses import dataclass

from scalewright.sim.ppa import tools
from scalewright.sim.ppa.netlist import Netlist
from scalewright.sim.ppa.tools import CellFiles

# Long enough for any path; delays do not depend on it.
_PERIOD = 1000

# Ports are driven and loaded like an ordinary cell's, in the library's units.
INPUT_SLEW = 0.06
_OUTPUT_LOAD = 0.02

_SCRIPT = f"""\
read_liberty {{liberty}}
read_verilog netlist.v
link_design {{top}}
create_clock -name clk -period {_PERIOD} [get_ports clk]
set inputs {{{{}}}}
foreach port [all_inputs] {{{{
  if {{{{[get_property $port full_name] ne "clk"}}}} {{{{ lappend inputs $port }}}}
}}}}
set_input_delay 0 -clock clk $inputs
set_output_delay 0 -clock clk [all_outputs]
set_input_transition {INPUT_SLEW} $inputs
set_load {_OUTPUT_LOAD} [all_outputs]
report_checks -path_delay max -format full -digits 4
foreach pin [get_pins */*] {{{{
  puts "slew [get_property $pin full_name] [get_property $pin actual_rise_transition_max]\\
 [get_property $pin actual_fall_transition_max]"
}}}}
exit
"""


@dataclass(frozen=True, eq=False)
class Timing:
    """What OpenSTA says of a netlist.

    Attributes:
        critical_path: The longest path, setup time included, in the library's unit of time: the
            shortest clock period.
        start: Where it starts.
        end: Where it ends.
        slews: The slower of rise and fall of each pin, `instance/pin`.
    """

    critical_path: float
    start: str
    end: str
    slews: dict[str, float]


def time_netlist(netlist: Netlist, files: CellFiles) -> Timing:
    """Time a netlist, with ideal clock and no wires.

    Raises:
        RuntimeError: OpenSTA failed or complained.
    """
    script = _SCRIPT.format(liberty=files.liberty.resolve(), top=netlist.top)
    (netlist.folder / "timing.tcl").write_text(script)
    printed = tools.run(["sta", "-no_splash", "-exit", "timing.tcl"], netlist.folder, "OpenSTA")
    slack = re.search(r"^\s*(-?[\d.]+)\s+slack", printed, re.MULTILINE)
    start = re.search(r"^Startpoint: (\S+)", printed, re.MULTILINE)
    end = re.search(r"^Endpoint: (\S+)", printed, re.MULTILINE)
    if "Error:" in printed or slack is None or start is None or end is None:
        raise RuntimeError(f"OpenSTA failed on {netlist.folder}:\n{printed[-1500:]}")
    slews = {
        match[1]: max(float(match[2]), float(match[3]))
        for match in re.finditer(r"^slew (\S+) (\S+) (\S+)$", printed, re.MULTILINE)
    }
    return Timing(_PERIOD - float(slack[1]), start[1], end[1], slews)
