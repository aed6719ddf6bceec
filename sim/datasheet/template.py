"""A template that instantiates a module, with one signal for each field of its streams."""

from typing import Any

from scalewright.sim.files.names import printable

MARK = "written by scalewright generate"


def template(description: dict[str, Any], file: str) -> str:
    """Lines of Verilog-2005 to copy into a module, or to `include there.

    Args:
        description: What hw/verilog's `describe` says of the module.
        file: Name of the file, for its first line.
    """
    module = description["module"]
    lines = [
        f"// {printable(file)}: how to instantiate {module}; {MARK}.",
        "// Copy it into a module that has clk and rst (synchronous, active high), or `include it",
        f"// there. Signals begin with {module}_; replace that to rename them all.",
    ]
    connections = [("clk", "clk"), ("rst", "rst")]
    for path, stream in description["streams"].items():
        drives = "driven by you" if stream["direction"] == "input" else f"from {module}"
        lines += ["", f"// stream {path}: {stream['transfer']}"]
        for field in stream["fields"]:
            name = f"{module}_{path}_{field['name']}"
            lines.append(_wire(_size(field), name) + _says(field, drives))
        back = f"from {module}" if stream["direction"] == "input" else "driven by you"
        lines.append(f"{_wire(1, f'{module}_{path}_valid')} // {drives}")
        lines.append(f"{_wire(1, f'{module}_{path}_ready')} // {back}")
        if description["port_style"] == "payload":
            lines += _payload(module, path, stream)
            connections.append((f"{path}_payload", f"{module}_{path}_payload"))
        else:
            connections += [
                (field["port"], f"{module}_{path}_{field['name']}") for field in stream["fields"]
            ]
        connections += [(f"{path}_{end}", f"{module}_{path}_{end}") for end in ("valid", "ready")]
    width = max(len(port) for port, _ in connections)
    lines += ["", f"{module} {module}_instance ("]
    lines.append(",\n".join(f"  .{port:<{width}} ({signal})" for port, signal in connections))
    return "\n".join([*lines, ");", ""])


def _payload(module: str, path: str, stream: dict[str, Any]) -> list[str]:
    """The payload's wire, put together of its fields or taken apart into them."""
    payload = f"{module}_{path}_payload"
    lines = [_wire(stream["width"], payload)]
    for field in stream["fields"]:
        low, high = field["offset"], field["offset"] + _size(field) - 1
        part = payload if stream["width"] == 1 else f"{payload}[{high}:{low}]"
        signal = f"{module}_{path}_{field['name']}"
        ends = (part, signal) if stream["direction"] == "input" else (signal, part)
        lines.append(f"assign {ends[0]} = {ends[1]};")
    return lines


def _wire(width: int, name: str) -> str:
    return f"wire {f'[{width - 1}:0]' if width > 1 else '':<8} {name};"


def _says(field: dict[str, Any], drives: str) -> str:
    sign = "signed" if field["signed"] else "unsigned"
    if "signed_by" in field:
        sign = f"signed where {field['signed_by']} is 1"
    if field["elements"] is None:
        return f" // {drives}" + (f"; {field['width']} bits, {sign}" if field["width"] > 1 else "")
    width = field["width"]
    each = f"{field['elements']} x {width} bits, {sign}; number k at [{width}*k +: {width}]"
    return f" // {drives}; {each}"


def _size(field: dict[str, Any]) -> int:
    """Bits of all its elements."""
    return int(field["width"] * (field["elements"] or 1))
