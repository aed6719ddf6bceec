"""Write the Verilog of two blocks from Python, and put both into one design.

Run: python examples/verilog_beside.py FOLDER

The folder gets mac.v, octav.v and top.v, a design that instantiates both. Verilator, where it is
installed, reads the three with -Wall.
"""

import os
import subprocess
import sys
from pathlib import Path

from scalewright.golden.config import DatapathConfig, OctavConfig
from scalewright.hw.mac import VectorMac
from scalewright.hw.octav import OctavUnit
from scalewright.hw.verilog import describe, generate
from scalewright.sim.simulators.toolchain import ToolError, find_toolchain


def instance(description: dict) -> tuple[list[str], str]:
    """Ports of a design that holds the module, and the module's instance, port by port."""
    module = description["module"]
    own = [port for port in description["ports"] if port["name"] not in ("clk", "rst")]
    ports = [
        f"{port['direction']} wire [{port['width'] - 1}:0] {module}_{port['name']}" for port in own
    ]
    wires = [".clk(clk)", ".rst(rst)"]
    wires += [f".{port['name']}({module}_{port['name']})" for port in own]
    return ports, f"  {module} u_{module} (\n    " + ",\n    ".join(wires) + "\n  );"


def main(folder: Path) -> None:
    """Write the files, and have them read."""
    folder.mkdir(parents=True, exist_ok=True)
    mac = VectorMac(DatapathConfig.parse("4/4U/4/6", scale_product_bits=6))
    octav = OctavUnit(OctavConfig(lanes=4, depth=64))
    ports, instances = ["input wire clk", "input wire rst"], []
    for name, component in (("mac", mac), ("octav", octav)):
        (folder / f"{name}.v").write_text(generate(component, name=name))
        more, text = instance(describe(component, name=name))
        ports += more
        instances.append(text)
    top = ["module top (", "  " + ",\n  ".join(ports), ");", *instances, "endmodule", ""]
    (folder / "top.v").write_text("\n".join(top))
    print(f"wrote mac.v, octav.v and top.v to {folder}")
    try:
        tools = find_toolchain()
    except ToolError as error:
        print(f"not read by Verilator: {error}")
        return
    environment = tools.environment(dict(os.environ))
    command = [str(tools.verilator / "verilator"), "--lint-only", "-Wall", "--top-module", "top"]
    subprocess.run([*command, "top.v", "mac.v", "octav.v"], cwd=folder, env=environment, check=True)
    print("Verilator reads them without a warning")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(f"usage: {sys.argv[0]} FOLDER")
    main(Path(sys.argv[1]))
