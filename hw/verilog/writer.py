"""Writes a module as Verilog that simulators, linters and synthesis tools take alike.

Every operand is written at the width of its operator, so no tool has to extend or cut anything.
What a combinational process does becomes conditional operators: unlike an `always @*`, they have a
value from time 0 on, and let an unknown condition through in simulation.
"""

from itertools import pairwise

from scalewright.hw.verilog.names import Names
from scalewright.hw.verilog.netlist import (
    ARITHMETIC,
    BITWISE,
    COMPARISONS,
    REDUCTIONS,
    Netlist,
    part_of,
    switches,
)
from scalewright.hw.verilog.rtlil import Assign, Const, Process, Slice
from scalewright.hw.verilog.statements import edges_of, is_exclusive, is_tree, merged_chunks
from scalewright.hw.verilog.text import (
    Waiver,
    bit_range,
    broken,
    constant,
    else_statement,
    if_statement,
    index_of,
    is_bracketed,
    nested,
    opened,
)

__all__ = ["ModuleWriter"]


UNREAD_BITS = Waiver("UNUSEDSIGNAL", "some of these bits are dropped, as by rounding")
_UNREAD_PORT = Waiver("UNUSEDSIGNAL", "nothing depends on it", ("unused-port",))
_MULTIPLIER = Waiver(
    "WIDTHEXPAND",
    "narrow operands, so that tools take a multiplier of a DSP",
    ("sign-conversion", "arith-op-mismatch"),
)

