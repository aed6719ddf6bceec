"""What of a module is needed: who drives each wire, and which of its bits anybody reads."""

from scalewright.hw.verilog.rtlil import Assign, Const, Slice, Switch

__all__ = ["Netlist", "fit", "switches"]

BITWISE = {"$and": "&", "$or": "|", "$xor": "^"}
ARITHMETIC = {"$add": "+", "$sub": "-", "$mul": "*"}
COMPARISONS = {
    "$eq": "==",
    "$ne": "!=",
    "$lt": "<",
    "$le": "<=",
    "$gt": ">",
    "$ge": ">=",
}
REDUCTIONS = {"$reduce_and": "&", "$reduce_or": "|", "$reduce_xor": "^", "$reduce_bool": "|"}
# Of these results, low bits depend on no higher bits of the operands.
_FROM_BELOW = {*BITWISE, *ARITHMETIC, "$not", "$neg", "$mux", "$shl"}


def width_of(value):
    """Bits of a value."""
    return sum(chunk.width for chunk in value)


def part_of(value, low, width):
    """Some bits of a value."""
    parts = []
    for chunk in value:
        first, last = max(low, 0), min(low + width, chunk.width)
        if first < last:
            if isinstance(chunk, Const):
                bits = chunk.value >> first & (1 << last - first) - 1
                parts.append(Const(last - first, bits))
            else:
                parts.append(Slice(chunk.wire, chunk.low + first, last - first))
        low -= chunk.width
    return tuple(parts)


def fit(value, width, signed):
    """A value at a width: cut, or extended by zeros or its sign."""
    size = width_of(value)
    if size >= width:
        return part_of(value, 0, width)
    if signed and size:
        return (*value, *part_of(value, size - 1, 1) * (width - size))
    return (*value, Const(width - size, 0))


def switches(body):
    """All switches of a body, nested ones as well."""
    for statement in body:
        if isinstance(statement, Switch):
            yield statement
            for _, inner in statement.cases:
                yield from switches(inner)


