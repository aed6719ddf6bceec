"""What flip-flops take, as always blocks, and what they have at power-on.

Decision trees and conditional operators only: Yosys 0.70 miscompiles nonblocking assignments that
override earlier ones inside nested ifs.
"""

from itertools import pairwise

from scalewright.hw.verilog.rtlil import Assign, Const, Slice
from scalewright.hw.verilog.statements import edges_of, is_exclusive, is_tree
from scalewright.hw.verilog.text import (
    broken,
    constant,
    else_statement,
    if_statement,
    index_of,
    opened,
)

__all__ = ["Clocked"]


class Clocked:
    """The flip-flops of a module.

    Parameters
    ----------
    module : a Module
    registers : its Registers
    expressions : its Expressions
    identify : function that names a wire
    """

    def __init__(self, module, registers, expressions, identify):
        self._module = module
        self._registers = registers
        self._expressions = expressions
        self._identifier = identify

    def always_blocks(self):
        """Flip-flops, those together that load under the same conditions."""
        groups = {}
        for wire, cell in self._registers.items():
            clock = self._expressions.text(cell.connections["CLK"])
            body, reset = self._registers.next_body(wire)
            guard = None
            if len(body) == 1 and not isinstance(body[0], Assign):
                (switch,) = body
                if len(switch.cases) == 1:
                    (patterns, inner) = switch.cases[0]
                    guard, body = self._expressions.condition(switch.test, patterns), inner
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

    def initial(self):
        """Power-on values, those of the reset; for registers with one."""
        values = []
        for wire in self._registers:
            if self._registers.next_body(wire)[1] is not None:
                initial = self._module.initial[wire]
                values.append([f"{self._identifier(wire)} = {constant(initial)};"])
        if not values:
            return []
        return ["`ifndef SCALEWRIGHT_NO_INITIAL", *opened("initial", values), "`endif"]

    def _nonblocking(self, wire, body):
        """The statements of a flip-flop's process, each as a list of lines."""
        statements = []
        name, width = self._identifier(wire), self._module.wires[wire].width
        if not is_tree(body, width):
            for low, high in pairwise(sorted({0, width, *edges_of(body, width)})):
                index = "" if high - low == width else index_of(low, high - low)
                text = self._expressions.selected(
                    body, Slice(wire, low, high - low), f"{name}{index}"
                )
                if text != f"{name}{index}":
                    statements.append(broken(f"{name}{index} <= {text};"))
            return statements
        for statement in body:
            if isinstance(statement, Assign):
                statements.append(broken(f"{name} <= {self._expressions.text(statement.value)};"))
                continue
            if is_exclusive(statement) and len(statement.cases) > 2:
                statements += self._case(wire, statement)
                continue
            chain = []
            for patterns, inner in reversed(statement.cases):
                condition = self._expressions.condition(statement.test, patterns)
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
        test = self._expressions.text(switch.test)
        return [[f"case ({test})", *(f"  {line}" for line in lines), "endcase"]]
