"""One top that holds several generated designs side by side, as a user's chip does."""

import hashlib
from typing import Any

from scalewright.sim.bench.case import Case
from scalewright.sim.bench.design import Design
from scalewright.sim.bench.plan import Phase


def combine(designs: dict[str, Design], *, name: str) -> Design:
    """A design whose streams are those of all designs, `<instance>_<stream>`.

    Args:
        designs: By the name of their instance, all with ports for payloads, and with modules of
            different names.
        name: Name of the new module.
    """
    ports, instances = ["input clk", "input rst"], []
    streams: dict[str, Any] = {}
    for instance, design in designs.items():
        connections = [".clk(clk)", ".rst(rst)"]
        for port in design.description["ports"][2:]:
            width = f" [{port['width'] - 1}:0]" if port["width"] > 1 else ""
            ports.append(f"{port['direction']}{width} {instance}_{port['name']}")
            connections.append(f".{port['name']}({instance}_{port['name']})")
        instances.append(f"  {design.module} u_{instance} ({', '.join(connections)});")
        for path, stream in design.description["streams"].items():
            streams[f"{instance}_{path}"] = stream
    joined = ",\n  ".join(ports)
    lines = [f"module {name} (\n  {joined}\n);", *instances, "endmodule\n"]
    texts = [design.verilog for design in designs.values()]
    verilog = "\n".join([*texts, *lines])
    description = {"module": name, "port_style": "payload", "streams": streams, "ports": []}
    return Design(description, hashlib.sha256(verilog.encode()).hexdigest(), lambda: verilog)


def side_by_side(cases: dict[str, Case], *, name: str) -> Phase:
    """A phase that plays a case on each instance at the same time."""
    joined: dict[str, Any] = {
        part: {
            f"{instance}_{port}": value
            for instance, case in cases.items()
            for port, value in getattr(case.phase, part).items()
        }
        for part in ("inputs", "expected", "offers", "accepts")
    }
    return Phase(name=name, **joined)