class Netlist:
    """Drivers and readers of a module's wires.

    Parameters
    ----------
    module : a Module
    outputs : by kind of instance, the names of its outputs

    Attributes:
    ----------
    module : the module
    drivers : by wire, a Cell, a Process, or a value that it is connected to
    instances : cells that are instances of modules
    demanded : by wire, its bits that are read, as a mask
    next_values : wires between a process and its flip-flop, with the flip-flop's own
    """

    def __init__(self, module, outputs):
        self.module = module
        self._outputs = outputs
        self.drivers = {}
        self.instances = []
        self.demanded = dict.fromkeys(module.wires, 0)
        for cell in module.cells:
            if not cell.kind.startswith("$"):
                self.instances.append(cell)
                continue
            (target,) = cell.connections["Q" if cell.kind == "$dff" else "Y"]
            self.drivers[target.wire] = cell if (moved := _moved(cell)) is None else moved
        for process in module.processes:
            self.drivers[process.body[0].target.wire] = process
        for connection in module.connections:
            self.drivers[connection.target.wire] = connection.value
        self.next_values = self._find_next_values()
        self._demand()

    def width(self, wire):
        """Bits of a wire that have to be there: all, or those from the highest that is read."""
        driver = self.drivers.get(wire)
        if getattr(driver, "kind", None) in _FROM_BELOW:
            return self.demanded[wire].bit_length()
        return self.module.wires[wire].width

    def reads(self, wire):
        """The values that a wire's driver reads, at the widths that it reads them at."""
        driver = self.drivers.get(wire)
        if driver is None:
            return []
        if isinstance(driver, tuple):
            return [part_of(driver, 0, self.width(wire))]
        if hasattr(driver, "body"):
            default, *body = driver.body
            held = Slice(self.next_values.get(wire), 0, self.module.wires[wire].width)
            return list(_values(body if default.value == (held,) else driver.body))
        return list(self.operands(driver, wire))

    def operands(self, cell, wire):
        """Operands of an operator or flip-flop, at the widths at which it takes them."""
        ports, width = cell.connections, self.width(wire)
        signs = [cell.parameters.get(f"{port}_SIGNED") == "1" for port in "AB"]
        if cell.kind == "$dff":
            return ports["D"], ports["CLK"]
        if cell.kind == "$mux":
            return ports["S"], part_of(ports["B"], 0, width), part_of(ports["A"], 0, width)
        if cell.kind in COMPARISONS:
            both = max(width_of(ports["A"]), width_of(ports["B"]), 1)
            return fit(ports["A"], both, signs[0]), fit(ports["B"], both, signs[1])
        if cell.kind in ("$shl", "$shr", "$sshr"):
            kept = max(width, 0 if cell.kind == "$shl" else width_of(ports["A"]))
            return fit(ports["A"], kept, signs[0]), ports["B"]
        if cell.kind in REDUCTIONS:
            return (ports["A"],)
        if cell.kind in ("$not", "$neg"):
            return (fit(ports["A"], width, signs[0]),)
        if cell.kind == "$mul":
            # As they are: a multiplier's operands are narrower than its product.
            return tuple(
                part_of(ports[port], 0, min(width, width_of(ports[port]))) for port in "AB"
            )
        if cell.kind in BITWISE or cell.kind in ARITHMETIC:
            return tuple(
                fit(ports[port], width, signed) for port, signed in zip("AB", signs, strict=True)
            )
        raise ValueError(f"RTLIL has a cell of kind {cell.kind}, which is not known here")

    def inputs(self, instance):
        """Ports of an instance that are driven, with their values."""
        outputs = self._outputs[instance.kind]
        return [pair for pair in instance.connections.items() if pair[0] not in outputs]

    def _find_next_values(self):
        readers = {}
        for wire in self.drivers:
            for value in self._raw_reads(wire):
                for chunk in value:
                    if isinstance(chunk, Slice):
                        readers.setdefault(chunk.wire, []).append(wire)
        for instance in self.instances:
            for _, value in self.inputs(instance):
                for chunk in value:
                    if isinstance(chunk, Slice):
                        readers.setdefault(chunk.wire, []).append(None)
        found = {}
        for wire, cell in self.drivers.items():
            if getattr(cell, "kind", None) == "$dff":
                (source, *others) = cell.connections["D"]
                if (
                    not others
                    and isinstance(source, Slice)
                    and hasattr(self.drivers.get(source.wire), "body")
                    and readers[source.wire] == [wire]
                ):
                    found[source.wire] = wire
        return found

    def _raw_reads(self, wire):
        """The values that a wire's driver reads, whole."""
        driver = self.drivers[wire]
        if isinstance(driver, tuple):
            return [driver]
        if hasattr(driver, "body"):
            return list(_values(driver.body))
        return [value for port, value in driver.connections.items() if port not in ("Q", "Y")]

    def _demand(self):
        todo = []

        def demand(value):
            for chunk in value:
                if isinstance(chunk, Slice):
                    mask = (1 << chunk.width) - 1 << chunk.low
                    if mask & ~self.demanded[chunk.wire]:
                        self.demanded[chunk.wire] |= mask
                        todo.append(chunk.wire)

        for port in self.module.ports("output"):
            demand((Slice(port.name, 0, port.width),))
        for instance in self.instances:
            for _, value in self.inputs(instance):
                demand(value)
        while todo:
            for value in self.reads(todo.pop()):
                demand(value)


def _moved(cell):
    """What a shift by a constant, or a product with a power of two, gives: bits in other places."""
    if cell.kind not in ("$shl", "$shr", "$sshr", "$mul"):
        return None
    right = cell.connections["B"]
    if cell.kind == "$mul" and not (right and cell.connections["A"]):
        return (Const(int(cell.parameters["Y_WIDTH"]), 0),)
    if not all(isinstance(chunk, Const) for chunk in right):
        return None
    number, at = 0, 0
    for chunk in right:
        number, at = number | chunk.value << at, at + chunk.width
    if cell.kind == "$mul":
        if cell.parameters["B_SIGNED"] == "1" or number.bit_count() != 1:
            return None
        number = number.bit_length() - 1
    left, signed = cell.connections["A"], cell.parameters["A_SIGNED"] == "1"
    width = int(cell.parameters["Y_WIDTH"])
    if cell.kind in ("$shl", "$mul"):
        below = (Const(number, 0),) if number else ()
        return fit((*below, *left), width, signed)
    whole = fit(left, max(width, width_of(left)), signed)
    number = min(number, width_of(whole) - 1) if cell.kind == "$sshr" else number
    return fit(part_of(whole, number, width_of(whole)), width, signed and cell.kind == "$sshr")


def _values(body):
    for statement in body:
        if isinstance(statement, Assign):
            yield statement.value
        else:
            yield statement.test
            for _, inner in statement.cases:
                yield from _values(inner)
