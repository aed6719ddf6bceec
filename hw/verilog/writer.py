"""Writes a module as Verilog that simulators, linters and synthesis tools take alike."""

from scalewright.hw.verilog.clocked import Clocked
from scalewright.hw.verilog.expressions import Expressions
from scalewright.hw.verilog.names import Names
from scalewright.hw.verilog.netlist import (
    Netlist,
)
from scalewright.hw.verilog.registers import Registers
from scalewright.hw.verilog.rtlil import Process, Slice
from scalewright.hw.verilog.text import (
    Waiver,
    bit_range,
    broken,
    index_of,
)

__all__ = ["ModuleWriter"]


UNREAD_BITS = Waiver("UNUSEDSIGNAL", "some of these bits are dropped, as by rounding")
_UNREAD_PORT = Waiver("UNUSEDSIGNAL", "nothing depends on it", ("unused-port",))
_MULTIPLIER = Waiver(
    "WIDTHEXPAND",
    "narrow operands, so that tools take a multiplier of a DSP",
    ("sign-conversion", "arith-op-mismatch"),
)


class ModuleWriter:
    """The Verilog of one module.

    Parameters
    ----------
    module : a Module
    outputs : by kind of instance, the names of its outputs
    port_names : what the module's ports are called, by the names of their wires
    reserved : names that no signal is to have
    fields : by name of a port that is to be several instead, their names and widths, from bit 0
    """

    def __init__(self, module, outputs, port_names, fields=None, reserved=()):
        self._module = module
        self._fields = fields or {}
        self._netlist = Netlist(module, outputs)
        self._names = Names()
        self._identifiers = {f"\\{wire}": name for wire, name in port_names.items()}
        for name in (*port_names.values(), *reserved):
            self._names.add(name)
        self._registers = Registers(module, self._netlist)
        self._expressions = Expressions(
            module, self._netlist, self._registers, self._identifier, lambda: self._names.add("")
        )
        self._clocked = Clocked(module, self._registers, self._expressions, self._identifier)
        # Wires to declare, in order: first what is a port no more.
        self._declared = [
            wire for wire in module.wires if self._is_split(wire) and wire not in self._registers
        ]

    def lines(self):
        """The lines of the module."""
        for wire in self._module.wires:
            if wire in self._registers:
                self._declared.append(wire)
            elif self._needs_wire(wire):
                self._identifier(wire)
        always = self._clocked.always_blocks()
        instances = [line for cell in self._netlist.instances for line in self._instance(cell)]
        assigns, done = [], set()
        while pending := [wire for wire in self._pending() if wire not in done]:
            for wire in pending:
                done.add(wire)
                assigns += self._assign(wire)
        for name, _, text in self._expressions.shared:
            assigns += broken(f"assign {name} = {text};")
        assigns += self._joined_fields()
        body = [*self._declarations(), *assigns, *instances, *always, *self._clocked.initial()]
        return [
            f"module {self._module.name} (",
            *(f"  {line}" for line in self._port_lines()),
            ");",
            *(f"  {line}" for line in body),
            "endmodule",
        ]

    def reads(self, wire):
        """Whether anything depends on a wire."""
        return self._is_needed(wire)

    # Which wires there are.

    def _is_internal(self, wire):
        return self._module.wires[wire].direction is None or self._is_split(wire)

    def _is_read_in_full(self, wire):
        """Whether every bit is read that a wire has in the Verilog."""
        return self._netlist.demanded[wire] == (1 << self._netlist.width(wire)) - 1

    def _is_split(self, wire):
        return self._identifiers.get(wire) in self._fields

    def _is_needed(self, wire):
        return self._netlist.demanded[wire] != 0

    def _needs_wire(self, wire):
        """Whether a wire is declared in any case."""
        if (
            not self._is_needed(wire)
            or wire in self._netlist.next_values
            or self._module.wires[wire].direction
        ):
            return False
        return not self._expressions.may_inline(wire)

    def _identifier(self, wire):
        if wire not in self._identifiers:
            wanted = wire[1:] if wire[0] == "\\" else ""
            self._identifiers[wire] = self._names.add(wanted)
            if self._is_internal(wire) and not (wire in self._registers or wire in self._declared):
                self._declared.append(wire)
        return self._identifiers[wire]

    def _pending(self):
        """Wires that need an assignment."""
        outputs = [
            port.name
            for port in self._module.ports("output")
            if port.name not in self._registers
            and port.name in self._netlist.drivers
            and port.name not in self._declared
        ]
        return outputs + [
            wire
            for wire in self._declared
            if wire not in self._registers and wire in self._netlist.drivers
        ]

    # Statements.

    def _assign(self, wire):
        name, driver = self._identifier(wire), self._netlist.drivers[wire]
        width = self._netlist.width(wire)
        if not isinstance(driver, Process):
            text = self._expressions.driver_text(wire)
            if getattr(driver, "kind", None) == "$mul":
                return _MULTIPLIER.around(broken(f"assign {name} = {text};"))
            return broken(f"assign {name} = {text};")
        lines = []
        for low, high in self._expressions.parts(wire):
            text = self._expressions.selected(driver.body, Slice(wire, low, high - low))
            index = "" if high - low == width else index_of(low, high - low)
            lines += broken(f"assign {name}{index} = {text};")
        return lines

    def _instance(self, cell):
        # Lower modules have no names like these, which Verilator would take for hidden ones.
        name = self._names.add("u_" + cell.name.lstrip("\\$").removeprefix("U$"))
        connections = []
        for port, value in cell.connections.items():
            if not value:
                continue
            (chunk, *_) = value
            is_open = isinstance(chunk, Slice) and not self._is_needed(chunk.wire)
            connections.append(f".{port}({'' if is_open else self._expressions.text(value)})")
        return broken(f"{cell.kind[1:]} {name} ({', '.join(connections)});")

    def _declarations(self):
        shapes = {}
        for wire in self._declared:
            if self._is_internal(wire):
                shape = (
                    not self._is_read_in_full(wire) and self._is_needed(wire),
                    wire not in self._registers,
                    self._netlist.width(wire),
                )
                shapes.setdefault(shape, []).append(self._identifier(wire))
        for name, width, _ in self._expressions.shared:
            shapes.setdefault((False, True, width), []).append(name)
        lines = []
        for partly in (False, True):
            declared = [
                line
                for (is_partly, is_wire, width), names in sorted(shapes.items())
                if is_partly == partly
                for line in broken(
                    f"{'wire' if is_wire else 'reg'}{bit_range(width)} {', '.join(names)};"
                )
            ]
            lines += UNREAD_BITS.around(declared) if partly and declared else declared
        return lines

    def _port_lines(self):
        """The ports: clock and reset first, then in the order of the component's signature."""
        first = {"clk": 0, "rst": 1}
        wires = [wire for wire in self._module.wires.values() if wire.direction]
        wires = [wire for wire in wires if wire.name[1:] not in first or self.reads(wire.name)]
        lines = []
        for wire in sorted(wires, key=lambda wire: first.get(wire.name[1:], 2)):
            name = self._identifier(wire.name)
            kind = " reg" if wire.name in self._registers and name not in self._fields else ""
            low = 0
            for port, width in self._fields.get(name, [(name, wire.width)]):
                mask = (1 << width) - 1 << low
                read = self._netlist.demanded[wire.name] & mask
                line = [f"{wire.direction}{kind}{bit_range(width)} {port},"]
                if wire.direction == "input" and read != mask:
                    line = (UNREAD_BITS if read else _UNREAD_PORT).around(line)
                lines += line
                low += width
        at = max(at for at, line in enumerate(lines) if line.endswith(","))
        lines[at] = lines[at].removesuffix(",")
        return lines

    def _joined_fields(self):
        """What joins ports of fields to a payload, or takes them out of it."""
        lines = []
        directions = {
            self._identifiers[wire.name]: wire.direction
            for wire in self._module.wires.values()
            if wire.direction
        }
        for name, ports in self._fields.items():
            if directions[name] == "input":
                joined = ", ".join(port for port, _ in reversed(ports))
                lines += broken(f"assign {name} = {{{joined}}};")
                continue
            low = 0
            for port, width in ports:
                lines.append(f"assign {port} = {name}{index_of(low, width)};")
                low += width
        return lines
