"""Verilog of a component: modules that stand by themselves in anybody's design.

Every other module of a file has the top's name before its own, and each is written once however
often it is used. The text is Verilog-2005, the same for the same versions of the tools.
"""

import gc
from contextlib import contextmanager

from scalewright.hw.verilog.names import check_name
from scalewright.hw.verilog.platform import VerilogPlatform
from scalewright.hw.verilog.ports import PortStyle, describe, tool_versions

__all__ = ["PortStyle", "check_name", "convert", "describe", "generate", "tool_versions"]

# What linters are to pass over in the whole file, and why.
_PREAMBLE = """\
/* verilator lint_off DECLFILENAME */ // several modules, in a file of any name
/* verilator lint_off PINCONNECTEMPTY */ // shared modules have outputs that not everybody reads
// slang lint_off empty-output-connection
"""


def generate(component, *, name, style=PortStyle.FIELDS):
    """Return the Verilog of a component whose ports are streams, as one string.

    Its top-level module is called `name`. Of a stream `i` there are the ports `i_valid`, `i_ready`
    and one for each field of its payload, or `i_payload`; `clk` is the clock and `rst` the
    synchronous, active-high reset.

    Raises:
    ------
    ValueError
        The name cannot be that of a module.
    """
    description = describe(component, name=name, style=style)
    if name in [port["name"] for port in description["ports"]]:
        raise ValueError(f"name must not be that of a port: {name}")
    fields = {
        f"{path}_payload": [
            (field["port"], field["width"] * (field["elements"] or 1)) for field in stream["fields"]
        ]
        for path, stream in description["streams"].items()
        if description["port_style"] == PortStyle.FIELDS
    }
    return _header(description, component) + convert(component, name=name, fields=fields)


def convert(component, *, name, fields=None):
    """Return the Verilog without a header, of any component.

    `fields` : by name of a port that is to be several instead, their names and widths, from bit 0

    Raises:
    ------
    ValueError
        The name cannot be that of a module.
    """
    check_name(name)
    with _collector_paused():
        return _PREAMBLE + VerilogPlatform(name).convert(component, fields)


@contextmanager
def _collector_paused():
    """Collect no garbage: among so many objects that live on, it is two fifths of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _header(description, component):
    lines = [
        f"{description['module']}: {description['component']} of Scalewright",
        f"configuration: {component.config.summary}",
    ]
    lines += [f"{name}: {value}" for name, value in component.timing.items()]
    for path, stream in description["streams"].items():
        lines.append(f"{path}_payload:")
        for field in stream["fields"]:
            count = 1 if field["elements"] is None else field["elements"]
            high = field["offset"] + field["width"] * count - 1
            sign = "signed" if field["signed"] else "unsigned"
            each = "" if field["elements"] is None else f"{count} x "
            lines.append(
                f"  [{high}:{field['offset']}] {field['name']}: {each}{field['width']} bits {sign}"
            )
    lines.append("made with " + ", ".join(f"{k} {v}" for k, v in description["tools"].items()))
    return "".join(f"// {line}\n" for line in lines)
