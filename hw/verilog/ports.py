"""The ports of a generated module, and a description that suffices to drive them."""

import enum
from importlib.metadata import version

from amaranth.hdl import Fragment, Module, Shape
from amaranth.lib import data, stream
from amaranth.lib.wiring import In

__all__ = ["PortStyle", "describe", "fields_of", "tool_versions"]


class PortStyle(enum.StrEnum):
    """What becomes of a stream's payload.

    In an instantiation, in waves and in a constraint file, a name says what a bit's position does
    not: hence FIELDS by default. PAYLOAD suits what carries words without looking into them, such
    as a FIFO, or a testbench that packs them in bulk.
    """

    FIELDS = "fields"  #: one port for each of its fields: `i_weights`, `i_first`
    PAYLOAD = "payload"  #: one port for all of it: `i_payload`


def describe(component, *, name, style=PortStyle.FIELDS):
    """Return what a user must know to drive the module: a dictionary, ready for JSON.

    Widths and offsets are in bits, latency in clock cycles, throughput in transfers per clock
    cycle; bit 0 of a payload is the least significant, and an array's element 0 lies lowest.

    Raises:
    ------
    TypeError
        A port of the component is no stream.
    """
    style = PortStyle(style)
    Fragment.get(component, _Undescribed())
    streams = {}
    ports = [
        _port("clk", "input", 1, "clock, rising edge"),
        _port("rst", "input", 1, "reset, synchronous, active high"),
    ]
    for path, member in component.signature.members.items():
        if not (member.is_signature and isinstance(member.signature, stream.Signature)):
            raise TypeError(f"port {path} must be a stream, not {member!r}")
        forward = ("input", "output") if member.flow == In else ("output", "input")
        layout = member.signature.members["payload"].shape
        width = Shape.cast(layout).width
        fields = fields_of(layout)
        if style is PortStyle.PAYLOAD:
            ports.append(_port(f"{path}_payload", forward[0], width, f"payload of stream {path}"))
        else:
            for field in fields:
                field["port"] = f"{path}_{field['name']}"
                size = field["width"] * (field["elements"] or 1)
                role = f"{field['name']} of stream {path}"
                ports.append(_port(field["port"], forward[0], size, role))
        ports.append(_port(f"{path}_valid", forward[0], 1, f"valid of stream {path}"))
        ports.append(_port(f"{path}_ready", forward[1], 1, f"ready of stream {path}"))
        streams[path] = {
            "direction": forward[0],
            "width": width,
            "transfer": f"on a rising clk edge with {path}_valid and {path}_ready high",
            "fields": fields,
        }
    return {
        "module": name,
        "component": type(component).__name__,
        "configuration": component.config.as_dict(),
        "timing": component.timing,
        "port_style": str(style),
        "ports": ports,
        "streams": streams,
        "tools": tool_versions(),
    }


class _Undescribed:
    """A platform that elaborates no `shared` component: a description does not need it.

    (Amaranth warns of components that are never asked for.)
    """

    def instance_of(self, component):
        return Module()


def tool_versions():
    """Return the versions of what the bytes of the Verilog depend on."""
    return {name: version(name) for name in ("scalewright", "amaranth")}


def _port(name, direction, width, role):
    return {"name": name, "direction": direction, "width": width, "role": role}


def fields_of(layout):
    """Return the fields of a payload as `describe` says them, without their ports.

    A layout may have `signed_by`: of fields that are bits, what says whether these are signed.
    """
    fields = []
    flags = getattr(layout, "signed_by", {})
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
                **({"signed_by": flags[name]} if name in flags else {}),
            }
        )
    return fields
