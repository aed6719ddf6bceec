"""Lets testbenches, which send packed words, drive a design that has a port for each field."""

import re
from typing import Any

from scalewright.hw.verilog import PortStyle
from scalewright.sim.bench.design import Design


def with_payload_ports(design: Design) -> Design:
    """The design itself, or inside a module whose streams have payloads in one piece."""
    if design.description["port_style"] == PortStyle.PAYLOAD:
        return design
    module = f"{design.module}_bench"
    ports = ["input clk", "input rst"]
    connections = [".clk(clk)", ".rst(rst)"]
    for path, stream in design.description["streams"].items():
        ways = ("input", "output") if stream["direction"] == "input" else ("output", "input")
        ports += [
            f"{ways[0]} [{stream['width'] - 1}:0] {path}_payload",
            f"{ways[0]} {path}_valid",
            f"{ways[1]} {path}_ready",
        ]
        connections += [f".{path}_{part}({path}_{part})" for part in ("valid", "ready")]
        for field in stream["fields"]:
            low, width = field["offset"], field["width"] * (field["elements"] or 1)
            connections.append(f".{field['port']}({path}_payload[{low + width - 1}:{low}])")
    text = [
        f"module {module} (",
        "  " + ",\n  ".join(ports),
        ");",
        f"  {design.module} u_dut (",
        "    " + ",\n    ".join(connections),
        "  );",
        "endmodule",
    ]
    description: dict[str, Any] = {
        **design.description,
        "module": module,
        "port_style": str(PortStyle.PAYLOAD),
    }
    return Design(
        description,
        f"{design.key}-bench",
        lambda: "\n".join([design.verilog, *text, ""]),
    )


def port_style(verilog: str, design: Design) -> PortStyle:
    """The style that the ports of a design have in a source text."""
    header = re.search(rf"\bmodule\s+\\?{design.module}\b.*?;", verilog, re.DOTALL)
    words = set(re.findall(r"\w+", header[0] if header else ""))
    streams = design.description["streams"].items()
    if any(f"{path}_payload" in words for path, _ in streams):
        return PortStyle.PAYLOAD
    fields = {f"{path}_{field['name']}" for path, stream in streams for field in stream["fields"]}
    return PortStyle.FIELDS if fields & words else PortStyle.PAYLOAD
