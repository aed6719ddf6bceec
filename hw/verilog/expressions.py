"""Values as Verilog expressions.

Every operand is written at the width of its operator, so no tool has to extend or cut anything.
What a combinational process does becomes conditional operators: unlike an `always @*`, they have a
value from time 0 on, and let an unknown condition through in simulation.
"""

from itertools import pairwise

from scalewright.hw.verilog.netlist import (
    ARITHMETIC,
    BITWISE,
    COMPARISONS,
    REDUCTIONS,
    part_of,
    switches,
)
from scalewright.hw.verilog.rtlil import Assign, Const, Process, Slice
from scalewright.hw.verilog.statements import edges_of, is_exclusive, merged_chunks
from scalewright.hw.verilog.text import constant, index_of, is_bracketed, is_word, nested

__all__ = ["Expressions"]

# Longer expressions get a wire of their own.
_LONGEST = 72


class Expressions:
    """The texts of a module's values.

    Parameters
    ----------
    module : a Module
    netlist : its Netlist
    registers : its Registers
    identify : function that names a wire
    name_value : function that names a value of no wire

    Attributes:
    ----------
    shared : values that have a wire of their own: name, width and text
    """

    def __init__(self, module, netlist, registers, identify, name_value):
        self._module = module
        self._netlist = netlist
        self._registers = registers
        self._next = netlist.next_values
        self._identifier = identify
        self._name_value = name_value
        self._references = self._count_references()
        self.shared = []
        self._inlined = {}
        # Names for values that are written often, such as the same bit of all elements.
        self._aliases = {
            tuple(merged_chunks(connection.value)): connection.target.wire
            for connection in reversed(module.connections)
            if len(merged_chunks(connection.value)) > 2 and self._is_plain(connection.value)
        }

    def is_needed(self, wire):
        """Whether anything depends on a wire."""
        return self._netlist.demanded[wire] != 0

    def _is_plain(self, value):
        """Whether a value consists of wires that are there in any case."""
        return all(isinstance(c, Slice) and not self.may_inline(c.wire) for c in value)

    def may_inline(self, wire):
        """Whether what drives a wire is written where the wire is read."""
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
            if self.is_needed(wire):
                # What drives a wire in parts is written for each of them.
                in_steps = wire in self._next and not self._registers.is_selected(self._next[wire])
                once = in_steps or len(self.parts(wire)) == 1
                if isinstance(driver, Process) and not in_steps:
                    for switch in switches(driver.body):
                        count(switch.test)
                for value in self._netlist.reads(wire):
                    count(value, 1 if once else 2)
        for instance in self._netlist.instances:
            for _, value in self._netlist.inputs(instance):
                count(value)
        return counts

    def parts(self, wire):
        """The parts that a combinational process drives a wire in: from which bit to which."""
        driver, width = self._netlist.drivers[wire], self._netlist.width(wire)
        if not isinstance(driver, Process):
            return [(0, width)]
        return list(pairwise(sorted({0, width, *edges_of(driver.body, width)})))

    def operand(self, value, *, of_unary=False):
        """Text of a value as an operator takes it."""
        text, simple = self._expression(value)
        if not simple and text[0] == "~" and text[1:].isidentifier() and not of_unary:
            simple = True
        return text if simple else f"({text})"

    def closed(self, value):
        """Text of a value that means the same in an operator of any width."""
        text, simple = self._expression(value)
        return text if simple and text[0] != "(" else f"{{{text}}}"

    def text(self, value):
        """Text of a value."""
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
        if self.may_inline(wire):
            if wire not in self._inlined:
                text = self.driver_text(wire)
                if len(text) <= _LONGEST:
                    self._inlined[wire] = text
                else:
                    self._references[wire] = 2
            if wire in self._inlined:
                assert (chunk.low, chunk.width) == (0, width), f"a part of an expression: {chunk}"
                text = self._inlined[wire]
                return text, is_word(text) or is_bracketed(text)
        name = self._identifier(wire)
        if chunk.low == 0 and chunk.width == width:
            return name, True
        return f"{name}{index_of(chunk.low, chunk.width)}", True

    def driver_text(self, wire):
        """Text of what drives a wire."""
        driver = self._netlist.drivers[wire]
        width = self._netlist.width(wire)
        if isinstance(driver, tuple):
            merged = tuple(merged_chunks(driver))
            if self._aliases.get(merged) == wire:
                del self._aliases[merged]
                text = self.text(driver)
                self._aliases[merged] = wire
                return text
            return self.text(part_of(driver, 0, width))
        if isinstance(driver, Process):
            return self.selected(driver.body, Slice(wire, 0, width))
        return self._operator(driver, wire)

    def _operator(self, cell, wire):
        kind = cell.kind
        values = self._netlist.operands(cell, wire)
        if kind == "$mux":
            test, true, false = values
            return f"{self.operand(test)} ? {self.operand(true)} : {self.operand(false)}"
        if kind in ("$not", "$neg"):
            return f"{'~' if kind == '$not' else '-'}{self.operand(values[0], of_unary=True)}"
        if kind in REDUCTIONS and not values[0]:
            return constant(Const(1, int(kind == "$reduce_and")))
        if kind in ("$shl", "$shr", "$sshr") and not values[1]:
            return self.text(values[0])
        if kind in REDUCTIONS:
            return f"{REDUCTIONS[kind]}{self.operand(values[0], of_unary=True)}"
        if kind in ("$eq", "$ne") and (bit := self._bit_compared(kind, *values)):
            return bit
        left, right = map(self.operand, values)
        if kind in ("$shl", "$shr"):
            return f"{left} {'<<' if kind == '$shl' else '>>'} {right}"
        if kind == "$sshr":
            return f"$unsigned($signed({self.text(values[0])}) >>> {right})"
        signed = cell.parameters.get("A_SIGNED") == "1"
        if kind in COMPARISONS:
            if signed and kind not in ("$eq", "$ne"):
                left, right = (f"$signed({self.text(value)})" for value in values)
            return f"{left} {COMPARISONS[kind]} {right}"
        if kind == "$mul":
            # The only operands that the tool extends, so what they are must not depend on it.
            left, right = (
                f"$signed({self.text(value)})" if signed else self.closed(value) for value in values
            )
        return f"{left} {(BITWISE | ARITHMETIC)[kind]} {right}"

    def _bit_compared(self, kind, left, right):
        """Text of a comparison of one bit with a constant, without it; None of any other."""
        if all(isinstance(chunk, Const) for chunk in left):
            left, right = right, left
        (bit, *others), (wanted, *_) = left, right
        if others or bit.width > 1 or not isinstance(wanted, Const):
            return None
        inverted = (kind == "$ne") == bool(wanted.value)
        if isinstance(bit, Const):
            return constant(Const(1, bit.value ^ inverted))
        return f"~{self.operand(left, of_unary=True)}" if inverted else self.text(left)

    def selected(self, body, target, text=None):
        """What a combinational process gives some bits, as conditional operators.

        `text` is what they are before its statements.
        """
        for statement in body:
            if isinstance(statement, Assign):
                offset = target.low - statement.target.low
                if offset >= 0 and offset + target.width <= statement.target.width:
                    text = self.text(part_of(statement.value, offset, target.width))
                continue
            text = self._named(text, target.width)
            choices = [
                (self.condition(statement.test, patterns), self.selected(inner, target, text))
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
        name = self._name_value()
        self.shared.append((name, width, text))
        return name

    def condition(self, test, patterns):
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
                text = self.operand(value, of_unary=not number)
                texts.append(text if number else f"~{text}")
            else:
                wanted = constant(Const(len(bits), number))
                texts.append(f"({self.operand(value)} == {wanted})")
        if not texts:
            return None
        return texts[0] if len(texts) == 1 else f"({' | '.join(texts)})"
