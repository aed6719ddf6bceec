"""The registers of a module, and what each of them takes."""

from scalewright.hw.verilog.rtlil import Assign, Slice
from scalewright.hw.verilog.statements import is_tree

__all__ = ["Registers"]


class Registers:
    """The flip-flops of a module that anything depends on.

    Parameters
    ----------
    module : a Module
    netlist : its Netlist
    """

    def __init__(self, module, netlist):
        self._module = module
        self._netlist = netlist
        self._next = netlist.next_values
        self._cells = {
            wire: driver
            for wire, driver in netlist.drivers.items()
            if getattr(driver, "kind", None) == "$dff" and netlist.demanded[wire] != 0
        }

    def __contains__(self, wire):
        return wire in self._cells

    def __iter__(self):
        return iter(self._cells)

    def items(self):
        """The wires, and their flip-flops."""
        return self._cells.items()

    def width(self, wire):
        """The bits of a register."""
        return self._module.wires[wire].width

    def next_body(self, wire):
        """What a flip-flop takes: statements, and the value on reset, if it has one."""
        data = self._cells[wire].connections["D"]
        (source,) = data if len(data) == 1 else (None,)
        if not (isinstance(source, Slice) and source.wire in self._next):
            whole = Slice(wire, 0, self._module.wires[wire].width)
            return [Assign(whole, data)], None
        default, *body = self._netlist.drivers[source.wire].body
        if default.value != (Slice(wire, 0, default.target.width),):
            body.insert(0, default)
        reset = None
        if body and not isinstance(body[-1], Assign):
            last = body[-1]
            is_reset = [chunk.wire for chunk in last.test if isinstance(chunk, Slice)] == ["\\rst"]
            if is_reset:
                ((_, (loaded,)),) = last.cases
                (reset,) = loaded.value
                body.pop()
        return body, reset

    def is_selected(self, register):
        """Whether conditional operators say what a register takes."""
        body, _ = self.next_body(register)
        if len(body) == 1 and not isinstance(body[0], Assign) and len(body[0].cases) == 1:
            body = body[0].cases[0][1]  # within the condition of an always block
        return not is_tree(body, self._module.wires[register].width)