# Longer expressions get a wire of their own.
_LONGEST = 72


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
        self._registers = {}  # by wire, the flip-flop
        for wire, driver in self._netlist.drivers.items():
            if getattr(driver, "kind", None) == "$dff" and self._is_needed(wire):
                self._registers[wire] = driver
        self._next = self._netlist.next_values
        self._references = self._count_references()
        self._shared = []  # texts that have a wire of their own
        self._inlined = {}
        # Names for values that are written often, such as the same bit of all elements.
        self._aliases = {
            tuple(merged_chunks(connection.value)): connection.target.wire
            for connection in reversed(module.connections)
            if len(merged_chunks(connection.value)) > 2 and self._is_plain(connection.value)
        }
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
        always = self._always_blocks()
        instances = [line for cell in self._netlist.instances for line in self._instance(cell)]
        assigns, done = [], set()
        while pending := [wire for wire in self._pending() if wire not in done]:
            for wire in pending:
                done.add(wire)
                assigns += self._assign(wire)
        for name, _, text in self._shared:
            assigns += broken(f"assign {name} = {text};")
        assigns += self._joined_fields()
        body = [*self._declarations(), *assigns, *instances, *always, *self._initial()]
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

    def _is_plain(self, value):
        """Whether a value consists of wires that are there in any case."""
        return all(isinstance(c, Slice) and not self._may_inline(c.wire) for c in value)

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
        if not self._is_needed(wire) or wire in self._next or self._module.wires[wire].direction:
            return False
        return not self._may_inline(wire)

    def _may_inline(self, wire):
        driver = self._netlist.drivers.get(wire)
        return (
            wire.startswith("$")
            and getattr(driver, "kind", "$mul") not in ("$dff", "$sshr", "$mul")
            and self._references.get(wire) == 1
        )

    def _count_references(self):
        """How often each wire is written, if its driver is; parts of a wire count twice."""
        counts = {}

        def count(value, times=1):
            for chunk in value:
                if isinstance(chunk, Slice):
                    whole = chunk.low == 0 and chunk.width == self._netlist.width(chunk.wire)
                    counts[chunk.wire] = counts.get(chunk.wire, 0) + (times if whole else 2)

        for wire, driver in self._netlist.drivers.items():
            if self._is_needed(wire):
                # What drives a wire in parts is written for each of them.
                in_steps = wire in self._next and not self._is_selected(self._next[wire])
                once = in_steps or len(self._parts(wire)) == 1
                if isinstance(driver, Process) and not in_steps:
                    for switch in switches(driver.body):
                        count(switch.test)
                for value in self._netlist.reads(wire):
                    count(value, 1 if once else 2)
        for instance in self._netlist.instances:
            for _, value in self._netlist.inputs(instance):
                count(value)
        return counts

    def _is_selected(self, register):
        """Whether conditional operators say what a register takes."""
        body, _ = self._next_body(register)
        if len(body) == 1 and not isinstance(body[0], Assign) and len(body[0].cases) == 1:
            body = body[0].cases[0][1]  # within the condition of an always block
        return not is_tree(body, self._module.wires[register].width)

    def _parts(self, wire):
        """The parts that a combinational process drives a wire in: from which bit to which."""
        driver, width = self._netlist.drivers[wire], self._netlist.width(wire)
        if not isinstance(driver, Process):
            return [(0, width)]
        return list(pairwise(sorted({0, width, *edges_of(driver.body, width)})))

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

    # Expressions: their text, and whether it can be an operand without parentheses.

    def _operand(self, value, *, of_unary=False):
        text, simple = self._expression(value)
        if not simple and text[0] == "~" and text[1:].isidentifier() and not of_unary:
            simple = True
        return text if simple else f"({text})"

    def _closed(self, value):
        """Text of a value that means the same in an operator of any width."""
        text, simple = self._expression(value)
        return text if simple and text[0] != "(" else f"{{{text}}}"

    def _text(self, value):
        return self._expression(value)[0]

    def _expression(self, value):
        """Text of a value, and whether it is a single word or in brackets."""
        merged = merged_chunks(value)
        if alias := self._aliases.get(tuple(merged)):
            return self._identifier(alias), True
        parts = []
        for chunk in merged:
            text, simple = self._chunk(chunk)
            if parts and parts[-1][0] == text and not isinstance(chunk, Const):
                parts[-1][2] += 1
            else:
                parts.append([text, simple, 1])
        if not parts:
            raise ValueError("a value of no bits has no text")
        if len(parts) == 1 and parts[0][2] == 1:
            return parts[0][0], parts[0][1]
        texts = [
            text if times == 1 else f"{{{times}{{{text}}}}}" for text, _, times in reversed(parts)
        ]
        return (texts[0] if len(texts) == 1 else f"{{{', '.join(texts)}}}"), True

    def _chunk(self, chunk):
        if isinstance(chunk, Const):
            return constant(chunk), True
        wire = chunk.wire
        width = self._netlist.width(wire) or self._module.wires[wire].width
        if self._may_inline(wire):
            if wire not in self._inlined:
                text = self._driver_text(wire)
                if len(text) <= _LONGEST:
                    self._inlined[wire] = text
                else:
                    self._references[wire] = 2
            if wire in self._inlined:
                assert (chunk.low, chunk.width) == (0, width), f"a part of an expression: {chunk}"
                text = self._inlined[wire]
                return text, text.isidentifier() or is_bracketed(text)
        name = self._identifier(wire)
        if chunk.low == 0 and chunk.width == width:
            return name, True
        return f"{name}{index_of(chunk.low, chunk.width)}", True

    def _driver_text(self, wire):
        driver = self._netlist.drivers[wire]
        width = self._netlist.width(wire)
        if isinstance(driver, tuple):
            merged = tuple(merged_chunks(driver))
            if self._aliases.get(merged) == wire:
                del self._aliases[merged]
                text = self._text(driver)
                self._aliases[merged] = wire
                return text
            return self._text(part_of(driver, 0, width))
        if isinstance(driver, Process):
            return self._selected(driver.body, Slice(wire, 0, width))
        return self._operator(driver, wire)

    def _operator(self, cell, wire):
        kind = cell.kind
        values = self._netlist.operands(cell, wire)
        if kind == "$mux":
            test, true, false = values
            return f"{self._operand(test)} ? {self._operand(true)} : {self._operand(false)}"
        if kind in ("$not", "$neg"):
            return f"{'~' if kind == '$not' else '-'}{self._operand(values[0], of_unary=True)}"
        if kind in REDUCTIONS and not values[0]:
            return constant(Const(1, int(kind == "$reduce_and")))
        if kind in ("$shl", "$shr", "$sshr") and not values[1]:
            return self._text(values[0])
        if kind in REDUCTIONS:
            return f"{REDUCTIONS[kind]}{self._operand(values[0], of_unary=True)}"
        left, right = map(self._operand, values)
        if kind in ("$shl", "$shr"):
            return f"{left} {'<<' if kind == '$shl' else '>>'} {right}"
        if kind == "$sshr":
            return f"$unsigned($signed({self._text(values[0])}) >>> {right})"
        signed = cell.parameters.get("A_SIGNED") == "1"
        if kind in COMPARISONS:
            if signed and kind not in ("$eq", "$ne"):
                left, right = (f"$signed({self._text(value)})" for value in values)
            return f"{left} {COMPARISONS[kind]} {right}"
        if kind == "$mul":
            # The only operands that the tool extends, so what they are must not depend on it.
            left, right = (
                f"$signed({self._text(value)})" if signed else self._closed(value)
                for value in values
            )
        return f"{left} {(BITWISE | ARITHMETIC)[kind]} {right}"

    def _selected(self, body, target, text=None):
        """What a combinational process gives some bits, as conditional operators.

        `text` is what they are before its statements.
        """
        for statement in body:
            if isinstance(statement, Assign):
                offset = target.low - statement.target.low
                if offset >= 0 and offset + target.width <= statement.target.width:
                    text = self._text(part_of(statement.value, offset, target.width))
                continue
            text = self._named(text, target.width)
            choices = [
                (self._condition(statement.test, patterns), self._selected(inner, target, text))
                for patterns, inner in statement.cases
            ]
            after = text
            if is_exclusive(statement):
                # In any order, then: what does the same as no match at all needs no mention.
                after = next((chosen for condition, chosen in choices if condition is None), text)
                choices = [choice for choice in choices if choice[0] and choice[1] != after]
            for condition, chosen in reversed(choices):
                if condition is None:
                    after = chosen
                elif chosen != after:
                    after = f"{condition} ? {nested(chosen)} : {nested(after)}"
            text = after
        return text

    def _named(self, text, width):
        """A text that is about to be repeated: a name for it, unless it is short."""
        if len(text) <= _LONGEST:
            return text
        name = self._names.add("")
        self._shared.append((name, width, text))
        return name

    def _condition(self, test, patterns):
        """The text of a match with any of the patterns; None where it always matches."""
        texts = []
        for pattern in patterns:
            bits = [(at, bit) for at, bit in enumerate(reversed(pattern)) if bit != "-"]
            if not bits:
                return None
            value = tuple(chunk for at, _ in bits for chunk in part_of(test, at, 1))
            value = tuple(merged_chunks(value))
            number = sum(int(bit) << position for position, (_, bit) in enumerate(bits))
            if len(bits) == 1:
                text = self._operand(value, of_unary=not number)
                texts.append(text if number else f"~{text}")
            else:
                wanted = constant(Const(len(bits), number))
                texts.append(f"({self._operand(value)} == {wanted})")
        if not texts:
            return None
        return texts[0] if len(texts) == 1 else f"({' | '.join(texts)})"

    # Statements.

    def _assign(self, wire):
        name, driver = self._identifier(wire), self._netlist.drivers[wire]
        width = self._netlist.width(wire)
        if not isinstance(driver, Process):
            text = self._driver_text(wire)
            if getattr(driver, "kind", None) == "$mul":
                return _MULTIPLIER.around(broken(f"assign {name} = {text};"))
            return broken(f"assign {name} = {text};")
        lines = []
        for low, high in self._parts(wire):
            text = self._selected(driver.body, Slice(wire, low, high - low))
            index = "" if high - low == width else index_of(low, high - low)
            lines += broken(f"assign {name}{index} = {text};")
        return lines

    def _always_blocks(self):
        """Flip-flops, those together that load under the same conditions."""
        groups = {}
        for wire, cell in self._registers.items():
            clock = self._text(cell.connections["CLK"])
            body, reset = self._next_body(wire)
            guard = None
            if len(body) == 1 and not isinstance(body[0], Assign):
                (switch,) = body
                if len(switch.cases) == 1:
                    (patterns, inner) = switch.cases[0]
                    guard, body = self._condition(switch.test, patterns), inner
            loads, resets = groups.setdefault((clock, reset is not None, guard), ([], []))
            loads += self._nonblocking(wire, body)
            if reset is not None:
                resets.append([f"{self._identifier(wire)} <= {constant(reset)};"])
        lines = []
        for (clock, has_reset, guard), (loads, resets) in groups.items():
            block = loads if guard is None else [if_statement(guard, loads)]
            if has_reset:
                block = [if_statement("rst", resets) + else_statement(block)]
            lines += opened(f"always @(posedge {clock})", block)
        return lines

    def _next_body(self, wire):
        """What a flip-flop takes: statements, and the value on reset, if it has one."""
        data = self._registers[wire].connections["D"]
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

    def _nonblocking(self, wire, body):
        """The statements of a flip-flop's process, each as a list of lines."""
        statements = []
        name, width = self._identifier(wire), self._module.wires[wire].width
        if not is_tree(body, width):
            for low, high in pairwise(sorted({0, width, *edges_of(body, width)})):
                index = "" if high - low == width else index_of(low, high - low)
                text = self._selected(body, Slice(wire, low, high - low), f"{name}{index}")
                if text != f"{name}{index}":
                    statements.append(broken(f"{name}{index} <= {text};"))
            return statements
        for statement in body:
            if isinstance(statement, Assign):
                statements.append(broken(f"{name} <= {self._text(statement.value)};"))
                continue
            if is_exclusive(statement) and len(statement.cases) > 2:
                statements += self._case(wire, statement)
                continue
            chain = []
            for patterns, inner in reversed(statement.cases):
                condition = self._condition(statement.test, patterns)
                loads = self._nonblocking(wire, inner)
                if condition is None:
                    chain = loads
                elif loads or chain:
                    chain = [
                        if_statement(condition, loads) + (else_statement(chain) if chain else [])
                    ]
            statements += chain
        return statements

    def _case(self, wire, switch):
        """A flip-flop's switch between values of which one at most matches."""
        lines, has_default = [], any(not patterns for patterns, _ in switch.cases)
        for patterns, inner in switch.cases:
            labels = [constant(Const(len(pattern), int(pattern, 2))) for pattern in patterns]
            loads = self._nonblocking(wire, inner)
            head = f"{', '.join(labels)}:" if labels else "default:"
            if loads:
                lines += opened(head, loads)
            elif has_default:
                lines.append(f"{head} ;")
        if not has_default:
            lines.append("default: ;")
        test = self._text(switch.test)
        return [[f"case ({test})", *(f"  {line}" for line in lines), "endcase"]]

    def _instance(self, cell):
        # Lower modules have no names like these, which Verilator would take for hidden ones.
        name = self._names.add("u_" + cell.name.lstrip("\\$").removeprefix("U$"))
        connections = []
        for port, value in cell.connections.items():
            if not value:
                continue
            (chunk, *_) = value
            is_open = isinstance(chunk, Slice) and not self._is_needed(chunk.wire)
            connections.append(f".{port}({'' if is_open else self._text(value)})")
        return broken(f"{cell.kind[1:]} {name} ({', '.join(connections)});")

    def _initial(self):
        """Power-on values, those of the reset; for registers with one."""
        values = []
        for wire in self._registers:
            if self._next_body(wire)[1] is not None:
                initial = self._module.initial[wire]
                values.append([f"{self._identifier(wire)} = {constant(initial)};"])
        if not values:
            return []
        return ["`ifndef SCALEWRIGHT_NO_INITIAL", *opened("initial", values), "`endif"]

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
        for name, width, _ in self._shared:
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
